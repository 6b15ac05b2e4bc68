#include "quantize/ranges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

Histogram histogram_of(std::span<const float> values) {
  Histogram h;
  h.add(values);
  return h;
}

std::vector<float> gaussian(std::size_t count, float deviation = 1.0F) {
  std::mt19937 random(42);
  std::normal_distribution<float> normal(0.0F, deviation);
  std::vector<float> values(count);
  for (float& x : values) x = normal(random);
  return values;
}

std::vector<float> uniform(std::size_t count, float low, float high) {
  std::mt19937 random(43);
  std::uniform_real_distribution<float> flat(low, high);
  std::vector<float> values(count);
  for (float& x : values) x = flat(random);
  return values;
}

// The squared error of really quantizing, value by value.
double measured_error(std::span<const float> values, Grid grid, float threshold) {
  const double scale = static_cast<double>(threshold) / levels_of(grid);
  const double low = grid == Grid::kSigned ? -128 : 0;
  double sum = 0;
  for (const float x : values) {
    const double q = std::clamp(std::nearbyint(x / scale), low, static_cast<double>(levels_of(grid)));
    sum += (x - q * scale) * (x - q * scale);
  }
  return sum;
}

TEST(Choosers, GiveNothingForZerosAlone) {
  const Histogram h = histogram_of(std::vector<float>(100, 0.0F));
  EXPECT_EQ(choose_min_max(h), 0.0F);
  EXPECT_EQ(choose_percentile(h, 99.99), 0.0F);
  EXPECT_EQ(choose_entropy(h, Grid::kSigned), 0.0F);
  EXPECT_EQ(choose_mse(h, Grid::kUnsigned), 0.0F);
  EXPECT_TRUE(summarize(h).pick(RangeMethod::kAuto).dead());
}

TEST(Choosers, KeepAUniformDistributionWhole) {
  const std::vector<float> values = uniform(200000, -3.0F, 3.0F);
  const Histogram h = histogram_of(values);
  EXPECT_NEAR(choose_min_max(h), 3.0F, 1e-3F);
  EXPECT_NEAR(choose_percentile(h, 99.99), 3.0F, 0.01F);
  EXPECT_NEAR(choose_mse(h, Grid::kSigned), 3.0F, 0.05F);
  EXPECT_NEAR(choose_entropy(h, Grid::kSigned), 3.0F, 0.05F);
}

TEST(Choosers, ClipOneOutlierExceptMinMax) {
  std::vector<float> values = gaussian(200000);
  values.push_back(200.0F);
  const Histogram h = histogram_of(values);
  EXPECT_EQ(choose_min_max(h), 200.0F);
  EXPECT_LT(choose_percentile(h, 99.99), 6.0F);
  EXPECT_LT(choose_entropy(h, Grid::kSigned), 20.0F);
  const float mse = choose_mse(h, Grid::kSigned);
  EXPECT_LT(measured_error(values, Grid::kSigned, mse), measured_error(values, Grid::kSigned, 200.0F) / 2);
  EXPECT_LT(mse, 150.0F);
}

TEST(Choosers, PercentileOfAGaussian) {
  const Histogram h = histogram_of(gaussian(1000000));
  EXPECT_NEAR(choose_percentile(h, 99.99), 3.89F, 0.1F);
  EXPECT_NEAR(choose_percentile(h, 95.0), 1.96F, 0.02F);
  EXPECT_EQ(choose_percentile(h, 100.0), h.abs_max());
}

TEST(Choosers, PercentileOfMostlyZerosLooksAtTheOthers) {
  std::vector<float> values(1000000, 0.0F);
  const std::vector<float> few = uniform(50, 1.0F, 2.0F);
  std::copy(few.begin(), few.end(), values.begin());
  const float t = choose_percentile(histogram_of(values), 99.99);
  EXPECT_GT(t, 1.5F);
  EXPECT_LE(t, 2.0F);
}

TEST(Choosers, PercentileRefusesNonsense) {
  const Histogram h = histogram_of(gaussian(100));
  EXPECT_THROW(choose_percentile(h, 0.0), CalibrationError);
  EXPECT_THROW(choose_percentile(h, 100.5), CalibrationError);
  EXPECT_THROW(choose_percentile(h, std::nan("")), CalibrationError);
}

TEST(Choosers, ExpectedErrorIsTheMeasuredOne) {
  const std::vector<float> values = gaussian(300000);
  const Histogram h = histogram_of(values);
  for (const float threshold : {0.5F, 2.0F, 3.3F, 4.5F}) {
    const double measured = measured_error(values, Grid::kSigned, threshold);
    EXPECT_NEAR(expected_squared_error(h, Grid::kSigned, threshold), measured, 0.01 * measured) << threshold;
  }
  std::vector<float> positive = values;
  for (float& x : positive) x = std::fabs(x);
  const Histogram hp = histogram_of(positive);
  for (const float threshold : {1.0F, 3.0F, 4.5F}) {
    const double measured = measured_error(positive, Grid::kUnsigned, threshold);
    EXPECT_NEAR(expected_squared_error(hp, Grid::kUnsigned, threshold), measured, 0.01 * measured) << threshold;
  }
}

TEST(Choosers, MseIsNoWorseThanAScanOfMeasuredErrors) {
  std::mt19937 random(9);
  std::vector<float> values(100000);  // heavy tails: a Laplace distribution
  std::exponential_distribution<float> tail;
  for (float& x : values) x = (random() % 2 == 0 ? 1.0F : -1.0F) * tail(random);
  const Histogram h = histogram_of(values);
  const double chosen = measured_error(values, Grid::kSigned, choose_mse(h, Grid::kSigned));
  double best = chosen;
  for (float t = 0.05F; t < h.abs_max(); t += 0.05F) best = std::min(best, measured_error(values, Grid::kSigned, t));
  EXPECT_LT(chosen, 1.02 * best);
}

TEST(Choosers, UnsignedGridClipsLess) {
  std::vector<float> values = gaussian(200000);
  for (float& x : values) x = std::max(x, 0.0F);
  const Histogram h = histogram_of(values);
  EXPECT_GT(choose_mse(h, Grid::kUnsigned), choose_mse(h, Grid::kSigned));
}

TEST(Choosers, EntropyOfAGaussianClipsItsTail) {
  const Histogram h = histogram_of(gaussian(1000000));
  const float t = choose_entropy(h, Grid::kSigned);
  EXPECT_GT(t, 2.0F);
  EXPECT_LE(t, h.abs_max());
}

TEST(Choosers, EntropyIgnoresHowManyZerosThereAre) {
  std::vector<float> values = gaussian(100000);
  for (float& x : values) x = std::fabs(x);
  const float without = choose_entropy(histogram_of(values), Grid::kUnsigned);
  values.resize(1000000, 0.0F);
  EXPECT_EQ(choose_entropy(histogram_of(values), Grid::kUnsigned), without);
}

TEST(Choosers, KeepASingleValue) {
  const Histogram h = histogram_of(std::vector<float>(1000, 0.25F));
  for (const RangeMethod m :
       {RangeMethod::kMinMax, RangeMethod::kPercentile, RangeMethod::kEntropy, RangeMethod::kMse}) {
    const Range r = summarize(h).pick(m);
    EXPECT_GT(r.threshold, 0.2F) << name_of(m);
    EXPECT_LE(r.threshold, 0.25F) << name_of(m);
  }
}

TEST(Choosers, ScaleWithTheData) {
  const std::vector<float> values = gaussian(100000);
  std::vector<float> larger = values;
  for (float& x : larger) x *= 1024.0F;
  const TensorRanges a = summarize(histogram_of(values));
  const TensorRanges b = summarize(histogram_of(larger));
  for (std::size_t i = 0; i < TensorRanges::kMethods; ++i) {
    EXPECT_FLOAT_EQ(b.signed_thresholds[i], 1024.0F * a.signed_thresholds[i]);
  }
}

TEST(TensorRanges, PickByMethod) {
  TensorRanges r;
  r.max = 4.0F;
  r.signed_thresholds = {4, 3, 2, 1};
  r.unsigned_thresholds = {4, 3.5F, 2.5F, 1.5F};
  EXPECT_EQ(r.pick(RangeMethod::kMinMax), (Range{4, 4, true}));
  EXPECT_EQ(r.pick(RangeMethod::kEntropy), (Range{2, 2.5F, true}));
  EXPECT_EQ(r.pick(RangeMethod::kAuto), r.pick(RangeMethod::kMse));
  r.min = -1.0F;
  EXPECT_FALSE(r.pick(RangeMethod::kMse).non_negative);
}

TEST(RangeMethod, NamesGoBothWays) {
  for (const RangeMethod m :
       {RangeMethod::kAuto, RangeMethod::kMinMax, RangeMethod::kPercentile, RangeMethod::kEntropy, RangeMethod::kMse}) {
    EXPECT_EQ(range_method(name_of(m)), m);
  }
  EXPECT_THROW(range_method("best"), CalibrationError);
}

}  // namespace
}  // namespace xinfer::quantize
