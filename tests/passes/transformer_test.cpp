// form_layer_norm, form_attention, form_linear, unwrap_linear, split_packed_linear.
#include "pass_test.h"

namespace xinfer::passes::testing {
namespace {

// (x - mean) / sqrt(mean((x - mean)^2) + 1e-6)
ValueId normalised(Graph& g, ValueId x, std::vector<std::int64_t> axes) {
  const ValueId centred = binary(g, BinaryKind::kSub, x, mean(g, x, axes));
  const ValueId variance = mean(g, mul(g, centred, centred), axes);
  const ValueId deviation = unary(g, UnaryKind::kSqrt, add(g, variance, scalar(g, 1e-6F)));
  return binary(g, BinaryKind::kDiv, centred, deviation);
}

TEST(FormLayerNorm, WithScaleAndBias) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 5, 8});
  g.set_outputs({add(g, constant(g, {8}), mul(g, normalised(g, x, {2}), constant(g, {1, 1, 8}, 9)))});
  const Graph after = expect_rewrites(g, form_layer_norm);
  const Node& norm = only(after, OpType::kLayerNorm);
  EXPECT_EQ(after.node_count(), 1U);
  EXPECT_EQ(norm.as<ir::NormAttrs>().axis, 2);
  EXPECT_FLOAT_EQ(norm.as<ir::NormAttrs>().epsilon, 1e-6F);
  EXPECT_TRUE(norm.has_input(1) && norm.has_input(2));
}

TEST(FormLayerNorm, OverSeveralAxesWithAReciprocal) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 5, 8});
  const ValueId centred = binary(g, BinaryKind::kSub, x, mean(g, x, {1, 2}));
  const ValueId variance = mean(g, mul(g, centred, centred), {1, 2});
  const ValueId root = unary(g, UnaryKind::kSqrt, add(g, variance, scalar(g, 1e-5F)));
  g.set_outputs({mul(g, unary(g, UnaryKind::kReciprocal, root), centred)});
  EXPECT_EQ(expect_rewrites(g, form_layer_norm).node_count(), 1U);
}

TEST(FormLayerNorm, FailsToFuseOverTheChannelsOfAnImage) {
  Graph g;
  g.set_outputs({normalised(g, input(g, {Dim::n(), 4, 3, 3}), {1})});
  expect_unchanged(g, form_layer_norm);
}

TEST(FormLayerNorm, FailsToFuseDifferentAxes) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 5, 8});
  const ValueId centred = binary(g, BinaryKind::kSub, x, mean(g, x, {2}));
  const ValueId variance = mean(g, mul(g, centred, centred), {1, 2});
  const ValueId root = unary(g, UnaryKind::kSqrt, add(g, variance, scalar(g, 1e-5F)));
  g.set_outputs({binary(g, BinaryKind::kDiv, centred, root)});
  expect_unchanged(g, form_layer_norm);
}

TEST(FormLayerNorm, FailsToFuseWithoutTheMean) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 5, 8});
  const ValueId root = unary(g, UnaryKind::kSqrt, add(g, mean(g, mul(g, x, x), {2}), scalar(g, 1e-5F)));
  g.set_outputs({binary(g, BinaryKind::kDiv, x, root)});
  expect_unchanged(g, form_layer_norm);
}

TEST(FormLayerNorm, FailsToFuseWhenAnInnerValueIsReadElsewhere) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 5, 8});
  const ValueId y = normalised(g, x, {2});
  const ValueId centred = g.node(g.value(y).producer).inputs[0];
  g.set_outputs({add(g, y, centred)});
  expect_unchanged(g, form_layer_norm);
}

TEST(FormLayerNorm, FailsToTakeAScaleAlongAnotherAxis) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 8, 8});
  g.set_outputs({mul(g, normalised(g, x, {2}), constant(g, {8, 1}))});
  const Graph after = expect_rewrites(g, form_layer_norm);
  EXPECT_EQ(count(after, OpType::kBinary), 1U);
}

TEST(FormLayerNorm, FailsToTakeAScaleWhenTheNormIsReadTwice) {
  Graph g;
  const ValueId y = normalised(g, input(g, {Dim::n(), 5, 8}), {2});
  g.set_outputs({add(g, mul(g, y, constant(g, {8})), y)});
  EXPECT_EQ(count(expect_rewrites(g, form_layer_norm), OpType::kBinary), 2U);
}

struct Heads {
  ValueId q, k, v;
};
// q (N, 2, 5, 4), k (N, 2, 6, 4), v (N, 2, 6, 3)
Heads heads(Graph& g) {
  return {input(g, {Dim::n(), 2, 5, 4}, "q"), input(g, {Dim::n(), 2, 6, 4}, "k"), input(g, {Dim::n(), 2, 6, 3}, "v")};
}
constexpr ir::MatMulAttrs kTransposeB{false, true, 1};

TEST(FormAttention, ScaleAfterTheProduct) {
  for (const bool divides : {false, true}) {
    Graph g;
    const Heads h = heads(g);
    const ValueId product = matmul(g, h.q, h.k, kTransposeB);
    const ValueId scores =
        divides ? binary(g, BinaryKind::kDiv, product, scalar(g, 3)) : mul(g, product, scalar(g, 0.5F));
    g.set_outputs({matmul(g, softmax(g, scores), h.v)});
    const Graph after = expect_rewrites(g, form_attention);
    EXPECT_EQ(after.node_count(), 1U);
    EXPECT_FLOAT_EQ(only(after, OpType::kAttention).as<ir::AttentionAttrs>().scale, divides ? 1.F / 3 : 0.5F);
  }
}

TEST(FormAttention, ScalesOnBothOperandsAndATransposeOfHeads) {
  Graph g;
  const ValueId q = transpose(g, input(g, {Dim::n(), 5, 2, 4}, "q"), {0, 2, 1, 3});
  const ValueId k = transpose(g, input(g, {Dim::n(), 6, 2, 4}, "k"), {0, 2, 3, 1});
  const ValueId v = transpose(g, input(g, {Dim::n(), 6, 2, 3}, "v"), {0, 2, 1, 3});
  const ValueId product = matmul(g, mul(g, q, scalar(g, 0.5F)), mul(g, k, scalar(g, 0.7F)));
  g.set_outputs({matmul(g, softmax(g, product), v)});
  const Graph after = expect_rewrites(g, form_attention);
  EXPECT_EQ(count(after, OpType::kTranspose), 3U);
  EXPECT_EQ(after.node_count(), 4U);
  EXPECT_NEAR(only(after, OpType::kAttention).as<ir::AttentionAttrs>().scale, 0.35F, 1e-6F);
}

TEST(FormAttention, ScaleBelowTheTransposeOfK) {
  Graph g;
  const Heads h = heads(g);
  const ValueId k = transpose(g, mul(g, h.k, scalar(g, 0.7F)), {0, 1, 3, 2});
  g.set_outputs({matmul(g, softmax(g, matmul(g, h.q, k)), h.v)});
  const Graph after = expect_rewrites(g, form_attention);
  EXPECT_EQ(after.node_count(), 1U);
}

TEST(FormAttention, WithAMask) {
  Graph g;
  const Heads h = heads(g);
  const ValueId mask = input(g, {Dim::n(), 1, 1, 6}, "mask");
  const ValueId scores = mul(g, matmul(g, h.q, h.k, kTransposeB), scalar(g, 0.5F));
  g.set_outputs({matmul(g, softmax(g, add(g, mask, scores)), h.v)});
  const Graph after = expect_rewrites(g, form_attention);
  EXPECT_EQ(only(after, OpType::kAttention).inputs[3], mask);
}

TEST(FormAttention, OfRank3GetsAHeadAxis) {
  Graph g;
  const ValueId q = input(g, {Dim::n(2), 5, 4}, "q");
  const ValueId k = input(g, {Dim::n(2), 6, 4}, "k");
  const ValueId v = input(g, {Dim::n(2), 6, 3}, "v");
  g.set_outputs({matmul(g, softmax(g, matmul(g, q, k, kTransposeB)), v)});
  EXPECT_EQ(count(expect_rewrites(g, form_attention), OpType::kAttention), 1U);
}

TEST(FormAttention, DropsAGuardAgainstNan) {
  Graph g;
  const Heads h = heads(g);
  const ValueId p = softmax(g, matmul(g, h.q, h.k, kTransposeB));
  const ValueId guarded = g.add(OpType::kWhere, "where", {unary(g, UnaryKind::kIsNan, p), scalar(g, 0), p});
  g.set_outputs({matmul(g, guarded, h.v)});
  EXPECT_EQ(expect_rewrites(g, form_attention).node_count(), 1U);
}

TEST(FormAttention, FailsToDropAGuardThatAMaskMayNeed) {
  Graph g;
  const Heads h = heads(g);
  const ValueId mask = input(g, {Dim::n(), 1, 1, 6}, "mask");
  const ValueId p = softmax(g, add(g, matmul(g, h.q, h.k, kTransposeB), mask));
  const ValueId guarded = g.add(OpType::kWhere, "where", {unary(g, UnaryKind::kIsNan, p), scalar(g, 0), p});
  g.set_outputs({matmul(g, guarded, h.v)});
  expect_unchanged(g, form_attention);
}

TEST(FormAttention, FailsToFuseAScaleAfterTheMask) {
  Graph g;
  const Heads h = heads(g);
  const ValueId mask = input(g, {Dim::n(), 1, 1, 6}, "mask");
  const ValueId scores = mul(g, add(g, matmul(g, h.q, h.k, kTransposeB), mask), scalar(g, 0.5F));
  g.set_outputs({matmul(g, softmax(g, scores), h.v)});
  expect_unchanged(g, form_attention);
}

TEST(FormAttention, FailsToFuseWhenTheWeightsAreAnOutput) {
  Graph g;
  const Heads h = heads(g);
  const ValueId p = softmax(g, matmul(g, h.q, h.k, kTransposeB));
  g.set_outputs({matmul(g, p, h.v), p});
  expect_unchanged(g, form_attention);
}

TEST(FormAttention, FailsToFuseWhenTheScoresAreReadElsewhere) {
  Graph g;
  const Heads h = heads(g);
  const ValueId scores = matmul(g, h.q, h.k, kTransposeB);
  g.set_outputs({matmul(g, softmax(g, scores), h.v), unary(g, UnaryKind::kRelu, scores)});
  expect_unchanged(g, form_attention);
}

TEST(FormAttention, FailsToFuseASoftmaxOverAnotherAxis) {
  Graph g;
  const Heads h = heads(g);
  g.set_outputs({matmul(g, softmax(g, matmul(g, h.q, h.k, kTransposeB), 2), h.v)});
  expect_unchanged(g, form_attention);
}

TEST(FormAttention, FailsToFuseBroadcastHeads) {
  Graph g;
  const Heads h = heads(g);
  const ValueId k = input(g, {Dim::n(), 1, 6, 4}, "k1");
  g.set_outputs({matmul(g, softmax(g, matmul(g, h.q, k, kTransposeB)), h.v)});
  expect_unchanged(g, form_attention);
}

TEST(FormAttention, KeepsAScaledQueryForItsOtherReaders) {
  Graph g;
  const Heads h = heads(g);
  const ValueId q = mul(g, h.q, scalar(g, 0.5F));
  g.set_outputs({matmul(g, softmax(g, matmul(g, q, h.k, kTransposeB)), h.v), unary(g, UnaryKind::kExp, q)});
  const Graph after = expect_rewrites(g, form_attention);
  EXPECT_EQ(only(after, OpType::kAttention).inputs[0], q);
}

TEST(FormLinear, FromAProductWithAConstant) {
  for (const bool transposed : {false, true}) {
    Graph g;
    const ValueId x = input(g, {Dim::n(), 5, 4});
    const ValueId w = transposed ? constant(g, {6, 4}) : constant(g, {4, 6});
    g.set_outputs({matmul(g, x, w, {false, transposed, 0.5F})});
    EXPECT_EQ(only(expect_rewrites(g, form_linear), OpType::kLinear).name, "matmul");
  }
}

TEST(FormLinear, SharesTheWeightsOfTwoProducts) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4});
  const ValueId w = constant(g, {4, 4});
  const ValueId before = matmul(g, x, w);
  g.set_outputs({matmul(g, before, w), unary(g, UnaryKind::kExp, w)});
  Graph h = g;
  EXPECT_TRUE(form_linear(h));
  std::vector<ValueId> weights;
  for (const NodeId id : h.order()) {
    if (h.node(id).op == OpType::kLinear) weights.push_back(h.node(id).inputs[1]);
  }
  ASSERT_EQ(weights.size(), 2U);
  EXPECT_EQ(weights[0], weights[1]);
  EXPECT_EQ(h.value(w).consumers.size(), 1U);
}

TEST(FormLinear, FailsToFormFromTwoActivations) {
  Graph g;
  g.set_outputs({matmul(g, input(g, {Dim::n(), 5, 4}), input(g, {4, 6}, "w"))});
  expect_unchanged(g, form_linear);
}

TEST(FormLinear, FailsToFormFromABatchOfMatrices) {
  Graph g;
  g.set_outputs({matmul(g, input(g, {Dim::n(), 5, 4}), constant(g, {1, 4, 6}))});
  expect_unchanged(g, form_linear);
}

TEST(FormLinear, FailsToFormFromATransposedLeftOperand) {
  Graph g;
  g.set_outputs({matmul(g, input(g, {Dim::n(), 4, 5}), constant(g, {4, 6}), {true, false, 1})});
  expect_unchanged(g, form_linear);
}

TEST(UnwrapLinear, DropsReshapesThatOnlyMergeLeadingAxes) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 5, 4});
  const ValueId y = linear(g, reshape(g, x, {Dim::n(5), 4}), 4, 6);
  g.set_outputs({reshape(g, y, {Dim::n(), 5, 6})});
  EXPECT_EQ(expect_rewrites(g, unwrap_linear).node_count(), 1U);
}

TEST(UnwrapLinear, MovesAReshapeOfTheLeadingAxesBeforeTheLayer) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 5, 2, 2});
  const ValueId y = linear(g, reshape(g, x, {Dim::n(5), 4}), 4, 6);
  g.set_outputs({reshape(g, y, {Dim::n(), 5, 6})});
  const Graph after = expect_rewrites(g, unwrap_linear);
  EXPECT_EQ(after.node_count(), 2U);
  EXPECT_EQ(after.node(after.value(after.outputs()[0]).producer).op, OpType::kLinear);
}

TEST(UnwrapLinear, FailsWhenTheLastAxisChanges) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 5, 4});
  const ValueId y = linear(g, reshape(g, x, {Dim::n(5), 4}), 4, 6);
  g.set_outputs({reshape(g, y, {Dim::n(), 10, 3})});
  expect_unchanged(g, unwrap_linear);
}

TEST(UnwrapLinear, FailsWithoutAReshapeBeforeTheLayer) {
  Graph g;
  const ValueId y = linear(g, input(g, {Dim::n(5), 4}), 4, 6);
  g.set_outputs({reshape(g, y, {Dim::n(), 5, 6})});
  expect_unchanged(g, unwrap_linear);
}

TEST(UnwrapLinear, FailsWhenTheLayerIsReadTwice) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 5, 4});
  const ValueId y = linear(g, reshape(g, x, {Dim::n(5), 4}), 4, 6);
  g.set_outputs({reshape(g, y, {Dim::n(), 5, 6}), unary(g, UnaryKind::kRelu, y)});
  expect_unchanged(g, unwrap_linear);
}

// Linear (N, 5, 3 * 2 * 4) -> (3, N, 2, 5, 4)
ValueId packed_heads(Graph& g, std::vector<std::int64_t> perm = {2, 0, 3, 1, 4}) {
  const ValueId y = linear(g, input(g, {Dim::n(), 5, 4}), 4, 24);
  return transpose(g, reshape(g, y, {Dim::n(), 5, 3, 2, 4}), std::move(perm));
}
ValueId part(Graph& g, ValueId packed, std::int64_t index) {
  const ValueId i = g.add_constant("i", Tensor::from<std::int64_t>({}, {&index, 1}));
  return g.add(OpType::kGather, "gather", {packed, i}, ir::AxisAttrs{0});
}

TEST(SplitPackedLinear, BehindGathersOfSingleParts) {
  Graph g;
  const ValueId packed = packed_heads(g);
  g.set_outputs({part(g, packed, 0), part(g, packed, 1), part(g, packed, -1)});
  const Graph after = expect_rewrites(g, split_packed_linear);
  EXPECT_EQ(count(after, OpType::kLinear), 3U);
  EXPECT_EQ(count(after, OpType::kGather), 0U);
}

TEST(SplitPackedLinear, BehindAReshapeAndASplit) {
  Graph g;
  const ValueId packed = reshape(g, packed_heads(g), {3, Dim::n(2), 5, 4});
  const NodeId split = g.add_node(OpType::kSplit, "split", {packed}, ir::SplitAttrs{0, {1, 1, 1}}, 3);
  g.set_outputs(g.node(split).outputs);
  const Graph after = expect_rewrites(g, split_packed_linear);
  EXPECT_EQ(count(after, OpType::kLinear), 3U);
  EXPECT_EQ(count(after, OpType::kSplit), 0U);
}

TEST(SplitPackedLinear, AlongTheFeatures) {
  Graph g;
  const ValueId y = linear(g, input(g, {Dim::n(), 5, 4}), 4, 8);
  const NodeId split = g.add_node(OpType::kSplit, "split", {y}, ir::SplitAttrs{2, {3, 5}}, 2);
  g.set_outputs(g.node(split).outputs);
  EXPECT_EQ(expect_rewrites(g, split_packed_linear).node_count(), 2U);
}

TEST(SplitPackedLinear, FailsToSplitAlongAnotherAxis) {
  Graph g;
  const ValueId y = linear(g, input(g, {Dim::n(), 5, 4}), 4, 8);
  const NodeId split = g.add_node(OpType::kSplit, "split", {y}, ir::SplitAttrs{1, {2, 3}}, 2);
  g.set_outputs(g.node(split).outputs);
  expect_unchanged(g, split_packed_linear);
  Graph heads_first;
  const ValueId packed = packed_heads(heads_first, {3, 0, 2, 1, 4});
  heads_first.set_outputs({part(heads_first, packed, 0), part(heads_first, packed, 1)});
  expect_unchanged(heads_first, split_packed_linear);
}

TEST(SplitPackedLinear, FailsToSplitWhenThePackedValueIsReadWhole) {
  Graph g;
  const ValueId packed = packed_heads(g);
  g.set_outputs({part(g, packed, 0), unary(g, UnaryKind::kExp, packed)});
  expect_unchanged(g, split_packed_linear);
}

TEST(SplitPackedLinear, FailsToSplitWhenThePackedValueIsAnOutput) {
  Graph g;
  const ValueId packed = packed_heads(g);
  g.set_outputs({part(g, packed, 0), packed});
  expect_unchanged(g, split_packed_linear);
}

ValueId patch_conv(Graph& g, std::int64_t channels, std::int64_t height, std::int64_t width, std::int64_t kernel,
                   std::int64_t stride, std::int64_t pad = 0) {
  const ValueId x = input(g, {Dim::n(), channels, height, width});
  ir::ConvAttrs attrs = conv_attrs(pad);
  attrs.strides = {stride, stride};
  return g.add(OpType::kConv, "patch",
               {x, constant(g, {5, channels, kernel, kernel}, 31, "w"), constant(g, {5}, 32, "b")}, attrs);
}

TEST(UnfoldPatches, BecomeALinearLayer) {
  Graph g;
  const ValueId y = patch_conv(g, 3, 16, 24, 8, 8);
  g.set_outputs({y});
  const Graph after = expect_rewrites(g, unfold_patches);
  EXPECT_EQ(count(after, OpType::kConv), 0U);
  const Node& linear = only(after, OpType::kLinear);
  EXPECT_EQ(after.value(linear.inputs[1]).shape, (Shape{5, 3 * 8 * 8}));
  EXPECT_EQ(after.value(linear.outputs[0]).shape, (Shape{Dim::n(), 2 * 3, 5}));
  EXPECT_EQ(after.value(after.outputs()[0]).name, g.value(y).name);
}

TEST(UnfoldPatches, NoTransposeIsLeftInFrontOfATransformer) {
  Graph g;
  const ValueId rows = transpose(g, reshape(g, patch_conv(g, 3, 16, 24, 8, 8), {Dim::n(), 5, 6}), {0, 2, 1});
  g.set_outputs({linear(g, rows, 5, 7)});
  Graph after = g;
  run_default(after);
  expect_same_results(g, after);
  EXPECT_EQ(count(after, OpType::kLinear), 2U);
  EXPECT_EQ(count(after, OpType::kTranspose), 1U) << to_text(after);
}

TEST(UnfoldPatches, FailsToUnfoldOtherConvolutions) {
  const auto unchanged = [](auto... shape) {
    Graph g;
    g.set_outputs({patch_conv(g, shape...)});
    expect_unchanged(g, unfold_patches);
  };
  unchanged(3, 16, 24, 8, 4);     // windows overlap
  unchanged(3, 17, 24, 8, 8);     // a row is left over
  unchanged(3, 14, 22, 8, 8, 1);  // padding
  unchanged(3, 16, 24, 4, 4);     // few taps
  unchanged(8, 16, 24, 8, 8);     // many channels
}

}  // namespace
}  // namespace xinfer::passes::testing
