// Convolutions, products, attention, normalisations and pools in float.

#include <cmath>
#include <limits>
#include <random>

#include "one_node.h"

namespace xinfer::reference {
namespace {

using ir::OpType;

Tensor random_tensor(Sizes shape, unsigned seed) {
  Tensor tensor(DataType::kFloat32, std::move(shape));
  std::mt19937 random(seed);
  for (float& x : tensor.data<float>()) x = static_cast<float>(static_cast<int>(random() % 17) - 8);
  return tensor;
}

TEST(Conv, HasStridesPadsAndDilations) {
  ir::ConvAttrs attrs;
  attrs.strides = {2};
  attrs.pads = {1, 2};
  attrs.dilations = {2};
  // x padded: 0 1 2 3 4 0 0; taps at o*2 and o*2+2.
  expect_near(
      output_of(OpType::kConv, {f32({1, 1, 4}, {1, 2, 3, 4}), f32({1, 1, 2}, {10, 1}), f32({1}, {0.5F})}, attrs),
      f32({1, 1, 3}, {2.5F, 24.5F, 40.5F}));
}

TEST(Conv, HasGroupsResidualAndActivation) {
  ir::ConvAttrs attrs;
  attrs.groups = 2;
  attrs.epilogue.activation = ir::UnaryKind::kRelu;
  expect_near(output_of(OpType::kConv,
                        {f32({1, 2, 2}, {1, 2, 3, 4}), f32({2, 1, 1}, {10, -1}), f32({2}, {1, 0}),
                         f32({1, 2, 2}, {0, 0, 0, 10})},
                        attrs),
              f32({1, 2, 2}, {11, 21, 0, 6}));
}

TEST(Conv, TwoDimensionsByHand) {
  expect_near(output_of(OpType::kConv, {counting({1, 1, 3, 3}), f32({1, 1, 2, 2}, {1, 0, 0, 1})}, ir::ConvAttrs{}),
              f32({1, 1, 2, 2}, {4, 6, 10, 12}));
}

TEST(Conv, ThreeDimensionsSumUp) {
  ir::ConvAttrs attrs;
  attrs.pads = {1, 0, 0, 0, 0, 0};
  expect_near(
      output_of(OpType::kConv,
                {f32({1, 1, 2, 2, 2}, std::vector<float>(8, 1)), f32({1, 1, 2, 2, 2}, std::vector<float>(8, 1))},
                attrs),
      f32({1, 1, 2, 1, 1}, {4, 8}));
}

TEST(Conv, RefusesFourSpatialAxes) {
  EXPECT_THROW(output_of(OpType::kConv, {f32({1, 1, 1, 1, 1, 1}, {1}), f32({1, 1, 1, 1, 1, 1}, {1})}, ir::ConvAttrs{}),
               UnsupportedError);
}

// <conv(x), y> == <x, conv_transpose(y)>: the two are adjoint, whatever the geometry.
TEST(ConvTranspose, IsTheAdjointOfConv) {
  for (const std::int64_t groups : {1, 2}) {
    ir::ConvAttrs attrs;
    attrs.strides = {2, 3};
    attrs.pads = {1, 0, 2, 1};
    attrs.dilations = {1, 2};
    attrs.groups = groups;
    const Tensor x = random_tensor({2, 4, 7, 8}, 1);
    const Tensor w = random_tensor({6, 4 / groups, 3, 2}, 2);
    const Tensor forward = output_of(OpType::kConv, {x, w}, attrs);
    const Tensor y = random_tensor(forward.shape(), 3);
    ir::ConvAttrs back = attrs;
    // What integer division dropped of the input comes back as output padding.
    for (int i = 0; i < 2; ++i) {
      const auto a = static_cast<std::size_t>(i);
      const std::int64_t natural = (y.dim(i + 2) - 1) * attrs.strides[a] - attrs.pads[a] - attrs.pads[a + 2] +
                                   attrs.dilations[a] * (w.dim(i + 2) - 1) + 1;
      back.output_padding.push_back(x.dim(i + 2) - natural);
    }
    const Tensor backward = output_of(OpType::kConvTranspose, {y, w}, back);
    ASSERT_EQ(backward.shape(), x.shape());
    double left = 0, right = 0;
    for (std::size_t i = 0; i < y.data<float>().size(); ++i) left += forward.data<float>()[i] * y.data<float>()[i];
    for (std::size_t i = 0; i < x.data<float>().size(); ++i) right += backward.data<float>()[i] * x.data<float>()[i];
    EXPECT_EQ(left, right);
    EXPECT_NE(left, 0);
  }
}

TEST(ConvTranspose, AddsBiasAndCropsPads) {
  ir::ConvAttrs attrs;
  attrs.strides = {2};
  attrs.pads = {1, 0};
  attrs.output_padding = {1};
  expect_near(output_of(OpType::kConvTranspose,
                        {f32({1, 1, 2}, {1, 2}), f32({1, 1, 3}, {1, 10, 100}), f32({1}, {0.5F})}, attrs),
              f32({1, 1, 5}, {10.5F, 102.5F, 20.5F, 200.5F, 0.5F}));
}

TEST(Linear, AddsResidualBeforeTheActivation) {
  ir::LinearAttrs attrs;
  attrs.epilogue = {ir::UnaryKind::kClip, 0, 6};
  expect_near(output_of(OpType::kLinear,
                        {f32({2, 1, 1}, {1, -3}), f32({2, 1}, {1, 2}), Operand(), f32({2, 1, 2}, {1, 9, 1, 9})}, attrs),
              f32({2, 1, 2}, {2, 6, 0, 3}));
}

TEST(MatMul, TransposesAndBroadcasts) {
  ir::MatMulAttrs attrs;
  attrs.transpose_a = true;
  attrs.transpose_b = true;
  attrs.alpha = 0.5F;
  // a: two batches of 2x1 read as 1x2; b: one 1x2 read as 2x1.
  expect_near(output_of(OpType::kMatMul, {f32({2, 2, 1}, {1, 2, 3, 4}), f32({1, 2}, {10, 100})}, attrs),
              f32({2, 1, 1}, {105, 215}));
  expect_near(output_of(OpType::kMatMul, {f32({1, 2}, {1, 2}), counting({2, 1, 2, 3})}, ir::MatMulAttrs{}),
              f32({2, 1, 1, 3}, {6, 9, 12, 24, 27, 30}));
}

TEST(Attention, MasksAndIsCausal) {
  ir::AttentionAttrs attrs;
  attrs.causal = true;
  const Tensor zero = f32({1, 1, 2, 1}, {0, 0});
  const Tensor v = f32({1, 1, 2, 2}, {1, 2, 3, 4});
  expect_near(output_of(OpType::kAttention, {zero, zero, v}, attrs), f32({1, 1, 2, 2}, {1, 2, 2, 3}));
  attrs.causal = false;
  const float log3 = std::log(3.0F);
  expect_near(output_of(OpType::kAttention, {zero, zero, v, f32({1, 2}, {0, log3})}, attrs),
              f32({1, 1, 2, 2}, {2.5F, 3.5F, 2.5F, 3.5F}));
}

TEST(Attention, UsesEveryHeadsOwnKeysAndScale) {
  ir::AttentionAttrs attrs;
  attrs.scale = 0.5F;
  const float k = 2 * std::log(3.0F);
  expect_near(
      output_of(OpType::kAttention,
                {f32({1, 2, 1, 1}, {1, 1}), f32({1, 2, 2, 1}, {0, k, k, 0}), f32({1, 2, 2, 1}, {0, 4, 0, 8})}, attrs),
      f32({1, 2, 1, 1}, {3, 2}));
}

TEST(Norms, UseEpsilonScaleAndBias) {
  expect_near(output_of(OpType::kLayerNorm,
                        {f32({1, 2, 2}, {1, 3, 1, 3}), f32({2, 2}, {2, 4, 2, 4}), f32({2, 2}, {0, 0, 1, 1})},
                        ir::NormAttrs{3.0F, 1}),
              f32({1, 2, 2}, {-1, 2, 0, 3}));
  // One group over both channels: mean 2, deviation 1.
  expect_near(output_of(OpType::kGroupNorm, {f32({1, 2, 2}, {1, 3, 3, 1}), f32({2}, {1, 10}), f32({2}, {0, 0})},
                        ir::NormAttrs{0.0F, -1, 1}),
              f32({1, 2, 2}, {-1, 1, 10, -10}));
}

TEST(Softmax, WorksAlongAnyAxisAndInLogarithms) {
  expect_near(output_of(OpType::kSoftmax, {f32({2, 2}, {1000, 0, 1000, 0})}, ir::SoftmaxAttrs{0}),
              f32({2, 2}, {0.5F, 0.5F, 0.5F, 0.5F}));
  expect_near(output_of(OpType::kSoftmax, {f32({1, 2}, {0, 1000})}, ir::SoftmaxAttrs{1, true}),
              f32({1, 2}, {-1000, 0}));
}

TEST(MaxPool, IgnoresPaddingAndWorksOnIntegers) {
  ir::PoolAttrs attrs = pool({2, 2}, {2, 2}, {}, {1, 1, 0, 0});
  expect_near(output_of(OpType::kMaxPool, {f32({1, 1, 3, 3}, {-1, -2, -3, -4, -5, -6, -7, -8, -9})}, attrs),
              f32({1, 1, 2, 2}, {-1, -2, -4, -5}));
  expect_near(output_of(OpType::kMaxPool, {s8({1, 1, 3}, {-100, -128, 3})}, pool({2})), s8({1, 1, 2}, {-100, 3}));
}

TEST(MaxPool, HasDilationAndCeilMode) {
  ir::PoolAttrs attrs = pool({2}, {2}, {2}, {});
  attrs.ceil_mode = true;
  expect_near(output_of(OpType::kMaxPool, {f32({1, 1, 6}, {5, 1, 2, 9, 3, 4})}, attrs), f32({1, 1, 3}, {5, 3, 3}));
}

TEST(AveragePool, CountsPaddingOnlyWhenAsked) {
  ir::PoolAttrs attrs = pool({3}, {2}, {}, {1, 1});
  expect_near(output_of(OpType::kAveragePool, {f32({1, 1, 3}, {3, 6, 9})}, attrs), f32({1, 1, 2}, {4.5F, 7.5F}));
  attrs.count_include_pad = true;
  expect_near(output_of(OpType::kAveragePool, {f32({1, 1, 3}, {3, 6, 9})}, attrs), f32({1, 1, 2}, {3, 5}));
}

TEST(AveragePool, CeilModeCountsNothingBeyondThePadding) {
  ir::PoolAttrs attrs = pool({3}, {2}, {}, {0, 1});
  attrs.ceil_mode = true;
  attrs.count_include_pad = true;
  // Windows 0..2 and 2..4 of x0 x1 x2 x3 pad, then 4..6, which only the padding reaches, is dropped.
  expect_near(output_of(OpType::kAveragePool, {f32({1, 1, 4}, {3, 6, 9, 12})}, attrs), f32({1, 1, 2}, {6, 7}));
  attrs.pads = {0, 0};
  expect_near(output_of(OpType::kAveragePool, {f32({1, 1, 4}, {3, 6, 9, 12})}, attrs), f32({1, 1, 2}, {6, 10.5F}));
}

}  // namespace
}  // namespace xinfer::reference
