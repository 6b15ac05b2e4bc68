#pragma once
// Builds small graphs and compares what they compute before and after a rewrite.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ir/printer.h"
#include "ir/verifier.h"
#include "passes/pipeline.h"
#include "passes/rewrites.h"
#include "reference/reference.h"

namespace xinfer::passes::testing {

using ir::BinaryKind;
using ir::Dim;
using ir::Graph;
using ir::kNone;
using ir::Node;
using ir::NodeId;
using ir::OpType;
using ir::Shape;
using ir::UnaryKind;
using ir::ValueId;
using Rewrite = bool (*)(Graph&);

inline Tensor random_tensor(std::vector<std::int64_t> shape, unsigned seed, float low = -2, float high = 2) {
  Tensor tensor(DataType::kFloat32, std::move(shape));
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> distribution(low, high);
  for (float& x : tensor.data<float>()) x = distribution(random);
  return tensor;
}

inline ValueId input(Graph& g, Shape shape, const std::string& name = "x") {
  return g.add_input(name, DataType::kFloat32, std::move(shape));
}
inline ValueId scalar(Graph& g, float number) { return g.add_constant("c", Tensor::from<float>({}, {&number, 1})); }
inline ValueId constant(Graph& g, std::vector<std::int64_t> shape, unsigned seed = 7, const std::string& name = "w",
                        float low = -1, float high = 1) {
  return g.add_constant(name, random_tensor(std::move(shape), seed, low, high));
}
inline ValueId unary(Graph& g, UnaryKind kind, ValueId x, float alpha = 0, float beta = 0) {
  return g.add(OpType::kUnary, std::string(name_of(kind)), {x}, ir::UnaryAttrs{kind, alpha, beta});
}
inline ValueId binary(Graph& g, BinaryKind kind, ValueId a, ValueId b) {
  return g.add(OpType::kBinary, std::string(name_of(kind)), {a, b}, ir::BinaryAttrs{kind, {}});
}
inline ValueId add(Graph& g, ValueId a, ValueId b) { return binary(g, BinaryKind::kAdd, a, b); }
inline ValueId mul(Graph& g, ValueId a, ValueId b) { return binary(g, BinaryKind::kMul, a, b); }
inline ValueId transpose(Graph& g, ValueId x, std::vector<std::int64_t> perm) {
  return g.add(OpType::kTranspose, "transpose", {x}, ir::TransposeAttrs{std::move(perm)});
}
inline ValueId reshape(Graph& g, ValueId x, Shape shape) {
  return g.add(OpType::kReshape, "reshape", {x}, ir::ShapeAttrs{std::move(shape)});
}
inline ValueId matmul(Graph& g, ValueId a, ValueId b, ir::MatMulAttrs attrs = {}) {
  return g.add(OpType::kMatMul, "matmul", {a, b}, attrs);
}
inline ValueId softmax(Graph& g, ValueId x, std::int64_t axis = -1) {
  return g.add(OpType::kSoftmax, "softmax", {x}, ir::SoftmaxAttrs{axis, false});
}
inline ValueId mean(Graph& g, ValueId x, std::vector<std::int64_t> axes) {
  return g.add(OpType::kReduce, "mean", {x}, ir::ReduceAttrs{ir::ReduceKind::kMean, std::move(axes), true});
}
inline ir::ConvAttrs conv_attrs(std::int64_t pad = 0, std::int64_t groups = 1) {
  ir::ConvAttrs attrs;
  attrs.strides = attrs.dilations = {1, 1};
  attrs.pads = {pad, pad, pad, pad};
  attrs.groups = groups;
  return attrs;
}
/// 3x3 convolution from `in` to `out` channels.
inline ValueId conv(Graph& g, ValueId x, std::int64_t in, std::int64_t out, std::int64_t pad = 1, bool bias = true,
                    std::int64_t groups = 1, const std::string& name = "conv") {
  std::vector<ValueId> inputs{x, constant(g, {out, in / groups, 3, 3}, 11, name + ".w")};
  if (bias) inputs.push_back(constant(g, {out}, 12, name + ".b"));
  return g.add(OpType::kConv, name, inputs, conv_attrs(pad, groups));
}
inline ValueId linear(Graph& g, ValueId x, std::int64_t in, std::int64_t out, const std::string& name = "linear") {
  return g.add(OpType::kLinear, name, {x, constant(g, {out, in}, 13, name + ".w"), constant(g, {out}, 14, name + ".b")},
               ir::LinearAttrs{});
}
inline ValueId batch_norm(Graph& g, ValueId x, std::int64_t channels, const std::string& name = "bn") {
  return g.add(
      OpType::kBatchNorm, name,
      {x, constant(g, {channels}, 21, name + ".scale", 0.5F, 1.5F), constant(g, {channels}, 22, name + ".bias"),
       constant(g, {channels}, 23, name + ".mean"), constant(g, {channels}, 24, name + ".var", 0.2F, 2)},
      ir::NormAttrs{});
}

inline std::size_t count(const Graph& g, OpType op) {
  std::size_t result = 0;
  for (const NodeId id : g.order()) result += g.node(id).op == op ? 1U : 0U;
  return result;
}
/// The only node with this operator; fails the test when there is none.
inline const Node& only(const Graph& g, OpType op) {
  static const Node none;
  EXPECT_EQ(count(g, op), 1U) << to_text(g);
  for (const NodeId id : g.order()) {
    if (g.node(id).op == op) return g.node(id);
  }
  return none;
}

/// Runs both graphs on the same random inputs (batch of 2).
inline void expect_same_results(const Graph& before, const Graph& after, float tolerance = 2e-5F) {
  std::vector<Tensor> inputs;
  unsigned seed = 100;
  for (const ValueId id : before.inputs()) inputs.push_back(random_tensor(before.value(id).shape.at(2), seed++));
  const std::vector<Tensor> want = reference::run(before, inputs);
  const std::vector<Tensor> got = reference::run(after, inputs);
  ASSERT_EQ(want.size(), got.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_EQ(want[i].shape(), got[i].shape());
    if (want[i].dtype() != DataType::kFloat32) continue;
    const auto a = std::as_const(want[i]).data<float>();
    const auto b = std::as_const(got[i]).data<float>();
    float scale = 1;
    for (const float x : a) scale = std::max(scale, std::abs(x));
    for (std::size_t k = 0; k < a.size(); ++k) {
      ASSERT_NEAR(a[k], b[k], tolerance * scale) << "output " << i << " element " << k << "\n" << to_text(after);
    }
  }
}

/// The rewrite changes the graph, leaves it well-formed, computes the same, and has nothing more to do.
inline Graph expect_rewrites(Graph graph, Rewrite rewrite) {
  const Graph before = graph;
  EXPECT_TRUE(rewrite(graph)) << to_text(before);
  EXPECT_NO_THROW(ir::verify(graph, "after the rewrite"));
  expect_same_results(before, graph);
  for (int round = 0; round < 8 && rewrite(graph); ++round) EXPECT_LT(round, 7) << "never settles";
  expect_same_results(before, graph);
  EXPECT_EQ(before.output_names(), graph.output_names());
  return graph;
}

/// The rewrite finds nothing to do.
inline void expect_unchanged(Graph graph, Rewrite rewrite) {
  const std::string before = to_text(graph);
  EXPECT_FALSE(rewrite(graph));
  EXPECT_EQ(before, to_text(graph));
}

}  // namespace xinfer::passes::testing
