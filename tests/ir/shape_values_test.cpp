#include "ir/shape_values.h"

#include <limits>

#include "helpers.h"
#include "ir/verifier.h"

namespace xinfer::ir {
namespace {

using Contents = std::vector<Dim>;

struct ShapeSketch : Sketch {
  ValueId shape = graph.add_symbolic("shape", {N, 197, 768});
  ValueId pick(std::int64_t index) {
    const ValueId at = graph.add_constant("at", Tensor::from<std::int64_t>({}, std::vector<std::int64_t>{index}));
    return graph.add(OpType::kGather, "pick", {shape, at}, AxisAttrs{0});
  }
  ValueId binary(BinaryKind kind, ValueId a, ValueId b) {
    BinaryAttrs attrs;
    attrs.kind = kind;
    return graph.add(OpType::kBinary, "b", {a, b}, attrs);
  }
  std::optional<Contents> of(ValueId id) const { return contents_of(graph, id); }
};

TEST(ShapeValues, ReadsConstantsAndSymbols) {
  ShapeSketch s;
  EXPECT_EQ(s.of(s.shape), (Contents{N, 197, 768}));
  EXPECT_EQ(s.type(s.shape), "s64[3]");
  EXPECT_EQ(s.of(s.ints({4, -1})), (Contents{4, -1}));
  EXPECT_EQ(s.of(s.graph.add_constant("h", Tensor::from<std::int32_t>({}, std::vector<std::int32_t>{7}))),
            (Contents{7}));
  EXPECT_EQ(s.of(s.zeros({2})), std::nullopt);
  EXPECT_EQ(s.of(s.zeros({65}, DataType::kInt64)), std::nullopt);
  EXPECT_EQ(s.of(s.zeros({2, 2}, DataType::kInt64)), std::nullopt);
  EXPECT_EQ(s.of(s.in({3}, DataType::kInt64)), std::nullopt);
}

TEST(ShapeValues, FollowsReshapeArithmetic) {
  // x.reshape(x.shape[0] * x.shape[1], x.shape[2] // 2)
  ShapeSketch s;
  const ValueId rows = s.binary(BinaryKind::kMul, s.pick(0), s.pick(1));
  EXPECT_EQ(s.of(rows), (Contents{Dim::n(197)}));
  const ValueId rows_1d = s.graph.add(OpType::kReshape, "unsqueeze", {rows}, ShapeAttrs{{1}});
  const ValueId target = s.graph.add(OpType::kConcat, "target", {rows_1d, s.ints({384})}, AxisAttrs{0});
  EXPECT_EQ(s.of(target), (Contents{Dim::n(197), 384}));
  EXPECT_EQ(s.of(s.binary(BinaryKind::kDiv, target, s.ints({197, 2}))), (Contents{N, 192}));
  EXPECT_EQ(s.of(s.binary(BinaryKind::kMul, target, s.ints({2}))), (Contents{Dim::n(394), 768}));
  EXPECT_EQ(s.of(s.graph.add(OpType::kCast, "c", {target}, CastAttrs{DataType::kInt32})), (Contents{Dim::n(197), 384}));
  EXPECT_EQ(s.of(s.pick(-1)), (Contents{768}));
}

TEST(ShapeValues, Slices) {
  ShapeSketch s;
  const auto slice = [&](std::int64_t start, std::int64_t end, std::int64_t step) {
    return s.of(s.graph.add(OpType::kSlice, "s", {s.shape}, SliceAttrs{{start}, {end}, {0}, {step}}));
  };
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(slice(0, kMax, 1), (Contents{N, 197, 768}));
  EXPECT_EQ(slice(0, 1, 1), (Contents{N}));
  EXPECT_EQ(slice(-1, -kMax, -1), (Contents{768, 197, N}));
}

TEST(ShapeValues, ExpandWithMinusOnes) {
  // The usual export of token.expand(batch, -1, -1): where(sizes == -1, ones, sizes).
  ShapeSketch s;
  const ValueId batch = s.graph.add(OpType::kReshape, "u", {s.pick(0)}, ShapeAttrs{{1}});
  const ValueId sizes = s.graph.add(OpType::kConcat, "sizes", {batch, s.ints({-1, -1})}, AxisAttrs{0});
  const ValueId same = s.binary(BinaryKind::kEqual, sizes, s.ints({-1, -1, -1}));
  EXPECT_EQ(s.of(same), (Contents{0, 1, 1}));
  EXPECT_EQ(s.of(s.graph.add(OpType::kWhere, "w", {same, s.ints({1, 1, 1}), sizes})), (Contents{N, 1, 1}));
}

TEST(ShapeValues, MinAndMaxUseThatABatchHasAnImage) {
  ShapeSketch s;
  EXPECT_EQ(s.of(s.binary(BinaryKind::kMax, s.pick(0), s.ints({1}))), (Contents{N}));
  EXPECT_EQ(s.of(s.binary(BinaryKind::kMin, s.pick(0), s.ints({1}))), (Contents{1}));
  EXPECT_EQ(s.of(s.binary(BinaryKind::kMax, s.pick(0), s.ints({2}))), std::nullopt);
  EXPECT_EQ(s.of(s.binary(BinaryKind::kMax, s.pick(0), s.pick(0))), (Contents{N}));
}

TEST(ShapeValues, UnknownWhereNotLinear) {
  ShapeSketch s;
  EXPECT_EQ(s.of(s.binary(BinaryKind::kAdd, s.pick(0), s.ints({1}))), std::nullopt);
  EXPECT_EQ(s.of(s.binary(BinaryKind::kMul, s.pick(0), s.pick(0))), std::nullopt);
  EXPECT_EQ(s.of(s.binary(BinaryKind::kEqual, s.pick(0), s.ints({3}))), std::nullopt);
  EXPECT_EQ(s.of(s.binary(BinaryKind::kLess, s.pick(0), s.ints({3}))), std::nullopt);
  EXPECT_EQ(s.of(s.graph.add(OpType::kCast, "f", {s.shape}, CastAttrs{DataType::kFloat32})), std::nullopt);
  expect_throw<ModelError>([&] { s.pick(3); }, {"out of range"});
  expect_throw<ModelError>([&] { s.binary(BinaryKind::kDiv, s.pick(0), s.ints({0})); }, {"divided by zero"});
}

TEST(ShapeValues, InferringAgainForgetsOldContents) {
  ShapeSketch s;
  const ValueId first = s.pick(0);
  const NodeId node = s[first].producer;
  s.graph.set_input(node, 0, s.in({3}, DataType::kInt64));
  s.graph.infer(node);
  EXPECT_EQ(s.of(first), std::nullopt);
}

}  // namespace
}  // namespace xinfer::ir
