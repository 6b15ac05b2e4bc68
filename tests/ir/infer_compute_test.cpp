// Matrix products, element-wise operators, normalisations and reductions.
#include "helpers.h"

namespace xinfer::ir {
namespace {

TEST(InferLinear, Shapes) {
  Sketch s;
  const ValueId x = s.in({N, 197, 768});
  const ValueId w = s.zeros({3072, 768});
  EXPECT_EQ(s.type(OpType::kLinear, {x, w, s.zeros({3072})}, LinearAttrs{}), "f32[N, 197, 3072]");
  EXPECT_EQ(s.type(OpType::kLinear, {x, w, kNone, s.in({N, 197, 3072})}, LinearAttrs{}), "f32[N, 197, 3072]");
  EXPECT_EQ(s.type(OpType::kLinear, {s.quantized({N, 768}), w}, LinearAttrs{}), "f32[N, 3072]");
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kLinear, "fc", {x, s.zeros({768, 3072})}, LinearAttrs{});
      },
      {"node 'fc' (Linear)", "last axis", "f32[768, 3072]"});
  expect_throw<ModelError>([&] { s.graph.add(OpType::kLinear, "fc", {x, s.zeros({768})}, LinearAttrs{}); }, {"(O, K)"});
  expect_throw<ModelError>([&] { s.graph.add(OpType::kLinear, "fc", {x, w, s.zeros({1})}, LinearAttrs{}); }, {"bias"});
  expect_throw<UnsupportedError>(
      [&] {
        s.graph.add(OpType::kLinear, "fc", {s.in({4, N}), w}, LinearAttrs{});
      },
      {"contract the batch axis"});
}

TEST(InferMatMul, BroadcastsLeadingAxes) {
  Sketch s;
  const ValueId q = s.in({N, 12, 197, 64});
  MatMulAttrs transposed;
  transposed.transpose_b = true;
  EXPECT_EQ(s.type(OpType::kMatMul, {q, s.in({N, 12, 197, 64})}, transposed), "f32[N, 12, 197, 197]");
  EXPECT_EQ(s.type(OpType::kMatMul, {q, s.zeros({64, 5})}, MatMulAttrs{}), "f32[N, 12, 197, 5]");
  EXPECT_EQ(s.type(OpType::kMatMul, {s.zeros({2, 3}), s.in({N, 1, 3, 4})}, MatMulAttrs{}), "f32[N, 1, 2, 4]");
  EXPECT_EQ(s.type(OpType::kMatMul, {s.in({N, 3}), s.zeros({3, 4})}, MatMulAttrs{}), "f32[N, 4]");
  transposed.transpose_a = true;
  EXPECT_EQ(s.type(OpType::kMatMul, {s.in({3, 2}), s.in({4, 3})}, transposed), "f32[2, 4]");
}

TEST(InferMatMul, Refusals) {
  Sketch s;
  const ValueId a = s.in({N, 4, 8});
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kMatMul, "m", {a, s.in({N, 4, 8})}, MatMulAttrs{});
      },
      {"node 'm' (MatMul)", "inner axes"});
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kMatMul, "m", {a, s.in({3, 8, 2})}, MatMulAttrs{});
      },
      {"broadcast"});
  expect_throw<ModelError>([&] { s.graph.add(OpType::kMatMul, "m", {a, s.in({8})}, MatMulAttrs{}); }, {"rank 2"});
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kMatMul, "m", {a, s.in({8, 2}, DataType::kInt64)}, MatMulAttrs{});
      },
      {"types"});
  expect_throw<UnsupportedError>(
      [&] {
        s.graph.add(OpType::kMatMul, "m", {s.in({2, N}), s.in({N, 2})}, MatMulAttrs{});
      },
      {"contract the batch axis"});
}

TEST(InferAttention, Shapes) {
  Sketch s;
  const ValueId q = s.in({N, 8, 10, 64});
  const ValueId k = s.in({N, 8, 20, 64});
  const ValueId v = s.in({N, 8, 20, 32});
  EXPECT_EQ(s.type(OpType::kAttention, {q, k, v}, AttentionAttrs{}), "f32[N, 8, 10, 32]");
  EXPECT_EQ(s.type(OpType::kAttention, {q, k, v, s.in({N, 1, 1, 20})}, AttentionAttrs{}), "f32[N, 8, 10, 32]");
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kAttention, "a", {q, k, v, s.in({10, 10})}, AttentionAttrs{});
      },
      {"broadcast"});
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kAttention, "a", {q, s.in({N, 8, 20, 63}), v}, AttentionAttrs{});
      },
      {"node 'a' (Attention)", "the key must have shape [N, 8, 20, 64]"});
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kAttention, "a", {q, k, s.in({N, 8, 19, 32})}, AttentionAttrs{});
      },
      {"the value must have shape"});
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kAttention, "a", {s.in({N, 8, 64}), k, v}, AttentionAttrs{});
      },
      {"rank 4"});
}

ValueId unary(Sketch& s, UnaryKind kind, ValueId x) { return s.graph.add(OpType::kUnary, "u", {x}, UnaryAttrs{kind}); }
ValueId binary(Sketch& s, BinaryKind kind, ValueId a, ValueId b) {
  BinaryAttrs attrs;
  attrs.kind = kind;
  return s.graph.add(OpType::kBinary, "b", {a, b}, attrs);
}

TEST(InferUnary, Types) {
  Sketch s;
  const ValueId x = s.in({N, 3});
  const ValueId flags = s.in({N}, DataType::kBool);
  EXPECT_EQ(s.type(unary(s, UnaryKind::kGelu, x)), "f32[N, 3]");
  EXPECT_EQ(s.type(unary(s, UnaryKind::kIsNan, x)), "bool[N, 3]");
  EXPECT_EQ(s.type(unary(s, UnaryKind::kNot, flags)), "bool[N]");
  EXPECT_EQ(s.type(unary(s, UnaryKind::kNegate, s.in({2}, DataType::kInt64))), "s64[2]");
  EXPECT_EQ(s.type(unary(s, UnaryKind::kRelu, s.quantized({N, 3}))), "f32[N, 3]");
  expect_throw<ModelError>([&] { unary(s, UnaryKind::kExp, s.in({2}, DataType::kInt64)); },
                           {"Exp does not take", "s64"});
  expect_throw<ModelError>([&] { unary(s, UnaryKind::kNot, x); }, {"Not does not take"});
  expect_throw<ModelError>([&] { unary(s, UnaryKind::kAbs, flags); }, {"Abs does not take", "bool"});
}

TEST(InferBinary, TypesAndBroadcasting) {
  Sketch s;
  const ValueId x = s.in({N, 197, 768});
  const ValueId position = s.zeros({1, 197, 768});
  const ValueId ints = s.in({N, 1}, DataType::kInt64);
  EXPECT_EQ(s.type(binary(s, BinaryKind::kAdd, x, position)), "f32[N, 197, 768]");
  EXPECT_EQ(s.type(binary(s, BinaryKind::kAdd, position, x)), "f32[N, 197, 768]");
  EXPECT_EQ(s.type(binary(s, BinaryKind::kLess, x, x)), "bool[N, 197, 768]");
  EXPECT_EQ(s.type(binary(s, BinaryKind::kMul, ints, ints)), "s64[N, 1]");
  EXPECT_EQ(s.type(binary(s, BinaryKind::kPow, s.in({N}), s.zeros({1}, DataType::kInt64))), "f32[N]");
  const ValueId flags = binary(s, BinaryKind::kEqual, ints, ints);
  EXPECT_EQ(s.type(binary(s, BinaryKind::kAnd, flags, flags)), "bool[N, 1]");
  EXPECT_EQ(s.type(binary(s, BinaryKind::kAdd, s.quantized({N, 2}), s.in({N, 2}))), "f32[N, 2]");
  EXPECT_EQ(s.type(binary(s, BinaryKind::kPrelu, s.in({N, 3, 4}), s.zeros({3, 1}))), "f32[N, 3, 4]");
  expect_throw<ModelError>([&] { binary(s, BinaryKind::kAdd, x, ints); }, {"node 'b", "Add does not take", "s64"});
  expect_throw<ModelError>([&] { binary(s, BinaryKind::kAdd, flags, flags); }, {"Add does not take"});
  expect_throw<ModelError>([&] { binary(s, BinaryKind::kOr, x, x); }, {"Or does not take"});
  expect_throw<ModelError>([&] { binary(s, BinaryKind::kAdd, s.in({N, 2}), s.zeros({3, 2})); }, {"[N, 2]", "[3, 2]"});
  expect_throw<ModelError>([&] { binary(s, BinaryKind::kPrelu, s.in({3, 1}), s.zeros({3, 2})); }, {"slope"});
}

TEST(InferWhereAndCast, Types) {
  Sketch s;
  const ValueId mask = s.in({N, 1, 4}, DataType::kBool);
  const ValueId x = s.in({N, 3, 1});
  EXPECT_EQ(s.type(OpType::kWhere, {mask, x, s.zeros({})}), "f32[N, 3, 4]");
  expect_throw<ModelError>([&] { s.graph.add(OpType::kWhere, "w", {x, x, x}); }, {"condition must be bool"});
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kWhere, "w", {mask, x, s.zeros({}, DataType::kInt64)});
      },
      {"one type"});
  EXPECT_EQ(s.type(OpType::kCast, {mask}, CastAttrs{DataType::kInt64}), "s64[N, 1, 4]");
}

TEST(InferQuantize, Helpers) {
  Sketch s;
  const ValueId x = s.in({N, 3});
  const ValueId q = add_quantize(s.graph, "q", x, DataType::kUInt8, {{0.5F}, {}, -1});
  EXPECT_EQ(s.type(q), "u8[N, 3]");
  s.graph.infer_all();
  EXPECT_EQ(s.type(q), "u8[N, 3]");
  EXPECT_EQ(s.type(add_dequantize(s.graph, "dq", q)), "f32[N, 3]");
  expect_throw<ModelError>([&] { add_quantize(s.graph, "qq", q, DataType::kInt8, {{1}, {}, -1}); }, {"can't quantize"});
  expect_throw<ModelError>([&] { add_dequantize(s.graph, "d", x); }, {"can't dequantize", "no scale"});
  EXPECT_THROW(add_quantize(s.graph, "q", x, DataType::kInt64, {{1}, {}, -1}), std::logic_error);
  EXPECT_THROW(add_quantize(s.graph, "q", x, DataType::kInt8, {}), std::logic_error);
}

TEST(InferNorm, ParametersMustFit) {
  Sketch s;
  const ValueId x = s.in({N, 8, 5, 5});
  const ValueId c = s.zeros({8});
  EXPECT_EQ(s.type(OpType::kBatchNorm, {x, c, c, c, c}, NormAttrs{}), "f32[N, 8, 5, 5]");
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kBatchNorm, "bn", {x, c, c, s.zeros({7}), c}, NormAttrs{});
      },
      {"node 'bn' (BatchNorm)", "the mean must have shape [8]"});
  NormAttrs groups;
  groups.groups = 4;
  EXPECT_EQ(s.type(OpType::kGroupNorm, {x, c, c}, groups), "f32[N, 8, 5, 5]");
  groups.groups = 3;
  expect_throw<ModelError>([&] { s.graph.add(OpType::kGroupNorm, "gn", {x, c, c}, groups); }, {"3 groups"});
  const ValueId tokens = s.in({N, 197, 768});
  const NodeId norm = s.graph.add_node(OpType::kLayerNorm, "ln", {tokens, s.zeros({768}), s.zeros({768})}, NormAttrs{});
  EXPECT_EQ(s.type(s.graph.node(norm).outputs[0]), "f32[N, 197, 768]");
  EXPECT_EQ(s.graph.node(norm).as<NormAttrs>().axis, 2);
  EXPECT_EQ(s.type(OpType::kLayerNorm, {tokens, kNone, s.zeros({768})}, NormAttrs{}), "f32[N, 197, 768]");
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kLayerNorm, "ln", {tokens, s.zeros({197})}, NormAttrs{});
      },
      {"the scale must have shape [768]"});
  NormAttrs all;
  all.axis = 0;
  expect_throw<UnsupportedError>([&] { s.graph.add(OpType::kLayerNorm, "ln", {tokens}, all); },
                                 {"normalise over the batch axis", "axis 0"});
}

TEST(InferSoftmax, RefusesTheBatchAxis) {
  Sketch s;
  const ValueId x = s.in({N, 10});
  EXPECT_EQ(s.type(OpType::kSoftmax, {x}, SoftmaxAttrs{}), "f32[N, 10]");
  SoftmaxAttrs batch;
  batch.axis = 0;
  expect_throw<UnsupportedError>([&] { s.graph.add(OpType::kSoftmax, "s", {x}, batch); }, {"normalise over"});
  SoftmaxAttrs beyond;
  beyond.axis = 2;
  expect_throw<ModelError>([&] { s.graph.add(OpType::kSoftmax, "s", {x}, beyond); }, {"axis 2 is out of range"});
}

TEST(InferReduce, Shapes) {
  Sketch s;
  const ValueId x = s.in({N, 64, 7, 7});
  ReduceAttrs attrs;
  attrs.axes = {2, 3};
  EXPECT_EQ(s.type(OpType::kReduce, {x}, attrs), "f32[N, 64, 1, 1]");
  attrs.keepdims = false;
  EXPECT_EQ(s.type(OpType::kReduce, {x}, attrs), "f32[N, 64]");
  EXPECT_EQ(s.type(OpType::kReduce, {x}, ReduceAttrs{}), "f32[N, 64, 7, 7]");
  EXPECT_EQ(s.type(OpType::kReduce, {s.in({N, 4, 2, 2}, DataType::kInt64)}, attrs), "s64[N, 4]");
  EXPECT_EQ(s.type(OpType::kReduce, {s.quantized({N, 4, 2, 2})}, attrs), "f32[N, 4]");
  attrs.axes = {0};
  expect_throw<UnsupportedError>([&] { s.graph.add(OpType::kReduce, "r", {x}, attrs); },
                                 {"node 'r' (Reduce)", "reduce the batch axis"});
  attrs.axes = {3, 2};
  expect_throw<ModelError>([&] { s.graph.add(OpType::kReduce, "r", {x}, attrs); }, {"sorted"});
  attrs.axes = {-1};
  expect_throw<ModelError>([&] { s.graph.add(OpType::kReduce, "r", {x}, attrs); }, {"axis -1"});
  attrs.axes = {4};
  expect_throw<ModelError>([&] { s.graph.add(OpType::kReduce, "r", {x}, attrs); }, {"axis 4"});
}

TEST(InferSearch, ArgReduceTopKCumSum) {
  Sketch s;
  const ValueId x = s.in({N, 10});
  ArgReduceAttrs arg;
  arg.axis = -1;
  EXPECT_EQ(s.type(OpType::kArgReduce, {x}, arg), "s64[N, 1]");
  arg.keepdims = false;
  EXPECT_EQ(s.type(OpType::kArgReduce, {x}, arg), "s64[N]");
  arg.axis = 0;
  expect_throw<UnsupportedError>([&] { s.graph.add(OpType::kArgReduce, "a", {x}, arg); }, {"search along the batch"});
  TopKAttrs top;
  top.k = 5;
  const NodeId node = s.graph.add_node(OpType::kTopK, "t", {x}, top, 2);
  EXPECT_EQ(s.type(s.graph.node(node).outputs[0]), "f32[N, 5]");
  EXPECT_EQ(s.type(s.graph.node(node).outputs[1]), "s64[N, 5]");
  top.k = 11;
  expect_throw<ModelError>([&] { s.graph.add_node(OpType::kTopK, "t", {x}, top, 2); }, {"k is 11", "10 elements"});
  CumSumAttrs sum;
  sum.axis = 1;
  EXPECT_EQ(s.type(OpType::kCumSum, {x}, sum), "f32[N, 10]");
  sum.axis = 0;
  expect_throw<UnsupportedError>([&] { s.graph.add(OpType::kCumSum, "c", {x}, sum); }, {"sum along the batch"});
}

}  // namespace
}  // namespace xinfer::ir
