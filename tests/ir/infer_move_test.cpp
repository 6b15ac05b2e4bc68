// Operators that move or select data.
#include <limits>

#include "helpers.h"

namespace xinfer::ir {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

TEST(InferConcat, JoinsAlsoAlongTheBatch) {
  Sketch s;
  const ValueId x = s.in({N, 3, 4});
  EXPECT_EQ(s.type(OpType::kConcat, {x, s.in({N, 5, 4})}, AxisAttrs{1}), "f32[N, 8, 4]");
  EXPECT_EQ(s.type(OpType::kConcat, {x, x}, AxisAttrs{0}), "f32[2N, 3, 4]");
  EXPECT_EQ(s.type(OpType::kConcat, {x}, AxisAttrs{-1}), "f32[N, 3, 4]");
  EXPECT_EQ(s.type(OpType::kConcat, {x, s.quantized({N, 1, 4})}, AxisAttrs{1}), "f32[N, 4, 4]");
  expect_throw<UnsupportedError>(
      [&] {
        s.graph.add(OpType::kConcat, "c", {x, s.in({1, 3, 4})}, AxisAttrs{0});
      },
      {"node 'c' (Concat)", "N + 1"});
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kConcat, "c", {x, s.in({1, 3, 4})}, AxisAttrs{1});
      },
      {"can't join", "axis 1"});
  expect_throw<ModelError>([&] { s.graph.add(OpType::kConcat, "c", {x, s.in({N, 3})}, AxisAttrs{1}); }, {"can't join"});
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kConcat, "c", {x, s.in({N, 3, 4}, DataType::kInt64)}, AxisAttrs{1});
      },
      {"s64"});
}

TEST(InferSplit, SizesMustAddUp) {
  Sketch s;
  const ValueId x = s.quantized({N, 6, 2}, 0.125F);
  const NodeId node = s.graph.add_node(OpType::kSplit, "s", {x}, SplitAttrs{1, {1, 2, 3}}, 3);
  EXPECT_EQ(s.type(s.graph.node(node).outputs[0]), "s8[N, 1, 2]");
  EXPECT_EQ(s.type(s.graph.node(node).outputs[2]), "s8[N, 3, 2]");
  EXPECT_EQ(s[s.graph.node(node).outputs[2]].quantization->scale(), 0.125F);
  const auto split = [&](SplitAttrs attrs, std::size_t outputs) {
    return [&s, x, attrs, outputs] { s.graph.add_node(OpType::kSplit, "s", {x}, attrs, outputs); };
  };
  expect_throw<ModelError>(split({1, {1, 2, 4}}, 3), {"add up to 7", "6 elements"});
  expect_throw<ModelError>(split({1, {3, 3}}, 3), {"2 sizes", "3 outputs"});
  expect_throw<ModelError>(split({1, {-1, 7}}, 2), {"negative size -1"});
  expect_throw<UnsupportedError>(split({0, {1, 1}}, 2), {"split the batch axis"});
}

TEST(InferSlice, WholeBatchOrConstantAxes) {
  Sketch s;
  const ValueId x = s.in({N, 10, 8});
  EXPECT_EQ(s.type(OpType::kSlice, {x}, SliceAttrs{{0}, {1}, {1}, {1}}), "f32[N, 1, 8]");
  EXPECT_EQ(s.type(OpType::kSlice, {x}, SliceAttrs{{0, 1, -1}, {kMax, -1, -kMax}, {0, 1, 2}, {1, 2, -3}}),
            "f32[N, 4, 3]");
  EXPECT_EQ(s.type(OpType::kSlice, {s.in({5, 6})}, SliceAttrs{{1}, {3}, {}, {}}), "f32[2, 6]");
  EXPECT_EQ(s.type(OpType::kSlice, {x}, SliceAttrs{{0}, {2147483647}, {0}, {1}}), "f32[N, 10, 8]");
  const auto slice = [&](SliceAttrs attrs) { return [&s, x, attrs] { s.graph.add(OpType::kSlice, "s", {x}, attrs); }; };
  expect_throw<UnsupportedError>(slice({{0}, {1}, {0}, {1}}), {"node 's' (Slice)", "slice the batch axis"});
  expect_throw<UnsupportedError>(slice({{0}, {kMax}, {0}, {2}}), {"slice the batch axis"});
  expect_throw<ModelError>(slice({{0}, {1}, {1}, {0}}), {"step 0"});
  expect_throw<ModelError>(slice({{0, 0}, {1}, {1}, {1}}), {"2, 1, 1 and 1 entries"});
  expect_throw<ModelError>(slice({{0, 0}, {1, 1}, {1, 1}, {1, 1}}), {"sliced twice"});
  expect_throw<ModelError>(slice({{0}, {1}, {3}, {1}}), {"axis 3 is out of range"});
}

TEST(InferTranspose, MovesTheBatchAnywhere) {
  Sketch s;
  const ValueId x = s.in({N, 197, 768});
  EXPECT_EQ(s.type(OpType::kTranspose, {x}, TransposeAttrs{{1, 0, 2}}), "f32[197, N, 768]");
  EXPECT_EQ(s.type(OpType::kTranspose, {x}, TransposeAttrs{}), "f32[768, 197, N]");
  const auto refused = [&](std::vector<std::int64_t> perm) {
    return [&s, x, perm] { s.graph.add(OpType::kTranspose, "t", {x}, TransposeAttrs{perm}); };
  };
  expect_throw<ModelError>(refused({0, 0, 1}), {"node 't' (Transpose)", "[0, 0, 1]", "permutation"});
  expect_throw<ModelError>(refused({0, 1}), {"permutation"});
  expect_throw<ModelError>(refused({0, 1, 3}), {"permutation"});
  expect_throw<ModelError>(refused({0, 1, 2, 0}), {"permutation"});
}

TEST(InferTranspose, APerChannelScaleFollowsItsAxis) {
  Sketch s;
  const ValueId w = s.graph.add_constant("w", Tensor(DataType::kInt8, {2, 3}), Quantization{{1, 2}, {}, 0});
  const ValueId t = s.graph.add(OpType::kTranspose, "t", {w}, TransposeAttrs{{1, 0}});
  EXPECT_EQ(s[t].quantization, (Quantization{{1, 2}, {}, 1}));
  expect_throw<UnsupportedError>([&] { s.graph.add(OpType::kReshape, "r", {w}, ShapeAttrs{{6}}); },
                                 {"a scale for each index of axis 0", "dequantize"});
}

TEST(InferReshape, CountsSymbolically) {
  Sketch s;
  const ValueId x = s.in({N, 197, 768});
  EXPECT_EQ(s.type(OpType::kReshape, {x}, ShapeAttrs{{N, 197, 12, 64}}), "f32[N, 197, 12, 64]");
  EXPECT_EQ(s.type(OpType::kReshape, {x}, ShapeAttrs{{Dim::n(197), 768}}), "f32[197N, 768]");
  const auto refused = [&](Shape shape) {
    return [&s, x, shape] { s.graph.add(OpType::kReshape, "r", {x}, ShapeAttrs{shape}); };
  };
  expect_throw<ModelError>(refused({N, 197, 767}), {"node 'r' (Reshape)", "151296N", "151099N"});
  expect_throw<ModelError>(refused({197, 768}), {"151296N elements are not 151296"});
  expect_throw<ModelError>(refused({N, -197, -768}), {"negative dimension"});
  const ValueId q = s.quantized({N, 4}, 0.5F);
  const ValueId flat = s.graph.add(OpType::kReshape, "f", {q}, ShapeAttrs{{Dim::n(4)}});
  EXPECT_EQ(s.type(flat), "s8[4N]");
  EXPECT_EQ(s[flat].quantization, s[q].quantization);
}

TEST(InferExpand, BroadcastsBothWays) {
  Sketch s;
  EXPECT_EQ(s.type(OpType::kExpand, {s.zeros({1, 1, 768})}, ShapeAttrs{{N, 1, 768}}), "f32[N, 1, 768]");
  const NodeId node = s.graph.add_node(OpType::kExpand, "e", {s.in({3, 4})}, ShapeAttrs{{2, 1, 4}});
  EXPECT_EQ(s.type(s.graph.node(node).outputs[0]), "f32[2, 3, 4]");
  EXPECT_EQ(s.graph.node(node).as<ShapeAttrs>().shape, (Shape{2, 3, 4}));
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kExpand, "e", {s.in({3, 4})}, ShapeAttrs{{N, 4}});
      },
      {"broadcast"});
}

TEST(InferTile, Multiplies) {
  Sketch s;
  const ValueId x = s.in({N, 3});
  EXPECT_EQ(s.type(OpType::kTile, {x}, TileAttrs{{2, 5}}), "f32[2N, 15]");
  expect_throw<ModelError>([&] { s.graph.add(OpType::kTile, "t", {x}, TileAttrs{{2}}); }, {"repeats has 1 entries"});
  expect_throw<ModelError>([&] { s.graph.add(OpType::kTile, "t", {x}, TileAttrs{{1, -1}}); }, {"entry -1"});
}

TEST(InferPad, PadsAndCrops) {
  Sketch s;
  const ValueId x = s.in({N, 3, 8, 8});
  PadAttrs attrs;
  attrs.pads = {0, 0, 1, 2, 0, 0, 3, -4};
  EXPECT_EQ(s.type(OpType::kPad, {x}, attrs), "f32[N, 3, 12, 6]");
  const auto refused = [&](PadMode mode, std::vector<std::int64_t> pads) {
    return [&s, x, mode, pads] { s.graph.add(OpType::kPad, "p", {x}, PadAttrs{mode, pads, 0}); };
  };
  expect_throw<UnsupportedError>(refused(PadMode::kConstant, {1, 0, 0, 0, 0, 0, 0, 0}), {"pad the batch axis"});
  expect_throw<ModelError>(refused(PadMode::kConstant, {0, 0, -5, 0, 0, 0, -4, 0}), {"pads -5 and -4", "axis 2"});
  expect_throw<ModelError>(refused(PadMode::kReflect, {0, 0, 8, 0, 0, 0, 0, 0}), {"pads 8 and 0", "reflect"});
  expect_throw<ModelError>(refused(PadMode::kWrap, {0, 0, 9, 0, 0, 0, 0, 0}), {"wrap"});
  expect_throw<ModelError>(refused(PadMode::kConstant, {0, 0, 1}), {"pads has 3 entries, but 8"});
}

TEST(InferGather, BatchInIndicesButNotUnderThem) {
  Sketch s;
  const ValueId table = s.zeros({30522, 768});
  const ValueId ids = s.in({N, 128}, DataType::kInt64);
  EXPECT_EQ(s.type(OpType::kGather, {table, ids}, AxisAttrs{0}), "f32[N, 128, 768]");
  const ValueId x = s.in({N, 197, 768});
  EXPECT_EQ(s.type(OpType::kGather, {x, s.zeros({}, DataType::kInt64)}, AxisAttrs{1}), "f32[N, 768]");
  EXPECT_EQ(s.type(OpType::kGather, {s.quantized({N, 4}), s.ints({0, 1})}, AxisAttrs{-1}), "s8[N, 2]");
  expect_throw<UnsupportedError>(
      [&] {
        s.graph.add(OpType::kGather, "g", {x, s.ints({0})}, AxisAttrs{0});
      },
      {"node 'g' (Gather)", "gather along the batch axis"});
  expect_throw<UnsupportedError>(
      [&] {
        s.graph.add(OpType::kGather, "g", {x, ids}, AxisAttrs{1});
      },
      {"batch size twice"});
  expect_throw<ModelError>([&] { s.graph.add(OpType::kGather, "g", {x, x}, AxisAttrs{1}); }, {"indices of type s64"});
}

TEST(InferGather, ElementsAndTuples) {
  Sketch s;
  const ValueId x = s.in({N, 5, 7});
  EXPECT_EQ(s.type(OpType::kGatherElements, {x, s.in({N, 2, 7}, DataType::kInt64)}, AxisAttrs{1}), "f32[N, 2, 7]");
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kGatherElements, "g", {x, s.in({N, 2, 8}, DataType::kInt64)}, AxisAttrs{1});
      },
      {"don't lie within"});
  expect_throw<UnsupportedError>(
      [&] {
        s.graph.add(OpType::kGatherElements, "g", {x, s.in({N, 2, 7}, DataType::kInt64)}, AxisAttrs{0});
      },
      {"gather along the batch"});
  EXPECT_EQ(s.type(OpType::kGatherNd, {s.zeros({4, 5, 6}), s.in({N, 3, 2}, DataType::kInt64)}, AxisAttrs{0}),
            "f32[N, 3, 6]");
  EXPECT_EQ(s.type(OpType::kGatherNd, {x, s.in({N, 3, 1}, DataType::kInt64)}, AxisAttrs{1}), "f32[N, 3, 7]");
  expect_throw<UnsupportedError>(
      [&] {
        s.graph.add(OpType::kGatherNd, "g", {x, s.in({3, 2}, DataType::kInt64)}, AxisAttrs{0});
      },
      {"index into the batch axis"});
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kGatherNd, "g", {x, s.in({N, 3, 3}, DataType::kInt64)}, AxisAttrs{1});
      },
      {"tuples of length 3"});
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kGatherNd, "g", {x, s.in({3, 3, 1}, DataType::kInt64)}, AxisAttrs{1});
      },
      {"must be equal"});
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kGatherNd, "g", {x, s.ints({1})}, AxisAttrs{1});
      },
      {"1 batch axes"});
}

TEST(InferScatterNd, Shapes) {
  Sketch s;
  const ValueId x = s.in({4, 5, N});
  const ValueId where = s.ints({1, 2});
  EXPECT_EQ(s.type(OpType::kScatterNd, {x, where, s.in({N})}, ScatterAttrs{}), "f32[4, 5, N]");
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kScatterNd, "s", {x, where, s.in({5})}, ScatterAttrs{});
      },
      {"node 's' (ScatterNd)", "the updates must have shape [N]"});
  expect_throw<UnsupportedError>(
      [&] {
        s.graph.add(OpType::kScatterNd, "s", {s.in({N, 5}), where, s.in({})}, ScatterAttrs{});
      },
      {"index into the batch axis"});
}

}  // namespace
}  // namespace xinfer::ir
