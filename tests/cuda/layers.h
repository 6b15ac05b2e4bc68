#pragma once
// Graphs of one convolution or Linear, for the tests of everything that computes them.

#include <cmath>
#include <optional>
#include <string>

#include "cuda/harness.h"

namespace xinfer::cuda::testing {

/// One Conv (or ConvTranspose) with a bias. Lists have an entry for each spatial axis.
struct ConvCase {
  Sizes in;  ///< C, spatial...
  std::int64_t outputs = 16;
  Sizes kernel{1, 1};
  ir::ConvAttrs attrs{};
  DataType type = DataType::kInt8;     ///< of the input
  DataType result = DataType::kInt8;   ///< of the output
  std::optional<DataType> residual{};  ///< its type
  ir::OpType op = ir::OpType::kConv;
  float narrower = 1;  ///< divides the output's scale: more saturates
  std::uint32_t seed = 11;
};

inline ir::ValueId input_of(ir::Graph& g, const std::string& name, DataType type, const ir::Shape& shape, float scale) {
  return type == DataType::kFloat32 ? g.add_input(name, type, shape) : quantized_input(g, name, type, shape, scale);
}

/// Weights of the type that goes with an input's: s8, or multiples of 1/8.
inline ir::ValueId weights_of(ir::Graph& g, DataType input, const Sizes& shape, int axis, Random& random) {
  if (input == DataType::kFloat32) return g.add_constant("w", random.eighths(shape));
  return quantized_weights(g, "w", shape, axis, random);
}

/// A power of two that brings sums of `k` products of random 8-bit numbers into range.
inline float scale_for(std::int64_t k) {
  return std::exp2(std::round(std::log2(std::sqrt(static_cast<float>(k)) / 8)));
}

inline ir::Graph conv_graph(const ConvCase& c) {
  Random random(c.seed);
  ir::Graph g;
  const bool transposed = c.op == ir::OpType::kConvTranspose;
  const std::int64_t channels = c.in.at(0) / c.attrs.groups;
  ir::Shape shape{ir::Dim::n()};
  for (const std::int64_t size : c.in) shape.dims().push_back(size);
  const auto x = input_of(g, "x", c.type, shape, 1.0F / 16);
  Sizes weights = transposed ? Sizes{c.in[0], c.outputs / c.attrs.groups} : Sizes{c.outputs, channels};
  weights.insert(weights.end(), c.kernel.begin(), c.kernel.end());
  const auto w = weights_of(g, c.type, weights, transposed ? 1 : 0, random);
  const auto bias = g.add_constant("bias", random.floats({c.outputs}, -2, 2));
  std::vector<ir::ValueId> inputs{x, w, bias};
  if (c.residual) {
    const auto without = [&] {  // the same node, to learn the output's shape
      ir::Graph copy = g;
      return copy.value(copy.add(c.op, "shape", inputs, c.attrs)).shape;
    }();
    inputs.push_back(input_of(g, "residual", *c.residual, without, 1.0F / 4));
  }
  const auto y = g.add(c.op, "conv", inputs, c.attrs);
  std::int64_t k = channels;
  for (const std::int64_t size : c.kernel) k *= size;
  if (c.result != DataType::kFloat32) make_quantized(g, y, c.result, scale_for(k) / c.narrower);
  g.set_outputs({y});
  return g;
}

/// Linear over the last axis of `shape` (K), with a bias.
struct LinearCase {
  ir::Shape shape;
  std::int64_t outputs = 16;
  ir::Epilogue epilogue{};
  DataType type = DataType::kInt8;
  DataType result = DataType::kInt8;
  std::optional<DataType> residual{};
};

inline ir::Graph linear_graph(const LinearCase& c) {
  Random random(5);
  ir::Graph g;
  const std::size_t last = c.shape.rank() - 1;
  const std::int64_t k = c.shape[last].value;
  const auto x = input_of(g, "x", c.type, c.shape, 1.0F / 16);
  const auto w = weights_of(g, c.type, {c.outputs, k}, 0, random);
  const auto bias = g.add_constant("bias", random.floats({c.outputs}, -2, 2));
  std::vector<ir::ValueId> inputs{x, w, bias};
  if (c.residual) {
    ir::Shape shape = c.shape;
    shape[last] = c.outputs;
    inputs.push_back(input_of(g, "residual", *c.residual, shape, 1.0F / 4));
  }
  const auto y = g.add(ir::OpType::kLinear, "linear", inputs, ir::LinearAttrs{c.epilogue});
  if (c.result != DataType::kFloat32) make_quantized(g, y, c.result, scale_for(k));
  g.set_outputs({y});
  return g;
}

struct MatMulCase {
  ir::Shape a, b;
  ir::MatMulAttrs attrs{};
  DataType a_type = DataType::kInt8, b_type = DataType::kInt8;
  DataType result = DataType::kInt8;
};

inline ir::Graph matmul_graph(const MatMulCase& c) {
  ir::Graph g;
  const auto a = input_of(g, "a", c.a_type, c.a, 1.0F / 16);
  const auto b = input_of(g, "b", c.b_type, c.b, 1.0F / 64);
  const auto y = g.add(ir::OpType::kMatMul, "matmul", {a, b}, c.attrs);
  const std::int64_t k = c.a[c.a.rank() - (c.attrs.transpose_a ? 2 : 1)].value;
  if (c.result != DataType::kFloat32) make_quantized(g, y, c.result, scale_for(k));
  g.set_outputs({y});
  return g;
}

}  // namespace xinfer::cuda::testing
