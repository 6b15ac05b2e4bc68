// Depthwise convolution over nhwc. A thread computes four neighbouring channels of several output rows and columns.
//
// Macros beside the epilogue's: XI_T (s8, u8, half_t, float), XI_DOT (1 for bytes), XI_PITCH (channels, padded). Where
// XI_KH, XI_KW, XI_SH, XI_SW (kernel and strides), XI_ROWS (output rows of one thread) and XI_UNITS (see there) are
// given too, the entry is depthwise_dot for bytes and depthwise_float for floats; elsewhere it is depthwise_general.
#include "finish_lanes.cuh"

struct DepthwiseArgs {
  const XI_T* x;
  const void* weights;
  XI_OUT_T* y;
  int in_h, in_w, out_h, out_w;
  int pad_h, pad_w;
  // of depthwise_general alone:
  int kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
  EpilogueArgs epilogue;
};

constexpr int kQuads = XI_PITCH / 4;

/// The four channels of one output pixel. `pixel` counts through all images.
__device__ __forceinline__ void finish4(const DepthwiseArgs& a, u64 pixel, int quad, const float (&acc)[4],
                                        const float (&m)[4], const float (&b)[4]) {
  const u64 at = pixel * XI_PITCH + quad * 4;
  float r[4] = {};
#if XI_RESIDUAL
  load_lanes<XI_RESIDUAL_T, 4>(static_cast<const XI_RESIDUAL_T*>(a.epilogue.residual) + at, r);
#endif
  u32 words[words_of<XI_OUT_T, 4>];
  finish_lanes(a.epilogue, acc, m, b, r, words);
  store_words(a.y + at, words);
}

__device__ __forceinline__ void load_tables(const DepthwiseArgs& a, int quad, float (&m)[4], float (&b)[4]) {
  load_lanes<float, 4>(a.epilogue.multiplier + quad * 4, m);
  load_lanes<float, 4>(a.epilogue.bias + quad * 4, b);
}

#if defined(XI_KH) && XI_DOT

/// Of `kCount` columns of four channels, the columns of each channel in one word, the first in the lowest byte. Bytes
/// beyond the last column hold anything: their weights are zero.
template <int kCount>
__device__ __forceinline__ void transpose(const u32* columns, u32 (&channels)[4]) {
  if constexpr (kCount == 1) {
#pragma unroll
    for (int c = 0; c < 4; ++c) channels[c] = columns[0] >> (8 * c);
  } else {
    const u32 low = __byte_perm(columns[0], columns[1], 0x5140);
    const u32 high = __byte_perm(columns[0], columns[1], 0x7362);
    if constexpr (kCount == 2) {
      channels[0] = low, channels[1] = low >> 16, channels[2] = high, channels[3] = high >> 16;
    } else if constexpr (kCount == 3) {
      channels[0] = __byte_perm(low, columns[2], 0x0410);
      channels[1] = __byte_perm(low, columns[2], 0x0532);
      channels[2] = __byte_perm(high, columns[2], 0x0610);
      channels[3] = __byte_perm(high, columns[2], 0x0732);
    } else {
      const u32 low2 = __byte_perm(columns[2], columns[3], 0x5140);
      const u32 high2 = __byte_perm(columns[2], columns[3], 0x7362);
      channels[0] = __byte_perm(low, low2, 0x5410);
      channels[1] = __byte_perm(low, low2, 0x7632);
      channels[2] = __byte_perm(high, high2, 0x5410);
      channels[3] = __byte_perm(high, high2, 0x7632);
    }
  }
}

/// Four-byte products over the taps of a kernel row: a window of 4 * kGroups columns, transposed so that a word holds
/// four columns of one channel, serves kShare outputs, whose weights are shifted (one word a row) or which shift the
/// data (more words, whose shifted weights would not fit into the registers).
///
/// Chosen by the instructions for one output of a 3x3 of stride 1, at four rows a thread: 3 dp4a, 1.5 byte permutes,
/// 0.75 loads, and nothing to convert, since the sum is gathered in the mantissa of 1.5 * 2^23. Widening instead takes
/// 9 multiply-adds and 1.5 extractions of bytes, in floats twice that many, and 9 further registers a channel.
///
/// Weights: [row][group][XI_PITCH] words of four taps.
extern "C" __global__ void __launch_bounds__(256, 1) depthwise_dot(const DepthwiseArgs a) {
  constexpr int kGroups = (XI_KW + 3) / 4;
  constexpr int kShare = (4 * kGroups - XI_KW) / XI_SW + 1;
  constexpr int kUsed = (kShare - 1) * XI_SW + XI_KW;  // columns of one window
  constexpr int kColumns = XI_UNITS * kShare;
  constexpr int kSpan = (kColumns - 1) * XI_SW + XI_KW;
  constexpr int kInputRows = (XI_ROWS - 1) * XI_SH + XI_KH;
  constexpr int kVersions = kGroups == 1 ? kShare : 1;
  constexpr s32 kMagic = 0x4B400000;  // 1.5 * 2^23: the host sees to |sum| < 2^22

  launch_next();
  const u32 flat = blockIdx.x * blockDim.x + threadIdx.x;
  const int quad = static_cast<int>(flat % kQuads);
  const int column = static_cast<int>(flat / kQuads) * kColumns;
  if (column >= a.out_w) return;
  const int row = static_cast<int>(blockIdx.y) * XI_ROWS;

  u32 w[XI_KH][kGroups][kVersions][4];
#pragma unroll
  for (int r = 0; r < XI_KH; ++r) {
#pragma unroll
    for (int g = 0; g < kGroups; ++g) {
      load_words<4>(static_cast<const u32*>(a.weights) + (r * kGroups + g) * XI_PITCH + quad * 4, w[r][g][0]);
#pragma unroll
      for (int v = 1; v < kVersions; ++v) {
#pragma unroll
        for (int c = 0; c < 4; ++c) w[r][g][v][c] = w[r][g][0][c] << (8 * v * XI_SW);
      }
    }
  }
  float m[4], b[4];
  load_tables(a, quad, m, b);

  const int first_column = column * XI_SW - a.pad_w, first_row = row * XI_SH - a.pad_h;
  u32 inside = 0;  // a bit for each column
#pragma unroll
  for (int j = 0; j < kSpan; ++j) {
    if (static_cast<u32>(first_column + j) < static_cast<u32>(a.in_w)) inside |= 1u << j;
  }
  const u64 image = blockIdx.z;
  const u32 row_step = static_cast<u32>(a.in_w) * XI_PITCH;
  const XI_T* x = a.x + (static_cast<s64>(image * a.in_h) + first_row) * row_step +
                  static_cast<s64>(first_column) * XI_PITCH + quad * 4;
  wait_for_previous();

  s32 acc[XI_ROWS][kColumns][4];
#pragma unroll
  for (int i = 0; i < kInputRows; ++i) {
    const u32 here = static_cast<u32>(first_row + i) < static_cast<u32>(a.in_h) ? inside : 0u;
    u32 raw[kSpan];
#pragma unroll
    for (int j = 0; j < kSpan; ++j) {
      raw[j] = 0;
      if (here & (1u << j)) raw[j] = *reinterpret_cast<const u32*>(x + j * XI_PITCH);
    }
    x += row_step;
#pragma unroll
    for (int u = 0; u < XI_UNITS; ++u) {
      u32 window[kGroups + 1][4];
#pragma unroll
      for (int g = 0; g < kGroups; ++g) {
        if (g + 1 < kGroups)
          transpose<4>(raw + u * kShare * XI_SW + 4 * g, window[g]);
        else
          transpose<kUsed - 4 * (kGroups - 1)>(raw + u * kShare * XI_SW + 4 * g, window[g]);
      }
#pragma unroll
      for (int c = 0; c < 4; ++c) window[kGroups][c] = 0;
#pragma unroll
      for (int o = 0; o < kShare; ++o) {
#pragma unroll
        for (int c = 0; c < 4; ++c) {
          u32 data[kGroups];
#pragma unroll
          for (int g = 0; g < kGroups; ++g) {
            data[g] =
                kGroups == 1 || o == 0 ? window[g][c] : __funnelshift_r(window[g][c], window[g + 1][c], 8 * o * XI_SW);
          }
#pragma unroll
          for (int r = 0; r < XI_ROWS; ++r) {
            const int tap = i - r * XI_SH;
            if (tap < 0 || tap >= XI_KH) continue;
            s32& sum = acc[r][u * kShare + o][c];
#pragma unroll
            for (int g = 0; g < kGroups; ++g) {
              sum = dot4<XI_T>(data[g], w[tap][g][kGroups == 1 ? o : 0][c], tap == 0 && g == 0 ? kMagic : sum);
            }
          }
        }
      }
    }
    // The rows that are complete.
    if ((i - (XI_KH - 1)) % XI_SH == 0 && i >= XI_KH - 1) {
      const int r = (i - (XI_KH - 1)) / XI_SH;
      if (row + r < a.out_h) {
        const u64 pixel = (image * a.out_h + row + r) * a.out_w + column;
#pragma unroll
        for (int o = 0; o < kColumns; ++o) {
          if (column + o >= a.out_w) continue;
          float sum[4];
#pragma unroll
          for (int c = 0; c < 4; ++c) sum[c] = __int_as_float(acc[r][o][c]) - 12582912.0f;
          finish4(a, pixel + o, quad, sum, m, b);
        }
      }
    }
  }
}

#elif defined(XI_KH)

/// The same in floats: XI_UNITS output columns and XI_ROWS rows. With more than one row all weights lie in registers;
/// with one row they are fetched row by row (for large kernels). Weights: [row][column][XI_PITCH] floats.
extern "C" __global__ void __launch_bounds__(256, 1) depthwise_float(const DepthwiseArgs a) {
  constexpr int kColumns = XI_UNITS;
  constexpr int kSpan = (kColumns - 1) * XI_SW + XI_KW;
  constexpr int kInputRows = (XI_ROWS - 1) * XI_SH + XI_KH;
  constexpr bool kKeepWeights = XI_ROWS > 1;

  launch_next();
  const u32 flat = blockIdx.x * blockDim.x + threadIdx.x;
  const int quad = static_cast<int>(flat % kQuads);
  const int column = static_cast<int>(flat / kQuads) * kColumns;
  if (column >= a.out_w) return;
  const int row = static_cast<int>(blockIdx.y) * XI_ROWS;
  const float* weights = static_cast<const float*>(a.weights) + quad * 4;

  float w[kKeepWeights ? XI_KH : 1][XI_KW][4];
  if constexpr (kKeepWeights) {
#pragma unroll
    for (int t = 0; t < XI_KH * XI_KW; ++t) load_lanes<float, 4>(weights + t * XI_PITCH, w[t / XI_KW][t % XI_KW]);
  }
  const int first_column = column * XI_SW - a.pad_w, first_row = row * XI_SH - a.pad_h;
  const u64 image = blockIdx.z;
  const u32 row_step = static_cast<u32>(a.in_w) * XI_PITCH;
  const XI_T* x = a.x + (static_cast<s64>(image * a.in_h) + first_row) * row_step +
                  static_cast<s64>(first_column) * XI_PITCH + quad * 4;
  wait_for_previous();

  float acc[XI_ROWS][kColumns][4] = {};
#pragma unroll(kKeepWeights ? kInputRows : 1)
  for (int i = 0; i < kInputRows; ++i, x += row_step) {
    if (static_cast<u32>(first_row + i) >= static_cast<u32>(a.in_h)) continue;
    float values[kSpan][4] = {};
#pragma unroll
    for (int j = 0; j < kSpan; ++j) {
      if (static_cast<u32>(first_column + j) < static_cast<u32>(a.in_w)) {
        load_lanes<XI_T, 4>(x + j * XI_PITCH, values[j]);
      }
    }
    if constexpr (!kKeepWeights) {
#pragma unroll
      for (int t = 0; t < XI_KW; ++t) load_lanes<float, 4>(weights + (i * XI_KW + t) * XI_PITCH, w[0][t]);
    }
#pragma unroll
    for (int r = 0; r < XI_ROWS; ++r) {
      const int tap = i - r * XI_SH;
      if (kKeepWeights && (tap < 0 || tap >= XI_KH)) continue;
#pragma unroll
      for (int o = 0; o < kColumns; ++o) {
#pragma unroll
        for (int t = 0; t < XI_KW; ++t) {
#pragma unroll
          for (int c = 0; c < 4; ++c) {
            acc[r][o][c] = fmaf(values[o * XI_SW + t][c], w[kKeepWeights ? tap : 0][t][c], acc[r][o][c]);
          }
        }
      }
    }
  }
  float m[4], b[4];
  load_tables(a, quad, m, b);
#pragma unroll
  for (int r = 0; r < XI_ROWS; ++r) {
    if (row + r >= a.out_h) continue;
#pragma unroll
    for (int o = 0; o < kColumns; ++o) {
      if (column + o >= a.out_w) continue;
      finish4(a, (image * a.out_h + row + r) * a.out_w + column + o, quad, acc[r][o], m, b);
    }
  }
}

#else

/// Any stride and dilation: one output pixel. Weights: [tap][XI_PITCH], s8 for bytes, else floats.
extern "C" __global__ void __launch_bounds__(256, 1) depthwise_general(const DepthwiseArgs a) {
  launch_next();
  const u32 flat = blockIdx.x * blockDim.x + threadIdx.x;
  const int quad = static_cast<int>(flat % kQuads);
  const int column = static_cast<int>(flat / kQuads);
  if (column >= a.out_w) return;
  const int row = static_cast<int>(blockIdx.y);
  const u64 image = blockIdx.z;
  wait_for_previous();

  s32 sums[4] = {};
  float acc[4] = {};
  for (int i = 0; i < a.kernel_h; ++i) {
    const int y = row * a.stride_h - a.pad_h + i * a.dilation_h;
    if (static_cast<u32>(y) >= static_cast<u32>(a.in_h)) continue;
    for (int j = 0; j < a.kernel_w; ++j) {
      const int x = column * a.stride_w - a.pad_w + j * a.dilation_w;
      if (static_cast<u32>(x) >= static_cast<u32>(a.in_w)) continue;
      const XI_T* from = a.x + ((image * a.in_h + y) * a.in_w + x) * XI_PITCH + quad * 4;
      const u32 tap = static_cast<u32>(i * a.kernel_w + j) * XI_PITCH + quad * 4;
      if constexpr (is_byte<XI_T>) {
        const u32 v = *reinterpret_cast<const u32*>(from);
        const u32 w = *reinterpret_cast<const u32*>(static_cast<const s8*>(a.weights) + tap);
#pragma unroll
        for (int c = 0; c < 4; ++c) sums[c] = dot4<XI_T>(v, w & (0xffu << (8 * c)), sums[c]);
      } else {
        float v[4], w[4];
        load_lanes<XI_T, 4>(from, v);
        load_lanes<float, 4>(static_cast<const float*>(a.weights) + tap, w);
#pragma unroll
        for (int c = 0; c < 4; ++c) acc[c] = fmaf(v[c], w[c], acc[c]);
      }
    }
  }
  if constexpr (is_byte<XI_T>) {
#pragma unroll
    for (int c = 0; c < 4; ++c) acc[c] = static_cast<float>(sums[c]);
  }
  float m[4], b[4];
  load_tables(a, quad, m, b);
  finish4(a, (image * a.out_h + row) * a.out_w + column, quad, acc, m, b);
}

#endif
