// The Hopper GEMM: integers exactly as the reference, halves up to the final rounding. On other GPUs nothing runs;
// where there is none, the kernels are compiled for sm_90a.

#include "cuda/wgemm.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "cuda/implementations.h"
#include "cuda/layers.h"

namespace xinfer::cuda {
namespace {

using testing::check;
using testing::CheckOptions;
using testing::conv_graph;
using testing::ConvCase;
using testing::linear_graph;
using testing::LinearCase;
using testing::Tolerance;
using enum ir::UnaryKind;

constexpr auto kS8 = DataType::kInt8;
constexpr auto kU8 = DataType::kUInt8;
constexpr auto kF32 = DataType::kFloat32;

CheckOptions conv_options(bool all_tactics = false) {
  return {.implementation = "wgemm_conv", .op = ir::OpType::kConv, .all_tactics = all_tactics};
}
CheckOptions linear_options(bool all_tactics = false) {
  return {.implementation = "wgemm_linear", .op = ir::OpType::kLinear, .all_tactics = all_tactics};
}

ir::ConvAttrs attrs(testing::Sizes strides, testing::Sizes dilations, testing::Sizes pads) {
  return {std::move(strides), std::move(dilations), std::move(pads), {}, 1, {}};
}
ir::ConvAttrs same(std::int64_t pad) { return attrs({1, 1}, {1, 1}, {pad, pad, pad, pad}); }
ConvCase with(ConvCase c, ir::Epilogue epilogue) {
  c.attrs.epilogue = epilogue;
  return c;
}

/// Integers are exact; what is stored as halves is not.
template <class Case>
Tolerance tolerance_of(const Case& c) {
  return c.type == kF32 || c.result == kF32 ? Tolerance::half() : Tolerance::exact();
}

class WgemmConv : public ::testing::TestWithParam<ConvCase> {};
TEST_P(WgemmConv, EqualsTheReference) { check(conv_graph(GetParam()), tolerance_of(GetParam()), conv_options()); }

INSTANTIATE_TEST_SUITE_P(Shapes, WgemmConv,
                         ::testing::Values(ConvCase{{130, 9, 7}, 17, {1, 1}}, ConvCase{{17, 1, 1}, 130, {1, 1}},
                                           ConvCase{{64, 19, 17}, 96, {1, 1}}, ConvCase{{256, 14, 13}, 256, {1, 1}},
                                           // Taps, with every way to leave the image.
                                           ConvCase{{64, 11, 9}, 64, {3, 3}, same(1)},
                                           ConvCase{{64, 12, 9}, 130, {3, 3}, attrs({2, 2}, {1, 1}, {1, 1, 1, 1})},
                                           ConvCase{{17, 12, 9}, 130, {3, 3}, attrs({2, 1}, {1, 2}, {0, 2, 1, 1})},
                                           ConvCase{{130, 9, 10}, 3, {3, 2}, attrs({1, 3}, {2, 1}, {2, 0, 1, 1})},
                                           ConvCase{{40, 6, 5}, 48, {5, 5}, attrs({1, 1}, {1, 1}, {4, 2, 4, 2})},
                                           ConvCase{{32, 13, 12}, 64, {5, 5}, attrs({1, 1}, {2, 2}, {4, 4, 4, 4})},
                                           ConvCase{{32, 8, 9}, 64, {1, 1}, attrs({2, 2}, {1, 1}, {0, 0, 0, 0})},
                                           ConvCase{{64, 10, 9}, 48, {1, 1}, attrs({1, 1}, {1, 1}, {1, 0, 2, 1})},
                                           // One spatial axis.
                                           ConvCase{{24, 37}, 20, {5}, attrs({2}, {2}, {3, 4})}));

INSTANTIATE_TEST_SUITE_P(Types, WgemmConv,
                         ::testing::Values(ConvCase{{35, 9, 8}, 33, {3, 3}, same(1), kU8, kU8},
                                           ConvCase{{35, 9, 8}, 33, {3, 3}, same(1), kU8, kS8},
                                           ConvCase{{35, 9, 8}, 33, {3, 3}, same(1), kS8, kU8},
                                           ConvCase{{35, 9, 8}, 33, {3, 3}, same(1), kF32, kF32},
                                           ConvCase{{130, 9, 8}, 100, {1, 1}, {}, kF32, kF32, kF32},
                                           ConvCase{{35, 9, 8}, 40, {3, 3}, same(1), kS8, kS8, kS8},
                                           ConvCase{{35, 9, 8}, 200, {1, 1}, {}, kU8, kU8, kU8},
                                           ConvCase{{35, 9, 8}, 200, {1, 1}, {}, kS8, kS8, kF32},
                                           ConvCase{{64, 9, 8}, 72, {1, 1}, {}, kS8, kF32, kS8},
                                           // Most of it saturates.
                                           ConvCase{{64, 9, 8}, 40, {1, 1}, {}, kS8, kS8, {}, ir::OpType::kConv, 64},
                                           ConvCase{{64, 9, 8}, 40, {1, 1}, {}, kU8, kU8, {}, ir::OpType::kConv, 64}));

INSTANTIATE_TEST_SUITE_P(Activations, WgemmConv,
                         ::testing::Values(with({{40, 9, 8}, 96, {1, 1}}, {kRelu, 0, 0}),
                                           with({{40, 9, 8}, 96, {1, 1}, {}, kU8, kU8}, {kRelu, 0, 0}),
                                           with({{40, 9, 8}, 96, {1, 1}, {}, kF32, kF32}, {kRelu, 0, 0}),
                                           with({{40, 9, 8}, 96, {1, 1}, {}, kS8, kS8, kS8}, {kRelu, 0, 0}),
                                           with({{40, 9, 8}, 96, {1, 1}}, {kClip, -1, 3}),
                                           with({{40, 9, 8}, 96, {1, 1}}, {kLeakyRelu, 0.125F, 0}),
                                           with({{40, 9, 8}, 96, {1, 1}}, {kHardSwish, 0, 0})));

// Functions that the reference computes in double: rounding may tip the other way.
TEST(WgemmConvActivation, SiluIsRoundedOnce) {
  const ConvCase c = with({{40, 9, 8}, 96, {3, 3}, same(1)}, {kSilu, 0, 0});
  check(conv_graph(c), Tolerance::half(), conv_options());
}

TEST(WgemmConvResult, IsHalfOrFloatWhereTheNextLayerWantsThat) {
  const ConvCase c{{35, 9, 8}, 33, {1, 1}, {}, kS8, kF32};
  check(conv_graph(c), Tolerance::half(), conv_options());
  CheckOptions options = conv_options();
  options.real = Element::kF32;
  check(conv_graph(c), {2e-5}, options);
}

/// Whether the node is offered a variant of this form at this batch on an H100.
bool has_variant(const ir::Graph& graph, std::int64_t batch, WgemmTile::Form form) {
  const ir::Node& node = graph.node(graph.order().front());
  const Target hopper{{90, true}, 132, 227 * 1024};
  const Request request{graph, node, batch, hopper, Element::kF16, std::vector<Format>(node.inputs.size()), ir::kNone};
  const std::vector<Tactic> tactics = wgemm_tactics(request);
  return std::any_of(tactics.begin(), tactics.end(),
                     [&](const Tactic& t) { return t.values.at(0) == static_cast<int>(form); });
}

// Every variant on problems with ragged rows and channels, several tiles for each worker, and (the last) fewer panels
// than stages.
TEST(WgemmVariants, EqualTheReference) {
  check(conv_graph({{130, 37, 41}, 200, {1, 1}, {}, kS8, kS8, kS8}), Tolerance::exact(), conv_options(true));
  check(conv_graph({{64, 57, 55}, 72, {3, 3}, same(1)}), Tolerance::exact(), conv_options(true));
  check(conv_graph({{48, 31, 33}, 272, {1, 1}, {}, kF32, kF32, kF32}), Tolerance::half(), conv_options(true));
  check(linear_graph({{ir::Dim::n(), 77, 384}, 520}), Tolerance::exact(), linear_options(true));
}

// Few tiles and a long K: among the variants are those that share K between the blocks of a cluster.
TEST(WgemmVariants, ThatShareKEqualTheReference) {
  const ir::Graph graph = conv_graph({{288, 7, 7}, 100, {3, 3}, same(1), kS8, kS8, kS8});
  EXPECT_TRUE(has_variant(graph, 1, WgemmTile::Form::kSplit));
  check(graph, Tolerance::exact(), conv_options(true));
  check(conv_graph({{288, 7, 7}, 72, {3, 3}, same(1), kF32, kF32, kF32}), Tolerance::half(), conv_options(true));
  check(linear_graph({{ir::Dim::n(), 1030}, 1000, {}, kU8, kU8}), Tolerance::exact(), linear_options(true));
}

// Among the variants are those that copy each pixel once for all taps.
TEST(WgemmVariants, ThatCopyPatchesEqualTheReference) {
  const ConvCase cases[] = {{{64, 57, 55}, 72, {3, 3}, same(1), kS8, kS8, kS8},
                            {{64, 30, 29}, 64, {3, 3}, same(1), kU8, kU8},
                            {{64, 31, 28}, 130, {3, 3}, attrs({1, 1}, {1, 1}, {0, 2, 1, 0}), kF32, kF32, kF32},
                            {{32, 40, 13}, 48, {5, 3}, attrs({1, 1}, {2, 1}, {4, 1, 4, 1})},
                            {{24, 97}, 20, {7}, attrs({1}, {2}, {6, 6})}};
  for (const ConvCase& c : cases) {
    CheckOptions options = conv_options(true);
    options.batches = {3};
    const ir::Graph graph = conv_graph(c);
    EXPECT_TRUE(has_variant(graph, 3, WgemmTile::Form::kPatch));
    check(graph, tolerance_of(c), options);
  }
}

// More tiles than SMs for every worker, and a depth at which a parity bit alone could confuse two rounds of the ring.
TEST(WgemmVariants, HoldOnDeepProblems) {
  CheckOptions options = linear_options(true);
  options.batches = {1};
  check(linear_graph({{ir::Dim::n(), 197, 3072}, 200, {kRelu, 0, 0}, kS8, kS8, kS8}), Tolerance::exact(), options);
  check(linear_graph({{ir::Dim::n(), 3400, 64}, 2000}), Tolerance::exact(), options);
}

class WgemmLinear : public ::testing::TestWithParam<LinearCase> {};
TEST_P(WgemmLinear, EqualsTheReference) { check(linear_graph(GetParam()), tolerance_of(GetParam()), linear_options()); }
INSTANTIATE_TEST_SUITE_P(Shapes, WgemmLinear,
                         ::testing::Values(LinearCase{{ir::Dim::n(), 17}, 10}, LinearCase{{ir::Dim::n(), 130}, 1000},
                                           LinearCase{{ir::Dim::n(), 7, 64}, 48, {kRelu, 0, 0}, kU8, kU8},
                                           LinearCase{{ir::Dim::n(), 11, 768}, 130, {}, kS8, kF32, kF32},
                                           LinearCase{{ir::Dim::n(), 11, 96}, 100, {}, kF32, kF32, kF32},
                                           LinearCase{{ir::Dim::n(), 130}, 1000, {}, kF32, kF32}));

// ---- host side ----

WgemmProblem problem(std::int64_t rows, std::int64_t channels, std::int64_t outputs) {
  WgemmProblem p;
  p.geometry.batch = rows;
  p.geometry.channels = channels;
  p.geometry.outputs = outputs;
  return p;
}

TEST(WgemmPack, GivesAThreadConsecutiveChannels) {
  for (const int store : {4, 8, 16}) {
    std::set<int> seen;
    for (int row = 0; row < 64; ++row) seen.insert(channel_of_packed_row(row, store));
    EXPECT_EQ(seen.size(), 64U);
    EXPECT_EQ(*seen.rbegin(), 63);
    // Thread t holds columns 8j + 2t + e.
    for (int t = 0; t < 4; ++t) {
      for (int j = 0; j < store / 2; ++j) {
        for (int e = 0; e < 2; ++e) EXPECT_EQ(channel_of_packed_row(8 * j + 2 * t + e, store), t * store + 2 * j + e);
      }
    }
  }
}

TEST(WgemmPack, PlacesEveryWeightOnceAndFillsTheRestWithZeros) {
  const WgemmProblem p = problem(1, 70, 65);
  const WgemmTile tile{WgemmTile::Form::kStreamed, 64, 64, 32, 2, 2};
  Tensor weights(kS8, {65, 70});
  std::fill(weights.data<std::int8_t>().begin(), weights.data<std::int8_t>().end(), std::int8_t{3});
  const auto packed = pack_weights(weights, tile, p);
  EXPECT_EQ(packed.size(), 2U * 3 * 64 * 32);
  EXPECT_EQ(std::count(packed.begin(), packed.end(), std::byte{3}), 65 * 70);
  EXPECT_EQ(std::count(packed.begin(), packed.end(), std::byte{0}), 2 * 3 * 64 * 32 - 65 * 70);
}

TEST(WgemmTactics, FitAndAreAllDifferent) {
  const ir::Graph graph = conv_graph({{256, 14, 14}, 256, {3, 3}, same(1)});
  const ir::Node& node = graph.node(graph.order().front());
  const Target hopper{{90, true}, 132, 227 * 1024};
  const Request request{graph, node, 8, hopper, Element::kF16, std::vector<Format>(node.inputs.size()), ir::kNone};
  const std::vector<Tactic> tactics = wgemm_tactics(request);
  ASSERT_FALSE(tactics.empty());
  std::set<std::vector<int>> seen;
  for (const Tactic& tactic : tactics) {
    seen.insert(tactic.values);
    EXPECT_TRUE(std::holds_alternative<std::unique_ptr<Step>>(create_wgemm_conv(request, tactic)));
  }
  EXPECT_EQ(seen.size(), tactics.size());
}

std::string refusal(const ir::Graph& graph, const Target& target, const Tactic& tactic) {
  const ir::Node& node = graph.node(graph.order().front());
  const Request request{graph, node, 2, target, Element::kF16, std::vector<Format>(node.inputs.size()), ir::kNone};
  const Creation made = create_wgemm_conv(request, tactic);
  const auto* refused = std::get_if<Refusal>(&made);
  return refused == nullptr ? "" : refused->reason;
}

TEST(WgemmRefusals, SayWhy) {
  const Target hopper{{90, true}, 132, 227 * 1024}, ampere{{80, false}, 108, 163 * 1024};
  const Tactic streamed = WgemmTile{}.tactic();
  const ir::Graph plain = conv_graph({{64, 9, 9}, 64, {3, 3}, same(1)});
  EXPECT_EQ(refusal(plain, hopper, streamed), "");
  EXPECT_EQ(refusal(plain, ampere, streamed), "wgmma is of Hopper alone");
  EXPECT_EQ(refusal(plain, hopper, Tactic{}), "a variant has seven numbers");
  EXPECT_EQ(refusal(plain, hopper, Tactic{{1, 96, 128, 128, 4, 2, 1}}), "there is no such variant");
  Tactic deep = streamed;
  deep.values[4] = 50;
  EXPECT_NE(refusal(plain, hopper, deep).find("bytes of shared memory"), std::string::npos);
  EXPECT_EQ(refusal(conv_graph({{64, 9, 9}, 64, {3, 3}, {{}, {}, {}, {}, 2, {}}}), hopper, streamed),
            "the convolution has groups");
  EXPECT_EQ(refusal(conv_graph({{3, 9, 9}, 64, {3, 3}, same(1)}), hopper, streamed),
            "few channels: most of each pixel would be padding");
  EXPECT_EQ(refusal(conv_graph({{64, 99, 9}, 64, {3, 3}, attrs({9, 1}, {1, 1}, {1, 1, 1, 1})}), hopper, streamed),
            "TMA takes strides up to 8");
  EXPECT_EQ(refusal(conv_graph({{64, 300, 9}, 64, {3, 1}, attrs({1, 1}, {130, 1}, {0, 0, 0, 0})}), hopper, streamed),
            "TMA reaches 255 pixels from tap to tap, not 260");
}

}  // namespace
}  // namespace xinfer::cuda
