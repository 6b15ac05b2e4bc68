// Normalisations on the GPU.

#include "cuda/harness.h"

namespace xinfer::cuda {
namespace {

using ir::Dim;
using ir::Graph;
using ir::NormAttrs;
using ir::OpType;
using ir::Shape;
using testing::check;
using testing::check_inputs;
using testing::CheckOptions;
using testing::make_quantized;
using testing::Random;
using testing::Sizes;
using testing::Tolerance;

constexpr auto kF32 = DataType::kFloat32;
const CheckOptions kSingle{.real = Element::kF32, .implementation = {}};
constexpr Tolerance kTight{2e-5, 1.0, 1e-2};

Shape batch_of(const Sizes& sizes) {
  Shape shape{Dim::n()};
  for (const std::int64_t size : sizes) shape.dims().push_back(size);
  return shape;
}

/// Quantizes the value (or not) and makes it the graph's output.
void finish(Graph& g, ir::ValueId y, std::optional<DataType> type, float scale = 1.0F / 24) {
  if (type) {
    y = g.add(OpType::kQuantize, "quantized", {y});
    make_quantized(g, y, *type, scale);
  }
  g.set_outputs({y});
}

struct LayerNormCase {
  Sizes in;  ///< without the batch
  std::int64_t axis = -1;
  bool scale = true, bias = true;
  std::optional<DataType> quantized = {};
};

Graph layer_norm_graph(const LayerNormCase& c) {
  Random random(5);
  Graph g;
  const Shape shape = batch_of(c.in);
  const auto x = g.add_input("x", kF32, shape);
  const auto axis = c.axis < 0 ? c.axis + static_cast<std::int64_t>(shape.rank()) : c.axis;
  const Sizes normalized(c.in.begin() + (axis - 1), c.in.end());
  const auto scale = c.scale ? g.add_constant("scale", random.floats(normalized, 0.5F, 1.5F)) : ir::kNone;
  const auto bias = c.bias ? g.add_constant("bias", random.floats(normalized)) : ir::kNone;
  finish(g, g.add(OpType::kLayerNorm, "norm", {x, scale, bias}, NormAttrs{1e-5F, c.axis, 1}), c.quantized);
  return g;
}

CheckOptions all_variants(Element real) {
  return {.real = real, .implementation = "layer_norm", .op = OpType::kLayerNorm, .all_tactics = true};
}

class LayerNorm : public ::testing::TestWithParam<LayerNormCase> {};
TEST_P(LayerNorm, HalfEqualsTheReference) {
  check(layer_norm_graph(GetParam()), Tolerance::half(), all_variants(Element::kF16));
}
TEST_P(LayerNorm, SingleEqualsTheReference) {
  check(layer_norm_graph(GetParam()), kTight, all_variants(Element::kF32));
}

INSTANTIATE_TEST_SUITE_P(Columns, LayerNorm,
                         ::testing::Values(LayerNormCase{{5, 1}}, LayerNormCase{{3, 17}}, LayerNormCase{{7, 130}},
                                           LayerNormCase{{5, 768}}, LayerNormCase{{5, 256}}, LayerNormCase{{3, 1024}},
                                           LayerNormCase{{2, 3000}}, LayerNormCase{{8200}}, LayerNormCase{{3, 8211}}));
INSTANTIATE_TEST_SUITE_P(Axes, LayerNorm,
                         ::testing::Values(LayerNormCase{{3, 5, 7}, 2}, LayerNormCase{{4, 6, 8}, 1},
                                           LayerNormCase{{4, 30, 80}, 1}));
INSTANTIATE_TEST_SUITE_P(Parameters, LayerNorm,
                         ::testing::Values(LayerNormCase{{3, 40}, -1, false, true},
                                           LayerNormCase{{3, 40}, -1, true, false},
                                           LayerNormCase{{3, 40}, -1, false, false}));
INSTANTIATE_TEST_SUITE_P(Quantized, LayerNorm,
                         ::testing::Values(LayerNormCase{{3, 17}, -1, true, true, DataType::kInt8},
                                           LayerNormCase{{3, 768}, -1, true, true, DataType::kInt8},
                                           LayerNormCase{{2, 1040}, -1, true, true, DataType::kUInt8},
                                           LayerNormCase{{3, 5, 7}, 2, true, true, DataType::kInt8}));

// A mean far from zero must not eat the variance's digits.
TEST(LayerNormValues, LargeMean) {
  Graph g = layer_norm_graph({{2, 257}});
  Random random(3);
  Tensor x = random.eighths({2, 2, 257});
  for (float& value : x.data<float>()) value += 1000;
  check_inputs(g, {x}, {1e-4, 1.0}, kSingle);
}

TEST(LayerNormValues, ParametersFromTheGraph) {
  for (const std::int64_t columns : {17, 64}) {
    Graph g;
    const auto x = g.add_input("x", kF32, {Dim::n(), 3, columns});
    const auto scale = g.add_input("scale", kF32, {columns});
    const auto bias = g.add_input("bias", kF32, {columns});
    finish(g, g.add(OpType::kLayerNorm, "norm", {x, scale, bias}, NormAttrs{1e-5F, -1, 1}), {});
    check(g, Tolerance::half());
    check(g, kTight, kSingle);
  }
}

// Channels of a convolution: the value arrives channels last and is put into rows.
TEST(LayerNormValues, BehindATranspose) {
  Random random(4);
  Graph g;
  const auto x = g.add_input("x", kF32, {Dim::n(), 6, 5, 3});
  const auto pooled = g.add(OpType::kMaxPool, "pool", {x}, ir::PoolAttrs{{1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}});
  const auto rows = g.add(OpType::kTranspose, "rows", {pooled}, ir::TransposeAttrs{{0, 2, 3, 1}});
  const auto scale = g.add_constant("scale", random.floats({6}, 0.5F, 1.5F));
  const auto bias = g.add_constant("bias", random.floats({6}));
  finish(g, g.add(OpType::kLayerNorm, "norm", {rows, scale, bias}, NormAttrs{1e-5F, -1, 1}), {});
  check(g, Tolerance::half());
}

struct ChannelCase {
  Sizes in;  ///< C, spatial...
  std::int64_t groups = 1;
  std::optional<DataType> quantized = {};
};

Graph group_norm_graph(const ChannelCase& c) {
  Random random(6);
  Graph g;
  const auto x = g.add_input("x", kF32, batch_of(c.in));
  const auto scale = g.add_constant("scale", random.floats({c.in[0]}, 0.5F, 1.5F));
  const auto bias = g.add_constant("bias", random.floats({c.in[0]}));
  finish(g, g.add(OpType::kGroupNorm, "norm", {x, scale, bias}, NormAttrs{1e-5F, -1, c.groups}), c.quantized);
  return g;
}
Graph batch_norm_graph(const ChannelCase& c) {
  Random random(7);
  Graph g;
  const auto x = g.add_input("x", kF32, batch_of(c.in));
  std::vector<ir::ValueId> inputs{x};
  inputs.push_back(g.add_constant("scale", random.floats({c.in[0]}, 0.5F, 1.5F)));
  inputs.push_back(g.add_constant("bias", random.floats({c.in[0]})));
  inputs.push_back(g.add_constant("mean", random.floats({c.in[0]})));
  inputs.push_back(g.add_constant("variance", random.floats({c.in[0]}, 0.5F, 2.0F)));
  finish(g, g.add(OpType::kBatchNorm, "norm", inputs, NormAttrs{1e-5F, -1, 1}), c.quantized);
  return g;
}

class GroupNorm : public ::testing::TestWithParam<ChannelCase> {};
TEST_P(GroupNorm, HalfEqualsTheReference) { check(group_norm_graph(GetParam()), Tolerance::half()); }
TEST_P(GroupNorm, SingleEqualsTheReference) { check(group_norm_graph(GetParam()), kTight, kSingle); }
INSTANTIATE_TEST_SUITE_P(Shapes, GroupNorm,
                         ::testing::Values(ChannelCase{{6, 5, 7}, 2}, ChannelCase{{17, 9, 3}, 17},
                                           ChannelCase{{130, 4, 4}, 13}, ChannelCase{{32, 40, 33}, 32},
                                           ChannelCase{{8, 50}, 4}, ChannelCase{{12}, 3}, ChannelCase{{1200, 3, 2}, 5},
                                           ChannelCase{{4, 3, 4, 5}, 1}, ChannelCase{{20, 6, 6}, 4, DataType::kInt8}));

class BatchNorm : public ::testing::TestWithParam<ChannelCase> {};
TEST_P(BatchNorm, HalfEqualsTheReference) { check(batch_norm_graph(GetParam()), Tolerance::half()); }
TEST_P(BatchNorm, SingleEqualsTheReference) { check(batch_norm_graph(GetParam()), kTight, kSingle); }
INSTANTIATE_TEST_SUITE_P(Shapes, BatchNorm,
                         ::testing::Values(ChannelCase{{3, 5, 7}}, ChannelCase{{130, 4, 4}}, ChannelCase{{24, 60}},
                                           ChannelCase{{33}}, ChannelCase{{5, 2, 3, 4}},
                                           ChannelCase{{20, 30, 31}, 1, DataType::kInt8}));

// Instance normalisation of channels whose mean is far from zero.
TEST(GroupNormValues, LargeMean) {
  Graph g = group_norm_graph({{5, 30, 31}, 5});
  Random random(3);
  Tensor x = random.eighths({2, 5, 30, 31});
  for (float& value : x.data<float>()) value += 500;
  check_inputs(g, {x}, {2e-4, 1.0}, kSingle);
}

}  // namespace
}  // namespace xinfer::cuda
