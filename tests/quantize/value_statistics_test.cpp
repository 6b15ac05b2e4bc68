// Counting on the device against Histogram on the host: equal to the last count.

#include "cuda/value_statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "gpu_here.h"
#include "quantize/histogram.h"

namespace xinfer::quantize {
namespace {

using namespace testing;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

/// A value on the host: rows with padding between them that must not count.
struct Case {
  std::int64_t rows, inner, pitch;
  std::vector<float> values{};  ///< rows * inner
};

/// Magnitudes over many powers of two; zeros of both signs.
Case wild(std::int64_t rows, std::int64_t inner, std::int64_t pitch, std::uint32_t seed) {
  Case c{rows, inner, pitch};
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<float> power(-60.0F, 20.0F);
  for (std::int64_t i = 0; i < rows * inner; ++i) {
    const float x = normal(random) * std::exp2(power(random));
    c.values.push_back(random() % 5 == 0 ? std::copysign(0.0F, x) : x);
  }
  return c;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  std::uint32_t seed = 1;
  for (const std::int64_t size : {1, 3, 4, 17, 1021, 131072, 131073, 400003}) {
    all.push_back(wild(1, size, size, seed++));
  }
  all.push_back(wild(5, 16, 16, seed++));
  all.push_back(wild(1, 17, 32, seed++));
  all.push_back(wild(700, 3, 16, seed++));
  all.push_back(wild(9000, 17, 32, seed++));
  all.push_back(wild(33, 1000, 1008, seed++));
  all.push_back({1, 5, 5, {0.0F, -0.0F, 0.0F, 0.0F, -0.0F}});
  all.push_back({1, 4, 4, {-0.0F, -0.0F, 1.0F, 2.0F}});
  all.push_back({2, 3, 4, {-1e-42F, 1e-40F, 1e-45F, 1e-38F, -1e-38F, 3e-39F}});
  all.push_back({1, 3, 3, {std::numeric_limits<float>::max(), -1e-45F, 1.0F}});
  all.push_back({2, 2, 16, {-1.0F, std::nextafter(4096.0F, 0.0F), 4096.0F, 0.5F}});
  all.push_back({3, 2, 4, {kNan, 1.0F, -kInf, 2.0F, kInf, -kNan}});
  all.push_back({1, 2, 2, {kNan, kInf}});
  all.push_back({0, 4, 4});
  all.push_back(wild(1, 70001, 70001, seed++));
  for (std::size_t i = 0; i < all.back().values.size(); i += 1000) all.back().values[i] = i % 2000 == 0 ? kNan : -kInf;
  return all;
}

/// Padding that would show.
std::vector<float> laid_out(const Case& c) {
  std::vector<float> memory(static_cast<std::size_t>(c.rows * c.pitch), 1e30F);
  for (std::int64_t r = 0; r < c.rows; ++r) {
    for (std::int64_t i = 0; i < c.inner; ++i) {
      memory[static_cast<std::size_t>(r * c.pitch + i)] = c.values[static_cast<std::size_t>(r * c.inner + i)];
    }
  }
  return memory;
}

TEST(ValueStatistics, CountAsAHistogramDoes) {
  const auto state = gpu_here();
  if (state == nullptr) return compile_everywhere(cuda::ValueStatistics::kernels(Histogram::kLogBins));
  const std::vector<Case> all = cases();
  gpu::Stream stream(state->device());
  std::vector<gpu::DeviceBuffer> memory;
  std::vector<cuda::FloatRows> rows;
  for (const Case& c : all) {
    const std::vector<float> host = laid_out(c);
    memory.emplace_back(state->device(), std::max<std::size_t>(16, host.size() * sizeof(float)));
    if (!host.empty()) {
      gpu::copy_to_device(stream, memory.back().pointer(), host.data(), host.size() * sizeof(float));
      stream.synchronize();
    }
    rows.push_back({memory.back().pointer(), c.rows, c.inner, c.pitch});
  }
  cuda::ValueStatistics statistics(*state, rows, Histogram::kLogBins);
  std::vector<Histogram> counted(all.size()), expected(all.size());
  for (int round = 0; round < 2; ++round) {  // nothing of the first round may be left
    const auto extents = statistics.extents(stream);
    std::vector<int> exponents;
    for (const auto& extent : extents) exponents.push_back(Histogram::exponent_for(extent.largest()));
    statistics.count(stream, exponents);
    for (std::size_t v = 0; v < all.size(); ++v) {
      const auto& e = extents[v];
      counted[v].add(BinCounts{exponents[v], e.count, e.zeros, e.nans, e.infinities, e.min, e.max,
                               statistics.bins_of(v).first(Histogram::kBins),
                               statistics.bins_of(v).last(Histogram::kBins)});
      expected[v].add(all[v].values);
      EXPECT_EQ(counted[v], expected[v]) << "round " << round << ", value " << v << ": " << all[v].rows << " rows of "
                                         << all[v].inner << " of " << all[v].pitch << ", first " << e.min << " to "
                                         << e.max;
    }
  }
}

TEST(ValueStatistics, TakeNoValues) {
  const auto state = gpu_here();
  if (state == nullptr) return compile_everywhere(cuda::ValueStatistics::kernels(Histogram::kLogBins));
  cuda::ValueStatistics statistics(*state, {}, Histogram::kLogBins);
  gpu::Stream stream(state->device());
  EXPECT_TRUE(statistics.extents(stream).empty());
  EXPECT_NO_THROW(statistics.count(stream, {}));
}

TEST(ValueStatistics, FindRowsInFormats) {
  const cuda::Dims image{2, 3, 5, 7};
  const auto expect = [&](const cuda::Format& format, const cuda::Dims& dims, cuda::FloatRows wanted) {
    const cuda::FloatRows rows = cuda::rows_of(wanted.address, dims, format);
    EXPECT_EQ(rows.address, wanted.address);
    EXPECT_EQ(rows.rows, wanted.rows);
    EXPECT_EQ(rows.inner, wanted.inner);
    EXPECT_EQ(rows.pitch, wanted.pitch);
  };
  expect(cuda::Format::rows(cuda::Element::kF32), image, {256, 2 * 3 * 5, 7, 7});
  expect(cuda::Format::nhwc(cuda::Element::kF32), image, {256, 2 * 5 * 7, 3, 16});
  expect(cuda::Format::padded_rows(cuda::Element::kF32), {4, 10}, {256, 4, 10, 16});
  expect(cuda::Format::rows(cuda::Element::kF32), {}, {256, 1, 1, 1});
  EXPECT_EQ(cuda::rows_of(256, {2, 0, 3}, cuda::Format::rows(cuda::Element::kF32)).rows, 0);
  EXPECT_THROW(cuda::rows_of(256, image, cuda::Format::nhwc(cuda::Element::kF16)), std::logic_error);
}

}  // namespace
}  // namespace xinfer::quantize
