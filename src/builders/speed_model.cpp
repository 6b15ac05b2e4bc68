#include "builders/speed_model.h"

#include <stdexcept>
#include <unordered_map>

#include "quantize/overrides.h"

namespace xinfer::builders {
namespace {

constexpr double kStartUs = 2;  // of a kernel that does next to nothing

/// Microseconds of a node by batch size; empty where some are missing.
BatchTimes times_of(const std::string& node, const NodeTimes& times) {
  BatchTimes result;
  for (const auto& one : times) {
    const auto found = one.find(node);
    if (found == one.end()) return {};
    result.push_back(found->second);
  }
  return result;
}

/// The conversions of `quantized`: names of nodes by the name of the tensor that they convert.
std::unordered_map<std::string, std::string> conversions_of(const ir::Graph& quantized) {
  std::unordered_map<std::string, std::string> result;
  for (const ir::NodeId id : quantized.order()) {
    const ir::Node& node = quantized.node(id);
    if (node.op != ir::OpType::kQuantize && node.op != ir::OpType::kDequantize) continue;
    result.emplace(quantized.value(node.inputs[0]).name, node.name);
  }
  return result;
}

}  // namespace

SpeedModel speed_model(const ir::Graph& float_graph, const std::vector<quantize::NodeDecision>& decisions,
                       const quantize::PlanOptions& plan, std::vector<std::int64_t> batches) {
  std::unordered_map<std::string_view, quantize::Precision> precisions;
  for (const quantize::NodeDecision& decision : decisions) precisions.emplace(decision.node, decision.precision);
  SpeedModel model;
  model.batches = std::move(batches);
  std::unordered_map<ir::NodeId, int> index;
  for (const ir::NodeId id : float_graph.order()) {
    const ir::Node& node = float_graph.node(id);
    index.emplace(id, static_cast<int>(model.nodes.size()));
    SpeedNode speed;
    speed.name = node.name;
    speed.int8 = precisions.at(node.name) == quantize::Precision::kInt8;
    speed.movable = speed.int8 && !quantize::is_overridden(node, plan);
    speed.writes_float = node.op == ir::OpType::kConv || node.op == ir::OpType::kConvTranspose ||
                         node.op == ir::OpType::kLinear || node.op == ir::OpType::kMatMul;
    model.nodes.push_back(std::move(speed));
  }
  for (std::size_t v = 0; v < float_graph.value_count(); ++v) {
    const ir::Value& value = float_graph.value(static_cast<ir::ValueId>(v));
    if (value.is_constant() || value.dtype != DataType::kFloat32) continue;
    SpeedTensor tensor;
    tensor.name = value.name;
    if (value.producer != ir::kNone) tensor.producer = index.at(value.producer);
    for (const ir::NodeId reader : value.consumers) tensor.readers.push_back(index.at(reader));
    tensor.output = float_graph.is_output(static_cast<ir::ValueId>(v));
    model.tensors.push_back(std::move(tensor));
  }
  return model;
}

void add_times(SpeedModel& model, const ir::Graph& float_graph, const ir::Graph& quantized, const NodeTimes& int8,
               const NodeTimes& in_float, double bytes_per_us) {
  if (int8.size() != model.batches.size() || in_float.size() != model.batches.size()) {
    throw std::logic_error("not one set of times for each batch size");
  }
  const BatchTimes none(model.batches.size(), 0.0);
  for (SpeedNode& node : model.nodes) {
    node.int8_us = times_of(node.name, int8);
    node.float_us = times_of(node.name, in_float);
    if (!node.int8_us.empty() && !node.float_us.empty()) continue;
    node.movable = false;
    node.int8_us = node.float_us = none;
  }
  const auto conversions = conversions_of(quantized);
  for (SpeedTensor& tensor : model.tensors) {
    const auto found = conversions.find(tensor.name);
    tensor.convert_us = found == conversions.end() ? BatchTimes{} : times_of(found->second, int8);
    if (!tensor.convert_us.empty()) continue;
    const ir::Value& value = float_graph.value(float_graph.find_value(tensor.name));
    for (const std::int64_t batch : model.batches) {
      constexpr double kBytes = 3;
      const auto elements = static_cast<double>(element_count(value.shape.at(batch)));
      tensor.convert_us.push_back(kStartUs + kBytes * elements / bytes_per_us);
    }
  }
}

}  // namespace xinfer::builders
