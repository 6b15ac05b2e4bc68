#include <limits>

#include "helpers.h"

namespace xinfer::ir {
namespace {

TEST(InferConv, ShapesAndDefaults) {
  Sketch s;
  const ValueId x = s.in({N, 3, 224, 224});
  const ValueId w = s.zeros({64, 3, 7, 7});
  ConvAttrs attrs;
  attrs.strides = {2, 2};
  attrs.pads = {3, 3, 3, 3};
  EXPECT_EQ(s.type(OpType::kConv, {x, w, s.zeros({64})}, attrs), "f32[N, 64, 112, 112]");
  const NodeId plain = s.graph.add_node(OpType::kConv, "plain", {x, w}, ConvAttrs{});
  EXPECT_EQ(s.type(s.graph.node(plain).outputs[0]), "f32[N, 64, 218, 218]");
  EXPECT_EQ(s.graph.node(plain).as<ConvAttrs>().strides, (std::vector<std::int64_t>{1, 1}));
  EXPECT_EQ(s.graph.node(plain).as<ConvAttrs>().pads, (std::vector<std::int64_t>{0, 0, 0, 0}));
}

TEST(InferConv, DilationGroupsAndOtherRanks) {
  Sketch s;
  ConvAttrs attrs;
  attrs.dilations = {2};
  attrs.groups = 8;
  EXPECT_EQ(s.type(OpType::kConv, {s.in({N, 8, 10}), s.zeros({16, 1, 3})}, attrs), "f32[N, 16, 6]");
  EXPECT_EQ(s.type(OpType::kConv, {s.in({2, 4, 5, 6, 7}), s.zeros({1, 4, 1, 2, 3})}, ConvAttrs{}),
            "f32[2, 1, 5, 5, 5]");
  ConvAttrs uneven;
  uneven.pads = {0, 1, 2, 3};  // top, left, bottom, right
  EXPECT_EQ(s.type(OpType::kConv, {s.in({N, 1, 4, 4}), s.zeros({1, 1, 3, 3})}, uneven), "f32[N, 1, 4, 6]");
}

TEST(InferConv, ResidualAndBiasMustFit) {
  Sketch s;
  const ValueId x = s.in({N, 4, 8, 8});
  const ValueId w = s.zeros({6, 4, 1, 1});
  EXPECT_EQ(s.type(OpType::kConv, {x, w, kNone, s.in({N, 6, 8, 8})}, ConvAttrs{}), "f32[N, 6, 8, 8]");
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kConv, "c", {x, w, kNone, s.in({1, 6, 8, 8})}, ConvAttrs{});
      },
      {"node 'c' (Conv)", "residual", "[N, 6, 8, 8]"});
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kConv, "c", {x, w, s.zeros({4})}, ConvAttrs{});
      },
      {"bias", "[6]", "f32[4]"});
}

TEST(InferConv, Refusals) {
  Sketch s;
  const ValueId x = s.in({N, 3, 8, 8});
  const auto conv = [&](ValueId in, std::vector<std::int64_t> weights, ConvAttrs attrs = {}) {
    return [&s, in, weights, attrs] { s.graph.add(OpType::kConv, "c", {in, s.zeros(weights)}, attrs); };
  };
  ConvAttrs padded;
  padded.pads = {1, 0, 0, 0};
  expect_throw<ModelError>(conv(x, {4, 3, 11, 1}, padded), {"size 0", "kernel 11", "pads 1 and 0", "input 8"});
  expect_throw<ModelError>(conv(x, {4, 2, 1, 1}), {"channels", "f32[4, 2, 1, 1]", "1 groups"});
  ConvAttrs three_groups;
  three_groups.groups = 3;
  expect_throw<ModelError>(conv(x, {4, 1, 1, 1}, three_groups), {"3 groups"});
  ConvAttrs no_groups;
  no_groups.groups = 0;
  expect_throw<ModelError>(conv(x, {4, 3, 1, 1}, no_groups), {"groups is 0"});
  expect_throw<ModelError>(conv(x, {4, 3, 1}), {"rank of the input"});
  ConvAttrs short_strides;
  short_strides.strides = {1};
  expect_throw<ModelError>(conv(x, {4, 3, 1, 1}, short_strides), {"strides has 1 entries, but 2"});
  ConvAttrs zero_stride;
  zero_stride.strides = {0, 1};
  expect_throw<ModelError>(conv(x, {4, 3, 1, 1}, zero_stride), {"strides has the entry 0"});
  ConvAttrs negative_pad;
  negative_pad.pads = {0, 0, -1, 0};
  expect_throw<ModelError>(conv(x, {4, 3, 1, 1}, negative_pad), {"pads has the entry -1"});
  ConvAttrs huge;
  huge.dilations = {std::numeric_limits<std::int64_t>::max(), 1};
  expect_throw<ModelError>(conv(x, {4, 3, 3, 3}, huge), {"dilations has the entry", "out of range"});
  expect_throw<UnsupportedError>(conv(s.in({3, 3, N, 8}), {4, 3, 1, 1}),
                                 {"slide a window over", "axis 2", "fix the batch"});
  expect_throw<UnsupportedError>(conv(s.in({3, N, 8, 8}), {4, 3, 1, 1}), {"axis 1"});
  expect_throw<ModelError>(conv(s.in({N, 3, 8, 8}, DataType::kInt64), {4, 3, 1, 1}), {"float or quantized", "s64"});
  expect_throw<ModelError>(conv(s.in({N, 3}), {4, 3}), {"rank 3 or more"});
  expect_throw<ModelError>(conv(x, {0, 3, 1, 1}), {"weights", "empty"});
}

TEST(InferConv, QuantizedTypes) {
  Sketch s;
  const ValueId x = s.quantized({N, 3, 8, 8});
  const ValueId w = s.graph.add_constant("w", Tensor(DataType::kInt8, {4, 3, 1, 1}), Quantization{{1, 1, 1, 1}, {}, 0});
  const NodeId conv = s.graph.add_node(OpType::kConv, "c", {x, w}, ConvAttrs{});
  const ValueId y = s.graph.node(conv).outputs[0];
  EXPECT_EQ(s.type(y), "f32[N, 4, 8, 8]");
  EXPECT_FALSE(s[y].quantization);
  s.graph.value(y).dtype = DataType::kUInt8;
  s.graph.value(y).quantization = Quantization{{0.1F}, {}, -1};
  s.graph.infer(conv);
  EXPECT_EQ(s.type(y), "u8[N, 4, 8, 8]");
  EXPECT_EQ(s[y].quantization->scale(), 0.1F);
}

TEST(InferConvTranspose, Shapes) {
  Sketch s;
  ConvAttrs attrs;
  attrs.strides = {2, 2};
  attrs.pads = {1, 1, 1, 1};
  attrs.output_padding = {1, 1};
  attrs.groups = 2;
  const ValueId x = s.in({N, 4, 7, 7});
  EXPECT_EQ(s.type(OpType::kConvTranspose, {x, s.zeros({4, 3, 3, 3}), s.zeros({6})}, attrs), "f32[N, 6, 14, 14]");
  EXPECT_EQ(s.type(OpType::kConvTranspose, {x, s.zeros({4, 3, 2, 2})}, ConvAttrs{}), "f32[N, 3, 8, 8]");
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kConvTranspose, "t", {x, s.zeros({5, 3, 3, 3})}, ConvAttrs{});
      },
      {"node 't' (ConvTranspose)", "channels"});
  ConvAttrs too_much;
  too_much.pads = {4, 0, 4, 0};
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kConvTranspose, "t", {x, s.zeros({4, 3, 1, 1})}, too_much);
      },
      {"size -1", "axis 0"});
}

PoolAttrs pool(std::int64_t kernel, std::int64_t stride, std::int64_t pad, bool ceil_mode) {
  PoolAttrs attrs;
  attrs.kernel = {kernel};
  attrs.strides = {stride};
  attrs.pads = {pad, pad};
  attrs.ceil_mode = ceil_mode;
  return attrs;
}

TEST(InferPool, CeilModeDropsAWindowThatStartsInTheRightPadding) {
  Sketch s;
  const auto size = [&](std::int64_t in, PoolAttrs attrs) {
    return s[s.graph.add(OpType::kMaxPool, "", {s.in({N, 2, in})}, attrs)].shape[2].value;
  };
  EXPECT_EQ(size(6, pool(3, 2, 0, false)), 2);
  EXPECT_EQ(size(6, pool(3, 2, 0, true)), 3);
  EXPECT_EQ(size(7, pool(3, 2, 0, true)), 3);
  // ceil((5 + 2 - 2) / 3) + 1 = 3, but the third window would start at 6 = 5 + 1.
  EXPECT_EQ(size(5, pool(2, 3, 1, true)), 2);
  // ceil((2 - 1) / 2) + 1 = 2, whose second window starts at 2, beyond the input.
  EXPECT_EQ(size(2, pool(1, 2, 0, true)), 1);
}

TEST(InferPool, Shapes) {
  Sketch s;
  PoolAttrs attrs;
  attrs.kernel = {3, 3};
  attrs.strides = {2, 2};
  attrs.pads = {1, 1, 1, 1};
  const ValueId x = s.in({N, 64, 112, 112});
  EXPECT_EQ(s.type(OpType::kMaxPool, {x}, attrs), "f32[N, 64, 56, 56]");
  EXPECT_EQ(s.type(OpType::kAveragePool, {x}, attrs), "f32[N, 64, 56, 56]");
}

TEST(InferPool, MaxPoolHandsTheScaleOnAndAveragePoolDoesNot) {
  Sketch s;
  PoolAttrs attrs;
  attrs.kernel = {2};
  const ValueId x = s.quantized({N, 2, 4}, 0.25F);
  const ValueId most = s.graph.add(OpType::kMaxPool, "", {x}, attrs);
  EXPECT_EQ(s.type(most), "s8[N, 2, 3]");
  EXPECT_EQ(s[most].quantization, s[x].quantization);
  const ValueId mean = s.graph.add(OpType::kAveragePool, "", {x}, attrs);
  EXPECT_EQ(s.type(mean), "f32[N, 2, 3]");
}

TEST(InferPool, Refusals) {
  Sketch s;
  const ValueId x = s.in({N, 2, 4});
  PoolAttrs lopsided = pool(2, 1, 0, false);
  lopsided.pads = {2, 0};
  expect_throw<ModelError>([&] { s.graph.add(OpType::kMaxPool, "p", {x}, lopsided); }, {"pads 2 and 0"});
  lopsided.pads = {0, 2};
  expect_throw<ModelError>([&] { s.graph.add(OpType::kMaxPool, "p", {x}, lopsided); }, {"pads 0 and 2"});
  expect_throw<ModelError>([&] { s.graph.add(OpType::kMaxPool, "p", {x}, pool(2, 1, 2, false)); },
                           {"node 'p' (MaxPool)", "pads 2 and 2", "extent 2"});
  expect_throw<ModelError>([&] { s.graph.add(OpType::kMaxPool, "p", {x}, pool(5, 1, 0, false)); },
                           {"size 0", "kernel 5"});
  expect_throw<ModelError>([&] { s.graph.add(OpType::kMaxPool, "p", {x}, PoolAttrs{}); }, {"no kernel"});
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kMaxPool, "p", {s.in({N, 2, 4}, DataType::kInt64)}, pool(2, 1, 0, false));
      },
      {"s64"});
  expect_throw<UnsupportedError>(
      [&] {
        s.graph.add(OpType::kMaxPool, "p", {s.in({1, 2, N})}, pool(2, 1, 0, false));
      },
      {"axis 2", "batch size"});
  expect_throw<ModelError>(
      [&] {
        s.graph.add(OpType::kAveragePool, "p", {s.in({N, 2, 4}, DataType::kInt32)}, pool(2, 1, 0, false));
      },
      {"s32"});
}

TEST(InferResize, ShapesAndScales) {
  Sketch s;
  ResizeAttrs attrs;
  attrs.sizes = {14, 21};
  const NodeId node = s.graph.add_node(OpType::kResize, "r", {s.in({N, 3, 7, 7})}, attrs);
  EXPECT_EQ(s.type(s.graph.node(node).outputs[0]), "f32[N, 3, 14, 21]");
  EXPECT_EQ(s.graph.node(node).as<ResizeAttrs>().scales, (std::vector<float>{1, 1, 2, 3}));
  const auto refused = [&](ResizeAttrs given) {
    return [&s, given] { s.graph.add(OpType::kResize, "r", {s.in({N, 3, 7, 7})}, given); };
  };
  ResizeAttrs one_size;
  one_size.sizes = {4};
  expect_throw<ModelError>(refused(one_size), {"sizes has 1 entries, but 2"});
  expect_throw<ModelError>(refused(ResizeAttrs{}), {"sizes are missing"});
  ResizeAttrs channels = attrs;
  channels.scales = {1, 2, 2, 3};
  expect_throw<UnsupportedError>(refused(channels), {"only the spatial axes"});
  ResizeAttrs negative = attrs;
  negative.scales = {1, 1, -2, 3};
  expect_throw<ModelError>(refused(negative), {"scales has the entry -2"});
  expect_throw<UnsupportedError>(
      [&] {
        s.graph.add(OpType::kResize, "r", {s.in({1, 3, N, 7})}, attrs);
      },
      {"resize the batch"});
}

}  // namespace
}  // namespace xinfer::ir
