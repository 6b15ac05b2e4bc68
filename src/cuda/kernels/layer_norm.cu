// Layer normalisation of rows: y = (x - mean) / sqrt(variance + epsilon) * scale + bias, the variance being the mean of
// the squared differences. Macros:
//   XI_IN_T, XI_OUT_T, XI_PARAM_T  element types of the input, the output, and of scale and bias
//   XI_STEP                        see rows.cuh
//   XI_SCALE, XI_BIAS              1 where there is one
//   XI_WIDTH                       elements of a vector: 8, or 1 where rows don't start at multiples of 16 bytes
//   XI_ROW_THREADS                 threads of a row: 32, or the whole block
//   XI_THREADS                     threads of a block
//   XI_VECTORS                     vectors of a row that one thread keeps (layer_norm only)
//   XI_ROWS                        rows that the threads of a row take together (layer_norm only)
//   XI_FULL                        1 where a row is exactly XI_VECTORS * XI_ROW_THREADS * XI_WIDTH elements
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

constexpr bool kFull = XI_FULL;

/// Scale and bias of XI_WIDTH columns.
struct Parameters {
  float scale[XI_WIDTH], bias[XI_WIDTH];

  __device__ __forceinline__ Parameters(const LayerNormArgs& a, u32 column) {
#if XI_SCALE
    load_floats(a.scale + column, scale);
#endif
#if XI_BIAS
    load_floats(a.bias + column, bias);
#endif
  }
};

/// Scales the differences to the mean in `v`, and writes them.
__device__ __forceinline__ void write_normal(const LayerNormArgs& a, const Parameters& p, XI_OUT_T* y, u32 column,
                                             float (&v)[XI_WIDTH], float inverse) {
#pragma unroll
  for (int j = 0; j < XI_WIDTH; ++j) {
    float normal = v[j] * inverse;
#if XI_SCALE && XI_BIAS
    normal = fmaf(normal, p.scale[j], p.bias[j]);
#elif XI_SCALE
    normal *= p.scale[j];
#elif XI_BIAS
    normal += p.bias[j];
#endif
    v[j] = kFull || column + j < a.columns ? to_steps(normal, a.step) : 0.0f;
  }
  store_floats(y + column, v);
}

#ifdef XI_VECTORS
/// Rows that fit into registers: block i has rows [i, i + 1) * XI_ROWS * XI_THREADS / XI_ROW_THREADS. Several rows
/// together hide each other's latency and share what is loaded of scale and bias.
extern "C" __global__ void __launch_bounds__(XI_THREADS) layer_norm(const LayerNormArgs a) {
  __shared__ float shared[32];
  constexpr u32 kGroups = XI_THREADS / XI_ROW_THREADS;
  const u32 lane = threadIdx.x % XI_ROW_THREADS;
  const u32 first = (blockIdx.x * kGroups + threadIdx.x / XI_ROW_THREADS) * XI_ROWS;
  wait_for_previous();
  launch_next();
  if (first >= a.rows) return;  // a whole warp; a block that shares a row always has one
  float v[XI_ROWS][XI_VECTORS][XI_WIDTH];
  float inverse[XI_ROWS];
#pragma unroll
  for (int r = 0; r < XI_ROWS; ++r) {
    const XI_IN_T* x = a.x + static_cast<u64>(min(first + r, a.rows - 1)) * a.in_pitch;
#pragma unroll
    for (int i = 0; i < XI_VECTORS; ++i) {
      const u32 column = (i * XI_ROW_THREADS + lane) * XI_WIDTH;
#pragma unroll
      for (int j = 0; j < XI_WIDTH; ++j) v[r][i][j] = 0;
      if (kFull || column < a.columns) load_floats(x + column, v[r][i]);
    }
  }
  const float count = static_cast<float>(a.columns);
#pragma unroll
  for (int r = 0; r < XI_ROWS; ++r) {
    float sum = 0;
#pragma unroll
    for (int i = 0; i < XI_VECTORS; ++i) {
      const u32 column = (i * XI_ROW_THREADS + lane) * XI_WIDTH;
#pragma unroll
      for (int j = 0; j < XI_WIDTH; ++j) {
        if (kFull || column + j < a.columns) sum += v[r][i][j];
      }
    }
    const float mean = reduce_row<Sum, XI_ROW_THREADS>(sum, shared) / count;
    float squares = 0;
#pragma unroll
    for (int i = 0; i < XI_VECTORS; ++i) {
      const u32 column = (i * XI_ROW_THREADS + lane) * XI_WIDTH;
#pragma unroll
      for (int j = 0; j < XI_WIDTH; ++j) {
        v[r][i][j] -= mean;
        if (kFull || column + j < a.columns) squares = fmaf(v[r][i][j], v[r][i][j], squares);
      }
    }
    const float variance = reduce_row<Sum, XI_ROW_THREADS>(squares, shared) / count;
    inverse[r] = 1.0f / sqrtf(variance + a.epsilon);
  }
#pragma unroll
  for (int i = 0; i < XI_VECTORS; ++i) {
    const u32 column = (i * XI_ROW_THREADS + lane) * XI_WIDTH;
    if (!kFull && column >= a.out_pitch) continue;
    const Parameters parameters(a, column);
#pragma unroll
    for (int r = 0; r < XI_ROWS; ++r) {
      if (first + r >= a.rows) break;
      write_normal(a, parameters, a.y + static_cast<u64>(first + r) * a.out_pitch, column, v[r][i], inverse[r]);
    }
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
#pragma unroll
    for (int j = 0; j < XI_WIDTH; ++j) v[j] -= mean;
    write_normal(a, Parameters(a, column), y, column, v, inverse);
  }
}
