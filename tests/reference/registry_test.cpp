// Every OpType has a reference and at least one tiny case here, worked out by hand.

#include <limits>
#include <map>

#include "ir/schema.h"
#include "one_node.h"

namespace xinfer::reference {
namespace {

using ir::OpType;

struct Case {
  OpType op;
  std::vector<Operand> operands;
  ir::Attributes attrs;
  Tensor expected;
  std::optional<Target> target;
};

std::vector<Case> cases() {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  const Tensor square = f32({2, 2}, {1, 2, 3, 4});
  return {
      {OpType::kConv,
       {f32({1, 1, 3}, {1, 2, 3}), f32({1, 1, 2}, {10, 1})},
       ir::ConvAttrs{},
       f32({1, 1, 2}, {12, 23}),
       {}},
      {OpType::kConvTranspose,
       {f32({1, 1, 2}, {1, 2}), f32({1, 1, 2}, {10, 1})},
       ir::ConvAttrs{},
       f32({1, 1, 3}, {10, 21, 2}),
       {}},
      {OpType::kLinear,
       {f32({1, 2}, {1, 2}), f32({2, 2}, {1, 10, 100, 1000}), f32({2}, {5, 6})},
       ir::LinearAttrs{},
       f32({1, 2}, {26, 2106}),
       {}},
      {OpType::kMatMul, {square, square}, ir::MatMulAttrs{}, f32({2, 2}, {7, 10, 15, 22}), {}},
      {OpType::kAttention,
       {f32({1, 1, 1, 1}, {0}), f32({1, 1, 2, 1}, {5, 7}), f32({1, 1, 2, 1}, {10, 20})},
       ir::AttentionAttrs{},
       f32({1, 1, 1, 1}, {15}),
       {}},
      {OpType::kUnary, {f32({2}, {-1, 2})}, ir::UnaryAttrs{ir::UnaryKind::kRelu}, f32({2}, {0, 2}), {}},
      {OpType::kBinary, {square, f32({2}, {10, 20})}, ir::BinaryAttrs{}, f32({2, 2}, {11, 22, 13, 24}), {}},
      {OpType::kWhere,
       {booleans({2, 1}, {1, 0}), f32({2}, {1, 2}), f32({1}, {9})},
       ir::NoAttrs{},
       f32({2, 2}, {1, 2, 9, 9}),
       {}},
      {OpType::kCast, {f32({3}, {-1.7F, 2.7F, 1e20F})}, ir::CastAttrs{DataType::kInt64}, s64({3}, {-1, 2, kMax}), {}},
      {OpType::kBatchNorm,
       {f32({1, 2, 1}, {3, 3}), f32({2}, {1, 2}), f32({2}, {0, 1}), f32({2}, {1, 1}), f32({2}, {4, 1})},
       ir::NormAttrs{0.0F},
       f32({1, 2, 1}, {1, 5}),
       {}},
      {OpType::kLayerNorm, {f32({1, 2}, {1, 3})}, ir::NormAttrs{0.0F}, f32({1, 2}, {-1, 1}), {}},
      {OpType::kGroupNorm,
       {f32({1, 2, 2}, {1, 3, 10, 30}), f32({2}, {1, 2}), f32({2}, {0, 5})},
       ir::NormAttrs{0.0F, -1, 2},
       f32({1, 2, 2}, {-1, 1, 3, 7}),
       {}},
      {OpType::kSoftmax, {f32({1, 2}, {0, 1.0986123F})}, ir::SoftmaxAttrs{}, f32({1, 2}, {0.25F, 0.75F}), {}},
      {OpType::kMaxPool, {f32({1, 1, 4}, {1, 3, 2, 4})}, pool({2}), f32({1, 1, 3}, {3, 3, 4}), {}},
      {OpType::kAveragePool, {f32({1, 1, 3}, {1, 3, 5})}, pool({2}), f32({1, 1, 2}, {2, 4}), {}},
      {OpType::kReduce, {square}, ir::ReduceAttrs{ir::ReduceKind::kSum, {0}, false}, f32({2}, {4, 6}), {}},
      {OpType::kArgReduce, {f32({4}, {1, 7, 7, 2})}, ir::ArgReduceAttrs{}, s64({1}, {1}), {}},
      {OpType::kTopK, {f32({4}, {1, 7, 2, 7})}, ir::TopKAttrs{0, 2}, f32({2}, {7, 7}), {}},
      {OpType::kCumSum, {f32({3}, {1, 2, 3})}, ir::CumSumAttrs{}, f32({3}, {1, 3, 6}), {}},
      {OpType::kConcat, {square, f32({2, 1}, {8, 9})}, ir::AxisAttrs{1}, f32({2, 3}, {1, 2, 8, 3, 4, 9}), {}},
      {OpType::kSplit, {square}, ir::SplitAttrs{1, {2}}, square, {}},
      {OpType::kSlice, {f32({4}, {0, 1, 2, 3})}, ir::SliceAttrs{{-1}, {-kMax}, {0}, {-2}}, f32({2}, {3, 1}), {}},
      {OpType::kTranspose, {square}, ir::TransposeAttrs{{1, 0}}, f32({2, 2}, {1, 3, 2, 4}), {}},
      {OpType::kReshape, {square}, ir::ShapeAttrs{{4}}, f32({4}, {1, 2, 3, 4}), {}},
      {OpType::kExpand, {f32({2, 1}, {1, 2})}, ir::ShapeAttrs{{2, 2}}, f32({2, 2}, {1, 1, 2, 2}), {}},
      {OpType::kTile, {f32({2}, {1, 2})}, ir::TileAttrs{{2}}, f32({4}, {1, 2, 1, 2}), {}},
      {OpType::kPad,
       {f32({2}, {1, 2})},
       ir::PadAttrs{ir::PadMode::kConstant, {1, 2}, 7},
       f32({5}, {7, 1, 2, 7, 7}),
       {}},
      {OpType::kGather, {square, s64({3}, {1, 0, -1})}, ir::AxisAttrs{0}, f32({3, 2}, {3, 4, 1, 2, 3, 4}), {}},
      {OpType::kGatherElements, {square, s64({2, 1}, {1, 0})}, ir::AxisAttrs{1}, f32({2, 1}, {2, 3}), {}},
      {OpType::kGatherNd, {square, s64({2, 2}, {0, 1, 1, -2})}, ir::AxisAttrs{0}, f32({2}, {2, 3}), {}},
      {OpType::kScatterNd,
       {square, s64({1, 1}, {1}), f32({1, 2}, {8, 9})},
       ir::ScatterAttrs{},
       f32({2, 2}, {1, 2, 8, 9}),
       {}},
      {OpType::kResize,
       {f32({1, 1, 2}, {1, 2})},
       resizing(ir::ResizeMode::kNearest, ir::CoordinateMode::kHalfPixel, {4}),
       f32({1, 1, 4}, {1, 1, 2, 2}),
       {}},
      {OpType::kQuantize,
       {f32({4}, {0.25F, -1, 0.75F, 1000})},
       ir::NoAttrs{},
       s8({4}, {0, -2, 2, 127}),
       Target{DataType::kInt8, 0.5F}},
      {OpType::kDequantize, {Operand{u8({2}, {3, 200}), 0.5F}}, ir::NoAttrs{}, f32({2}, {1.5F, 100}), {}},
  };
}

TEST(Registry, EveryCaseHolds) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(std::string(name_of(c.op)));
    const auto count = static_cast<std::size_t>(ir::schema_of(c.op).min_outputs);
    expect_near(outputs_of(c.op, c.operands, c.attrs, c.target, count).at(0), c.expected);
  }
}

TEST(Registry, EveryOperatorHasACase) {
  std::map<OpType, int> covered;
  for (const Case& c : cases()) ++covered[c.op];
  for (const ir::OpSchema& schema : ir::all_schemas()) {
    EXPECT_GT(covered[schema.op], 0) << schema.name << " has no case in this file";
  }
}

}  // namespace
}  // namespace xinfer::reference
