#pragma once
// Small float graphs with random weights, and calibrating them on the reference.

#include <random>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ir/verifier.h"
#include "quantize/calibrate.h"
#include "quantize/plan.h"
#include "reference/reference.h"

namespace xinfer::quantize::testing {

inline Tensor random_tensor(std::vector<std::int64_t> shape, std::uint32_t seed, float deviation = 1.0F,
                            float mean = 0.0F) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(mean, deviation);
  Tensor result(DataType::kFloat32, std::move(shape));
  for (float& x : result.data<float>()) x = normal(random);
  return result;
}

// Adds layers with weights that keep the size of activations.
class Net {
 public:
  ir::Graph graph;

  explicit Net(const std::string& name = "net") { graph.name = name; }

  ir::ValueId input(const std::string& name, ir::Shape shape) {
    return graph.add_input(name, DataType::kFloat32, std::move(shape));
  }
  ir::ValueId conv(const std::string& name, ir::ValueId x, std::int64_t out, std::int64_t kernel = 3,
                   ir::UnaryKind activation = ir::UnaryKind::kIdentity, std::int64_t groups = 1,
                   ir::ValueId residual = ir::kNone) {
    const std::int64_t in = graph.value(x).shape[1].value / groups;
    ir::ConvAttrs attrs;
    attrs.pads.assign(4, kernel / 2);
    attrs.groups = groups;
    attrs.epilogue.activation = activation;
    if (activation == ir::UnaryKind::kClip) attrs.epilogue.beta = 6;
    const auto deviation = static_cast<float>(1.0 / std::sqrt(static_cast<double>(in * kernel * kernel)));
    return graph.add(ir::OpType::kConv, name,
                     with_residual({x, weights(name, {out, in, kernel, kernel}, deviation), bias(name, out)}, residual),
                     attrs);
  }
  ir::ValueId linear(const std::string& name, ir::ValueId x, std::int64_t out,
                     ir::UnaryKind activation = ir::UnaryKind::kIdentity, ir::ValueId residual = ir::kNone) {
    const std::int64_t in = graph.value(x).shape.dims().back().value;
    ir::LinearAttrs attrs;
    attrs.epilogue.activation = activation;
    const auto deviation = static_cast<float>(1.0 / std::sqrt(static_cast<double>(in)));
    return graph.add(ir::OpType::kLinear, name,
                     with_residual({x, weights(name, {out, in}, deviation), bias(name, out)}, residual), attrs);
  }
  ir::ValueId binary(const std::string& name, ir::ValueId a, ir::ValueId b, ir::BinaryKind kind,
                     ir::UnaryKind activation = ir::UnaryKind::kIdentity) {
    ir::BinaryAttrs attrs;
    attrs.kind = kind;
    attrs.epilogue.activation = activation;
    return graph.add(ir::OpType::kBinary, name, {a, b}, attrs);
  }
  ir::ValueId add(const std::string& name, ir::ValueId a, ir::ValueId b,
                  ir::UnaryKind activation = ir::UnaryKind::kIdentity) {
    return binary(name, a, b, ir::BinaryKind::kAdd, activation);
  }
  ir::ValueId unary(const std::string& name, ir::ValueId x, ir::UnaryKind kind) {
    ir::UnaryAttrs attrs;
    attrs.kind = kind;
    return graph.add(ir::OpType::kUnary, name, {x}, attrs);
  }
  ir::ValueId mean(const std::string& name, ir::ValueId x) {
    ir::ReduceAttrs attrs;
    attrs.axes = {2, 3};
    return graph.add(ir::OpType::kReduce, name, {x}, attrs);
  }
  ir::ValueId max_pool(const std::string& name, ir::ValueId x) {
    ir::PoolAttrs attrs;
    attrs.kernel = {2, 2};
    attrs.strides = {2, 2};
    return graph.add(ir::OpType::kMaxPool, name, {x}, attrs);
  }
  ir::ValueId reshape(const std::string& name, ir::ValueId x, ir::Shape shape) {
    return graph.add(ir::OpType::kReshape, name, {x}, ir::ShapeAttrs{std::move(shape)});
  }
  ir::ValueId transpose(const std::string& name, ir::ValueId x, std::vector<std::int64_t> perm) {
    return graph.add(ir::OpType::kTranspose, name, {x}, ir::TransposeAttrs{std::move(perm)});
  }
  ir::ValueId concat(const std::string& name, std::vector<ir::ValueId> xs, std::int64_t axis = 1) {
    return graph.add(ir::OpType::kConcat, name, std::move(xs), ir::AxisAttrs{axis});
  }
  ir::ValueId layer_norm(const std::string& name, ir::ValueId x) {
    const std::int64_t size = graph.value(x).shape.dims().back().value;
    const ir::ValueId scale = graph.add_constant(name + ".scale", random_tensor({size}, seed_++, 0.1F, 1.0F));
    return graph.add(ir::OpType::kLayerNorm, name, {x, scale, bias(name, size)}, ir::NormAttrs{});
  }
  ir::ValueId softmax(const std::string& name, ir::ValueId x) {
    return graph.add(ir::OpType::kSoftmax, name, {x}, ir::SoftmaxAttrs{});
  }
  ir::ValueId weights(const std::string& name, std::vector<std::int64_t> shape, float deviation) {
    return graph.add_constant(name + ".weight", random_tensor(std::move(shape), seed_++, deviation));
  }
  ir::ValueId bias(const std::string& name, std::int64_t size) {
    return graph.add_constant(name + ".bias", random_tensor({size}, seed_++, 0.1F));
  }
  const ir::Graph& done(std::vector<ir::ValueId> outputs) {
    graph.set_outputs(std::move(outputs));
    ir::verify(graph, "the test's construction");
    return graph;
  }

 private:
  static std::vector<ir::ValueId> with_residual(std::vector<ir::ValueId> inputs, ir::ValueId residual) {
    if (residual != ir::kNone) inputs.push_back(residual);
    return inputs;
  }
  std::uint32_t seed_ = 1000;
};

/// Runs the float graph on the reference.
inline std::shared_ptr<Runner> reference_runner(const ir::Graph& graph) {
  return tensor_runner([&graph](std::span<const Tensor> inputs, const cpu::ValueObserver& observer) {
    std::unordered_map<std::string, Tensor> values;
    reference::run(graph, inputs, &values);
    for (std::size_t i = 0; i < graph.value_count(); ++i) {
      const auto id = static_cast<ir::ValueId>(i);
      if (graph.value(id).is_constant()) continue;
      const auto found = values.find(graph.value(id).name);
      if (found != values.end()) observer(id, found->second);
    }
  });
}

/// `count` random images for every input of `graph`, as one batch. Fewer images of one seed are the first of more.
inline std::vector<Tensor> random_batch(const ir::Graph& graph, std::int64_t count, std::uint32_t seed) {
  std::vector<Tensor> batch;
  for (const ir::ValueId id : graph.inputs()) {
    batch.push_back(random_tensor(graph.value(id).shape.at(count), seed++));
  }
  return batch;
}

inline CalibrationTable calibrate_randomly(const ir::Graph& graph, const CalibrateOptions& options = {}) {
  Calibrator calibrator(graph, reference_runner(graph), options);
  calibrator.add(random_batch(graph, 8, 1));
  return calibrator.finish().table;
}

inline QuantizedModel calibrate_and_quantize(const ir::Graph& graph, const PlanOptions& options = {}) {
  CalibrateOptions calibration;
  calibration.plan = options;
  return quantize(graph, calibrate_randomly(graph, calibration), options);
}

inline int count_ops(const ir::Graph& graph, ir::OpType op) {
  int count = 0;
  for (const ir::NodeId id : graph.order()) count += graph.node(id).op == op ? 1 : 0;
  return count;
}

inline const ir::Node& node_called(const ir::Graph& graph, const std::string& name) {
  for (const ir::NodeId id : graph.order()) {
    if (graph.node(id).name == name) return graph.node(id);
  }
  throw std::runtime_error("no node is called " + name);
}

inline const ir::Value& value_called(const ir::Graph& graph, const std::string& name) {
  const ir::ValueId id = graph.find_value(name);
  if (id == ir::kNone) throw std::runtime_error("no value is called " + name);
  return graph.value(id);
}

inline const NodeDecision& decision_for(const QuantizedModel& model, const std::string& name) {
  for (const NodeDecision& d : model.decisions) {
    if (d.node == name) return d;
  }
  throw std::runtime_error("no decision for " + name);
}

}  // namespace xinfer::quantize::testing
