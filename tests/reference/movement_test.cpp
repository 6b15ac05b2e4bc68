// Operators that move data.

#include <limits>

#include "one_node.h"

namespace xinfer::reference {
namespace {

using ir::OpType;

TEST(Movement, EveryTypeIsMoved) {
  const ir::TransposeAttrs swap{{1, 0}};
  expect_near(output_of(OpType::kTranspose, {s64({1, 2}, {1, 2})}, swap), s64({2, 1}, {1, 2}));
  expect_near(output_of(OpType::kTranspose, {u8({2, 2}, {1, 2, 3, 4})}, swap), u8({2, 2}, {1, 3, 2, 4}));
  expect_near(output_of(OpType::kTranspose, {booleans({1, 2}, {1, 0})}, swap), booleans({2, 1}, {1, 0}));
}

TEST(Transpose, ThreeAxes) {
  expect_near(output_of(OpType::kTranspose, {counting({2, 1, 3})}, ir::TransposeAttrs{{2, 0, 1}}),
              f32({3, 2, 1}, {0, 3, 1, 4, 2, 5}));
}

TEST(Slice, ClampsAndSteps) {
  const Tensor x = counting({5});
  const auto slice = [&](std::int64_t start, std::int64_t end, std::int64_t step) {
    return values_of<float>(output_of(OpType::kSlice, {x}, ir::SliceAttrs{{start}, {end}, {0}, {step}}));
  };
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(slice(1, -1, 1), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(slice(-100, kMax, 2), (std::vector<float>{0, 2, 4}));
  EXPECT_EQ(slice(kMax, kMin, -1), (std::vector<float>{4, 3, 2, 1, 0}));
  EXPECT_EQ(slice(3, 0, -2), (std::vector<float>{3, 1}));
  EXPECT_EQ(slice(4, 2, 1), (std::vector<float>{}));
}

TEST(Split, CutsAlongAnAxis) {
  const auto parts = outputs_of(OpType::kSplit, {counting({2, 3})}, ir::SplitAttrs{1, {1, 2}}, {}, 2);
  expect_near(parts[0], f32({2, 1}, {0, 3}));
  expect_near(parts[1], f32({2, 2}, {1, 2, 4, 5}));
}

TEST(Tile, RepeatsEveryAxis) {
  expect_near(output_of(OpType::kTile, {counting({2, 1})}, ir::TileAttrs{{2, 2}}),
              f32({4, 2}, {0, 0, 1, 1, 0, 0, 1, 1}));
}

TEST(Pad, EveryMode) {
  const auto pad = [&](ir::PadMode mode, std::int64_t begin, std::int64_t end) {
    return values_of<float>(output_of(OpType::kPad, {f32({3}, {1, 2, 3})}, ir::PadAttrs{mode, {begin, end}, 9}));
  };
  EXPECT_EQ(pad(ir::PadMode::kConstant, 1, 1), (std::vector<float>{9, 1, 2, 3, 9}));
  EXPECT_EQ(pad(ir::PadMode::kReflect, 2, 1), (std::vector<float>{3, 2, 1, 2, 3, 2}));
  EXPECT_EQ(pad(ir::PadMode::kEdge, 2, 1), (std::vector<float>{1, 1, 1, 2, 3, 3}));
  EXPECT_EQ(pad(ir::PadMode::kWrap, 2, 1), (std::vector<float>{2, 3, 1, 2, 3, 1}));
  EXPECT_EQ(pad(ir::PadMode::kConstant, -1, 1), (std::vector<float>{2, 3, 9}));
  EXPECT_EQ(pad(ir::PadMode::kEdge, 1, -2), (std::vector<float>{1, 1}));
}

TEST(Pad, FillsAllAxes) {
  expect_near(output_of(OpType::kPad, {s64({1, 1}, {5})}, ir::PadAttrs{ir::PadMode::kConstant, {1, 0, 0, 1}, -3}),
              s64({2, 2}, {-3, -3, 5, -3}));
}

TEST(Expand, AddsAxes) {
  expect_near(output_of(OpType::kExpand, {s32({2}, {1, 2})}, ir::ShapeAttrs{{2, 2}}), s32({2, 2}, {1, 2, 1, 2}));
}

TEST(Reshape, SharesNoMemoryWithItsOperand) {
  const Tensor x = f32({2}, {1, 2});
  const Tensor y = output_of(OpType::kReshape, {x}, ir::ShapeAttrs{{2, 1}});
  EXPECT_NE(x.raw(), y.raw());
}

TEST(Gather, TakesIndicesOfAnyRank) {
  expect_near(output_of(OpType::kGather, {counting({2, 3}), s64({1, 2}, {2, -3})}, ir::AxisAttrs{1}),
              f32({2, 1, 2}, {2, 0, 5, 3}));
  expect_near(output_of(OpType::kGather, {counting({2, 3}), s64({}, {1})}, ir::AxisAttrs{0}), f32({3}, {3, 4, 5}));
}

TEST(Gather, RefusesIndicesOutOfRange) {
  for (const std::int64_t bad : {3, -4}) {
    EXPECT_THROW(output_of(OpType::kGather, {counting({3}), s64({1}, {bad})}, ir::AxisAttrs{0}), ModelError);
    EXPECT_THROW(output_of(OpType::kGatherElements, {counting({3}), s64({1}, {bad})}, ir::AxisAttrs{0}), ModelError);
    EXPECT_THROW(output_of(OpType::kGatherNd, {counting({3}), s64({1, 1}, {bad})}, ir::AxisAttrs{0}), ModelError);
    EXPECT_THROW(output_of(OpType::kScatterNd, {counting({3}), s64({1, 1}, {bad}), f32({1}, {0})}, ir::ScatterAttrs{}),
                 ModelError);
  }
}

TEST(GatherElements, MayBeSmallerThanTheData) {
  expect_near(output_of(OpType::kGatherElements, {counting({3, 3}), s64({2, 2}, {2, 1, 0, 2})}, ir::AxisAttrs{0}),
              f32({2, 2}, {6, 4, 0, 7}));
}

TEST(GatherNd, HasBatchAxes) {
  expect_near(output_of(OpType::kGatherNd, {counting({2, 2, 2}), s64({2, 1}, {1, 0})}, ir::AxisAttrs{1}),
              f32({2, 2}, {2, 3, 4, 5}));
  expect_near(output_of(OpType::kGatherNd, {counting({2, 2, 2}), s64({2, 2}, {0, 1, 1, 0})}, ir::AxisAttrs{0}),
              f32({2, 2}, {2, 3, 4, 5}));
}

TEST(ScatterNd, CombinesInOrder) {
  const Tensor x = f32({3}, {1, 2, 3});
  const Tensor at = s64({3, 1}, {0, 2, 0});
  const Tensor updates = f32({3}, {10, 20, 30});
  const auto scatter = [&](ir::ScatterReduction how) {
    return values_of<float>(output_of(OpType::kScatterNd, {x, at, updates}, ir::ScatterAttrs{how}));
  };
  EXPECT_EQ(scatter(ir::ScatterReduction::kNone), (std::vector<float>{30, 2, 20}));
  EXPECT_EQ(scatter(ir::ScatterReduction::kAdd), (std::vector<float>{41, 2, 23}));
  EXPECT_EQ(scatter(ir::ScatterReduction::kMul), (std::vector<float>{300, 2, 60}));
  EXPECT_EQ(scatter(ir::ScatterReduction::kMax), (std::vector<float>{30, 2, 20}));
  EXPECT_EQ(scatter(ir::ScatterReduction::kMin), (std::vector<float>{1, 2, 3}));
}

}  // namespace
}  // namespace xinfer::reference
