// Group normalisation of channels-last tensors, in three kernels: moments of every channel over chunks of pixels, their
// merging over groups, and the scaling of every channel; the last one is also batch normalisation. Macros:
//   XI_IN_T, XI_OUT_T  element types
//   XI_STEP            see rows.cuh
//
// Moments are kept as mean and sum of squared differences from it, and merged as in Chan, Golub, LeVeque: "Updating
// formulae and a pairwise algorithm for computing sample variances" (1979).
#include "rows.cuh"

#define XI_THREADS 256

/// The tensor: `pixels` a sample, each of `pitch` channels with padding (a multiple of 16). A block has its threads as
/// 256 / lanes pixels by `lanes` vectors of 8 channels.
struct ChannelGrid {
  u32 pixels, channels, pitch;
  u32 lanes;
  u32 chunk;   ///< pixels of a block
  u32 chunks;  ///< blocks along the pixels
};

/// Sample, first pixel, and channel of this thread; blocks are (chunks, samples, tiles of channels).
struct Place {
  u32 sample, row, rows, channel, begin, end;
  bool active;
  __device__ __forceinline__ explicit Place(const ChannelGrid& g) {
    sample = blockIdx.y;
    row = threadIdx.x / g.lanes;
    rows = XI_THREADS / g.lanes;
    channel = (blockIdx.z * g.lanes + threadIdx.x % g.lanes) * 8;
    begin = blockIdx.x * g.chunk;
    end = min(begin + g.chunk, g.pixels);
    active = row < rows && channel < g.pitch;
  }
};

struct __align__(8) Moments {
  float mean, squares;
};

#if XI_STEP == 0
/// partial[sample][chunk][channel] from x; grid (chunks, samples, tiles of channels).
extern "C" __global__ void __launch_bounds__(XI_THREADS, 3)
    group_moments(const XI_IN_T* x, Moments* partial, const ChannelGrid g) {
  __shared__ float sums[XI_THREADS][9];  // 9: neighbours in other banks
  wait_for_previous();
  launch_next();
  const Place p(g);
  // Differences from the chunk's first pixel: they keep their digits where the mean is large.
  float shift[8] = {}, sum[8] = {}, squares[8] = {};
  if (p.active) {
    const XI_IN_T* from = x + static_cast<u64>(p.sample) * g.pixels * g.pitch + p.channel;
    load_floats(from + static_cast<u64>(p.begin) * g.pitch, shift);
#pragma unroll 4
    for (u32 i = p.begin + p.row; i < p.end; i += p.rows) {
      float v[8];
      load_floats(from + static_cast<u64>(i) * g.pitch, v);
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        const float difference = v[j] - shift[j];
        sum[j] += difference;
        squares[j] = fmaf(difference, difference, squares[j]);
      }
    }
  }
#pragma unroll
  for (int j = 0; j < 8; ++j) sums[threadIdx.x][j] = sum[j];
  __syncthreads();
  const bool first = p.active && p.row == 0;
  if (first) {
    for (u32 r = 1; r < p.rows; ++r) {
#pragma unroll
      for (int j = 0; j < 8; ++j) sum[j] += sums[threadIdx.x + r * g.lanes][j];
    }
  }
  __syncthreads();
#pragma unroll
  for (int j = 0; j < 8; ++j) sums[threadIdx.x][j] = squares[j];
  __syncthreads();
  if (first) {
    const float count = static_cast<float>(p.end - p.begin);
    Moments* to = partial + (static_cast<u64>(p.sample) * g.chunks + blockIdx.x) * g.pitch + p.channel;
    for (u32 r = 1; r < p.rows; ++r) {
#pragma unroll
      for (int j = 0; j < 8; ++j) squares[j] += sums[threadIdx.x + r * g.lanes][j];
    }
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      to[j] = {shift[j] + sum[j] / count, fmaxf(squares[j] - sum[j] * (sum[j] / count), 0.0f)};
    }
  }
}

/// table[sample][channel] = {mean, scale / deviation}; grid (groups, samples).
extern "C" __global__ void __launch_bounds__(XI_THREADS)
    group_merge(const Moments* partial, const float* scale, float2* table, const ChannelGrid g, u32 group_channels,
                float epsilon) {
  __shared__ float shared[32];
  wait_for_previous();
  launch_next();
  const u32 channel = blockIdx.x * group_channels;
  const Moments* from = partial + static_cast<u64>(blockIdx.y) * g.chunks * g.pitch + channel;
  float2* to = table + static_cast<u64>(blockIdx.y) * g.pitch;
  const u32 entries = g.chunks * group_channels;
  const float last = static_cast<float>(g.pixels - (g.chunks - 1) * g.chunk);
  const float total = static_cast<float>(g.pixels) * static_cast<float>(group_channels);
  float sum = 0;
  for (u32 i = threadIdx.x; i < entries; i += XI_THREADS) {
    const u32 chunk = i / group_channels;
    const float count = chunk + 1 == g.chunks ? last : static_cast<float>(g.chunk);
    sum = fmaf(count / total, from[static_cast<u64>(chunk) * g.pitch + i % group_channels].mean, sum);
  }
  const float mean = reduce_row<Sum, XI_THREADS>(sum, shared);
  float squares = 0;
  for (u32 i = threadIdx.x; i < entries; i += XI_THREADS) {
    const u32 chunk = i / group_channels;
    const float count = chunk + 1 == g.chunks ? last : static_cast<float>(g.chunk);
    const Moments m = from[static_cast<u64>(chunk) * g.pitch + i % group_channels];
    const float difference = m.mean - mean;
    squares += fmaf(count * difference, difference, m.squares);
  }
  const float variance = reduce_row<Sum, XI_THREADS>(squares, shared) / total;
  const float inverse = 1.0f / sqrtf(variance + epsilon);
  for (u32 c = threadIdx.x; c < group_channels; c += XI_THREADS) {
    to[channel + c] = make_float2(mean, inverse * scale[channel + c]);
  }
  if (blockIdx.x + 1 == gridDim.x) {  // the padding gives zeros
    for (u32 c = g.channels + threadIdx.x; c < g.pitch; c += XI_THREADS) to[c] = make_float2(0.0f, 0.0f);
  }
}
#endif

/// y = (x - mean) * factor + bias, {mean, factor} from the table [sample or 1][channel]; grid (chunks, samples, tiles
/// of channels).
extern "C" __global__ void __launch_bounds__(XI_THREADS, 4)
    channel_scale(const XI_IN_T* x, XI_OUT_T* y, const float2* table, const float* bias, const ChannelGrid g,
                  u32 table_stride, float step) {
  const Place p(g);
  wait_for_previous();
  launch_next();
  if (!p.active) return;
  float mean[8], factor[8], add[8];
  const float2* row = table + static_cast<u64>(p.sample) * table_stride + p.channel;
#pragma unroll
  for (int j = 0; j < 8; ++j) {
    const float2 entry = row[j];
    mean[j] = entry.x;
    factor[j] = entry.y;
  }
  load_floats(bias + p.channel, add);
  const u64 begin = static_cast<u64>(p.sample) * g.pixels * g.pitch + p.channel;
#pragma unroll 4
  for (u32 i = p.begin + p.row; i < p.end; i += p.rows) {
    float v[8];
    load_floats(x + begin + static_cast<u64>(i) * g.pitch, v);
#pragma unroll
    for (int j = 0; j < 8; ++j) v[j] = to_steps(fmaf(v[j] - mean[j], factor[j], add[j]), step);
    store_floats(y + begin + static_cast<u64>(i) * g.pitch, v);
  }
}
