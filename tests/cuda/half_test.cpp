#include "cuda/half.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace xinfer::cuda {
namespace {

TEST(Half, EveryHalfSurvives) {
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const float x = from_half_bits(static_cast<std::uint16_t>(bits));
    if (std::isnan(x)) {
      EXPECT_EQ(half_bits(x) & 0x7FFF, 0x7E00);
    } else {
      EXPECT_EQ(half_bits(x), bits) << x;
    }
  }
  EXPECT_EQ(from_half_bits(0x3C00), 1.0F);
  EXPECT_EQ(from_half_bits(0xC000), -2.0F);
  EXPECT_EQ(from_half_bits(0x0001), 0x1p-24F);
  EXPECT_EQ(from_half_bits(0x7BFF), 65504.0F);
}

TEST(Half, RoundsToTheNearest) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> exponent(-27, 16);
  for (int i = 0; i < 200000; ++i) {
    const float x = std::exp2(exponent(random)) * (i % 2 == 0 ? 1.0F : -1.0F);
    const std::uint16_t bits = half_bits(x);
    const double gap = std::abs(static_cast<double>(x) - from_half_bits(bits));
    for (const int step : {-1, 1}) {
      const auto neighbour = static_cast<std::uint16_t>(bits + step);
      if ((neighbour & 0x7C00) == 0x7C00 || ((neighbour ^ bits) & 0x8000) != 0) continue;
      EXPECT_LE(gap, std::abs(static_cast<double>(x) - from_half_bits(neighbour))) << x;
    }
  }
}

TEST(Half, TiesGoToEvenAndFiniteStaysFinite) {
  EXPECT_EQ(half_bits(1.0F + 0x1p-11F), 0x3C00);
  EXPECT_EQ(half_bits(1.0F + 3 * 0x1p-11F), 0x3C02);
  EXPECT_EQ(half_bits(0x1p-25F), 0);
  EXPECT_EQ(half_bits(3 * 0x1p-25F), 2);
  EXPECT_EQ(half_bits(1e9F), 0x7BFF);
  EXPECT_EQ(half_bits(-1e9F), 0xFBFF);
  EXPECT_EQ(half_bits(std::numeric_limits<float>::infinity()), 0x7C00);
  EXPECT_EQ(half_bits(-0.0F), 0x8000);
}

}  // namespace
}  // namespace xinfer::cuda
