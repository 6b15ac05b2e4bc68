// Pooling over nhwc. A thread computes 16 bytes of neighbouring channels.
//
// Macros: XI_T the element type (s8, u8, half_t, float); for max_pool XI_KH, XI_KW, XI_SH, XI_SW (window and strides)
// and XI_COLUMNS (output columns of one thread); for the other entries XI_AVERAGE (1, with XI_OUT_T, or 0: the
// maximum).
#include "lanes.cuh"

constexpr int kWords = 4;  // 16 bytes

struct PoolAxis {
  int in, out, kernel, stride, dilation, pad;
  int limit;  ///< positions below it count where padding counts
};
struct PoolArgs {
  const void* x;
  void* y;
  const float* factor;  ///< of an average over i elements; [0] for none
  int vectors;          ///< of one pixel
  int count_padding;
  u32 threads;
  PoolAxis depth, height, width;
};

#if !defined(XI_AVERAGE) || !XI_AVERAGE
/// The larger of each element; the second where one is NaN.
__device__ __forceinline__ u32 larger(u32 a, u32 b) {
  if constexpr (same_type<XI_T, s8>) {
    return __vmaxs4(a, b);
  } else if constexpr (same_type<XI_T, u8>) {
    return __vmaxu4(a, b);
  } else if constexpr (same_type<XI_T, half_t>) {
#if __CUDA_ARCH__ >= 800
    u32 y;
    asm("max.NaN.f16x2 %0, %1, %2;" : "=r"(y) : "r"(a), "r"(b));
    return y;
#else
    const u32 words[2] = {a, b};
    float v[4];
    unpack<half_t, 4>(words, v);
    return pack2_half(v[2] < v[0] ? v[0] : v[2], v[3] < v[1] ? v[1] : v[3]);
#endif
  } else {
    return __uint_as_float(b) < __uint_as_float(a) ? a : b;
  }
}
__device__ __forceinline__ u32 lowest() {
  if constexpr (same_type<XI_T, s8>)
    return 0x80808080u;
  else if constexpr (same_type<XI_T, u8>)
    return 0u;
  else if constexpr (same_type<XI_T, half_t>)
    return 0xFC00FC00u;
  else
    return 0xFF800000u;
}
#endif

#ifdef XI_KH

/// Maximum over windows without dilation. Every window touches the image and is a rectangle, so positions outside may
/// be moved to the nearest one inside without changing the maximum.
extern "C" __global__ void __launch_bounds__(256) max_pool(const PoolArgs a) {
  constexpr int kSpan = (XI_COLUMNS - 1) * XI_SW + XI_KW;
  launch_next();
  const u32 flat = blockIdx.x * blockDim.x + threadIdx.x;
  const u32 vector = flat % static_cast<u32>(a.vectors);
  const int column = static_cast<int>(flat / static_cast<u32>(a.vectors)) * XI_COLUMNS;
  if (column >= a.width.out) return;
  const int row = static_cast<int>(blockIdx.y);
  const u64 image = blockIdx.z;
  int place[kSpan];  // of each column, in vectors
#pragma unroll
  for (int j = 0; j < kSpan; ++j) {
    place[j] = min(max(column * XI_SW - a.width.pad + j, 0), a.width.in - 1) * a.vectors + static_cast<int>(vector);
  }
  wait_for_previous();
  u32 best[kSpan][kWords];
#pragma unroll
  for (int i = 0; i < XI_KH; ++i) {
    const int y = min(max(row * XI_SH - a.height.pad + i, 0), a.height.in - 1);
    const Vector16* from = static_cast<const Vector16*>(a.x) + (image * a.height.in + y) * a.width.in * a.vectors;
#pragma unroll
    for (int j = 0; j < kSpan; ++j) {
      u32 words[kWords];
      load_words(from + place[j], words);
#pragma unroll
      for (int k = 0; k < kWords; ++k) best[j][k] = i == 0 ? words[k] : larger(best[j][k], words[k]);
    }
  }
  Vector16* to =
      static_cast<Vector16*>(a.y) + ((image * a.height.out + row) * a.width.out + column) * a.vectors + vector;
#pragma unroll
  for (int o = 0; o < XI_COLUMNS; ++o) {
    if (column + o >= a.width.out) continue;
    u32 words[kWords];
#pragma unroll
    for (int k = 0; k < kWords; ++k) {
      words[k] = best[o * XI_SW][k];
#pragma unroll
      for (int j = 1; j < XI_KW; ++j) words[k] = larger(words[k], best[o * XI_SW + j][k]);
    }
    store_words(to + o * a.vectors, words);
  }
}

#else

/// Any window over up to three axes: one output pixel.
extern "C" __global__ void __launch_bounds__(256, 1) pool_general(const PoolArgs a) {
  launch_next();
  const u32 flat = blockIdx.x * blockDim.x + threadIdx.x;
  if (flat >= a.threads) return;
  const u32 vector = flat % static_cast<u32>(a.vectors);
  const u32 pixel = flat / static_cast<u32>(a.vectors);
  const int column = static_cast<int>(pixel % static_cast<u32>(a.width.out));
  u32 rest = pixel / static_cast<u32>(a.width.out);
  const int row = static_cast<int>(rest % static_cast<u32>(a.height.out));
  rest /= static_cast<u32>(a.height.out);
  const int slice = static_cast<int>(rest % static_cast<u32>(a.depth.out));
  const u64 image = rest / static_cast<u32>(a.depth.out);
  wait_for_previous();

  const Vector16* const x = static_cast<const Vector16*>(a.x) + vector;
  int counted = 0;  // taps in the image or in padding that counts
#if XI_AVERAGE
  constexpr int kLanes = 16 / static_cast<int>(sizeof(XI_T));
  float sum[kLanes] = {};
  s32 exact[kLanes] = {};
#else
  u32 best[kWords];
#pragma unroll
  for (int k = 0; k < kWords; ++k) best[k] = lowest();
#endif
  for (int d = 0; d < a.depth.kernel; ++d) {
    const int z = slice * a.depth.stride - a.depth.pad + d * a.depth.dilation;
    if (z >= a.depth.limit) continue;
    for (int i = 0; i < a.height.kernel; ++i) {
      const int y = row * a.height.stride - a.height.pad + i * a.height.dilation;
      if (y >= a.height.limit) continue;
      for (int j = 0; j < a.width.kernel; ++j) {
        const int at = column * a.width.stride - a.width.pad + j * a.width.dilation;
        if (at >= a.width.limit) continue;
        const bool inside = static_cast<u32>(z) < static_cast<u32>(a.depth.in) &&
                            static_cast<u32>(y) < static_cast<u32>(a.height.in) &&
                            static_cast<u32>(at) < static_cast<u32>(a.width.in);
        counted += inside || a.count_padding ? 1 : 0;
        if (!inside) continue;
        u32 words[kWords];
        load_words(x + (((image * a.depth.in + z) * a.height.in + y) * a.width.in + at) * a.vectors, words);
#if XI_AVERAGE
        if constexpr (is_byte<XI_T>) {
#pragma unroll
          for (int k = 0; k < kLanes; ++k) exact[k] = dot4<XI_T>(words[k / 4], 1u << (8 * (k % 4)), exact[k]);
        } else {
          float values[kLanes];
          unpack<XI_T, kLanes>(words, values);
#pragma unroll
          for (int k = 0; k < kLanes; ++k) sum[k] += values[k];
        }
#else
#pragma unroll
        for (int k = 0; k < kWords; ++k) best[k] = larger(best[k], words[k]);
#endif
      }
    }
  }
#if XI_AVERAGE
  const float factor = a.factor[counted];
#pragma unroll
  for (int k = 0; k < kLanes; ++k) {
    sum[k] = is_byte<XI_T> ? static_cast<float>(exact[k]) * factor : sum[k] * factor;
  }
  store_lanes<XI_OUT_T, kLanes>(static_cast<XI_OUT_T*>(a.y) + static_cast<u64>(flat) * kLanes, sum);
#else
  store_words(static_cast<Vector16*>(a.y) + flat, best);
#endif
}

#endif
