// Softmax and its logarithm. Macros:
//   XI_IN_T, XI_OUT_T  element types
//   XI_STEP            see rows.cuh
//   XI_LOG             1 for the logarithm
//   XI_WIDTH           elements of a vector: 8, or 1 where rows don't start at multiples of 16 bytes
//   XI_ROW_THREADS     threads of a row: 32, or the whole block
//   XI_THREADS         threads of a block
//   XI_VECTORS         vectors that one thread keeps (softmax_rows only)
//
// A row of nothing but -inf gives NaN, as the formula says.
#include "rows.cuh"

struct SoftmaxArgs {
  const XI_IN_T* x;
  XI_OUT_T* y;
  u32 rows, columns;        ///< softmax_axis: outer size, size of the axis
  u32 in_pitch, out_pitch;  ///< softmax_axis: elements between neighbours along the axis
  float step;
};

__device__ __forceinline__ float minus_infinity() { return __int_as_float(0xff800000); }

/// From x to the output's steps; `normal` is log(sum) or 1 / sum.
__device__ __forceinline__ float finish_softmax(float x, float highest, float normal, float step) {
#if XI_LOG
  return to_steps(x - highest - normal, step);
#else
  return to_steps(__expf(x - highest) * normal, step);
#endif
}
__device__ __forceinline__ float normal_of(float sum) {
#if XI_LOG
  return logf(sum);
#else
  return 1.0f / sum;
#endif
}

#if XI_ROW_THREADS
#ifdef XI_VECTORS
/// Along rows that fit into registers: block i has rows [i, i + 1) * XI_THREADS / XI_ROW_THREADS.
extern "C" __global__ void __launch_bounds__(XI_THREADS) softmax_rows(const SoftmaxArgs a) {
  __shared__ float shared[32];
  constexpr u32 kRows = XI_THREADS / XI_ROW_THREADS;
  const u32 lane = threadIdx.x % XI_ROW_THREADS;
  const u32 row = blockIdx.x * kRows + threadIdx.x / XI_ROW_THREADS;
  wait_for_previous();
  launch_next();
  if (row >= a.rows) return;  // a whole warp; a block that shares a row always has one
  const XI_IN_T* x = a.x + static_cast<u64>(row) * a.in_pitch;
  XI_OUT_T* y = a.y + static_cast<u64>(row) * a.out_pitch;
  float v[XI_VECTORS][XI_WIDTH];
  float highest = minus_infinity();
#pragma unroll
  for (int i = 0; i < XI_VECTORS; ++i) {
    const u32 column = (i * XI_ROW_THREADS + lane) * XI_WIDTH;
#pragma unroll
    for (int j = 0; j < XI_WIDTH; ++j) v[i][j] = minus_infinity();
    if (column < a.columns) load_floats(x + column, v[i]);
  }
#pragma unroll
  for (int i = 0; i < XI_VECTORS; ++i) {
    const u32 column = (i * XI_ROW_THREADS + lane) * XI_WIDTH;
#pragma unroll
    for (int j = 0; j < XI_WIDTH; ++j) {
      if (column + j < a.columns) highest = fmaxf(highest, v[i][j]);
    }
  }
  highest = reduce_row<Highest, XI_ROW_THREADS>(highest, shared);
  float sum = 0;
#pragma unroll
  for (int i = 0; i < XI_VECTORS; ++i) {
    const u32 column = (i * XI_ROW_THREADS + lane) * XI_WIDTH;
#pragma unroll
    for (int j = 0; j < XI_WIDTH; ++j) {
      const float power = __expf(v[i][j] - highest);
      if (column + j < a.columns) sum += power;
#if !XI_LOG
      v[i][j] = power;
#endif
    }
  }
  sum = reduce_row<Sum, XI_ROW_THREADS>(sum, shared);
  const float normal = normal_of(sum);
#pragma unroll
  for (int i = 0; i < XI_VECTORS; ++i) {
    const u32 column = (i * XI_ROW_THREADS + lane) * XI_WIDTH;
    if (column >= a.out_pitch) continue;
#pragma unroll
    for (int j = 0; j < XI_WIDTH; ++j) {
#if XI_LOG
      const float result = finish_softmax(v[i][j], highest, normal, a.step);
#else
      const float result = to_steps(v[i][j] * normal, a.step);
#endif
      v[i][j] = column + j < a.columns ? result : 0.0f;
    }
    store_floats(y + column, v[i]);
  }
}
#endif

/// Along rows of any length, read three times; block i has row i.
extern "C" __global__ void __launch_bounds__(XI_THREADS) softmax_long(const SoftmaxArgs a) {
  __shared__ float shared[32];
  wait_for_previous();
  launch_next();
  const XI_IN_T* x = a.x + static_cast<u64>(blockIdx.x) * a.in_pitch;
  XI_OUT_T* y = a.y + static_cast<u64>(blockIdx.x) * a.out_pitch;
  const u32 first = threadIdx.x * XI_WIDTH;
  float highest = minus_infinity();
  for (u32 column = first; column < a.columns; column += XI_THREADS * XI_WIDTH) {
    float v[XI_WIDTH];
    load_floats(x + column, v);
#pragma unroll
    for (int j = 0; j < XI_WIDTH; ++j) {
      if (column + j < a.columns) highest = fmaxf(highest, v[j]);
    }
  }
  highest = reduce_row<Highest, XI_THREADS>(highest, shared);
  float sum = 0;
  for (u32 column = first; column < a.columns; column += XI_THREADS * XI_WIDTH) {
    float v[XI_WIDTH];
    load_floats(x + column, v);
#pragma unroll
    for (int j = 0; j < XI_WIDTH; ++j) {
      if (column + j < a.columns) sum += __expf(v[j] - highest);
    }
  }
  sum = reduce_row<Sum, XI_THREADS>(sum, shared);
  const float normal = normal_of(sum);
  for (u32 column = first; column < a.out_pitch; column += XI_THREADS * XI_WIDTH) {
    float v[XI_WIDTH] = {};
    if (column < a.columns) load_floats(x + column, v);
#pragma unroll
    for (int j = 0; j < XI_WIDTH; ++j) {
      v[j] = column + j < a.columns ? finish_softmax(v[j], highest, normal, a.step) : 0.0f;
    }
    store_floats(y + column, v);
  }
}
#else
/// Along an axis whose neighbours lie in_pitch == out_pitch elements apart: one thread for each index of what lies
/// inside the axis (its padding too) and outside of it.
extern "C" __global__ void __launch_bounds__(XI_THREADS) softmax_axis(const SoftmaxArgs a) {
  const u64 index = static_cast<u64>(blockIdx.x) * XI_THREADS + threadIdx.x;
  wait_for_previous();
  launch_next();
  if (index >= static_cast<u64>(a.rows) * a.in_pitch) return;
  const u64 outer = index / a.in_pitch;
  const u64 begin = outer * a.columns * a.in_pitch + index % a.in_pitch;
  const XI_IN_T* x = a.x + begin;
  XI_OUT_T* y = a.y + begin;
  float highest = minus_infinity();
  for (u32 i = 0; i < a.columns; ++i) highest = fmaxf(highest, to_float(x[static_cast<u64>(i) * a.in_pitch]));
  float sum = 0;
  for (u32 i = 0; i < a.columns; ++i) sum += __expf(to_float(x[static_cast<u64>(i) * a.in_pitch]) - highest);
  const float normal = normal_of(sum);
  for (u32 i = 0; i < a.columns; ++i) {
    const u64 at = static_cast<u64>(i) * a.in_pitch;
    y[at] = from_float<XI_OUT_T>(finish_softmax(to_float(x[at]), highest, normal, a.step));
  }
}
#endif
