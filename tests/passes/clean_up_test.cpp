// fold_constants, eliminate_dead, eliminate_identity, eliminate_common.
#include "pass_test.h"

namespace xinfer::passes::testing {
namespace {

TEST(FoldConstants, ComputesWhatDependsOnConstantsAlone) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4});
  const ValueId c = mul(g, constant(g, {4}), scalar(g, 2));
  g.set_outputs({add(g, x, unary(g, UnaryKind::kExp, c))});
  const Graph after = expect_rewrites(g, fold_constants);
  EXPECT_EQ(after.node_count(), 1U);
}

TEST(FoldConstants, MakesAConstantOfAGraphOutput) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4});
  const ValueId c = mul(g, constant(g, {4}), scalar(g, 2));
  g.set_outputs({c, unary(g, UnaryKind::kRelu, x)});
  const Graph after = expect_rewrites(g, fold_constants);
  EXPECT_TRUE(after.value(after.outputs()[0]).is_constant());
}

TEST(FoldConstants, FailsToFoldAnExpandBeyondOneMebibyte) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 1024, 512});
  const ValueId wide = g.add(OpType::kExpand, "expand", {scalar(g, 1)}, ir::ShapeAttrs{Shape{1024, 512}});
  g.set_outputs({add(g, x, wide)});
  expect_unchanged(g, fold_constants);
}

TEST(FoldConstants, FoldsASmallExpand) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4, 8});
  const ValueId wide = g.add(OpType::kExpand, "expand", {constant(g, {1, 8})}, ir::ShapeAttrs{Shape{4, 8}});
  g.set_outputs({add(g, x, wide)});
  EXPECT_EQ(count(expect_rewrites(g, fold_constants), OpType::kExpand), 0U);
}

TEST(FoldConstants, FailsToFoldWhatDependsOnTheBatch) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4});
  const ValueId token = g.add(OpType::kExpand, "expand", {constant(g, {1, 4})}, ir::ShapeAttrs{Shape{Dim::n(), 4}});
  g.set_outputs({add(g, x, token)});
  expect_unchanged(g, fold_constants);
}

TEST(FoldConstants, FailsToFoldDequantizedInt8Weights) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4});
  const ValueId q = g.add_constant("q", Tensor::from<std::int8_t>({4}, std::vector<std::int8_t>{1, 2, 3, -4}),
                                   ir::Quantization{{0.5F}, {}, -1});
  g.set_outputs({add(g, x, g.add(OpType::kDequantize, "dq", {q}))});
  expect_unchanged(g, fold_constants);
}

TEST(EliminateDead, RemovesAChainThatNobodyReads) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4});
  unary(g, UnaryKind::kExp, unary(g, UnaryKind::kRelu, x));
  g.set_outputs({unary(g, UnaryKind::kTanh, x)});
  EXPECT_EQ(expect_rewrites(g, eliminate_dead).node_count(), 1U);
}

TEST(EliminateDead, FailsToRemoveASplitOfWhichOnePartIsRead) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4});
  const NodeId split = g.add_node(OpType::kSplit, "split", {x}, ir::SplitAttrs{1, {2, 2}}, 2);
  g.set_outputs({g.node(split).outputs[1]});
  expect_unchanged(g, eliminate_dead);
}

TEST(EliminateIdentity, RemovesEveryNeutralNode) {
  Graph g;
  ValueId x = unary(g, UnaryKind::kTanh, input(g, {Dim::n(), 4, 6, 6}));
  const Shape shape = g.value(x).shape;
  x = unary(g, UnaryKind::kIdentity, x);
  x = unary(g, UnaryKind::kClip, x, -INFINITY, INFINITY);
  x = unary(g, UnaryKind::kLeakyRelu, x, 1);
  x = reshape(g, x, shape);
  x = g.add(OpType::kExpand, "expand", {x}, ir::ShapeAttrs{shape});
  x = g.add(OpType::kTile, "tile", {x}, ir::TileAttrs{{1, 1, 1, 1}});
  x = g.add(OpType::kCast, "cast", {x}, ir::CastAttrs{DataType::kFloat32});
  x = transpose(g, x, {0, 1, 2, 3});
  x = g.add(OpType::kPad, "pad", {x}, ir::PadAttrs{ir::PadMode::kConstant, std::vector<std::int64_t>(8, 0), 0});
  x = g.add(OpType::kSlice, "slice", {x}, ir::SliceAttrs{{0}, {INT64_MAX}, {2}, {1}});
  x = g.add(OpType::kConcat, "concat", {x}, ir::AxisAttrs{1});
  x = g.add(OpType::kMaxPool, "pool", {x}, ir::PoolAttrs{{1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, false, false});
  x = add(g, scalar(g, 0), x);
  x = mul(g, x, g.add_constant("ones", Tensor::from<float>({1, 4, 1, 1}, std::vector<float>(4, 1))));
  x = binary(g, BinaryKind::kDiv, x, scalar(g, 1));
  x = binary(g, BinaryKind::kSub, x, scalar(g, 0));
  x = binary(g, BinaryKind::kPow, x, scalar(g, 1));
  const std::string last = g.value(x).name;
  g.set_outputs({x});
  const Graph after = expect_rewrites(g, eliminate_identity);
  EXPECT_EQ(after.node_count(), 1U) << to_text(after);
  EXPECT_EQ(after.value(after.outputs()[0]).name, last);
}

TEST(EliminateIdentity, KeepsOtherReadersOfTheInput) {
  Graph g;
  const ValueId x = unary(g, UnaryKind::kTanh, input(g, {Dim::n(), 4}));
  g.set_outputs({add(g, unary(g, UnaryKind::kIdentity, x), unary(g, UnaryKind::kExp, x))});
  EXPECT_EQ(expect_rewrites(g, eliminate_identity).node_count(), 3U);
}

TEST(EliminateIdentity, FailsToRemoveBetweenInputAndOutput) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4});
  g.set_outputs({unary(g, UnaryKind::kIdentity, x)});
  expect_unchanged(g, eliminate_identity);
}

TEST(EliminateIdentity, FailsToRemoveBetweenTwoOutputs) {
  Graph g;
  const ValueId x = unary(g, UnaryKind::kTanh, input(g, {Dim::n(), 4}));
  g.set_outputs({x, unary(g, UnaryKind::kIdentity, x)});
  expect_unchanged(g, eliminate_identity);
}

TEST(EliminateIdentity, FailsToRemoveWhatBroadcasts) {
  Graph g;
  const ValueId x = unary(g, UnaryKind::kTanh, input(g, {Dim::n(), 1}));
  const ValueId zeros = g.add_constant("zeros", Tensor(DataType::kFloat32, {1, 4}));
  g.set_outputs({add(g, x, zeros)});
  expect_unchanged(g, eliminate_identity);
}

TEST(EliminateIdentity, FailsToRemoveOneMinusX) {
  Graph g;
  const ValueId x = unary(g, UnaryKind::kTanh, input(g, {Dim::n(), 4}));
  g.set_outputs({binary(g, BinaryKind::kSub, scalar(g, 0), x)});
  expect_unchanged(g, eliminate_identity);
}

TEST(EliminateIdentity, FailsToRemoveAReversingSlice) {
  Graph g;
  const ValueId x = unary(g, UnaryKind::kTanh, input(g, {Dim::n(), 4}));
  g.set_outputs({g.add(OpType::kSlice, "slice", {x}, ir::SliceAttrs{{-1}, {INT64_MIN}, {1}, {-1}})});
  expect_unchanged(g, eliminate_identity);
}

TEST(EliminateCommon, MergesEqualNodesAboveEqualConstants) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4});
  const ValueId a = unary(g, UnaryKind::kExp, mul(g, x, scalar(g, 3)));
  const ValueId b = unary(g, UnaryKind::kExp, mul(g, x, scalar(g, 3)));
  g.set_outputs({add(g, a, b)});
  EXPECT_EQ(expect_rewrites(g, eliminate_common).node_count(), 3U);
}

TEST(EliminateCommon, FailsToMergeDifferentAttributes) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4});
  const ValueId a = unary(g, UnaryKind::kLeakyRelu, x, 0.1F);
  const ValueId b = unary(g, UnaryKind::kLeakyRelu, x, 0.2F);
  g.set_outputs({add(g, a, b)});
  expect_unchanged(g, eliminate_common);
}

TEST(EliminateCommon, FailsToMergeOperandsInAnotherOrder) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4});
  const ValueId y = input(g, {Dim::n(), 4}, "y");
  const ValueId a = binary(g, BinaryKind::kSub, x, y);
  const ValueId b = binary(g, BinaryKind::kSub, y, x);
  g.set_outputs({mul(g, a, b)});
  expect_unchanged(g, eliminate_common);
}

TEST(EliminateCommon, FailsToMergeTwoGraphOutputs) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4});
  g.set_outputs({unary(g, UnaryKind::kRelu, x), unary(g, UnaryKind::kRelu, x)});
  expect_unchanged(g, eliminate_common);
}

}  // namespace
}  // namespace xinfer::passes::testing
