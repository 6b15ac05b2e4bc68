// merge_reshapes, merge_transposes, sink_transposes, absorb_transposes, move_past_linear, merge_movements.
#include "pass_test.h"

namespace xinfer::passes::testing {
namespace {

TEST(MergeReshapes, TwoBecomeOne) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4, 6});
  g.set_outputs({reshape(g, reshape(g, x, {Dim::n(), 24}), {Dim::n(), 2, 12})});
  Graph after = expect_rewrites(g, merge_reshapes);
  EXPECT_TRUE(eliminate_dead(after) || after.node_count() == 1U);
  EXPECT_EQ(after.node_count(), 1U);
}

TEST(MergeReshapes, ATransposeOfOnesIsAReshape) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 1, 6, 1});
  g.set_outputs({transpose(g, x, {0, 2, 3, 1})});
  EXPECT_EQ(count(expect_rewrites(g, merge_reshapes), OpType::kReshape), 1U);
}

TEST(MergeReshapes, FailsToRewriteATransposeThatMovesTheBatch) {
  Graph g;
  g.set_outputs({transpose(g, input(g, {Dim::n(), 6}), {1, 0})});
  expect_unchanged(g, merge_reshapes);
}

TEST(MergeTransposes, ComposesInTheRightOrder) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 3, 4, 5});
  g.set_outputs({transpose(g, transpose(g, x, {0, 2, 3, 1}), {3, 0, 2, 1})});
  EXPECT_EQ(count(expect_rewrites(g, merge_transposes), OpType::kTranspose), 1U);
}

TEST(MergeTransposes, KeepsTheFirstForOtherReaders) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 3, 4, 5});
  const ValueId first = transpose(g, x, {0, 2, 3, 1});
  g.set_outputs({transpose(g, first, {0, 2, 1, 3}), unary(g, UnaryKind::kExp, first)});
  EXPECT_EQ(count(expect_rewrites(g, merge_transposes), OpType::kTranspose), 2U);
}

TEST(SinkTransposes, CancelThroughElementwiseNodes) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 3, 4, 5});
  ValueId y = transpose(g, x, {0, 2, 3, 1});
  y = unary(g, UnaryKind::kTanh, y);
  y = mul(g, y, constant(g, {3}));           // along the channels
  y = add(g, constant(g, {4, 1, 3}, 5), y);  // along height and channels
  y = mul(g, y, scalar(g, 2));
  g.set_outputs({transpose(g, y, {0, 3, 1, 2})});
  const std::string name = g.output_names()[0];
  Graph after = expect_rewrites(g, sink_transposes);
  merge_transposes(after);
  eliminate_identity(after);
  ir::verify(after, "test");
  expect_same_results(g, after);
  EXPECT_EQ(count(after, OpType::kTranspose), 0U) << to_text(after);
  EXPECT_EQ(after.value(after.outputs()[0]).name, name);
}

TEST(SinkTransposes, TwoOperandsTransposedAlike) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 3, 4, 5});
  const ValueId z = input(g, {Dim::n(), 3, 1, 1}, "z");
  g.set_outputs({binary(g, BinaryKind::kSub, transpose(g, x, {0, 2, 3, 1}), transpose(g, z, {0, 2, 3, 1}))});
  EXPECT_EQ(count(expect_rewrites(g, sink_transposes), OpType::kTranspose), 1U);
}

TEST(SinkTransposes, AReshapeBelowAnActivation) {
  Graph g;
  const ValueId x = linear(g, input(g, {Dim::n(), 4}), 4, 6);
  g.set_outputs({unary(g, UnaryKind::kRelu, mul(g, reshape(g, x, {Dim::n(), 2, 3}), scalar(g, 2)))});
  const Graph after = expect_rewrites(g, sink_transposes);
  EXPECT_EQ(after.node(after.value(after.outputs()[0]).producer).op, OpType::kReshape);
}

TEST(SinkTransposes, FailsToMoveWhenReadTwice) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 3, 4});
  const ValueId t = transpose(g, x, {0, 2, 1});
  g.set_outputs({unary(g, UnaryKind::kTanh, t), unary(g, UnaryKind::kExp, t)});
  expect_unchanged(g, sink_transposes);
}

TEST(SinkTransposes, FailsToMoveAnOutput) {
  Graph g;
  const ValueId t = transpose(g, input(g, {Dim::n(), 3, 4}), {0, 2, 1});
  g.set_outputs({unary(g, UnaryKind::kTanh, t), t});
  expect_unchanged(g, sink_transposes);
}

TEST(SinkTransposes, FailsToMovePastAnOperandThatIsNoConstant) {
  Graph g;
  const ValueId t = transpose(g, input(g, {Dim::n(), 3, 4}), {0, 2, 1});
  g.set_outputs({add(g, t, input(g, {Dim::n(), 4, 3}, "z"))});
  expect_unchanged(g, sink_transposes);
}

TEST(SinkTransposes, FailsToMovePastAnotherPermutation) {
  Graph g;
  const ValueId a = transpose(g, input(g, {Dim::n(), 3, 3, 3}), {0, 2, 3, 1});
  const ValueId b = transpose(g, input(g, {Dim::n(), 3, 3, 3}, "z"), {0, 3, 1, 2});
  g.set_outputs({add(g, a, b)});
  expect_unchanged(g, sink_transposes);
}

TEST(SinkTransposes, FailsToMovePastAConstantThatWidens) {
  Graph g;
  const ValueId t = transpose(g, input(g, {Dim::n(), 1, 4}), {0, 2, 1});
  g.set_outputs({add(g, t, constant(g, {4, 6}))});
  expect_unchanged(g, sink_transposes);
}

TEST(SinkTransposes, FailsToMoveAReshapePastATensor) {
  Graph g;
  const ValueId r = reshape(g, input(g, {Dim::n(), 6}), {Dim::n(), 2, 3});
  g.set_outputs({add(g, r, constant(g, {3}))});
  expect_unchanged(g, sink_transposes);
}

TEST(AbsorbTransposes, OnEitherSideOfAProduct) {
  Graph g;
  const ValueId a = transpose(g, input(g, {Dim::n(), 4, 5}, "a"), {0, 2, 1});
  const ValueId b = transpose(g, input(g, {Dim::n(), 6, 4}, "b"), {0, 2, 1});
  g.set_outputs({matmul(g, a, b)});
  EXPECT_EQ(expect_rewrites(g, absorb_transposes).node_count(), 1U);
}

TEST(AbsorbTransposes, FailsToAbsorbWhatMovesOtherAxes) {
  Graph g;
  const ValueId b = transpose(g, input(g, {Dim::n(), 2, 6, 4}, "b"), {0, 3, 1, 2});
  g.set_outputs({matmul(g, input(g, {Dim::n(), 4, 5, 2}, "a"), b)});
  expect_unchanged(g, absorb_transposes);
}

TEST(MovePastLinear, DownFromAComputedValue) {
  Graph g;
  const ValueId x = unary(g, UnaryKind::kTanh, input(g, {Dim::n(), 5, 4}));
  g.set_outputs({reshape(g, linear(g, transpose(g, x, {1, 0, 2}), 4, 6), {5, Dim::n(), 2, 3})});
  const Graph after = expect_rewrites(g, move_past_linear);
  EXPECT_EQ(after.node(after.value(only(after, OpType::kTranspose).inputs[0]).producer).op, OpType::kLinear);
}

TEST(MovePastLinear, UpTowardAnotherMovement) {
  Graph g;
  const ValueId x = reshape(g, input(g, {5, Dim::n(), 2, 2}), {5, Dim::n(), 4});
  g.set_outputs({transpose(g, linear(g, x, 4, 6), {1, 0, 2})});
  const Graph after = expect_rewrites(g, move_past_linear);
  EXPECT_EQ(after.node(after.value(after.outputs()[0]).producer).op, OpType::kLinear);
}

TEST(MovePastLinear, FailsToMoveTheLastAxis) {
  Graph g;
  const ValueId x = unary(g, UnaryKind::kTanh, input(g, {Dim::n(), 5, 4}));
  g.set_outputs({linear(g, transpose(g, x, {0, 2, 1}), 5, 6)});
  expect_unchanged(g, move_past_linear);
}

TEST(MovePastLinear, FailsToMoveWhatIsReadTwice) {
  Graph g;
  const ValueId t = transpose(g, unary(g, UnaryKind::kTanh, input(g, {Dim::n(), 5, 4})), {1, 0, 2});
  g.set_outputs({linear(g, t, 4, 6), unary(g, UnaryKind::kExp, t)});
  expect_unchanged(g, move_past_linear);
}

TEST(MergeMovements, HeadSplitOfSequenceFirstAttention) {
  Graph g;
  ValueId x = transpose(g, input(g, {Dim::n(), 5, 12}), {1, 0, 2});
  x = reshape(g, x, {5, Dim::n(3), 4});
  x = transpose(g, x, {1, 0, 2});
  g.set_outputs({reshape(g, x, {Dim::n(), 3, 5, 4})});
  const Graph after = expect_rewrites(g, merge_movements);
  EXPECT_EQ(after.node_count(), 2U) << to_text(after);
  EXPECT_EQ(only(after, OpType::kTranspose).as<ir::TransposeAttrs>().perm, (std::vector<std::int64_t>{0, 2, 1, 3}));
}

TEST(MergeMovements, HeadMerge) {
  Graph g;
  ValueId x = transpose(g, input(g, {Dim::n(), 3, 5, 4}), {2, 0, 1, 3});
  x = reshape(g, x, {5, Dim::n(), 12});
  g.set_outputs({transpose(g, x, {1, 0, 2})});
  EXPECT_EQ(expect_rewrites(g, merge_movements).node_count(), 2U);
}

TEST(MergeMovements, AChainThatMovesNothingAndAxesOfOne) {
  Graph g;
  ValueId x = transpose(g, input(g, {Dim::n(), 6, 1, 4}), {2, 3, 0, 1});
  x = reshape(g, x, {4, Dim::n(2), 3, 1});
  x = transpose(g, x, {3, 1, 2, 0});
  g.set_outputs({reshape(g, x, {Dim::n(), 6, 4})});
  const Graph after = expect_rewrites(g, merge_movements);
  EXPECT_EQ(after.node_count(), 1U) << to_text(after);
}

TEST(MergeMovements, KeepsThreeStepsWhereBothEndsAreGrouped) {
  Graph g;  // space to depth and a flattening
  ValueId x = reshape(g, input(g, {Dim::n(), 3, 4, 6}), {Dim::n(), 3, 2, 2, 3, 2});
  x = transpose(g, x, {0, 3, 5, 1, 2, 4});
  x = reshape(g, x, {Dim::n(), 12, 2, 3});
  g.set_outputs({reshape(g, x, {Dim::n(), 12, 6})});
  EXPECT_EQ(expect_rewrites(g, merge_movements).node_count(), 3U);
}

TEST(MergeMovements, FailsWithoutACommonRefinement) {
  Graph g;
  ValueId x = reshape(g, input(g, {Dim::n(), 6}), {Dim::n(), 2, 3});
  x = reshape(g, transpose(g, x, {0, 2, 1}), {Dim::n(), 2, 3});
  g.set_outputs({transpose(g, x, {0, 2, 1})});
  expect_unchanged(g, merge_movements);
}

TEST(MergeMovements, FailsAcrossAValueThatIsReadTwice) {
  Graph g;
  const ValueId t = transpose(g, input(g, {Dim::n(), 3, 4}), {0, 2, 1});
  g.set_outputs({transpose(g, t, {0, 2, 1}), unary(g, UnaryKind::kExp, t)});
  expect_unchanged(g, merge_movements);
}

}  // namespace
}  // namespace xinfer::passes::testing
