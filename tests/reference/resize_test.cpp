#include <cmath>
#include <numeric>

#include "one_node.h"
#include "reference/resize_taps.h"

namespace xinfer::reference {
namespace {

using ir::CoordinateMode;
using ir::NearestMode;
using ir::ResizeMode;

std::vector<float> resized(const std::vector<float>& x, std::int64_t size, ir::ResizeAttrs attrs) {
  attrs.sizes = {size};
  return values_of<float>(output_of(ir::OpType::kResize, {f32({1, 1, static_cast<std::int64_t>(x.size())}, x)}, attrs));
}

TEST(Resize, NearestModesDifferAtTheMiddle) {
  // Asymmetric from 2 to 4: positions 0, 0.5, 1, 1.5.
  ir::ResizeAttrs attrs = resizing(ResizeMode::kNearest, CoordinateMode::kAsymmetric);
  const std::vector<float> x = {1, 2};
  attrs.nearest = NearestMode::kRoundPreferFloor;
  EXPECT_EQ(resized(x, 4, attrs), (std::vector<float>{1, 1, 2, 2}));
  attrs.nearest = NearestMode::kRoundPreferCeil;
  EXPECT_EQ(resized(x, 4, attrs), (std::vector<float>{1, 2, 2, 2}));
  attrs.nearest = NearestMode::kFloor;
  EXPECT_EQ(resized(x, 4, attrs), (std::vector<float>{1, 1, 2, 2}));
  attrs.nearest = NearestMode::kCeil;
  EXPECT_EQ(resized(x, 4, attrs), (std::vector<float>{1, 2, 2, 2}));
}

TEST(Resize, AScaleThatRoundsStillHitsItsPixel) {
  // 9 to 3 by the float nearest to 1/3, which is larger: position 3 must not fall to 2.
  ir::ResizeAttrs attrs = resizing(ResizeMode::kNearest, CoordinateMode::kAsymmetric);
  attrs.nearest = NearestMode::kFloor;
  EXPECT_EQ(resized({0, 1, 2, 3, 4, 5, 6, 7, 8}, 3, attrs), (std::vector<float>{0, 3, 6}));
}

TEST(Resize, LinearCoordinateModes) {
  ir::ResizeAttrs attrs = resizing(ResizeMode::kLinear);
  const std::vector<float> x = {0, 4};
  EXPECT_EQ(resized(x, 4, attrs), (std::vector<float>{0, 1, 3, 4}));
  attrs.coordinates = CoordinateMode::kAsymmetric;
  EXPECT_EQ(resized(x, 4, attrs), (std::vector<float>{0, 2, 4, 4}));
  attrs.coordinates = CoordinateMode::kAlignCorners;
  EXPECT_EQ(resized(x, 5, attrs), (std::vector<float>{0, 1, 2, 3, 4}));
  attrs.coordinates = CoordinateMode::kPytorchHalfPixel;
  EXPECT_EQ(resized(x, 1, attrs), (std::vector<float>{0}));
  attrs.coordinates = CoordinateMode::kHalfPixel;
  EXPECT_EQ(resized(x, 1, attrs), (std::vector<float>{2}));
}

TEST(Resize, SymmetricHalfPixelsCentreTheImage) {
  // 4 * 0.6 = 2.4 is cut to 2: the plain mode leans to the left, the symmetric one is centred.
  ir::ResizeAttrs attrs = resizing(ResizeMode::kLinear, CoordinateMode::kHalfPixelSymmetric);
  attrs.scales = {1, 1, 0.6F};
  const std::vector<float> y = resized({0, 1, 2, 3}, 2, attrs);
  EXPECT_NEAR(y[0] + y[1], 3, 1e-6);
  EXPECT_NEAR(y[1] - y[0], 1 / 0.6, 1e-6);
}

TEST(Resize, CubicReproducesLinesAndItsCoefficient) {
  ir::ResizeAttrs attrs = resizing(ResizeMode::kCubic);
  attrs.cubic_coeff = -0.5F;  // the one that Keys derives so that lines stay lines
  const std::vector<float> y = resized({0, 1, 2, 3, 4, 5}, 12, attrs);
  for (std::size_t i = 4; i < 8; ++i) EXPECT_NEAR(y[i], (static_cast<double>(i) + 0.5) / 2 - 0.5, 1e-6) << i;
  attrs.cubic_coeff = -0.75F;
  // Halfway between two pixels Keys' kernel weighs a/8 (twice) and 1/2 - a/8.
  const auto taps = resize_taps(attrs, 2, 4, 2);
  ASSERT_EQ(taps[0].index.size(), 4U);
  EXPECT_NEAR(taps[0].weight[0], -0.75 / 8, 1e-12);
  EXPECT_NEAR(taps[0].weight[1], 0.5 + 0.75 / 8, 1e-12);
}

TEST(Resize, ExcludedOutsideWeightsAreShared) {
  ir::ResizeAttrs attrs = resizing(ResizeMode::kCubic);
  attrs.exclude_outside = true;
  for (const AxisTaps& taps : resize_taps(attrs, 2, 4, 8)) {
    EXPECT_NEAR(std::accumulate(taps.weight.begin(), taps.weight.end(), 0.0), 1, 1e-12);
  }
  EXPECT_EQ(resize_taps(attrs, 2, 4, 8)[0].weight[0], 0);
}

TEST(Resize, AntialiasAveragesWhatItCovers) {
  ir::ResizeAttrs attrs = resizing(ResizeMode::kLinear);
  attrs.antialias = true;
  // A triangle of radius 2 around 0.5 and 2.5, borders repeated: weights 1, 3, 3, 1 (over 8).
  const std::vector<float> y = resized({8, 0, 0, 16}, 2, attrs);
  EXPECT_NEAR(y[0], (8 + 3 * 8) / 8.0, 1e-6);
  EXPECT_NEAR(y[1], (3 * 16 + 16) / 8.0, 1e-6);
}

TEST(Resize, TwoAxesAreSeparable) {
  ir::ResizeAttrs attrs = resizing(ResizeMode::kLinear, CoordinateMode::kAlignCorners, {3, 3});
  expect_near(output_of(ir::OpType::kResize, {f32({1, 1, 2, 2}, {0, 2, 4, 6})}, attrs),
              f32({1, 1, 3, 3}, {0, 1, 2, 2, 3, 4, 4, 5, 6}));
}

}  // namespace
}  // namespace xinfer::reference
