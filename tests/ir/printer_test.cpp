#include "ir/printer.h"

#include <limits>

#include "helpers.h"

namespace xinfer::ir {
namespace {

Graph small() {
  Graph g;
  g.name = "small";
  const ValueId x = g.add_input("image", DataType::kFloat32, {N, 3, 8, 8});
  const ValueId q = add_quantize(g, "q", x, DataType::kInt8, {{0.5F}, {}, -1});
  const ValueId w = g.add_constant("w", Tensor(DataType::kInt8, {2, 3, 3, 3}), Quantization{{1, 2}, {}, 0});
  const ValueId r = g.add_constant("r", Tensor::from<float>({2}, std::vector<float>{1.5F, -2}));
  ConvAttrs conv;
  conv.strides = {2, 2};
  conv.pads = {1, 1, 1, 1};
  conv.epilogue.activation = UnaryKind::kRelu;
  const NodeId node = g.add_node(OpType::kConv, "layer1", {q, w, r}, conv, 1, {"y"});
  const ValueId y = g.node(node).outputs[0];
  g.value(y).dtype = DataType::kUInt8;
  g.value(y).quantization = Quantization{{0.25F}, {3}, -1};
  BinaryAttrs add;
  const ValueId d = add_dequantize(g, "d", y);
  g.set_outputs({g.add(OpType::kBinary, "sum", {d, d}, add)});
  g.set_output_names({"logits"});
  return g;
}

TEST(Printer, Text) {
  EXPECT_EQ(to_text(small()), R"(graph 'small'
input %image: f32[N, 3, 8, 8]
constant %w: s8[2, 3, 3, 3] 2 scales along axis 0
constant %r: f32[2] = {1.5, -2}
%q: s8[N, 3, 8, 8] scale 0.5 = Quantize(%image)
%y: u8[N, 2, 4, 4] scale 0.25 zero 3 = Conv(%q, %w, %r) {strides=[2, 2], dilations=[1, 1], pads=[1, 1, 1, 1], activation=Relu}  # layer1
%d: f32[N, 2, 4, 4] = Dequantize(%y)
%sum: f32[N, 2, 4, 4] = Binary(%d, %d) {kind=Add}
output logits = %sum
)");
}

TEST(Printer, AbsentInputsAndSeveralOutputs) {
  Graph g;
  const ValueId x = g.add_input("x", DataType::kFloat32, {N, 4});
  g.add_node(OpType::kSplit, "s", {x}, SplitAttrs{1, {1, 3}}, 2);
  g.add(OpType::kLayerNorm, "n", {x, kNone, g.add_constant("b", Tensor(DataType::kFloat32, {4}))}, NormAttrs{});
  const std::string text = to_text(g);
  EXPECT_THAT(text, testing::HasSubstr("%s:0: f32[N, 1], %s:1: f32[N, 3] = Split(%x) {axis=1, sizes=[1, 3]}  # s\n"));
  EXPECT_THAT(text, testing::HasSubstr("%n: f32[N, 4] = LayerNorm(%x, _, %b) {axis=1}\n"));
}

TEST(Printer, Dot) {
  EXPECT_EQ(to_dot(small()), R"(digraph "small" {
  node [shape=box];
  v0 [shape=ellipse, label="image"];
  n0 [label="Quantize\nq"];
  v0 -> n0 [label="f32[N, 3, 8, 8]"];
  n1 [label="Conv\nlayer1\nstrides=[2, 2], dilations=[1, 1], pads=[1, 1, 1, 1], activation=Relu\nw: s8[2, 3, 3, 3] 2 scales along axis 0\nr: f32[2]"];
  n0 -> n1 [label="s8[N, 3, 8, 8] scale 0.5"];
  n2 [label="Dequantize\nd"];
  n1 -> n2 [label="u8[N, 2, 4, 4] scale 0.25 zero 3"];
  n3 [label="Binary\nsum\nkind=Add"];
  n2 -> n3 [label="f32[N, 2, 4, 4]"];
  n2 -> n3 [label="f32[N, 2, 4, 4]"];
  out0 [shape=ellipse, label="logits"];
  n3 -> out0 [label="f32[N, 2, 4, 4]"];
}
)");
  Graph quoted;
  quoted.name = "a\"b\\c";
  EXPECT_THAT(to_dot(quoted), testing::HasSubstr(R"(digraph "a\"b\\c")"));
}

TEST(Printer, Attributes) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(to_string(Attributes(NoAttrs{})), "");
  EXPECT_EQ(to_string(Attributes(UnaryAttrs{UnaryKind::kClip, 0, 6})), "kind=Clip, beta=6");
  EXPECT_EQ(to_string(Attributes(ReduceAttrs{})), "kind=Mean");
  EXPECT_EQ(to_string(Attributes(SliceAttrs{{0}, {kMax}, {1}, {2}})), "starts=[0], ends=[max], axes=[1], steps=[2]");
  EXPECT_EQ(to_string(Attributes(ShapeAttrs{{N, Dim::n(2), 3}})), "shape=[N, 2N, 3]");
  EXPECT_EQ(to_string(Attributes(CastAttrs{DataType::kInt64})), "to=s64");
  EXPECT_EQ(to_string(Attributes(SoftmaxAttrs{-1, true})), "log=true");
  EXPECT_EQ(to_string(Attributes(PadAttrs{PadMode::kReflect, {1, 1}, 0.5F})), "mode=reflect, pads=[1, 1], value=0.5");
}

}  // namespace
}  // namespace xinfer::ir
