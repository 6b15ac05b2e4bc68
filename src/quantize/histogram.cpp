#include "quantize/histogram.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace xinfer::quantize {
namespace {

constexpr std::uint32_t kMagnitudeMask = 0x7fffffffU;
constexpr std::uint32_t kInfinityBits = 0x7f800000U;
constexpr std::int32_t kLargestKey = std::numeric_limits<std::int32_t>::max();
constexpr std::int32_t kSmallestKey = std::numeric_limits<std::int32_t>::min();
constexpr int kBlock = 1024;
// Zeros and non-finite values go to slots past the bins. There are several, used in turn: a run of increments of one
// address would wait for the store before it each time, and half of the values after a ReLU are zeros.
constexpr int kSpare = 16;
constexpr int kZeroSlots = 2 * Histogram::kBins;
constexpr int kOtherSlots = kZeroSlots + kSpare;
constexpr int kSlots = kOtherSlots + kSpare;

// Integers in the order of the floats (with -0 before +0), since integer minima vectorise and float ones don't.
constexpr std::int32_t ordered_key(std::uint32_t bits) {
  const auto value = static_cast<std::int32_t>(bits);
  return value ^ static_cast<std::int32_t>(static_cast<std::uint32_t>(value >> 31) & kMagnitudeMask);
}

// All ones when magnitude < limit, else 0: masks and no comparisons, so that the loops below vectorise.
constexpr std::int32_t mask_below(std::uint32_t magnitude, std::uint32_t limit) {
  return static_cast<std::int32_t>(magnitude - limit) >> 31;
}

float value_of_key(std::int32_t key) {
  const auto bits = static_cast<std::uint32_t>(
      key ^ static_cast<std::int32_t>(static_cast<std::uint32_t>(key >> 31) & kMagnitudeMask));
  return std::bit_cast<float>(bits) + 0.0F;  // -0 becomes 0
}

}  // namespace

int Histogram::exponent_for(float largest) {
  if (largest == 0) return kMinExponent;
  int power = 0;  // largest < 2^power: it falls into the upper half of the bins
  std::frexp(largest, &power);
  return std::max(kMinExponent, power - kLogBins);
}

Histogram::Histogram() : min_key_(kLargestKey), max_key_(kSmallestKey), counts_(kSlots, 0) {}

float Histogram::min() const { return count_ == 0 ? 0.0F : value_of_key(min_key_); }
float Histogram::max() const { return count_ == 0 ? 0.0F : value_of_key(max_key_); }
float Histogram::abs_max() const { return std::max(std::fabs(min()), std::fabs(max())); }
double Histogram::bin_width() const { return std::ldexp(1.0, exponent_); }

void Histogram::grow_to(int exponent) {
  const int shift = exponent - exponent_;
  if (shift <= 0) return;
  exponent_ = exponent;
  for (const int base : {0, kBins}) {
    for (int i = 1; i < kBins; ++i) {
      const auto from = static_cast<std::size_t>(base + i);
      if (counts_[from] == 0) continue;
      const auto to = static_cast<std::size_t>(base + (shift > kLogBins ? 0 : i >> shift));
      const std::uint64_t moved = counts_[from];
      counts_[from] = 0;
      counts_[to] += moved;
    }
  }
}

void Histogram::add_block(const float* values, int size) {
  std::int32_t low = kLargestKey;
  std::int32_t high = kSmallestKey;
  std::int32_t largest = 0;
  std::int32_t others = 0;
  for (int i = 0; i < size; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(values[i]);
    const std::uint32_t magnitude = bits & kMagnitudeMask;
    const std::int32_t finite = mask_below(magnitude, kInfinityBits);
    const std::int32_t key = ordered_key(bits);
    const std::int32_t low_key = (key & finite) | (kLargestKey & ~finite);
    const std::int32_t high_key = (key & finite) | (kSmallestKey & ~finite);
    const std::int32_t size_bits = static_cast<std::int32_t>(magnitude) & finite;
    low = low_key < low ? low_key : low;
    high = high_key > high ? high_key : high;
    largest = size_bits > largest ? size_bits : largest;
    others -= ~finite;
  }
  min_key_ = std::min(min_key_, low);
  max_key_ = std::max(max_key_, high);
  count_ += static_cast<std::uint64_t>(size - others);
  if (others > 0) {
    for (int i = 0; i < size; ++i) {
      nans_ += std::isnan(values[i]) ? 1U : 0U;
      infinities_ += std::isinf(values[i]) ? 1U : 0U;
    }
  }
  if (largest > 0) grow_to(exponent_for(std::bit_cast<float>(largest)));

  const float per_width = std::ldexp(1.0F, -exponent_);
  std::array<std::int32_t, kBlock> slots;
  for (int i = 0; i < size; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(values[i]);
    const std::uint32_t magnitude = bits & kMagnitudeMask;
    const std::int32_t finite = mask_below(magnitude, kInfinityBits);
    const std::int32_t zero = mask_below(magnitude, 1);
    const auto absolute = std::bit_cast<float>(magnitude & static_cast<std::uint32_t>(finite));
    const std::int32_t sign = static_cast<std::int32_t>(bits >> 31) << kLogBins;
    const std::int32_t bin = static_cast<std::int32_t>(absolute * per_width) + sign;
    const std::int32_t spare = (zero & kZeroSlots) + (~finite & kOtherSlots) + (i & (kSpare - 1));
    const std::int32_t binned = finite & ~zero;
    slots[static_cast<std::size_t>(i)] = (bin & binned) | (spare & ~binned);
  }
  std::uint64_t* const counts = counts_.data();
  for (int i = 0; i < size; ++i) ++counts[slots[static_cast<std::size_t>(i)]];
}

void Histogram::add(std::span<const float> values) {
  for (std::size_t begin = 0; begin < values.size(); begin += kBlock) {
    add_block(values.data() + begin, static_cast<int>(std::min<std::size_t>(kBlock, values.size() - begin)));
  }
  for (int i = 0; i < kSpare; ++i) {
    zeros_ += counts_[static_cast<std::size_t>(kZeroSlots + i)];
    counts_[static_cast<std::size_t>(kZeroSlots + i)] = 0;
    counts_[static_cast<std::size_t>(kOtherSlots + i)] = 0;
  }
}

void Histogram::add_bins(int exponent, int base, std::span<const std::uint64_t> bins) {
  const int shift = std::max(0, exponent_ - exponent);
  for (std::size_t i = 0; i < bins.size(); ++i) {
    counts_[static_cast<std::size_t>(base) + (shift > kLogBins ? 0 : i >> shift)] += bins[i];
  }
}

void Histogram::merge(const Histogram& other) {
  grow_to(other.exponent_);
  add_bins(other.exponent_, 0, other.positive());
  add_bins(other.exponent_, kBins, other.negative());
  count_ += other.count_;
  zeros_ += other.zeros_;
  nans_ += other.nans_;
  infinities_ += other.infinities_;
  min_key_ = std::min(min_key_, other.min_key_);
  max_key_ = std::max(max_key_, other.max_key_);
}

void Histogram::add(const BinCounts& counts) {
  nans_ += counts.nans;
  infinities_ += counts.infinities;
  if (counts.count == 0) return;
  grow_to(counts.exponent);
  add_bins(counts.exponent, 0, counts.positive);
  add_bins(counts.exponent, kBins, counts.negative);
  count_ += counts.count;
  zeros_ += counts.zeros;
  min_key_ = std::min(min_key_, ordered_key(std::bit_cast<std::uint32_t>(counts.min)));
  max_key_ = std::max(max_key_, ordered_key(std::bit_cast<std::uint32_t>(counts.max)));
}

}  // namespace xinfer::quantize
