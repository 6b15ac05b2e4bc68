// The integer contract: operators on 8-bit tensors that stand for reals. Values are chosen away from rounding ties.

#include <cmath>
#include <limits>
#include <random>

#include "one_node.h"
#include "reference/requantize.h"

namespace xinfer::reference {
namespace {

using ir::OpType;
using K = ir::UnaryKind;
constexpr auto kS8 = DataType::kInt8;
constexpr auto kU8 = DataType::kUInt8;

ir::Quantization per_channel(std::vector<float> scales, int axis) { return {std::move(scales), {}, axis}; }

TEST(Requantize, FoldsOnlyWhatCommutes) {
  const std::vector<float> weights = {0.5F, 0.25F};
  const std::vector<float> bias = {3, -1};
  const LayerScales scales{.input = 2, .weights = weights, .bias = bias, .residual = 6, .output = 4};
  const FoldedScales clipped = fold(scales, {K::kClip, -8, 12});
  EXPECT_EQ(clipped.multiplier, (std::vector<float>{0.25F, 0.125F}));
  EXPECT_EQ(clipped.bias, (std::vector<float>{0.75F, -0.25F}));
  EXPECT_EQ(clipped.residual_scale, 1.5F);
  EXPECT_EQ(clipped.activation, (ir::Epilogue{K::kClip, -2, 3}));
  EXPECT_EQ(clipped.output_scale, 1.0F);
  const FoldedScales curved = fold(scales, {K::kSilu});
  EXPECT_EQ(curved.multiplier, (std::vector<float>{1, 0.5F}));
  EXPECT_EQ(curved.bias, bias);
  EXPECT_EQ(curved.residual_scale, 6.0F);
  EXPECT_EQ(curved.output_scale, 4.0F);
}

TEST(Requantize, MultipliersAreRoundedOnce) {
  // 0.1F * 0.2F / 0.3F in float would round three times.
  const std::vector<float> weights = {0.2F};
  const FoldedScales folded = fold({.input = 0.1F, .weights = weights, .output = 0.3F}, {});
  EXPECT_EQ(folded.multiplier[0],
            static_cast<float>(static_cast<double>(0.1F) * static_cast<double>(0.2F) / static_cast<double>(0.3F)));
}

TEST(Requantize, RoundsHalfToEvenAndSaturates) {
  EXPECT_EQ(round_to<std::int8_t>(0.5F), 0);
  EXPECT_EQ(round_to<std::int8_t>(1.5F), 2);
  EXPECT_EQ(round_to<std::int8_t>(-2.5F), -2);
  EXPECT_EQ(round_to<std::int8_t>(1e30F), 127);
  EXPECT_EQ(round_to<std::int8_t>(-1e30F), -128);
  EXPECT_EQ(round_to<std::uint8_t>(-0.6F), 0);
  EXPECT_EQ(round_to<std::uint8_t>(300), 255);
  EXPECT_EQ(round_to<std::int8_t>(NAN), 0);
  EXPECT_EQ(round_to<float>(0.3F), 0.3F);
}

TEST(Requantize, LargeAccumulatorsRoundToFloatFirst) {
  // 2^24 + 1 is no float: it becomes 2^24 before the multiplication.
  EXPECT_EQ(finish(fold({.input = 1}, {}), (1 << 24) + 1, 0), 16777216.0F);
}

TEST(IntegerConv, ScalesPerChannelWithBiasAndActivation) {
  // acc = 10*2 + 20*3 = 80 and 10*(-4) + 20*1 = -20; s_x s_w = 0.25 and 0.125; y = 20 + 1 and -2.5 - 1; s_y = 2.
  const Operand x{s8({1, 1, 2}, {10, 20}), 0.5F};
  const Operand w{s8({2, 1, 2}, {2, 3, -4, 1}), per_channel({0.5F, 0.25F}, 0)};
  const Tensor bias = f32({2}, {1, -1});
  expect_near(output_of(OpType::kConv, {x, w, bias}, ir::ConvAttrs{}, Target{kS8, 2.0F}), s8({1, 2, 1}, {10, -2}));
  expect_near(output_of(OpType::kConv, {x, w, bias}, ir::ConvAttrs{}), f32({1, 2, 1}, {21, -3.5F}));
  ir::ConvAttrs relu;
  relu.epilogue.activation = K::kRelu;
  expect_near(output_of(OpType::kConv, {x, w, bias}, relu, Target{kU8, 2.0F}), u8({1, 2, 1}, {10, 0}));
  ir::ConvAttrs clip;
  clip.epilogue = {K::kClip, -3, 6};
  expect_near(output_of(OpType::kConv, {x, w, bias}, clip, Target{kS8, 1.0F}), s8({1, 2, 1}, {6, -3}));
  expect_near(output_of(OpType::kConv, {x, w, bias}, ir::ConvAttrs{}, Target{kS8, 0.1F}), s8({1, 2, 1}, {127, -35}));
}

TEST(IntegerConv, AddsResidualsBeforeTheActivation) {
  const Operand x{u8({1, 1, 1}, {200}), 0.5F};
  const Operand w{s8({1, 1, 1}, {-2}), 0.25F};  // y = -50
  ir::ConvAttrs relu;
  relu.epilogue.activation = K::kRelu;
  const Operand residual{s8({1, 1, 1}, {30}), 2.0F};
  expect_near(output_of(OpType::kConv, {x, w, Operand(), residual}, relu, Target{kU8, 1.0F}), u8({1, 1, 1}, {10}));
  expect_near(output_of(OpType::kConv, {x, w, Operand(), f32({1, 1, 1}, {52.75F})}, relu), f32({1, 1, 1}, {2.75F}));
}

TEST(IntegerConv, AnActivationThatDoesNotCommuteIsAppliedInReals) {
  const Operand x{s8({1, 1, 2}, {8, -8}), 0.25F};
  const Operand w{s8({1, 1, 1}, {2}), 0.5F};  // y = 2 and -2
  ir::ConvAttrs attrs;
  attrs.epilogue.activation = K::kHardSwish;  // 2*5/6 = 1.667 and -2/6 = -0.333
  expect_near(output_of(OpType::kConv, {x, w}, attrs, Target{kS8, 0.1F}), s8({1, 1, 2}, {17, -3}));
}

TEST(IntegerConv, PaddingIsZero) {
  ir::ConvAttrs attrs;
  attrs.pads = {1, 1};
  const Operand x{s8({1, 1, 1}, {5}), 1.0F};
  expect_near(output_of(OpType::kConv, {x, Operand{s8({1, 1, 3}, {1, 2, 3}), 1.0F}}, attrs, Target{kS8, 1.0F}),
              s8({1, 1, 1}, {10}));
}

TEST(IntegerConv, MatchesTheRealConvolutionOfTheSameNumbers) {
  std::mt19937 random(7);
  Tensor x(kU8, {2, 4, 6, 5}), w(kS8, {6, 2, 3, 3});
  for (auto& v : x.data<std::uint8_t>()) v = static_cast<std::uint8_t>(random() % 256);
  for (auto& v : w.data<std::int8_t>()) v = static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
  const ir::Quantization scales = per_channel({0.01F, 0.02F, 0.03F, 0.005F, 0.04F, 0.015F}, 0);
  ir::ConvAttrs attrs;
  attrs.groups = 2;
  attrs.strides = {2, 1};
  attrs.pads = {1, 1, 1, 1};
  const Tensor integer = output_of(OpType::kConv, {Operand{x, 0.05F}, Operand{w, scales}}, attrs);
  Tensor real_x(DataType::kFloat32, x.shape()), real_w(DataType::kFloat32, w.shape());
  for (std::size_t i = 0; i < x.data<std::uint8_t>().size(); ++i) {
    real_x.data<float>()[i] = 0.05F * x.data<std::uint8_t>()[i];
  }
  for (std::size_t i = 0; i < w.data<std::int8_t>().size(); ++i) {
    real_w.data<float>()[i] = scales.scales[i / 18] * w.data<std::int8_t>()[i];
  }
  expect_near(integer, output_of(OpType::kConv, {real_x, real_w}, attrs), 2e-3F);
}

TEST(IntegerConv, RefusesWhatHasNoMeaning) {
  const Operand x{s8({1, 1, 1}, {1}), 1.0F};
  const Operand w{s8({1, 1, 1}, {1}), 1.0F};
  EXPECT_THROW(output_of(OpType::kConv, {x, f32({1, 1, 1}, {1})}, ir::ConvAttrs{}), UnsupportedError);
  EXPECT_THROW(output_of(OpType::kConv, {f32({1, 1, 1}, {1}), w}, ir::ConvAttrs{}), UnsupportedError);
  const Operand shifted{u8({1, 1, 1}, {1}), ir::Quantization{{1.0F}, {128}, -1}};
  EXPECT_THROW(output_of(OpType::kConv, {shifted, w}, ir::ConvAttrs{}), UnsupportedError);
  const Operand sideways{s8({1, 1, 1}, {1}), per_channel({1.0F}, 1)};
  EXPECT_THROW(output_of(OpType::kConv, {x, sideways}, ir::ConvAttrs{}), UnsupportedError);
}

TEST(IntegerConv, RefusesSumsThatMayOverflow) {
  const std::int64_t k = 70000;
  const Operand x{Tensor(kS8, {1, k}), 1.0F};
  const Operand w{Tensor(kS8, {1, k}), 1.0F};
  EXPECT_THROW(output_of(OpType::kLinear, {x, w}, ir::LinearAttrs{}), UnsupportedError);
}

TEST(IntegerConvTranspose, ScalesOutputChannels) {
  const Operand x{s8({1, 1, 2}, {1, 2}), 1.0F};
  const Operand w{s8({1, 2, 2}, {10, 1, 20, 2}), per_channel({1.0F, 0.5F}, 1)};
  expect_near(output_of(OpType::kConvTranspose, {x, w}, ir::ConvAttrs{}, Target{kS8, 1.0F}),
              s8({1, 2, 3}, {10, 21, 2, 10, 21, 2}));
}

TEST(IntegerLinear, ScalesPerRowOfTheWeights) {
  const Operand x{s8({2, 2}, {1, 2, -3, 4}), 0.5F};
  const Operand w{s8({2, 2}, {10, 20, -30, 40}), per_channel({1.0F, 0.1F}, 0)};
  // acc: 50, 50; 50, 250. y: 25, 2.5; 25, 12.5, plus the bias.
  expect_near(output_of(OpType::kLinear, {x, w, f32({2}, {0, 0.25F})}, ir::LinearAttrs{}, Target{kS8, 1.0F}),
              s8({2, 2}, {25, 3, 25, 13}));
}

TEST(IntegerMatMul, TakesTwoActivations) {
  const Operand a{s8({1, 2}, {3, -4}), 0.5F};
  const Operand b{u8({2, 1}, {100, 50}), 0.1F};
  ir::MatMulAttrs attrs;
  attrs.alpha = 0.5F;
  // acc = 100; y = 100 * 0.05 * 0.5 = 2.5.
  expect_near(output_of(OpType::kMatMul, {a, b}, attrs, Target{kS8, 0.4F}), s8({1, 1}, {6}));
  expect_near(output_of(OpType::kMatMul, {a, b}, attrs), f32({1, 1}, {2.5F}));
  EXPECT_THROW(output_of(OpType::kMatMul, {a, f32({2, 1}, {1, 1})}, attrs), UnsupportedError);
}

TEST(IntegerBinary, AddsSubtractsAndMultiplies) {
  const Operand a{s8({2}, {10, -100}), 0.5F};
  const Operand b{u8({1}, {30}), 0.1F};
  const auto binary = [&](ir::BinaryKind kind, ir::Epilogue epilogue, std::optional<Target> target) {
    return output_of(OpType::kBinary, {a, b}, ir::BinaryAttrs{kind, epilogue}, std::move(target));
  };
  expect_near(binary(ir::BinaryKind::kAdd, {}, Target{kS8, 1.0F}), s8({2}, {8, -47}));
  expect_near(binary(ir::BinaryKind::kAdd, {K::kRelu}, Target{kU8, 0.03F}), u8({2}, {255, 0}));
  expect_near(binary(ir::BinaryKind::kSub, {}, Target{kS8, 1.0F}), s8({2}, {2, -53}));
  expect_near(binary(ir::BinaryKind::kMul, {}, Target{kS8, 1.0F}), s8({2}, {15, -128}));
  expect_near(binary(ir::BinaryKind::kAdd, {}, {}), f32({2}, {8, -47}));
  expect_near(binary(ir::BinaryKind::kDiv, {}, Target{kS8, 1.0F}), s8({2}, {2, -17}));
  expect_near(binary(ir::BinaryKind::kLess, {}, {}), booleans({2}, {0, 1}));
}

TEST(IntegerBinary, AddIsTheDocumentedSequence) {
  // Checked literally, over all pairs: fma(b, s_b / s_y, a * (s_a / s_y)).
  const float sa = 0.0173F, sb = 0.0291F, sy = 0.0411F;
  const float ma = static_cast<float>(static_cast<double>(sa) / static_cast<double>(sy));
  const float mb = static_cast<float>(static_cast<double>(sb) / static_cast<double>(sy));
  std::vector<std::int8_t> numbers;
  for (int i = -128; i < 128; ++i) numbers.push_back(static_cast<std::int8_t>(i));
  const Tensor y = output_of(OpType::kBinary, {Operand{s8({256, 1}, numbers), sa}, Operand{s8({256}, numbers), sb}},
                             ir::BinaryAttrs{}, Target{kS8, sy});
  std::size_t at = 0;
  for (const std::int8_t a : numbers) {
    for (const std::int8_t b : numbers) {
      const float steps = std::nearbyint(std::fma(static_cast<float>(b), mb, static_cast<float>(a) * ma));
      ASSERT_EQ(y.data<std::int8_t>()[at++], static_cast<int>(std::min(std::max(steps, -128.0F), 127.0F)));
    }
  }
}

TEST(IntegerUnary, GoesThroughReals) {
  const Operand x{s8({3}, {-8, 0, 8}), 0.25F};
  expect_near(output_of(OpType::kUnary, {x}, ir::UnaryAttrs{K::kTanh}, Target{kS8, 0.01F}), s8({3}, {-96, 0, 96}));
  expect_near(output_of(OpType::kUnary, {x}, ir::UnaryAttrs{K::kRelu}, Target{kU8, 0.5F}), u8({3}, {0, 0, 4}));
  expect_near(output_of(OpType::kUnary, {x}, ir::UnaryAttrs{K::kAbs}), f32({3}, {2, 0, 2}));
}

TEST(IntegerPools, AverageInOneRounding) {
  const Operand x{u8({1, 1, 3}, {10, 21, 40}), 0.5F};
  expect_near(output_of(OpType::kAveragePool, {x}, pool({2}), Target{kS8, 0.5F}), s8({1, 1, 2}, {16, 30}));
  expect_near(output_of(OpType::kAveragePool, {x}, pool({2}, {}, {}, {1, 0}), Target{kU8, 1.0F}),
              u8({1, 1, 3}, {5, 8, 15}));
  expect_near(output_of(OpType::kAveragePool, {x}, pool({3})), f32({1, 1, 1}, {71.0F / 6}));
  expect_near(output_of(OpType::kReduce, {x}, ir::ReduceAttrs{ir::ReduceKind::kMean, {2}}, Target{kS8, 0.1F}),
              s8({1, 1, 1}, {118}));
  expect_near(output_of(OpType::kReduce, {x}, ir::ReduceAttrs{ir::ReduceKind::kSum, {2}}, Target{kS8, 1.0F}),
              s8({1, 1, 1}, {36}));
  expect_near(output_of(OpType::kReduce, {x}, ir::ReduceAttrs{ir::ReduceKind::kMax, {2}}, Target{kS8, 1.0F}),
              s8({1, 1, 1}, {20}));
  expect_near(output_of(OpType::kMaxPool, {x}, pool({2})), u8({1, 1, 2}, {21, 40}));
}

TEST(IntegerMoves, KeepTheirScaleOrRefuse) {
  const Operand x{s8({2}, {1, 2}), 0.5F};
  expect_near(output_of(OpType::kReshape, {x}, ir::ShapeAttrs{{2, 1}}), s8({2, 1}, {1, 2}));
  EXPECT_THROW(output_of(OpType::kReshape, {x}, ir::ShapeAttrs{{2, 1}}, Target{kS8, 0.25F}), UnsupportedError);
  // The pad value is real: 1.5 is 3 steps.
  expect_near(output_of(OpType::kPad, {x}, ir::PadAttrs{ir::PadMode::kConstant, {0, 1}, 1.5F}), s8({3}, {1, 2, 3}));
}

TEST(IntegerConcat, BringsPartsToOneScale) {
  const Operand a{s8({2}, {10, -100}), 0.5F};
  const Operand b{u8({1}, {30}), 0.1F};
  expect_near(output_of(OpType::kConcat, {a, b}, ir::AxisAttrs{0}, Target{kS8, 0.3F}), s8({3}, {17, -128, 10}));
  EXPECT_THROW(output_of(OpType::kConcat, {a, f32({1}, {1})}, ir::AxisAttrs{0}, Target{kS8, 0.5F}), UnsupportedError);
}

TEST(IntegerResize, InterpolatesWithItsOwnScale) {
  const Operand x{s8({1, 1, 2}, {0, 10}), 0.5F};
  ir::ResizeAttrs attrs = resizing(ir::ResizeMode::kLinear, ir::CoordinateMode::kAlignCorners, {5});
  expect_near(output_of(OpType::kResize, {x}, attrs, Target{kS8, 0.3F}), s8({1, 1, 5}, {0, 4, 8, 12, 17}));
  attrs.mode = ir::ResizeMode::kNearest;
  expect_near(output_of(OpType::kResize, {x}, attrs, Target{kS8, 0.5F}), s8({1, 1, 5}, {0, 0, 0, 10, 10}));
}

TEST(IntegerSoftmax, ComputesInFloatBetweenIntegers) {
  const Operand x{s8({1, 2}, {0, 11}), 0.1F};  // e^1.1 = 3.004
  expect_near(output_of(OpType::kSoftmax, {x}, ir::SoftmaxAttrs{}, Target{kU8, 1.0F / 256}), u8({1, 2}, {64, 192}));
}

TEST(QuantizeNodes, HonourForeignZeroPoints) {
  const ir::Quantization shifted{{0.5F}, {10}, -1};
  expect_near(output_of(OpType::kQuantize, {f32({4}, {-100, 0, 1, 1000})}, ir::NoAttrs{}, Target{kU8, shifted}),
              u8({4}, {0, 10, 12, 255}));
  expect_near(output_of(OpType::kDequantize, {Operand{u8({2}, {10, 7}), shifted}}), f32({2}, {0, -1.5F}));
  const ir::Quantization rows{{1.0F, 2.0F}, {0, 1}, 0};
  expect_near(output_of(OpType::kDequantize, {Operand{s32({2, 2}, {1, 2, 3, 4}), rows}}), f32({2, 2}, {1, 2, 4, 6}));
  expect_near(output_of(OpType::kQuantize, {f32({2, 1}, {5, 5})}, ir::NoAttrs{}, Target{kS8, rows}),
              s8({2, 1}, {5, 3}));
}

TEST(QuantizeNodes, RoundHalfToEvenOnTheQuotient) {
  expect_near(output_of(OpType::kQuantize, {f32({4}, {0.5F, 1.5F, -0.5F, NAN})}, ir::NoAttrs{}, Target{kS8, 1.0F}),
              s8({4}, {0, 2, 0, 0}));
}

TEST(Quantized, OperatorsWithoutAMeaningRefuse) {
  const Operand x{s8({2}, {1, 2}), 0.5F};
  EXPECT_THROW(output_of(OpType::kCumSum, {x}, ir::CumSumAttrs{}), UnsupportedError);
  EXPECT_THROW(output_of(OpType::kCast, {x}, ir::CastAttrs{DataType::kInt32}), UnsupportedError);
}

}  // namespace
}  // namespace xinfer::reference
