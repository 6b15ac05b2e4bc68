// What moves into a conv or linear layer: fold_batch_norm, lower_batch_norm, fuse_scale_and_bias, fuse_pad,
// fuse_residual, fuse_activation; and form_global_pool.
#include "pass_test.h"

namespace xinfer::passes::testing {
namespace {

const ir::Epilogue& conv_epilogue(const Graph& g) { return only(g, OpType::kConv).as<ir::ConvAttrs>().epilogue; }

TEST(FoldBatchNorm, IntoTheConvBefore) {
  for (const bool bias : {false, true}) {
    for (const std::int64_t groups : {1, 2, 4}) {
      Graph g;
      const ValueId x = input(g, {Dim::n(), 4, 6, 6});
      g.set_outputs({batch_norm(g, conv(g, x, 4, 8, 1, bias, groups), 8)});
      const Graph after = expect_rewrites(g, fold_batch_norm);
      EXPECT_EQ(after.node_count(), 1U);
      EXPECT_EQ(only(after, OpType::kConv).name, "conv");
      EXPECT_EQ(after.value(after.outputs()[0]).name, "bn");
    }
  }
}

TEST(FoldBatchNorm, IntoTheTransposedConvBefore) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4, 5, 5});
  ir::ConvAttrs attrs = conv_attrs(0, 2);
  attrs.output_padding = {0, 0};
  const ValueId y = g.add(OpType::kConvTranspose, "deconv", {x, constant(g, {4, 3, 3, 3})}, attrs);
  g.set_outputs({batch_norm(g, y, 6)});
  EXPECT_EQ(expect_rewrites(g, fold_batch_norm).node_count(), 1U);
}

TEST(FoldBatchNorm, IntoTheLinearLayerBefore) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4});
  g.set_outputs({batch_norm(g, linear(g, x, 4, 8), 8)});
  EXPECT_EQ(expect_rewrites(g, fold_batch_norm).node_count(), 1U);
}

TEST(FoldBatchNorm, IntoTheConvAfterWhenItDoesNotPad) {
  for (const std::int64_t groups : {1, 2}) {
    Graph g;
    const ValueId x = input(g, {Dim::n(), 4, 6, 6});
    g.set_outputs({conv(g, batch_norm(g, x, 4), 4, 8, 0, true, groups)});
    EXPECT_EQ(expect_rewrites(g, fold_batch_norm).node_count(), 1U);
  }
}

TEST(FoldBatchNorm, LeavesSharedWeightsAlone) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4, 6, 6});
  const ValueId w = constant(g, {4, 4, 3, 3});
  const ValueId a = g.add(OpType::kConv, "a", {x, w}, conv_attrs(1));
  const ValueId b = g.add(OpType::kConv, "b", {a, w}, conv_attrs(1));
  g.set_outputs({batch_norm(g, b, 4)});
  const Tensor weights = *g.value(w).constant;
  const Graph after = expect_rewrites(g, fold_batch_norm);
  EXPECT_EQ(after.node_count(), 2U);
  EXPECT_EQ(after.value(w).constant->raw(), weights.raw());
}

TEST(FoldBatchNorm, FailsToFoldIntoAConvThatPads) {
  Graph g;
  g.set_outputs({conv(g, batch_norm(g, input(g, {Dim::n(), 4, 6, 6}), 4), 4, 8, 1)});
  expect_unchanged(g, fold_batch_norm);
}

TEST(FoldBatchNorm, FailsToFoldAcrossAnActivation) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4, 6, 6});
  const ValueId relu = unary(g, UnaryKind::kRelu, conv(g, x, 4, 8));
  g.set_outputs({conv(g, unary(g, UnaryKind::kRelu, batch_norm(g, relu, 8)), 8, 8, 0)});
  expect_unchanged(g, fold_batch_norm);
}

TEST(FoldBatchNorm, FailsToFoldWhenTheConvIsReadTwice) {
  Graph g;
  const ValueId y = conv(g, input(g, {Dim::n(), 4, 6, 6}), 4, 8);
  g.set_outputs({add(g, batch_norm(g, y, 8), y)});
  expect_unchanged(g, fold_batch_norm);
}

TEST(FoldBatchNorm, FailsToFoldWhenTheConvIsAnOutput) {
  Graph g;
  const ValueId y = conv(g, input(g, {Dim::n(), 4, 6, 6}), 4, 8);
  g.set_outputs({batch_norm(g, y, 8), y});
  expect_unchanged(g, fold_batch_norm);
}

TEST(FoldBatchNorm, FailsToFoldIntoALinearLayerOfRank3) {
  Graph g;
  g.set_outputs({batch_norm(g, linear(g, input(g, {Dim::n(), 8, 4}), 4, 6), 8)});
  expect_unchanged(g, fold_batch_norm);
}

TEST(LowerBatchNorm, BecomesADepthwiseConv) {
  Graph g;
  g.set_outputs({batch_norm(g, unary(g, UnaryKind::kRelu, input(g, {Dim::n(), 4, 6, 6})), 4)});
  EXPECT_EQ(only(expect_rewrites(g, lower_batch_norm), OpType::kConv).as<ir::ConvAttrs>().groups, 4);
}

TEST(LowerBatchNorm, FailsToLowerOtherRanks) {
  Graph g;
  g.set_outputs({batch_norm(g, input(g, {Dim::n(), 4}), 4)});
  expect_unchanged(g, lower_batch_norm);
}

TEST(FuseScaleAndBias, OneNumberForEachChannel) {
  for (const BinaryKind kind : {BinaryKind::kAdd, BinaryKind::kSub, BinaryKind::kMul, BinaryKind::kDiv}) {
    for (const bool bias : {false, true}) {
      Graph g;
      const ValueId y = conv(g, input(g, {Dim::n(), 4, 6, 6}), 4, 8, 1, bias);
      g.set_outputs({binary(g, kind, y, constant(g, {8, 1, 1}, 3, "c", 0.5F, 2))});
      const Graph after = expect_rewrites(g, fuse_scale_and_bias);
      EXPECT_EQ(after.node_count(), 1U);
    }
  }
}

TEST(FuseScaleAndBias, IntoALinearLayerAlongTheLastAxis) {
  Graph g;
  const ValueId y = linear(g, input(g, {Dim::n(), 5, 4}), 4, 8);
  g.set_outputs({add(g, constant(g, {8}), mul(g, y, scalar(g, 3)))});
  EXPECT_EQ(expect_rewrites(g, fuse_scale_and_bias).node_count(), 1U);
}

TEST(FuseScaleAndBias, FailsToFuseANonConstantBias) {
  Graph g;
  const ValueId y = conv(g, input(g, {Dim::n(), 4, 6, 6}), 4, 8);
  g.set_outputs({add(g, y, input(g, {8, 1, 1}, "b"))});
  expect_unchanged(g, fuse_scale_and_bias);
}

TEST(FuseScaleAndBias, FailsToFuseAlongAnotherAxis) {
  Graph g;
  const ValueId y = conv(g, input(g, {Dim::n(), 4, 8, 8}), 4, 8);
  g.set_outputs({add(g, y, constant(g, {8}))});  // along W
  expect_unchanged(g, fuse_scale_and_bias);
}

TEST(FuseScaleAndBias, FailsToFuseWhatWidensTheOutput) {
  Graph g;
  const ValueId y = linear(g, input(g, {1, 4}), 4, 8);
  g.set_outputs({add(g, y, constant(g, {3, 8}))});
  expect_unchanged(g, fuse_scale_and_bias);
}

TEST(FuseScaleAndBias, FailsToFuseAConstantDividedByTheLayer) {
  Graph g;
  const ValueId y = linear(g, input(g, {Dim::n(), 4}), 4, 8);
  g.set_outputs({binary(g, BinaryKind::kDiv, constant(g, {8}), y)});
  expect_unchanged(g, fuse_scale_and_bias);
}

TEST(FuseScaleAndBias, FailsToFuseWhenTheLayerIsReadTwice) {
  Graph g;
  const ValueId y = linear(g, input(g, {Dim::n(), 4}), 4, 8);
  g.set_outputs({mul(g, add(g, y, constant(g, {8})), y)});
  expect_unchanged(g, fuse_scale_and_bias);
}

TEST(FuseScaleAndBias, FailsToFuseAfterAnActivation) {
  Graph g;
  const ValueId y = linear(g, input(g, {Dim::n(), 4}), 4, 8);
  g.node(g.value(y).producer).as<ir::LinearAttrs>().epilogue.activation = UnaryKind::kRelu;
  g.set_outputs({add(g, y, constant(g, {8}))});
  expect_unchanged(g, fuse_scale_and_bias);
}

TEST(FuseScaleAndBias, FailsToFuseIntoWeightsThatAreNoConstant) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4, 6, 6});
  const ValueId w = input(g, {8, 4, 3, 3}, "weights");
  const ValueId y = g.add(OpType::kConv, "conv", {x, w}, conv_attrs(1));
  g.set_outputs({add(g, y, constant(g, {8, 1, 1}))});
  expect_unchanged(g, fuse_scale_and_bias);
}

ValueId pad(Graph& g, ValueId x, float value, std::vector<std::int64_t> pads = {0, 0, 1, 0, 0, 0, 2, 1},
            ir::PadMode mode = ir::PadMode::kConstant) {
  return g.add(OpType::kPad, "pad", {x}, ir::PadAttrs{mode, std::move(pads), value});
}
ValueId pool(Graph& g, OpType op, ValueId x, bool ceil_mode = false, std::int64_t own_pad = 0, bool counted = false) {
  return g.add(op, "pool", {x},
               ir::PoolAttrs{{3, 3}, {2, 2}, {1, 1}, std::vector<std::int64_t>(4, own_pad), ceil_mode, counted});
}

TEST(FusePad, IntoAConv) {
  Graph g;
  g.set_outputs({conv(g, pad(g, input(g, {Dim::n(), 4, 6, 6}), 0), 4, 8, 1)});
  const Graph after = expect_rewrites(g, fuse_pad);
  EXPECT_EQ(after.node_count(), 1U);
  EXPECT_EQ(only(after, OpType::kConv).as<ir::ConvAttrs>().pads, (std::vector<std::int64_t>{2, 1, 3, 2}));
}

TEST(FusePad, IntoAnAveragePoolWhichThenCountsIt) {
  for (const bool counted : {false, true}) {
    Graph g;
    g.set_outputs({pool(g, OpType::kAveragePool, pad(g, input(g, {Dim::n(), 4, 7, 8}), 0), false, 0, counted)});
    const Graph after = expect_rewrites(g, fuse_pad);
    EXPECT_TRUE(only(after, OpType::kAveragePool).as<ir::PoolAttrs>().count_include_pad);
  }
}

TEST(FusePad, IntoAMaxPool) {
  Graph lowest;
  lowest.set_outputs({pool(lowest, OpType::kMaxPool, pad(lowest, input(lowest, {Dim::n(), 4, 7, 8}), -INFINITY))});
  EXPECT_EQ(expect_rewrites(lowest, fuse_pad).node_count(), 1U);
  Graph relu;
  const ValueId x = unary(relu, UnaryKind::kRelu, input(relu, {Dim::n(), 4, 7, 8}));
  relu.set_outputs({pool(relu, OpType::kMaxPool, pad(relu, x, 0))});
  EXPECT_EQ(expect_rewrites(relu, fuse_pad).node_count(), 2U);
}

TEST(FusePad, KeepsThePadForOtherReaders) {
  Graph g;
  const ValueId padded = pad(g, input(g, {Dim::n(), 4, 6, 6}), 0);
  g.set_outputs({conv(g, padded, 4, 8, 0), unary(g, UnaryKind::kExp, padded)});
  EXPECT_EQ(count(expect_rewrites(g, fuse_pad), OpType::kPad), 1U);
}

TEST(FusePad, FailsToFuseIntoAConv) {
  const auto unchanged = [](float value, std::vector<std::int64_t> pads, ir::PadMode mode) {
    Graph g;
    const ValueId padded = pad(g, input(g, {Dim::n(), 4, 6, 6}), value, std::move(pads), mode);
    g.set_outputs({conv(g, padded, g.value(padded).shape[1].value, 8, 0)});
    expect_unchanged(g, fuse_pad);
  };
  unchanged(1, {0, 0, 1, 1, 0, 0, 1, 1}, ir::PadMode::kConstant);
  unchanged(0, {0, 0, 1, 1, 0, 0, 1, 1}, ir::PadMode::kReflect);
  unchanged(0, {0, 1, 1, 1, 0, 0, 1, 1}, ir::PadMode::kConstant);
  unchanged(0, {0, 0, 1, 1, 0, 0, -1, 1}, ir::PadMode::kConstant);
}

TEST(FusePad, FailsToFuseZerosIntoAMaxPoolOfSignedValues) {
  Graph g;
  g.set_outputs({pool(g, OpType::kMaxPool, pad(g, input(g, {Dim::n(), 4, 7, 8}), 0))});
  expect_unchanged(g, fuse_pad);
}

TEST(FusePad, FailsToFuseIntoAPoolThatRoundsUp) {
  Graph g;
  g.set_outputs({pool(g, OpType::kAveragePool, pad(g, input(g, {Dim::n(), 4, 7, 8}), 0), true)});
  expect_unchanged(g, fuse_pad);
}

TEST(FusePad, FailsToFuseIntoAnAveragePoolWithUncountedPadding) {
  Graph g;
  const ValueId padded = pad(g, input(g, {Dim::n(), 4, 7, 8}), 0, {0, 0, 1, 1, 0, 0, 1, 1});
  g.set_outputs({pool(g, OpType::kAveragePool, padded, false, 1, false)});
  expect_unchanged(g, fuse_pad);
}

TEST(FusePad, FailsToFusePaddingAsWideAsTheKernel) {
  Graph g;
  const ValueId padded = pad(g, input(g, {Dim::n(), 4, 7, 8}), -INFINITY, {0, 0, 3, 0, 0, 0, 0, 0});
  g.set_outputs({pool(g, OpType::kMaxPool, padded)});
  expect_unchanged(g, fuse_pad);
}

TEST(FormGlobalPool, OfAKernelAsLargeAsTheInput) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4, 3, 3});
  g.set_outputs({pool(g, OpType::kAveragePool, x)});
  const Graph after = expect_rewrites(g, form_global_pool);
  EXPECT_EQ(only(after, OpType::kReduce).as<ir::ReduceAttrs>().axes, (std::vector<std::int64_t>{2, 3}));
}

TEST(FormGlobalPool, FailsToFormFromSmallerOrPaddedWindows) {
  Graph small;
  small.set_outputs({pool(small, OpType::kAveragePool, input(small, {Dim::n(), 4, 5, 3}))});
  expect_unchanged(small, form_global_pool);
  Graph padded;
  padded.set_outputs({pool(padded, OpType::kAveragePool, input(padded, {Dim::n(), 4, 3, 3}), false, 1)});
  expect_unchanged(padded, form_global_pool);
}

TEST(FuseResidual, TheLaterConvTakesTheOther) {
  for (const bool swapped : {false, true}) {
    Graph g;
    const ValueId x = input(g, {Dim::n(), 4, 6, 6});
    const ValueId shortcut = conv(g, x, 4, 8, 1, true, 1, "shortcut");
    const ValueId body = conv(g, unary(g, UnaryKind::kTanh, x), 4, 8, 1, true, 1, "body");
    g.set_outputs({swapped ? add(g, body, shortcut) : add(g, shortcut, body)});
    const Graph after = expect_rewrites(g, fuse_residual);
    EXPECT_EQ(count(after, OpType::kBinary), 0U);
    const Node& last = after.node(after.value(after.outputs()[0]).producer);
    EXPECT_EQ(last.name, "body");
    EXPECT_EQ(last.inputs[3], shortcut);
  }
}

TEST(FuseResidual, IntoALayerWithoutBias) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4, 6, 6});
  g.set_outputs({add(g, conv(g, x, 4, 4, 1, false), x)});
  const Graph after = expect_rewrites(g, fuse_residual);
  EXPECT_FALSE(only(after, OpType::kConv).has_input(2));
  EXPECT_TRUE(only(after, OpType::kConv).has_input(3));
}

TEST(FuseResidual, AChainOfBlocks) {
  Graph g;
  ValueId x = linear(g, input(g, {Dim::n(), 5, 4}), 4, 4, "first");
  for (int i = 0; i < 3; ++i) x = add(g, x, linear(g, unary(g, UnaryKind::kTanh, x), 4, 4, "body"));
  g.set_outputs({x});
  EXPECT_EQ(count(expect_rewrites(g, fuse_residual), OpType::kBinary), 0U);
}

TEST(FuseResidual, FailsToFuseABroadcastResidual) {
  Graph g;
  const ValueId y = conv(g, input(g, {Dim::n(), 4, 6, 6}), 4, 8);
  g.set_outputs({add(g, y, input(g, {Dim::n(), 8, 1, 1}, "r"))});
  expect_unchanged(g, fuse_residual);
}

TEST(FuseResidual, FailsToFuseWhenTheConvIsReadTwice) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4, 6, 6});
  const ValueId y = conv(g, x, 4, 4);
  g.set_outputs({add(g, y, x), unary(g, UnaryKind::kExp, y)});
  expect_unchanged(g, fuse_residual);
  Graph twice;
  const ValueId z = conv(twice, input(twice, {Dim::n(), 4, 6, 6}), 4, 4);
  twice.set_outputs({add(twice, z, z)});
  expect_unchanged(twice, fuse_residual);
}

TEST(FuseResidual, FailsToFuseWhenTheConvIsAnOutput) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4, 6, 6});
  const ValueId y = conv(g, x, 4, 4);
  g.set_outputs({add(g, y, x), y});
  expect_unchanged(g, fuse_residual);
}

TEST(FuseResidual, FailsToFuseAfterAnActivation) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4, 6, 6});
  const ValueId y = conv(g, x, 4, 4);
  g.node(g.value(y).producer).as<ir::ConvAttrs>().epilogue.activation = UnaryKind::kRelu;
  g.set_outputs({add(g, y, x)});
  expect_unchanged(g, fuse_residual);
}

TEST(FuseResidual, FailsToFuseASecondResidual) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4, 6, 6});
  const ValueId z = input(g, {Dim::n(), 4, 6, 6}, "z");
  g.set_outputs({add(g, add(g, conv(g, x, 4, 4), x), z)});
  const Graph after = expect_rewrites(g, fuse_residual);
  EXPECT_EQ(count(after, OpType::kBinary), 1U);
}

TEST(FuseActivation, IntoConvLinearAndBinary) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4, 6, 6});
  g.set_outputs({unary(g, UnaryKind::kClip, conv(g, x, 4, 8), 0, 6)});
  const Graph after = expect_rewrites(g, fuse_activation);
  EXPECT_EQ(conv_epilogue(after), (ir::Epilogue{UnaryKind::kClip, 0, 6}));
  EXPECT_EQ(only(after, OpType::kConv).name, "conv");

  Graph sum;
  const ValueId a = input(sum, {Dim::n(), 4});
  sum.set_outputs({unary(sum, UnaryKind::kGelu, linear(sum, unary(sum, UnaryKind::kRelu, add(sum, a, a)), 4, 8))});
  EXPECT_EQ(expect_rewrites(sum, fuse_activation).node_count(), 2U);
}

TEST(FuseActivation, FailsToFuseASecondActivation) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4});
  g.set_outputs({unary(g, UnaryKind::kTanh, unary(g, UnaryKind::kSigmoid, linear(g, x, 4, 8)))});
  EXPECT_EQ(expect_rewrites(g, fuse_activation).node_count(), 2U);
}

TEST(FuseActivation, FailsToFuseWhatIsNoActivation) {
  Graph g;
  g.set_outputs({unary(g, UnaryKind::kExp, linear(g, input(g, {Dim::n(), 4}), 4, 8))});
  expect_unchanged(g, fuse_activation);
}

TEST(FuseActivation, FailsToFuseWhenTheLayerIsReadTwice) {
  Graph g;
  const ValueId y = linear(g, input(g, {Dim::n(), 4}), 4, 8);
  g.set_outputs({add(g, unary(g, UnaryKind::kRelu, y), y)});
  expect_unchanged(g, fuse_activation);
}

TEST(FuseActivation, FailsToFuseWhenTheLayerIsAnOutput) {
  Graph g;
  const ValueId y = linear(g, input(g, {Dim::n(), 4}), 4, 8);
  g.set_outputs({unary(g, UnaryKind::kRelu, y), y});
  expect_unchanged(g, fuse_activation);
}

}  // namespace
}  // namespace xinfer::passes::testing
