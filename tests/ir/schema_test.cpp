#include "ir/schema.h"

#include <set>

#include "helpers.h"

namespace xinfer::ir {
namespace {

template <class T>
std::size_t index_of() {
  return Attributes(T{}).index();
}

TEST(Schema, EveryOperatorIsThereInOrder) {
  const auto schemas = all_schemas();
  ASSERT_EQ(schemas.size(), kOpTypeCount);
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < schemas.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(schemas[i].op), i);
    EXPECT_EQ(&schema_of(schemas[i].op), &schemas[i]);
    EXPECT_FALSE(schemas[i].name.empty());
    EXPECT_TRUE(names.insert(schemas[i].name).second) << schemas[i].name;
    EXPECT_EQ(schemas[i].name, name_of(schemas[i].op));
    EXPECT_NE(schemas[i].infer, nullptr) << schemas[i].name;
    EXPECT_GE(schemas[i].min_inputs, 1);
    EXPECT_GE(schemas[i].min_outputs, 1);
    EXPECT_TRUE(schemas[i].max_inputs == -1 || schemas[i].max_inputs >= schemas[i].min_inputs);
    EXPECT_TRUE(schemas[i].max_outputs == -1 || schemas[i].max_outputs >= schemas[i].min_outputs);
  }
}

TEST(Schema, AttributesAndRoles) {
  using enum QuantRole;
  struct Row {
    OpType op;
    std::size_t attrs;
    QuantRole role;
  };
  const std::vector<Row> wanted = {
      {OpType::kConv, index_of<ConvAttrs>(), kCompute},
      {OpType::kConvTranspose, index_of<ConvAttrs>(), kCompute},
      {OpType::kLinear, index_of<LinearAttrs>(), kCompute},
      {OpType::kMatMul, index_of<MatMulAttrs>(), kCompute},
      {OpType::kAttention, index_of<AttentionAttrs>(), kFloatOnly},
      {OpType::kUnary, index_of<UnaryAttrs>(), kCompute},
      {OpType::kBinary, index_of<BinaryAttrs>(), kCompute},
      {OpType::kWhere, index_of<NoAttrs>(), kFloatOnly},
      {OpType::kCast, index_of<CastAttrs>(), kFloatOnly},
      {OpType::kBatchNorm, index_of<NormAttrs>(), kFloatOnly},
      {OpType::kLayerNorm, index_of<NormAttrs>(), kFloatOnly},
      {OpType::kGroupNorm, index_of<NormAttrs>(), kFloatOnly},
      {OpType::kSoftmax, index_of<SoftmaxAttrs>(), kFloatOnly},
      {OpType::kMaxPool, index_of<PoolAttrs>(), kMove},
      {OpType::kAveragePool, index_of<PoolAttrs>(), kCompute},
      {OpType::kReduce, index_of<ReduceAttrs>(), kCompute},
      {OpType::kArgReduce, index_of<ArgReduceAttrs>(), kFloatOnly},
      {OpType::kTopK, index_of<TopKAttrs>(), kFloatOnly},
      {OpType::kCumSum, index_of<CumSumAttrs>(), kFloatOnly},
      {OpType::kConcat, index_of<AxisAttrs>(), kCompute},
      {OpType::kSplit, index_of<SplitAttrs>(), kMove},
      {OpType::kSlice, index_of<SliceAttrs>(), kMove},
      {OpType::kTranspose, index_of<TransposeAttrs>(), kMove},
      {OpType::kReshape, index_of<ShapeAttrs>(), kMove},
      {OpType::kExpand, index_of<ShapeAttrs>(), kMove},
      {OpType::kTile, index_of<TileAttrs>(), kMove},
      {OpType::kPad, index_of<PadAttrs>(), kMove},
      {OpType::kGather, index_of<AxisAttrs>(), kMove},
      {OpType::kGatherElements, index_of<AxisAttrs>(), kMove},
      {OpType::kGatherNd, index_of<AxisAttrs>(), kMove},
      {OpType::kScatterNd, index_of<ScatterAttrs>(), kFloatOnly},
      {OpType::kResize, index_of<ResizeAttrs>(), kCompute},
      {OpType::kQuantize, index_of<NoAttrs>(), kFloatOnly},
      {OpType::kDequantize, index_of<NoAttrs>(), kFloatOnly},
  };
  ASSERT_EQ(wanted.size(), kOpTypeCount);
  for (const Row& row : wanted) {
    EXPECT_EQ(schema_of(row.op).attrs_index, row.attrs) << name_of(row.op);
    EXPECT_EQ(schema_of(row.op).quant_role, row.role) << name_of(row.op);
  }
}

TEST(Schema, ArityIsCheckedBeforeTheShapeRule) {
  Sketch s;
  const ValueId x = s.in({N, 3});
  expect_throw<ModelError>([&] { s.graph.add(OpType::kBinary, "sum", {x}, BinaryAttrs{}); },
                           {"node 'sum' (Binary)", "has 1 inputs, but 2 are wanted"});
  expect_throw<ModelError>([&] { s.graph.add(OpType::kLayerNorm, "", {x, x, x, x}, NormAttrs{}); }, {"1 to 3"});
  expect_throw<ModelError>([&] { s.graph.add(OpType::kConcat, "", {}, AxisAttrs{}); }, {"1 or more"});
  expect_throw<ModelError>([&] { s.graph.add(OpType::kConcat, "", {x, kNone}, AxisAttrs{}); }, {"input 1 is missing"});
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kBinary, "", {x, kNone}, BinaryAttrs{});
      },
      {"input 1 is missing"});
  expect_throw<ModelError>([&] { s.graph.add(OpType::kTopK, "", {x}, TopKAttrs{}); }, {"has 1 outputs, but 2"});
  expect_throw<std::logic_error>([&] { s.graph.add(OpType::kUnary, "u", {x}, BinaryAttrs{}); },
                                 {"'u'", "attributes of another operator"});
}

TEST(Names, NoEnumeratorIsUnnamed) {
  const auto walk = [](auto last) {
    using Enum = decltype(last);
    std::set<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(last); ++i) names.insert(name_of(static_cast<Enum>(i)));
    EXPECT_EQ(names.size(), static_cast<std::size_t>(last) + 1);
    EXPECT_FALSE(names.contains("?"));
  };
  walk(UnaryKind::kIsNan);
  walk(BinaryKind::kXor);
  walk(ReduceKind::kLogSumExp);
  walk(PadMode::kWrap);
  walk(ResizeMode::kCubic);
  walk(CoordinateMode::kHalfPixelSymmetric);
  walk(NearestMode::kCeil);
  walk(ScatterReduction::kMin);
  EXPECT_EQ(name_of(CoordinateMode::kPytorchHalfPixel), "pytorch_half_pixel");
  EXPECT_EQ(name_of(UnaryKind::kGeluTanh), "GeluTanh");
}

}  // namespace
}  // namespace xinfer::ir
