// Statistics of floats in device memory, for calibration: many values in one launch, each of its own size.
//
// Macros: XI_COUNT 0: histogram_extents, 1: histogram_counts; XI_LOG_BINS: 2^XI_LOG_BINS bins of each sign
#include "common.cuh"

constexpr int kThreads = 256;
constexpr int kQuadsPerBlock = 1 << 15;  // kElementsPerBlock of value_statistics.cpp, in fours
constexpr u32 kMagnitude = 0x7fffffffu;
constexpr u32 kInfinity = 0x7f800000u;
constexpr s32 kLargestKey = 0x7fffffff;
constexpr s32 kSmallestKey = -kLargestKey - 1;

/// One value: rows of `inner` floats, `pitch` apart (a multiple of 4, unless there is one row only).
struct Observed {
  const float* x;
  u64 elements;      ///< with the padding between rows
  u32 inner, pitch;  ///< equal where nothing is to be skipped
  u32 first_block;   ///< of those that work on this value
  u32 unused;
};

/// What one pass finds. Keys are integers in the order of floats, -0 before 0.
struct Extent {
  s32 low, high;  ///< keys of the finite values
  u64 zeros, nans, infinities;
};

/// The value that this block works on.
__device__ __forceinline__ u32 value_of_block(const Observed* table, u32 values) {
  u32 low = 0, high = values;
  while (high - low > 1) {
    const u32 middle = (low + high) / 2;
    if (table[middle].first_block <= blockIdx.x)
      low = middle;
    else
      high = middle;
  }
  return low;
}

/// Calls take(bits) for each float of this block's part of a value.
template <class F>
__device__ __forceinline__ void for_each_float(const Observed& value, F take) {
  const u64 first = static_cast<u64>(blockIdx.x - value.first_block) * kQuadsPerBlock;
  const u64 quads = (value.elements + 3) / 4;
  const u64 end = min(quads, first + kQuadsPerBlock);
  const bool skips = value.inner != value.pitch;
  for (u64 q = first + threadIdx.x; q < end; q += kThreads) {
    const u64 at = 4 * q;
    const u64 left = skips ? value.inner - min(static_cast<u64>(value.inner), at % value.pitch) : value.elements - at;
    if (left >= 4) {
      const Vector16 v = *reinterpret_cast<const Vector16*>(value.x + at);
      take(v.x), take(v.y), take(v.z), take(v.w);
    } else {
      for (u32 i = 0; i < left; ++i) take(__float_as_uint(value.x[at + i]));
    }
  }
}

#if XI_COUNT

/// counts: for each value bins of the positive values, then of the negative ones, all zero before. per_width: one over
/// the width of a value's bins, a power of two. Bins are exact: a product with a power of two only rounds where it is
/// less than the smallest normal number.
extern "C" __global__ void __launch_bounds__(kThreads)
    histogram_counts(const Observed* table, u32 values, const float* per_width, u64* counts) {
  constexpr int kBins = 1 << XI_LOG_BINS;
  __shared__ u32 bins[2 * kBins];
  const u32 which = value_of_block(table, values);
  for (int i = threadIdx.x; i < 2 * kBins; i += kThreads) bins[i] = 0;
  __syncthreads();
  const float factor = per_width[which];
  for_each_float(table[which], [&](u32 bits) {
    const u32 magnitude = bits & kMagnitude;
    if (magnitude == 0 || magnitude >= kInfinity) return;
    const s32 bin = __float2int_rz(__uint_as_float(magnitude) * factor);
    atomicAdd(&bins[(bits >> 31) * kBins + bin], 1u);
  });
  __syncthreads();
  u64* to = counts + static_cast<u64>(which) * (2 * kBins);
  for (int i = threadIdx.x; i < 2 * kBins; i += kThreads) {
    if (bins[i] != 0) atomicAdd(&to[i], static_cast<u64>(bins[i]));
  }
}

#else

__device__ __forceinline__ s32 ordered_key(u32 bits) {
  const s32 value = static_cast<s32>(bits);
  return value ^ static_cast<s32>(static_cast<u32>(value >> 31) & kMagnitude);
}

template <class F>
__device__ __forceinline__ s32 across_warp(s32 x, F combine) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) x = combine(x, __shfl_xor_sync(~0u, x, distance));
  return x;
}

/// extents: one for each value, empty before (low the largest key, high the smallest, the counts 0).
extern "C" __global__ void __launch_bounds__(kThreads)
    histogram_extents(const Observed* table, u32 values, Extent* extents) {
  const u32 which = value_of_block(table, values);
  s32 low = kLargestKey, high = kSmallestKey;
  s32 zeros = 0, nans = 0, infinities = 0;
  for_each_float(table[which], [&](u32 bits) {
    const u32 magnitude = bits & kMagnitude;
    if (magnitude >= kInfinity) {
      ++(magnitude == kInfinity ? infinities : nans);
      return;
    }
    const s32 key = ordered_key(bits);
    low = min(low, key);
    high = max(high, key);
    zeros += magnitude == 0 ? 1 : 0;
  });
  const auto add = [](s32 a, s32 b) { return a + b; };
  low = across_warp(low, [](s32 a, s32 b) { return min(a, b); });
  high = across_warp(high, [](s32 a, s32 b) { return max(a, b); });
  zeros = across_warp(zeros, add);
  nans = across_warp(nans, add);
  infinities = across_warp(infinities, add);
  if (threadIdx.x % 32 != 0) return;
  Extent& extent = extents[which];
  atomicMin(&extent.low, low);
  atomicMax(&extent.high, high);
  if (zeros != 0) atomicAdd(&extent.zeros, static_cast<u64>(zeros));
  if (nans != 0) atomicAdd(&extent.nans, static_cast<u64>(nans));
  if (infinities != 0) atomicAdd(&extent.infinities, static_cast<u64>(infinities));
}

#endif
