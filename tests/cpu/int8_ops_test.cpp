// Integer operators around the layers: elementwise, pools, moves with a change of scale, and the borders to float.
#include "cpu/harness.h"
#include "ir/quantize_nodes.h"

namespace xinfer::cpu::testing {
namespace {

using ir::Dim;
using ir::OpType;
constexpr DataType kS8 = DataType::kInt8;
constexpr DataType kU8 = DataType::kUInt8;
constexpr DataType kF32 = DataType::kFloat32;

/// A 1x1 convolution, so that what follows is in channels last.
ir::ValueId image(ir::Graph& g, Random& random, DataType type, std::int64_t channels, float scale) {
  const auto x = quantized_input(g, "x", type, {Dim::n(), 8, 6, 7}, 1 / 32.0F);
  const auto w =
      g.add_constant("w", random.integers(kS8, {channels, 8, 1, 1}, -127, 127), ir::Quantization{{1 / 64.0F}, {}, -1});
  const auto y = g.add(OpType::kConv, "image", {x, w}, ir::ConvAttrs{});
  make_quantized(g, y, type, scale);
  return y;
}

TEST(Int8Ops, AddSubMulInEveryLayout) {
  for (const DataType type : {kU8, kS8}) {
    for (const auto kind : {ir::BinaryKind::kAdd, ir::BinaryKind::kSub, ir::BinaryKind::kMul}) {
      Random random(3);
      ir::Graph g;
      const auto x = image(g, random, type, 17, 0.25F);
      const auto full = quantized_input(g, "full", kS8, {Dim::n(), 17, 6, 7}, 0.5F);
      const auto channel = quantized_input(g, "channel", kU8, {Dim::n(), 17, 1, 1}, 0.125F);
      const auto scalar = quantized_input(g, "scalar", kS8, {1}, 0.125F);
      std::vector<ir::ValueId> outputs;
      for (const auto other : {full, channel, scalar, x}) {
        for (const auto activation : {ir::UnaryKind::kIdentity, ir::UnaryKind::kRelu}) {
          const auto y = g.add(OpType::kBinary, "y", {x, other}, ir::BinaryAttrs{kind, {activation}});
          make_quantized(g, y, kS8, 0.5F);
          outputs.push_back(y);
        }
      }
      const auto swapped = g.add(OpType::kBinary, "swapped", {channel, x}, ir::BinaryAttrs{kind, {}});
      make_quantized(g, swapped, kS8, 0.5F);
      outputs.push_back(swapped);
      outputs.push_back(g.add(OpType::kBinary, "real", {x, full}, ir::BinaryAttrs{kind, {}}));
      g.set_outputs(outputs);
      const auto steps = check_random(g);
      for (const StepInfo& step : steps) expect_fast(steps, step.node);
    }
  }
}

TEST(Int8Ops, UnaryTables) {
  for (const auto kind : {ir::UnaryKind::kSilu, ir::UnaryKind::kHardSwish, ir::UnaryKind::kSigmoid, ir::UnaryKind::kErf,
                          ir::UnaryKind::kRelu, ir::UnaryKind::kSqrt}) {
    for (const DataType type : {kU8, kS8}) {
      ir::Graph g;
      const auto x = quantized_input(g, "x", type, {Dim::n(), 5, 77}, 0.0313F);
      const auto y = g.add(OpType::kUnary, "y", {x}, ir::UnaryAttrs{kind});
      make_quantized(g, y, kS8, 0.0171F);
      g.set_outputs({y});
      expect_fast(check_random(g), "y");
    }
  }
}

TEST(Int8Ops, Pools) {
  for (const DataType type : {kU8, kS8}) {
    for (const bool ceil : {false, true}) {
      Random random(3);
      ir::Graph g;
      const auto x = image(g, random, type, 17, 0.25F);
      const ir::PoolAttrs attrs{{3, 2}, {2, 2}, {}, {1, 0, 1, 1}, ceil, false};
      const auto m = g.add(OpType::kMaxPool, "max", {x}, attrs);
      const auto a = g.add(OpType::kAveragePool, "average", {x}, attrs);
      make_quantized(g, a, kS8, 0.25F);
      const auto all = g.add(OpType::kReduce, "all", {x}, ir::ReduceAttrs{ir::ReduceKind::kMean, {2, 3}, true});
      make_quantized(g, all, kS8, 0.125F);
      const auto flat = g.add(OpType::kReduce, "flat", {x}, ir::ReduceAttrs{ir::ReduceKind::kMean, {2, 3}, false});
      const auto channels = g.add(OpType::kReduce, "channels", {x}, ir::ReduceAttrs{ir::ReduceKind::kSum, {1}, false});
      g.set_outputs({m, a, all, flat, channels});
      const auto steps = check_random(g, {.relative = 1e-6, .off_by_one = 0.001});
      for (const StepInfo& step : steps) expect_fast(steps, step.node);
    }
  }
}

TEST(Int8Ops, ConcatRescales) {
  Random random(3);
  ir::Graph g;
  const auto x = image(g, random, kU8, 17, 0.25F);
  const auto y = quantized_input(g, "y", kS8, {Dim::n(), 5, 6, 7}, 0.5F);
  const auto z = quantized_input(g, "z", kS8, {Dim::n(), 3, 6, 7}, 0.25F);
  const auto joined = g.add(OpType::kConcat, "joined", {x, y, z}, ir::AxisAttrs{1});
  make_quantized(g, joined, kS8, 0.25F);
  g.set_outputs({joined});
  expect_fast(check_random(g), "joined");
}

TEST(Int8Ops, ResizeInChannelsLast) {
  for (const auto mode : {ir::ResizeMode::kNearest, ir::ResizeMode::kLinear}) {
    Random random(3);
    ir::Graph g;
    const auto x = image(g, random, kU8, 17, 0.25F);
    ir::ResizeAttrs attrs;
    attrs.mode = mode;
    attrs.sizes = {12, 14};
    const auto y = g.add(OpType::kResize, "y", {x}, attrs);
    make_quantized(g, y, kU8, 0.25F);
    g.set_outputs({y});
    expect_fast(check_random(g), "y");
  }
}

TEST(Int8Ops, MovesInChannelsLast) {
  Random random(3);
  ir::Graph g;
  const auto x = image(g, random, kU8, 17, 0.25F);
  const auto s = g.add(OpType::kSlice, "s", {x}, ir::SliceAttrs{{1, 2}, {4, 17}, {2, 1}, {2, 3}});
  const auto split = g.add_node(OpType::kSplit, "split", {x}, ir::SplitAttrs{1, {5, 12}}, 2);
  ir::PadAttrs pad;
  pad.pads = {0, 0, 1, 1, 0, 2, 1, 0};
  const auto p = g.add(OpType::kPad, "p", {x}, pad);
  const auto t = g.add(OpType::kTranspose, "t", {x}, ir::TransposeAttrs{{0, 2, 3, 1}});
  const auto f = g.add(OpType::kReshape, "f", {x}, ir::ShapeAttrs{{Dim::n(), 714}});
  g.set_outputs({s, g.node(split).outputs[0], g.node(split).outputs[1], p, t, f});
  const auto steps = check_random(g);
  for (const StepInfo& step : steps) expect_fast(steps, step.node);
  for (const StepInfo& step : steps) {
    if (step.node == "t") {
      EXPECT_EQ(step.implementation, "alias");
    }
  }
}

TEST(Int8Ops, BordersToFloat) {
  for (const DataType type : {kU8, kS8}) {
    Random random(3);
    ir::Graph g;
    const auto x = g.add_input("x", kF32, {Dim::n(), 3, 9, 10});
    const auto q = ir::add_quantize(g, "q", x, type, {{1 / 32.0F}, {}, -1});
    const auto w =
        g.add_constant("w", random.integers(kS8, {16, 3, 3, 3}, -127, 127), ir::Quantization{{1 / 128.0F}, {}, -1});
    const auto y = g.add(OpType::kConv, "y", {q, w}, ir::ConvAttrs{});
    make_quantized(g, y, kS8, 0.25F);
    const auto d = ir::add_dequantize(g, "d", y);
    const auto silu = g.add(OpType::kUnary, "silu", {d}, ir::UnaryAttrs{ir::UnaryKind::kSilu});
    const auto again = ir::add_quantize(g, "again", silu, kS8, {{0.0625F}, {}, -1});
    g.set_outputs({d, again});
    const auto steps = check_random(g, {.relative = 1e-6, .off_by_one = 0.001});
    for (const StepInfo& step : steps) expect_fast(steps, step.node);
    EXPECT_EQ(steps.back().implementation, "folded into silu");
  }
}

TEST(Int8Ops, FloatIslandsWriteIntegers) {
  Random random(3);
  ir::Graph g;
  const auto x = g.add_input("x", kF32, {Dim::n(), 2, 9, 32});
  const auto s = g.add_constant("s", random.floats({32}));
  const auto norm = g.add(OpType::kLayerNorm, "norm", {x, s}, ir::NormAttrs{});
  const auto soft = g.add(OpType::kSoftmax, "soft", {x}, ir::SoftmaxAttrs{});
  const auto heads = g.add(OpType::kAttention, "heads", {x, x, x}, ir::AttentionAttrs{0.2F, false});
  const auto sum = g.add(OpType::kBinary, "sum", {x, x}, ir::BinaryAttrs{});
  const auto mean = g.add(OpType::kReduce, "mean", {x}, ir::ReduceAttrs{ir::ReduceKind::kMean, {2}, false});
  std::vector<ir::ValueId> outputs;
  for (const auto value : {norm, soft, heads, sum, mean}) {
    outputs.push_back(ir::add_quantize(g, "q", value, kS8, {{0.0173F}, {}, -1}));
  }
  g.set_outputs(outputs);
  int folded = 0;
  for (const StepInfo& step : check_random(g, {.off_by_one = 0.001})) folded += step.op == OpType::kQuantize ? 1 : 0;
  EXPECT_EQ(folded, 5);
  // With every value kept, nothing is folded, and the result is the same.
  check(g, random_inputs(g, 2, 3), {.off_by_one = 0.001}, {.threads = 2, .keep_values = true});
}

TEST(Int8Ops, PerChannelActivationsAreLeftToTheReference) {
  ir::Graph g;
  const auto x = g.add_input("x", kF32, {Dim::n(), 3, 4});
  const auto q = ir::add_quantize(g, "q", x, kS8, {{0.1F, 0.2F, 0.3F}, {}, 1});
  g.set_outputs({q, ir::add_dequantize(g, "d", q)});
  const auto steps = check_random(g);
  EXPECT_EQ(steps.at(0).implementation, "reference");
  EXPECT_FALSE(steps.at(0).refusals.empty());
}

}  // namespace
}  // namespace xinfer::cpu::testing
