// TopK and ArgReduce along one axis.
//
// Elements become keys: unsigned numbers in the order of the elements, with equal keys for equal elements (0 and -0,
// any two NaN). Of a key and an index one 64-bit number is made, so that ties are settled by the index.
//
// Macros: XI_T the element type (s8, u8, half_t, float, s32); XI_LARGEST 1 or 0. top_k: XI_OUT_T (of the values),
// XI_SORT (elements sorted at once, a power of two), XI_SELECT (1: the k first ones are selected before they are
// sorted). arg_reduce: XI_LAST (1: the last of equal ones), XI_THREADS that share one output (1, 32, 256).
#include "lanes.cuh"

struct SearchArgs {
  const XI_T* x;
  void* values;
  s64* indices;
  u32 rows;  ///< outer * inner
  u32 inner;
  u32 length;  ///< of the axis
  u32 k;
  s64 outer_stride, inner_stride, axis_stride;  ///< elements
  float scale;                                  ///< of the values
};

/// In ascending order. NaN is larger than every number.
template <class T>
__device__ __forceinline__ u32 key_of(T x) {
  if constexpr (same_type<T, s32> || same_type<T, s8>) {
    return static_cast<u32>(static_cast<s32>(x)) ^ 0x80000000u;
  } else if constexpr (same_type<T, u8>) {
    return x;
  } else {
    const float value = to_float(x);
    if (value != value) return 0xffffffffu;
    const u32 bits = __float_as_uint(value + 0.0f);  // -0 becomes 0
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  }
}

__device__ __forceinline__ const XI_T* row_of(const SearchArgs& a, u32 row) {
  return a.x + static_cast<s64>(row / a.inner) * a.outer_stride + static_cast<s64>(row % a.inner) * a.inner_stride;
}

#ifdef XI_SORT

constexpr u32 kThreads = 512;

template <class Out, class T>
__device__ __forceinline__ Out value_of(T x, float scale) {
  if constexpr (same_type<Out, T>)
    return x;
  else
    return from_float<Out>(to_float(x) * scale);
}

/// What comes first has the smaller number.
__device__ __forceinline__ u64 rank_of(const SearchArgs& a, const XI_T* row, u32 i) {
  const u32 key = key_of(row[i * a.axis_stride]);
  return (static_cast<u64>(XI_LARGEST ? ~key : key) << 32) | i;
}

/// One block a row.
extern "C" __global__ void __launch_bounds__(kThreads) top_k(const SearchArgs a) {
  __shared__ u64 best[XI_SORT];
  launch_next();
  const XI_T* const row = row_of(a, blockIdx.x);
  wait_for_previous();
#if XI_SELECT
  // The k-th smallest rank, found byte by byte from the top: a histogram of the next byte among the ranks that agree in
  // the bytes so far.
  __shared__ u32 histogram[256];
  __shared__ u32 chosen, before, taken;
  u64 prefix = 0;
  u32 missing = a.k;  // how many of the agreeing ranks belong to the result
  const int index_bytes = (32 - __clz(static_cast<int>(a.length | 1u)) + 7) / 8;
#pragma unroll 1
  for (int byte = 7; byte >= 0; --byte) {
    if (byte < 4 && byte >= index_bytes) continue;  // zero in every index
    for (u32 i = threadIdx.x; i < 256; i += kThreads) histogram[i] = 0;
    __syncthreads();
    for (u32 i = threadIdx.x; i < a.length; i += kThreads) {
      const u64 rank = rank_of(a, row, i);
      if (byte == 7 || (rank >> (8 * (byte + 1))) == (prefix >> (8 * (byte + 1)))) {
        atomicAdd(&histogram[(rank >> (8 * byte)) & 255], 1u);
      }
    }
    __syncthreads();
    if (threadIdx.x < 32) {
      // A lane sums 8 bins; then a scan over the lanes.
      u32 sum = 0;
      for (u32 i = 0; i < 8; ++i) sum += histogram[threadIdx.x * 8 + i];
      u32 upto = sum;
#pragma unroll
      for (u32 step = 1; step < 32; step *= 2) {
        const u32 other = __shfl_up_sync(0xffffffffu, upto, step);
        if (threadIdx.x >= step) upto += other;
      }
      u32 below = upto - sum;
      if (below < missing && upto >= missing) {
        u32 bin = threadIdx.x * 8;
        while (below + histogram[bin] < missing) below += histogram[bin++];
        chosen = bin, before = below;
      }
    }
    __syncthreads();
    prefix |= static_cast<u64>(chosen) << (8 * byte);
    missing -= before;
    __syncthreads();
  }
  if (threadIdx.x == 0) taken = 0;
  for (u32 i = threadIdx.x; i < XI_SORT; i += kThreads) best[i] = ~0ull;
  __syncthreads();
  for (u32 i = threadIdx.x; i < a.length; i += kThreads) {
    const u64 rank = rank_of(a, row, i);
    if (rank <= prefix) best[atomicAdd(&taken, 1u)] = rank;
  }
#else
  for (u32 i = threadIdx.x; i < XI_SORT; i += kThreads) best[i] = i < a.length ? rank_of(a, row, i) : ~0ull;
#endif
  // Batcher's bitonic sort.
#pragma unroll 1
  for (u32 size = 2; size <= XI_SORT; size *= 2) {
#pragma unroll 1
    for (u32 gap = size / 2; gap > 0; gap /= 2) {
      __syncthreads();
      for (u32 i = threadIdx.x; i < XI_SORT / 2; i += kThreads) {
        const u32 low = 2 * i - (i & (gap - 1));
        const u64 p = best[low], q = best[low + gap];
        if ((p > q) == ((low & size) == 0)) best[low] = q, best[low + gap] = p;
      }
    }
  }
  __syncthreads();
  const u64 first = static_cast<u64>(blockIdx.x / a.inner) * a.k * a.inner + blockIdx.x % a.inner;
  for (u32 i = threadIdx.x; i < a.k; i += kThreads) {
    const u32 index = static_cast<u32>(best[i]);
    const u64 at = first + static_cast<u64>(i) * a.inner;
    a.indices[at] = index;
    const XI_T value = row[index * a.axis_stride];
    static_cast<XI_OUT_T*>(a.values)[at] = value_of<XI_OUT_T>(value, a.scale);
  }
}

#else

/// Larger is better. A NaN never wins, but neither is it beaten when it comes first (as the reference compares).
__device__ __forceinline__ u64 score_of(const SearchArgs& a, const XI_T* row, u32 i) {
  const XI_T value = row[i * a.axis_stride];
  if constexpr (same_type<XI_T, half_t> || same_type<XI_T, float>) {
    if (to_float(value) != to_float(value)) return i == 0 ? ~0ull : 0ull;
  }
  const u32 key = key_of(value);
  return (static_cast<u64>(XI_LARGEST ? key : ~key) << 32) | (XI_LAST ? i : ~i);
}

extern "C" __global__ void __launch_bounds__(256) arg_reduce(const SearchArgs a) {
  launch_next();
  const u32 flat = blockIdx.x * 256u + threadIdx.x;
  const u32 output = flat / XI_THREADS, lane = flat % XI_THREADS;
  if (output >= a.rows) return;
  wait_for_previous();
  const XI_T* const row = row_of(a, output);
  u64 best = 0;
#pragma unroll 4
  for (u32 i = lane; i < a.length; i += XI_THREADS) best = max(best, score_of(a, row, i));
#if XI_THREADS > 1
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) best = max(best, __shfl_xor_sync(0xffffffffu, best, mask));
#endif
#if XI_THREADS > 32
  __shared__ u64 warps[XI_THREADS / 32];
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = best;
  __syncthreads();
#pragma unroll
  for (int i = 0; i < XI_THREADS / 32; ++i) best = max(best, warps[i]);
#endif
  if (lane != 0) return;
  const u32 index = static_cast<u32>(best);
  a.indices[output] = best == ~0ull ? 0 : XI_LAST ? index : ~index;
}

#endif
