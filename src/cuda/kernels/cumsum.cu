// CumSum along one axis. Floats are summed in double, halves in float, integers modulo 2^64.
//
// Macros: XI_T and XI_OUT_T, the elements; XI_THREADS that share one column (1, 32, 512); XI_ITEMS that one thread
// takes at once; XI_EXCLUSIVE and XI_REVERSE, 1 or 0.
#include "lanes.cuh"

constexpr u32 kBlock = XI_THREADS == 512 ? 512 : 256;

/// CumSumArgs of cuda/cumsum.cpp, member for member.
struct CumSumArgs {
  const XI_T* x;
  XI_OUT_T* y;
  u32 columns;  ///< outer * inner
  u32 inner;
  u32 length;  ///< of the axis
};

template <class T>
struct SumOf {
  using type = u64;
};
template <>
struct SumOf<float> {
  using type = double;
};
template <>
struct SumOf<half_t> {
  using type = float;
};
using Sum = SumOf<XI_T>::type;

__device__ __forceinline__ float load_term(half_t x) { return to_float(x); }
__device__ __forceinline__ double load_term(float x) { return x; }
template <class T>
__device__ __forceinline__ u64 load_term(T x) {
  return static_cast<u64>(static_cast<s64>(x));
}

template <class T>
__device__ __forceinline__ T store_sum(float sum) {
  return from_float<T>(sum);
}
template <class T>
__device__ __forceinline__ T store_sum(double sum) {
  return from_float<T>(static_cast<float>(sum));
}
template <class T>
__device__ __forceinline__ T store_sum(u64 sum) {
  return static_cast<T>(sum);
}

/// The sums of the threads before this one in its group, and of the whole group. Called by all threads of the group.
__device__ __forceinline__ Sum sum_before(Sum own, Sum& all) {
#if XI_THREADS == 1
  all = own;
  return 0;
#else
  const u32 lane = threadIdx.x % 32;
  Sum upto = own;
#pragma unroll
  for (u32 step = 1; step < 32; step *= 2) {
    const Sum other = __shfl_up_sync(0xffffffffu, upto, step);
    if (lane >= step) upto += other;
  }
  const Sum shifted = __shfl_up_sync(0xffffffffu, upto, 1);
  const Sum before = lane == 0 ? Sum{0} : shifted;
  all = __shfl_sync(0xffffffffu, upto, 31);
#if XI_THREADS == 32
  return before;
#else
  __shared__ Sum warps[XI_THREADS / 32];
  __syncthreads();  // the sums of the last call have been read
  if (lane == 31) warps[threadIdx.x / 32] = upto;
  __syncthreads();
  Sum first = 0;
  all = 0;
#pragma unroll
  for (u32 i = 0; i < XI_THREADS / 32; ++i) {
    if (i == threadIdx.x / 32) first = all;
    all += warps[i];
  }
  return first + before;
#endif
#endif
}

extern "C" __global__ void __launch_bounds__(kBlock) cum_sum(const __grid_constant__ CumSumArgs a) {
  wait_for_previous();
  launch_next();
  const u32 flat = blockIdx.x * blockDim.x + threadIdx.x;
  const u32 column = flat / XI_THREADS, lane = flat % XI_THREADS;
  if (column >= a.columns) return;  // a whole group
  const s64 first = static_cast<s64>(column / a.inner) * a.length * a.inner + column % a.inner;
  const auto place = [&](u32 i) { return first + static_cast<s64>(XI_REVERSE ? a.length - 1 - i : i) * a.inner; };
  Sum carry = 0;
#pragma unroll 1
  for (u32 start = 0; start < a.length; start += XI_THREADS * XI_ITEMS) {
    const u32 begin = start + lane * XI_ITEMS;
    Sum term[XI_ITEMS], own = 0;
#pragma unroll
    for (u32 k = 0; k < XI_ITEMS; ++k) term[k] = begin + k < a.length ? load_term(a.x[place(begin + k)]) : Sum{0};
#pragma unroll
    for (u32 k = 0; k < XI_ITEMS; ++k) own += term[k];
    Sum all;
    Sum sum = carry + sum_before(own, all);
#pragma unroll
    for (u32 k = 0; k < XI_ITEMS; ++k) {
      const Sum next = sum + term[k];
      if (begin + k < a.length) a.y[place(begin + k)] = store_sum<XI_OUT_T>(XI_EXCLUSIVE ? sum : next);
      sum = next;
    }
    carry += all;
  }
}
