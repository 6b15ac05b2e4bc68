#include "quantize/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>

namespace xinfer::quantize {
namespace {

// Values over many magnitudes, so that bins merge often.
std::vector<float> wild_values(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<float> power(-60.0F, 20.0F);
  std::vector<float> values(count);
  for (float& x : values) x = random() % 5 == 0 ? 0.0F : normal(random) * std::exp2(power(random));
  return values;
}

Histogram histogram_of(std::span<const float> values) {
  Histogram h;
  h.add(values);
  return h;
}

TEST(Histogram, StartsEmpty) {
  const Histogram h;
  EXPECT_EQ(h.count(), 0U);
  EXPECT_EQ(h.min(), 0.0F);
  EXPECT_EQ(h.max(), 0.0F);
  EXPECT_EQ(h.abs_max(), 0.0F);
}

TEST(Histogram, EqualsDirectBinningWithTheFinalWidth) {
  const std::vector<float> values = wild_values(20000, 7);
  const Histogram h = histogram_of(values);
  std::vector<std::uint64_t> positive(Histogram::kBins);
  std::vector<std::uint64_t> negative(Histogram::kBins);
  std::uint64_t zeros = 0;
  for (const float x : values) {
    if (x == 0.0F) {
      ++zeros;
      continue;
    }
    const auto bin = static_cast<std::size_t>(std::floor(std::fabs(static_cast<double>(x)) / h.bin_width()));
    ASSERT_LT(bin, static_cast<std::size_t>(Histogram::kBins));
    ++(x > 0 ? positive : negative)[bin];
  }
  EXPECT_TRUE(std::equal(positive.begin(), positive.end(), h.positive().begin()));
  EXPECT_TRUE(std::equal(negative.begin(), negative.end(), h.negative().begin()));
  EXPECT_EQ(h.zeros(), zeros);
  EXPECT_EQ(h.count(), values.size());
  EXPECT_EQ(h.min(), *std::min_element(values.begin(), values.end()));
  EXPECT_EQ(h.max(), *std::max_element(values.begin(), values.end()));
}

TEST(Histogram, TheLargestMagnitudeIsInTheUpperHalfOfTheBins) {
  for (const float largest : {1.0F, 0.999F, 1.5F, 3e-20F, 4096.0F, 3e38F}) {
    const Histogram h = histogram_of(std::vector<float>{0.1F * largest, -largest});
    EXPECT_LT(largest / h.bin_width(), Histogram::kBins);
    EXPECT_GE(largest / h.bin_width(), Histogram::kBins / 2);
  }
}

TEST(Histogram, DependsNeitherOnOrderNorOnGrouping) {
  std::vector<float> values = wild_values(30011, 11);
  const Histogram whole = histogram_of(values);
  std::mt19937 random(3);
  for (int round = 0; round < 5; ++round) {
    std::shuffle(values.begin(), values.end(), random);
    Histogram pieces;
    for (std::size_t begin = 0; begin < values.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 2500, values.size() - begin);
      pieces.add({values.data() + begin, size});
      begin += size;
    }
    EXPECT_EQ(pieces, whole);
  }
  std::sort(values.begin(), values.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  EXPECT_EQ(histogram_of(values), whole) << "ascending magnitudes: the bins merge again and again";
  std::reverse(values.begin(), values.end());
  EXPECT_EQ(histogram_of(values), whole) << "descending magnitudes: the width is final from the start";
}

TEST(Histogram, MergesInAnyOrder) {
  const std::vector<float> values = wild_values(9000, 5);
  const Histogram whole = histogram_of(values);
  std::vector<Histogram> parts;
  for (std::size_t i = 0; i < 9; ++i) parts.push_back(histogram_of({values.data() + i * 1000, 1000}));
  Histogram forward;
  Histogram backward;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    forward.merge(parts[i]);
    backward.merge(parts[parts.size() - 1 - i]);
  }
  EXPECT_EQ(forward, whole);
  EXPECT_EQ(backward, whole);
  Histogram tree = parts[0];
  for (std::size_t i = 1; i < 4; ++i) tree.merge(parts[i]);
  Histogram other = parts[4];
  for (std::size_t i = 5; i < 9; ++i) other.merge(parts[i]);
  other.merge(tree);
  EXPECT_EQ(other, whole);
  Histogram with_empty = whole;
  with_empty.merge(Histogram());
  EXPECT_EQ(with_empty, whole);
}

BinCounts counts_of(const Histogram& h) {
  return {h.exponent(), h.count(), h.zeros(), h.nans(), h.infinities(), h.min(), h.max(), h.positive(), h.negative()};
}

TEST(Histogram, TakesCountsMadeElsewhereAsIfGivenTheValues) {
  std::vector<float> values = wild_values(9000, 6);
  values[8] = std::numeric_limits<float>::quiet_NaN();
  values[3000] = std::numeric_limits<float>::infinity();
  for (std::size_t i = 4000; i < 5000; ++i) values[i] = 0.0F;
  const Histogram whole = histogram_of(values);
  std::vector<Histogram> parts;
  for (std::size_t i = 0; i < 9; ++i) parts.push_back(histogram_of({values.data() + i * 1000, 1000}));
  for (const Histogram& part : parts) {
    EXPECT_EQ(part.exponent(), Histogram::exponent_for(part.abs_max()));
  }
  Histogram forward, backward;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    forward.add(counts_of(parts[i]));
    backward.add(counts_of(parts[parts.size() - 1 - i]));
  }
  EXPECT_EQ(forward, whole);
  EXPECT_EQ(backward, whole);
  Histogram with_nothing = whole;
  with_nothing.add(BinCounts{});
  EXPECT_EQ(with_nothing, whole);
}

TEST(Histogram, TellsNegativeZeroFromZeroInCounts) {
  for (const float zero : {0.0F, -0.0F}) {
    Histogram counted;
    BinCounts counts;
    counts.exponent = Histogram::exponent_for(0);
    counts.count = counts.zeros = 2;
    counts.min = counts.max = zero;
    counted.add(counts);
    EXPECT_EQ(counted, histogram_of(std::vector<float>{zero, zero}));
  }
}

TEST(Histogram, GrowsFromTheSmallestFloatToTheLargest) {
  const float tiny = std::numeric_limits<float>::denorm_min();
  const float huge = std::numeric_limits<float>::max();
  Histogram up;
  for (const float x : {tiny, 1e-30F, 1e-10F, 1.0F, 1e10F, huge}) up.add({&x, 1});
  const Histogram down = histogram_of(std::vector<float>{huge, 1e10F, 1.0F, 1e-10F, 1e-30F, tiny});
  EXPECT_EQ(up, down);
  EXPECT_EQ(up.positive()[0], 5U);
  EXPECT_EQ(up.positive()[Histogram::kBins - 1], 1U);
  EXPECT_EQ(up.max(), huge);
  EXPECT_EQ(up.min(), tiny);
}

TEST(Histogram, CountsZerosOfBothSignsApart) {
  const Histogram h = histogram_of(std::vector<float>{0.0F, -0.0F, 0.0F, 1.0F});
  EXPECT_EQ(h.zeros(), 3U);
  EXPECT_EQ(h.count(), 4U);
  EXPECT_EQ(h.min(), 0.0F);
  EXPECT_FALSE(std::signbit(h.min()));
  EXPECT_EQ(h.positive()[0], 0U);
  EXPECT_EQ(h.negative()[0], 0U);
}

TEST(Histogram, CountsNotFiniteValuesExactlyAndLeavesThemOut) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> values(3000, 0.5F);
  values[0] = nan;
  values[1500] = -nan;
  values[1501] = inf;
  values[2999] = -inf;
  values[2998] = -2.0F;
  const Histogram h = histogram_of(values);
  EXPECT_EQ(h.nans(), 2U);
  EXPECT_EQ(h.infinities(), 2U);
  EXPECT_EQ(h.count(), 2996U);
  EXPECT_EQ(h.min(), -2.0F);
  EXPECT_EQ(h.max(), 0.5F);
  const auto sum = std::accumulate(h.positive().begin(), h.positive().end(), std::uint64_t{0}) +
                   std::accumulate(h.negative().begin(), h.negative().end(), std::uint64_t{0});
  EXPECT_EQ(sum, 2996U);
}

}  // namespace
}  // namespace xinfer::quantize
