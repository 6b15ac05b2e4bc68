// Layer normalisation of rows: y = (x - mean) / sqrt(variance + epsilon) * scale + bias, the variance being the mean of
// the squared differences. Macros:
//   XI_IN_T, XI_OUT_T, XI_PARAM_T  element types of the input, the output, and of scale and bias
//   XI_STEP                        see rows.cuh
//   XI_SCALE, XI_BIAS              1 where there is one
//   XI_WIDTH                       elements of a vector: 8, or 1 where rows don't start at multiples of 16 bytes
//   XI_ROW_THREADS                 threads of a row: 32, or the whole block
//   XI_THREADS                     threads of a block
//   XI_VECTORS                     vectors that one thread keeps (layer_norm only)
#include "rows.cuh"

struct LayerNormArgs {
  const XI_IN_T* x;
  XI_OUT_T* y;
  const XI_PARAM_T* scale;
  const XI_PARAM_T* bias;
  u32 rows, columns;
  u32 in_pitch, out_pitch;
  float epsilon;
  float step;
};

__device__ __forceinline__ void write_normal(const LayerNormArgs& a, XI_OUT_T* y, u32 column, float (&v)[XI_WIDTH],
                                             float mean, float inverse) {
  float scale[XI_WIDTH], bias[XI_WIDTH];
#if XI_SCALE
  load_floats(a.scale + column, scale);
#endif
#if XI_BIAS
  load_floats(a.bias + column, bias);
#endif
#pragma unroll
  for (int j = 0; j < XI_WIDTH; ++j) {
    float normal = (v[j] - mean) * inverse;
#if XI_SCALE && XI_BIAS
    normal = fmaf(normal, scale[j], bias[j]);
#elif XI_SCALE
    normal *= scale[j];
#elif XI_BIAS
    normal += bias[j];
#endif
    v[j] = column + j < a.columns ? to_steps(normal, a.step) : 0.0f;
  }
  store_floats(y + column, v);
}

#ifdef XI_VECTORS
/// Rows that fit into registers: block i has rows [i, i + 1) * XI_THREADS / XI_ROW_THREADS.
extern "C" __global__ void __launch_bounds__(XI_THREADS) layer_norm(const LayerNormArgs a) {
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
  float sum = 0;
#pragma unroll
  for (int i = 0; i < XI_VECTORS; ++i) {
    const u32 column = (i * XI_ROW_THREADS + lane) * XI_WIDTH;
#pragma unroll
    for (int j = 0; j < XI_WIDTH; ++j) v[i][j] = 0;
    if (column < a.columns) load_floats(x + column, v[i]);
  }
#pragma unroll
  for (int i = 0; i < XI_VECTORS; ++i) {
    const u32 column = (i * XI_ROW_THREADS + lane) * XI_WIDTH;
#pragma unroll
    for (int j = 0; j < XI_WIDTH; ++j) {
      if (column + j < a.columns) sum += v[i][j];
    }
  }
  const float count = static_cast<float>(a.columns);
  const float mean = reduce_row<Sum, XI_ROW_THREADS>(sum, shared) / count;
  float squares = 0;
#pragma unroll
  for (int i = 0; i < XI_VECTORS; ++i) {
    const u32 column = (i * XI_ROW_THREADS + lane) * XI_WIDTH;
#pragma unroll
    for (int j = 0; j < XI_WIDTH; ++j) {
      const float difference = v[i][j] - mean;
      if (column + j < a.columns) squares = fmaf(difference, difference, squares);
    }
  }
  const float variance = reduce_row<Sum, XI_ROW_THREADS>(squares, shared) / count;
  const float inverse = 1.0f / sqrtf(variance + a.epsilon);
#pragma unroll
  for (int i = 0; i < XI_VECTORS; ++i) {
    const u32 column = (i * XI_ROW_THREADS + lane) * XI_WIDTH;
    if (column < a.out_pitch) write_normal(a, y, column, v[i], mean, inverse);
  }
}
#endif

/// Rows of any length, read three times; block i has row i.
extern "C" __global__ void __launch_bounds__(XI_THREADS) layer_norm_long(const LayerNormArgs a) {
  __shared__ float shared[32];
  wait_for_previous();
  launch_next();
  const XI_IN_T* x = a.x + static_cast<u64>(blockIdx.x) * a.in_pitch;
  XI_OUT_T* y = a.y + static_cast<u64>(blockIdx.x) * a.out_pitch;
  const u32 first = threadIdx.x * XI_WIDTH;
  float sum = 0;
  for (u32 column = first; column < a.columns; column += XI_THREADS * XI_WIDTH) {
    float v[XI_WIDTH];
    load_floats(x + column, v);
#pragma unroll
    for (int j = 0; j < XI_WIDTH; ++j) {
      if (column + j < a.columns) sum += v[j];
    }
  }
  const float count = static_cast<float>(a.columns);
  const float mean = reduce_row<Sum, XI_THREADS>(sum, shared) / count;
  float squares = 0;
  for (u32 column = first; column < a.columns; column += XI_THREADS * XI_WIDTH) {
    float v[XI_WIDTH];
    load_floats(x + column, v);
#pragma unroll
    for (int j = 0; j < XI_WIDTH; ++j) {
      const float difference = v[j] - mean;
      if (column + j < a.columns) squares = fmaf(difference, difference, squares);
    }
  }
  const float variance = reduce_row<Sum, XI_THREADS>(squares, shared) / count;
  const float inverse = 1.0f / sqrtf(variance + a.epsilon);
  for (u32 column = first; column < a.out_pitch; column += XI_THREADS * XI_WIDTH) {
    float v[XI_WIDTH] = {};
    if (column < a.columns) load_floats(x + column, v);
    write_normal(a, y, column, v, mean, inverse);
  }
}
