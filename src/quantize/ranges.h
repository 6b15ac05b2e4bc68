#pragma once
// Ranges: from the distribution of a tensor to the interval that its 8-bit integers cover.

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "quantize/histogram.h"

namespace xinfer::quantize {

/// How a range is chosen from a distribution. kAuto needs more than that (choose_ranges.h); seen alone it is kMse.
enum class RangeMethod : std::uint8_t { kAuto, kMinMax, kPercentile, kEntropy, kMse };

/// "auto", "minmax", "percentile", "entropy", "mse".
std::string_view name_of(RangeMethod method);
/// The inverse of name_of. Throws CalibrationError listing the names when there is no such method.
RangeMethod range_method(std::string_view name);

/// The two integer grids of activations, both with zero point 0.
enum class Grid : std::uint8_t {
  kSigned,    ///< s8: scale = threshold / 127, integers -128..127
  kUnsigned,  ///< u8: scale = threshold / 255, integers 0..255
};

/// Largest integer of a grid: 127 or 255.
constexpr int levels_of(Grid grid) { return grid == Grid::kSigned ? 127 : 255; }

/// The interval that a tensor's integers cover. A threshold of 0 marks a tensor that was always zero.
struct Range {
  float threshold = 0;           ///< of the signed grid
  float unsigned_threshold = 0;  ///< of the unsigned grid; 0 where a negative value was seen
  bool non_negative = false;     ///< no negative value was seen
  bool dead() const { return threshold <= 0; }
  bool operator==(const Range&) const = default;
};

/// Range of each tensor, by the name of its value in the graph.
using Ranges = std::map<std::string, Range>;

/// What is kept of a tensor's distribution: some statistics, and the threshold that each method chooses.
struct TensorRanges {
  static constexpr std::size_t kMethods = 4;  ///< all but kAuto, in the order of RangeMethod
  std::uint64_t count = 0;                    ///< finite values
  std::uint64_t zeros = 0;                    ///< values that are exactly zero
  float min = 0;
  float max = 0;
  std::array<float, kMethods> signed_thresholds{};
  std::array<float, kMethods> unsigned_thresholds{};  ///< all 0 where a negative value was seen

  bool non_negative() const { return min >= 0; }
  Range pick(RangeMethod method) const;
  bool operator==(const TensorRanges&) const = default;
};

inline constexpr double kDefaultPercentile = 99.99;

/// Runs every chooser on `histogram`. `percentile` is in (0, 100]; throws CalibrationError otherwise.
TensorRanges summarize(const Histogram& histogram, double percentile = kDefaultPercentile);

// -- Choosers -----------------------------------------------------------------------------------------------------
// Each returns a threshold in (0, histogram.abs_max()], or 0 when every value is zero. They are pure functions of the
// histogram, hence deterministic, and thread-safe.

/// The largest magnitude: nothing is clipped.
float choose_min_max(const Histogram& histogram);

/// The magnitude that `percentile` per cent of all values (zeros included) don't exceed, interpolated within its bin.
/// Where more than that share of the values is zero, the percentile is taken of the other values.
float choose_percentile(const Histogram& histogram, double percentile);

/// The threshold whose quantized distribution diverges least from the original one (Kullback-Leibler), after
/// S. Migacz, "8-bit Inference with TensorRT", GTC 2017.
///
/// Differences from that description: levels are those of rounding to nearest (127 or 255 of them and zero) in place
/// of equal slices from zero; exact zeros, which every scale represents exactly, don't take part, so that the first
/// bin needs no special case; clipped values add to the last occupied bin below the threshold, so that no probability
/// is ever divided by zero; and at most 0.1 % of the values are clipped, since the counts of the tail are mostly noise.
float choose_entropy(const Histogram& histogram, Grid grid);

/// The threshold of the least expected squared error of quantization, with the values of a bin taken as evenly spread
/// over it and the error integrated in closed form (rounding inside the range, distance to the end outside).
float choose_mse(const Histogram& histogram, Grid grid);

/// The expected squared error (not divided by the count) that choose_mse minimises. `threshold` must be positive.
double expected_squared_error(const Histogram& histogram, Grid grid, double threshold);

}  // namespace xinfer::quantize
