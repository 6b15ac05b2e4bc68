#pragma once
// Histogram: the bounded, mergeable distribution of one tensor's values.

#include <cstdint>
#include <span>
#include <vector>

namespace xinfer::quantize {

/// What somebody else has counted of one tensor, by the rules of Histogram.
struct BinCounts {
  int exponent = 0;         ///< of the bins' width: Histogram::exponent_for() the largest magnitude counted
  std::uint64_t count = 0;  ///< finite values, zeros included
  std::uint64_t zeros = 0;
  std::uint64_t nans = 0;
  std::uint64_t infinities = 0;
  float min = 0, max = 0;  ///< of the finite values, -0 being less than 0; without a meaning when there is none
  std::span<const std::uint64_t> positive, negative;  ///< Histogram::kBins each, without zeros; empty: all are 0
};

/// Distribution of the values of one tensor, in bounded memory (64 KiB).
///
/// Values are counted by sign and magnitude in kBins bins a sign. All bins are 2^exponent() wide and lie on the fixed
/// grid of multiples of that width; the exponent is the smallest for which the largest magnitude seen so far fits, so
/// it is a function of that maximum alone. When a larger value arrives, neighbouring bins merge in pairs. Since
/// floor(floor(x / 2^a) / 2^b) = floor(x / 2^(a+b)), the counts equal those of binning every value with the final
/// exponent from the start: the result depends neither on the order nor on the grouping of add() and merge().
///
/// At least half of the bins are in use below the largest magnitude, so that its relative resolution is 1/2048 or
/// better. Exact zeros are counted apart (no bin holds them), and so are NaN and infinities.
/// One object belongs to one thread at a time.
class Histogram {
 public:
  static constexpr int kLogBins = 12;
  static constexpr int kBins = 1 << kLogBins;  ///< bins of one sign
  static constexpr int kMinExponent = -110;    ///< magnitudes below 2^-110 share the first bin

  Histogram();

  /// Counts `values`.
  void add(std::span<const float> values);
  /// Counts everything that `other` has counted.
  void merge(const Histogram& other);
  /// The same for counts made elsewhere: afterwards the histogram equals one that was given the values themselves.
  void add(const BinCounts& counts);

  /// The width of the bins for values of which this is the largest magnitude: the smallest power of two, but not below
  /// 2^kMinExponent, that brings it into the bins. kMinExponent for 0.
  static int exponent_for(float largest);

  /// Finite values, zeros included.
  std::uint64_t count() const { return count_; }
  std::uint64_t zeros() const { return zeros_; }
  std::uint64_t nans() const { return nans_; }
  std::uint64_t infinities() const { return infinities_; }
  /// Smallest and largest finite value; 0 when there is none.
  float min() const;
  float max() const;
  /// max(|min()|, |max()|).
  float abs_max() const;
  int exponent() const { return exponent_; }
  /// 2^exponent().
  double bin_width() const;
  /// Bin i counts values x with floor(|x| / bin_width()) == i.
  std::span<const std::uint64_t> positive() const { return {counts_.data(), kBins}; }
  std::span<const std::uint64_t> negative() const { return {counts_.data() + kBins, kBins}; }

  bool operator==(const Histogram&) const = default;

 private:
  void add_block(const float* values, int size);
  void grow_to(int exponent);
  /// Adds to the bins from `base` on; the exponent must not exceed exponent_.
  void add_bins(int exponent, int base, std::span<const std::uint64_t> bins);

  int exponent_ = kMinExponent;
  std::uint64_t count_ = 0;
  std::uint64_t zeros_ = 0;
  std::uint64_t nans_ = 0;
  std::uint64_t infinities_ = 0;
  std::int32_t min_key_;  ///< see ordered_key in the source
  std::int32_t max_key_;
  std::vector<std::uint64_t> counts_;  ///< positive bins, negative bins, then slots that are empty between calls
};

}  // namespace xinfer::quantize
