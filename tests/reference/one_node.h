#pragma once
// Evaluating a graph of a single node.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "ir/graph.h"
#include "reference/reference.h"
#include "xinfer/core/errors.h"

namespace xinfer::reference {

using Sizes = std::vector<std::int64_t>;

/// A tensor and, where it stands for reals, its scale. Converts from a Tensor; a default one is an absent input.
struct Operand {
  Tensor tensor;
  std::optional<ir::Quantization> quantization;

  Operand() = default;
  Operand(Tensor t) : tensor(std::move(t)) {}  // NOLINT: a tensor is an operand
  Operand(Tensor t, ir::Quantization q) : tensor(std::move(t)), quantization(std::move(q)) {}
  Operand(Tensor t, float scale) : Operand(std::move(t), ir::Quantization{{scale}, {}, -1}) {}
};

/// The type and scale that the first output should have instead of what the shape rule gives.
struct Target {
  DataType dtype;
  ir::Quantization quantization;

  Target(DataType type, float scale) : dtype(type), quantization{{scale}, {}, -1} {}
  Target(DataType type, ir::Quantization q) : dtype(type), quantization(std::move(q)) {}
};

inline Tensor f32(Sizes shape, std::vector<float> values) { return Tensor::from<float>(std::move(shape), values); }
inline Tensor s64(Sizes shape, std::vector<std::int64_t> values) {
  return Tensor::from<std::int64_t>(std::move(shape), values);
}
inline Tensor s32(Sizes shape, std::vector<std::int32_t> values) {
  return Tensor::from<std::int32_t>(std::move(shape), values);
}
inline Tensor s8(Sizes shape, std::vector<std::int8_t> values) {
  return Tensor::from<std::int8_t>(std::move(shape), values);
}
inline Tensor u8(Sizes shape, std::vector<std::uint8_t> values) {
  return Tensor::from<std::uint8_t>(std::move(shape), values);
}
inline Tensor booleans(Sizes shape, std::vector<int> values) {
  Tensor tensor(DataType::kBool, std::move(shape));
  for (std::size_t i = 0; i < values.size(); ++i) tensor.data<bool>()[i] = values[i] != 0;
  return tensor;
}
/// 0, 1, 2, ...
inline Tensor counting(Sizes shape, float start = 0) {
  Tensor tensor(DataType::kFloat32, std::move(shape));
  for (float& x : tensor.data<float>()) x = start++;
  return tensor;
}

inline ir::PoolAttrs pool(Sizes kernel, Sizes strides = {}, Sizes dilations = {}, Sizes pads = {}) {
  return {std::move(kernel), std::move(strides), std::move(dilations), std::move(pads)};
}

inline ir::ResizeAttrs resizing(ir::ResizeMode mode, ir::CoordinateMode coordinates = ir::CoordinateMode::kHalfPixel,
                                Sizes sizes = {}) {
  ir::ResizeAttrs attrs;
  attrs.mode = mode;
  attrs.coordinates = coordinates;
  attrs.sizes = std::move(sizes);
  return attrs;
}

template <class T>
std::vector<T> values_of(const Tensor& tensor) {
  const auto data = tensor.data<T>();
  return {data.begin(), data.end()};
}

/// Runs one node; the first operand is a graph input, the others are constants.
inline std::vector<Tensor> outputs_of(ir::OpType op, const std::vector<Operand>& operands,
                                      ir::Attributes attrs = ir::NoAttrs{}, std::optional<Target> target = {},
                                      std::size_t output_count = 1) {
  ir::Graph graph;
  std::vector<ir::ValueId> ids;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Operand& operand = operands[i];
    const std::string name = "operand" + std::to_string(i);
    if (operand.tensor.empty()) {
      ids.push_back(ir::kNone);
    } else if (i == 0) {
      ids.push_back(graph.add_input(name, operand.tensor.dtype(), ir::Shape::of(operand.tensor.shape())));
      graph.value(ids.back()).quantization = operand.quantization;
    } else {
      ids.push_back(graph.add_constant(name, operand.tensor, operand.quantization));
    }
  }
  const ir::NodeId node = graph.add_node(op, "node", ids, std::move(attrs), output_count);
  const std::vector<ir::ValueId> outputs = graph.node(node).outputs;
  if (target) {
    graph.value(outputs[0]).dtype = target->dtype;
    graph.value(outputs[0]).quantization = target->quantization;
  }
  graph.set_outputs(outputs);
  return run(graph, std::vector<Tensor>{operands[0].tensor});
}

inline Tensor output_of(ir::OpType op, const std::vector<Operand>& operands, ir::Attributes attrs = ir::NoAttrs{},
                        std::optional<Target> target = {}) {
  return outputs_of(op, operands, std::move(attrs), std::move(target)).at(0);
}

inline void expect_near(const Tensor& actual, const Tensor& expected, float tolerance = 1e-6F) {
  ASSERT_EQ(actual.dtype(), expected.dtype());
  ASSERT_EQ(actual.shape(), expected.shape());
  if (actual.dtype() == DataType::kFloat32) {
    EXPECT_THAT(values_of<float>(actual),
                testing::Pointwise(testing::FloatNear(tolerance), values_of<float>(expected)));
    return;
  }
  const auto* a = static_cast<const unsigned char*>(actual.raw());
  const auto* b = static_cast<const unsigned char*>(expected.raw());
  EXPECT_EQ(std::vector<unsigned char>(a, a + actual.bytes()), std::vector<unsigned char>(b, b + expected.bytes()));
}

}  // namespace xinfer::reference
