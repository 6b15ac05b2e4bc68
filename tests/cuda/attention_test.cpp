// Attention on the GPU.

#include <cmath>
#include <limits>

#include "cuda/harness.h"

namespace xinfer::cuda {
namespace {

using ir::Dim;
using ir::Graph;
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

// Operands are multiples of 1/8 up to 2, so scores are exact. Rounding the probabilities to half changes the result by
// up to 2^-11 of the largest value, and storing it in half by as much again.
constexpr Tolerance kHalf{1e-3, 2.0, 1e-2};
constexpr Tolerance kTight{2e-5, 1.0, 1e-2};

struct AttentionCase {
  std::int64_t heads = 2, queries = 5, keys = 5, depth = 8, values = 8;
  bool causal = false;
  std::optional<Shape> mask = {};  ///< of a mask that is an input
  std::optional<DataType> quantized = {};
  float scale = 0.25F;
};

Graph attention_graph(const AttentionCase& c, std::optional<Tensor> constant_mask = {}) {
  Graph g;
  std::vector<ir::ValueId> inputs;
  inputs.push_back(g.add_input("q", kF32, {Dim::n(), c.heads, c.queries, c.depth}));
  inputs.push_back(g.add_input("k", kF32, {Dim::n(), c.heads, c.keys, c.depth}));
  inputs.push_back(g.add_input("v", kF32, {Dim::n(), c.heads, c.keys, c.values}));
  if (c.mask) inputs.push_back(g.add_input("mask", kF32, *c.mask));
  if (constant_mask) inputs.push_back(g.add_constant("mask", std::move(*constant_mask)));
  auto y = g.add(OpType::kAttention, "attention", inputs, ir::AttentionAttrs{c.scale, c.causal});
  if (c.quantized) {
    y = g.add(OpType::kQuantize, "quantized", {y});
    make_quantized(g, y, *c.quantized, 1.0F / 80);
  }
  g.set_outputs({y});
  return g;
}

CheckOptions with(const char* implementation, Element real = Element::kF16) {
  return {.real = real, .implementation = implementation, .op = OpType::kAttention};
}

void check_all(const Graph& g, const Tolerance& half = kHalf) {
  check(g, half, with("attention"));
  check(g, half, with("attention_plain"));
  check(g, kTight, with("attention_plain", Element::kF32));
}

class Attention : public ::testing::TestWithParam<AttentionCase> {};
TEST_P(Attention, EqualsTheReference) { check_all(attention_graph(GetParam())); }

INSTANTIATE_TEST_SUITE_P(Heads, Attention,
                         ::testing::Values(AttentionCase{2, 5, 5, 8, 8}, AttentionCase{3, 20, 33, 17, 17},
                                           AttentionCase{2, 70, 70, 64, 64}, AttentionCase{1, 33, 65, 80, 80},
                                           AttentionCase{2, 130, 67, 128, 128}, AttentionCase{2, 40, 40, 64, 17},
                                           AttentionCase{1, 16, 48, 17, 64}));
INSTANTIATE_TEST_SUITE_P(Lengths, Attention,
                         ::testing::Values(AttentionCase{2, 1, 1, 64, 64}, AttentionCase{2, 197, 197, 64, 64},
                                           AttentionCase{1, 1, 200, 64, 64}, AttentionCase{1, 200, 1, 64, 64},
                                           AttentionCase{2, 64, 128, 64, 64}, AttentionCase{1, 129, 63, 64, 64}));
INSTANTIATE_TEST_SUITE_P(Causal, Attention,
                         ::testing::Values(AttentionCase{2, 150, 150, 64, 64, true},
                                           AttentionCase{1, 40, 90, 64, 64, true},
                                           AttentionCase{1, 90, 40, 32, 32, true}));
INSTANTIATE_TEST_SUITE_P(Scales, Attention,
                         ::testing::Values(AttentionCase{1, 20, 70, 64, 64, false, {}, {}, -0.25F},
                                           AttentionCase{1, 20, 70, 64, 64, false, {}, {}, 0.0F}));
INSTANTIATE_TEST_SUITE_P(Masks, Attention,
                         ::testing::Values(AttentionCase{2, 37, 75, 64, 64, false, Shape{Dim::n(), 2, 37, 75}},
                                           AttentionCase{2, 37, 75, 64, 64, false, Shape{Dim::n(), 1, 1, 75}},
                                           AttentionCase{2, 37, 75, 64, 64, false, Shape{1, 2, 37, 75}},
                                           AttentionCase{2, 37, 80, 64, 64, false, Shape{37, 80}},
                                           AttentionCase{2, 37, 75, 64, 64, false, Shape{75}},
                                           AttentionCase{2, 150, 150, 64, 64, true, Shape{2, 1, 150}}));
INSTANTIATE_TEST_SUITE_P(Quantized, Attention,
                         ::testing::Values(AttentionCase{2, 37, 75, 64, 64, false, {}, DataType::kInt8},
                                           AttentionCase{2, 37, 75, 17, 17, false, {}, DataType::kUInt8}));

class WgmmaAttention : public ::testing::TestWithParam<AttentionCase> {};
TEST_P(WgmmaAttention, EqualsTheReference) {
  CheckOptions options = with("attention_wgmma");
  options.all_tactics = true;
  check(attention_graph(GetParam()), kHalf, options);
}

// Every size of a tile, of the last one too; one query, one key, and more of both than a tile has.
INSTANTIATE_TEST_SUITE_P(Lengths, WgmmaAttention,
                         ::testing::Values(AttentionCase{2, 1, 1, 64, 64}, AttentionCase{2, 197, 197, 64, 64},
                                           AttentionCase{3, 384, 384, 64, 64}, AttentionCase{1, 1, 200, 64, 64},
                                           AttentionCase{1, 200, 1, 64, 64}, AttentionCase{2, 64, 128, 64, 64},
                                           AttentionCase{1, 129, 63, 64, 64}, AttentionCase{3, 65, 17, 64, 64},
                                           AttentionCase{2, 70, 33, 64, 64}, AttentionCase{2, 50, 80, 64, 64},
                                           AttentionCase{2, 50, 96, 64, 64}, AttentionCase{2, 130, 97, 64, 64},
                                           AttentionCase{1, 130, 145, 64, 64}, AttentionCase{1, 300, 700, 64, 64}));
INSTANTIATE_TEST_SUITE_P(Others, WgmmaAttention,
                         ::testing::Values(AttentionCase{2, 37, 75, 64, 64, false, Shape{Dim::n(), 1, 1, 75}},
                                           AttentionCase{2, 137, 385, 64, 64, false, Shape{Dim::n(), 1, 1, 385}},
                                           AttentionCase{2, 37, 75, 64, 64, false, Shape{75}},
                                           AttentionCase{1, 20, 70, 64, 64, false, {}, {}, -0.25F},
                                           AttentionCase{1, 20, 70, 64, 64, false, {}, {}, 0.0F},
                                           AttentionCase{2, 70, 197, 64, 64, false, {}, DataType::kInt8},
                                           AttentionCase{2, 197, 75, 64, 64, false, {}, DataType::kUInt8}));

// Enough queries for two tiles a warp.
TEST(AttentionTiles, ManyQueries) {
  CheckOptions options = with("attention");
  options.batches = {3};
  check(attention_graph({72, 150, 90, 64, 64}), kHalf, options);
  check(attention_graph({72, 150, 90, 32, 48, true, Shape{Dim::n(), 1, 1, 90}}), kHalf, options);
}

TEST(AttentionMasks, OneValueForAllKeys) {
  const Graph g = attention_graph({2, 9, 20, 16, 16, false, Shape{Dim::n(), 1, 9, 1}});
  check(g, kHalf, with("attention_plain"));
  check(g, kTight, with("attention_plain", Element::kF32));
}

/// A mask of (1, 1, queries, keys): `low` for the later half of the keys, for all keys of query 3, and for all of the
/// first tile of keys of query 5.
Tensor partial_mask(std::int64_t queries, std::int64_t keys, float low) {
  Tensor mask(kF32, {1, 1, queries, keys});
  auto values = mask.data<float>();
  for (std::int64_t s = 0; s < queries; ++s) {
    for (std::int64_t t = 0; t < keys; ++t) {
      const bool hidden = s == 3 || (s == 5 ? t < 64 : t >= keys / 2);
      values[static_cast<std::size_t>(s * keys + t)] = hidden ? low : 0.0F;
    }
  }
  return mask;
}

// A query that sees no key at all gets the softmax of its scores from a finite mask (NaN from an infinite one). Adding
// -65504 in float leaves 2^-8 of a score's digits.
TEST(AttentionMasks, HiddenKeysAndRows) {
  const AttentionCase c{2, 20, 100, 64, 64};
  for (const float low : {-10000.0F, -65504.0F, -std::numeric_limits<float>::infinity()}) {
    const Graph g = attention_graph(c, partial_mask(c.queries, c.keys, low));
    const Tolerance loose{4e-3, 2.0};
    check(g, loose, with("attention"));
    check(g, loose, with("attention_plain"));
    check(g, std::isinf(low) ? kTight : loose, with("attention_plain", Element::kF32));
  }
}

// Beyond the range of half: constants keep their values.
TEST(AttentionMasks, LowestFloat) {
  const AttentionCase c{2, 20, 100, 64, 64};
  const Graph g = attention_graph(c, partial_mask(c.queries, c.keys, std::numeric_limits<float>::lowest()));
  check_all(g);
}

// Heads as a transformer has them: Linear, Reshape, Transpose, and back. Whatever lies between must be copied nowhere.
TEST(AttentionFormats, HeadsAreReadInPlace) {
  constexpr std::int64_t kQueries = 50, kHeads = 3, kDepth = 32, kWidth = kHeads * kDepth;
  Random random(2);
  for (const bool quantized : {false, true}) {
    Graph g;
    const auto x = g.add_input("x", kF32, {Dim::n(), kQueries, kWidth});
    std::vector<ir::ValueId> inputs;
    for (const std::string name : {"q", "k", "v"}) {
      const auto w = g.add_constant(name + ".w", random.eighths({kWidth, kWidth}, -2, 2));
      const auto y = g.add(OpType::kLinear, name + ".linear", {x, w}, ir::LinearAttrs{});
      const auto parted =
          g.add(OpType::kReshape, name + ".reshape", {y}, ir::ShapeAttrs{{Dim::n(), kQueries, kHeads, kDepth}});
      inputs.push_back(g.add(OpType::kTranspose, name, {parted}, ir::TransposeAttrs{{0, 2, 1, 3}}));
    }
    auto y = g.add(OpType::kAttention, "attention", inputs, ir::AttentionAttrs{0.125F, false});
    if (quantized) {
      y = g.add(OpType::kQuantize, "quantized", {y});
      make_quantized(g, y, DataType::kInt8, 0.04F);
    }
    y = g.add(OpType::kTranspose, "back", {y}, ir::TransposeAttrs{{0, 2, 1, 3}});
    y = g.add(OpType::kReshape, "joined", {y}, ir::ShapeAttrs{{Dim::n(), kQueries, kWidth}});
    g.set_outputs({y});
    check(g, {8e-3, 4.0, 3e-2}, with("attention"));

    CompileOptions options;
    options.target = {{90, true}, 132, 227 * 1024};
    const auto program = compile(std::make_shared<const Graph>(g), 2, options);
    for (const StepInfo& info : program->infos) {
      // The graph's input and output are f32 rows; nothing else may be converted.
      const bool rim = info.node == "q.linear" || info.node == "joined";
      EXPECT_TRUE(rim || info.reformats == 0) << info.node;
      const bool moves = info.op == OpType::kTranspose || info.op == OpType::kReshape;
      EXPECT_TRUE(!moves || info.bytes == 0) << info.node;
    }
  }
}

TEST(AttentionRefusals, WideHeads) {
  const Graph g = attention_graph({1, 9, 20, 200, 136});
  check(g, kHalf);  // the plain kernel takes them
}

}  // namespace
}  // namespace xinfer::cuda
