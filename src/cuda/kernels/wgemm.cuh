#pragma once
// What the two forms of the Hopper GEMM share: arguments, how activations are fetched, and the end.
//
//   output[m][n] = epilogue(sum_k A[m][k] * W[n][k])
//
// A is a matrix of M rows (a padded NHWC tensor under a 1x1 convolution, or padded rows), or, with XI_IM2COL, the rows
// that a convolution's output pixels see, which TMA gathers tap by tap. K runs over (tap, channel), in panels of XI_BK
// bytes of one tap; TMA fills with zeros past the last channel.
//
// Macros: those of wgmma.cuh and epilogue.cuh; XI_BK bytes of K in a panel (32, 64 or 128); XI_IM2COL 0 or 1; XI_PARTS
// 1 where the channels make up several outputs behind each other, of whole tiles each.
#include "epilogue.cuh"
#include "wgmma.cuh"

#ifndef XI_CLUSTER
#define XI_CLUSTER 1  // blocks that fetch activations for each other (streamed form)
#endif

struct WgemmArgs {
  const u8* weights;  ///< [channel tile][panel][XI_BN][XI_BK bytes], swizzled as TMA would; rows as `channel_of` says
  void* output;
  EpilogueArgs epilogue;  ///< its tables in the order in which threads read them: see constants_of
  s32 rows, pitch;        ///< of the output
  s32 row_tiles, channel_tiles;
  s32 panels, tap_panels;  ///< of K: in all, and of one tap
  s32 stages;              ///< tiles (resident form) or panels (streamed form) in flight
  s32 group;               ///< row tiles that go together through all channel tiles (streamed form)
  // Of the convolution:
  s32 out_w, out_h, kernel_w;
  s32 stride_w, stride_h, pad_w, pad_h, dilation_w, dilation_h;
  s32 patch_w, patch_lines, tile_lines;  ///< pixels and lines of input, and lines of output, of one tile (patch form)
  s32 part_tiles;                        ///< channel tiles of one of several outputs
  s64 part_stride;                       ///< elements from one output to the next
};

inline constexpr int kDepth = XI_A == 2 ? XI_BK / 2 : XI_BK;               ///< elements of K in a panel
inline constexpr int kChannels = 16 / static_cast<int>(sizeof(XI_OUT_T));  ///< consecutive ones of a thread: one store
inline constexpr int kGroups = XI_BN / (4 * kChannels);                    ///< such stores of a row by one thread

// ---- activations ----

/// Walks the panels of one tile of rows.
struct PanelWalk {
#if XI_IM2COL
  s32 w, h, image, tap_w, tap_h;
#else
  s32 row;
#endif
  s32 channel;
};

__device__ __forceinline__ PanelWalk walk_from(const WgemmArgs& args, s32 row) {
  PanelWalk walk;
  walk.channel = 0;
#if XI_IM2COL
  const s32 line = row / args.out_w;
  walk.image = line / args.out_h;
  walk.w = (row - line * args.out_w) * args.stride_w - args.pad_w;
  walk.h = (line - walk.image * args.out_h) * args.stride_h - args.pad_h;
  walk.tap_w = walk.tap_h = 0;
#else
  walk.row = row;
#endif
  return walk;
}
__device__ __forceinline__ void copy_panel(const WgemmArgs& args, const TensorMap* map, PanelWalk& walk, u32 shared,
                                           u32 barrier) {
#if XI_IM2COL
#if XI_CLUSTER > 1
  copy_im2col_to(shared, map, walk.channel, walk.w, walk.h, walk.image, walk.tap_w * args.dilation_w,
                 walk.tap_h * args.dilation_h, barrier, (1u << XI_CLUSTER) - 1);
#else
  copy_im2col(shared, map, walk.channel, walk.w, walk.h, walk.image, walk.tap_w * args.dilation_w,
              walk.tap_h * args.dilation_h, barrier);
#endif
  walk.channel += kDepth;
  if (walk.channel >= args.tap_panels * kDepth) {
    walk.channel = 0;
    if (++walk.tap_w == args.kernel_w) {
      walk.tap_w = 0;
      ++walk.tap_h;
    }
  }
#else
#if XI_CLUSTER > 1
  copy_tile_to(shared, map, walk.channel, walk.row, barrier, (1u << XI_CLUSTER) - 1);
#else
  copy_tile(shared, map, walk.channel, walk.row, barrier);
#endif
  walk.channel += kDepth;
#endif
}

// ---- residual: tiles of kRows x XI_BN in shared memory, in pieces of kResidualRow bytes a row ----

#if XI_RESIDUAL
inline constexpr int kResidualBytes = static_cast<int>(sizeof(XI_RESIDUAL_T));
inline constexpr int kResidualRow = XI_BN * kResidualBytes % 128 == 0 ? 128 : 64;
inline constexpr int kResidualPieces = XI_BN * kResidualBytes / kResidualRow;
inline constexpr int kResidualWords = kChannels * kResidualBytes / 4;  ///< that a thread adds to one store

template <int kRows>
__device__ __forceinline__ void copy_residual(const TensorMap* map, u32 shared, s32 channel, s32 row, u32 barrier) {
  barrier_expect(barrier, kRows * XI_BN * kResidualBytes);
#pragma unroll
  for (int i = 0; i < kResidualPieces; ++i) {
    copy_tile(shared + i * kRows * kResidualRow, map, channel + i * (kResidualRow / kResidualBytes), row, barrier);
  }
}
/// The residual of kChannels channels from `channel` (of the tile) on.
template <int kRows>
__device__ __forceinline__ void residual_words(u32 (&words)[kResidualWords], u32 tile, u32 row, u32 channel) {
  const u32 at = channel * kResidualBytes;
  const u32 line = tile + at / kResidualRow * (kRows * kResidualRow) + row * kResidualRow;
  const u32 chunk = at % kResidualRow / 16;
  if constexpr (kResidualWords >= 4) {
#pragma unroll
    for (int i = 0; i < kResidualWords / 4; ++i) {
      asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                   : "=r"(words[4 * i]), "=r"(words[4 * i + 1]), "=r"(words[4 * i + 2]), "=r"(words[4 * i + 3])
                   : "r"(line + swizzled_chunk<kResidualRow>(row, chunk + i) * 16)
                   : "memory");
    }
  } else {
    const u32 address = line + swizzled_chunk<kResidualRow>(row, chunk) * 16 + at % 16;
#pragma unroll
    for (int i = 0; i < kResidualWords; ++i) {
      asm volatile("ld.shared.u32 %0, [%1];" : "=r"(words[i]) : "r"(address + 4 * i) : "memory");
    }
  }
}
template <class Residual>
__device__ __forceinline__ float residual_value(const u32 (&words)[kResidualWords], int i) {
  if constexpr (sizeof(Residual) == 2) {
    return to_float(half_t{static_cast<u16>(words[i / 2] >> (i % 2 * 16))});
  } else {
    // The byte as the lowest bits of 2^23, less 2^23: exact, and cheaper than a conversion.
    constexpr bool kSigned = static_cast<Residual>(-1) < static_cast<Residual>(1);
    const u32 word = kSigned ? words[i / 4] ^ 0x80808080u : words[i / 4];
    return __uint_as_float(__byte_perm(word, 0x4b000000u, 0x7440 + i % 4)) - (kSigned ? 8388736.0f : 8388608.0f);
  }
}
#endif

// ---- the end ----

/// Multipliers and biases of the channels of one store.
struct Constants {
  float multiplier[kChannels], bias[kChannels];
};
/// The tables are ordered [channel tile][group][four channels][t], so that a warp reads 64 consecutive bytes.
__device__ __forceinline__ Constants constants_of(const EpilogueArgs& e, s32 channel_tile, int group, u32 t) {
  Constants c;
#pragma unroll
  for (int v = 0; v < kChannels / 4; ++v) {
    const s32 at = ((channel_tile * kGroups + group) * (kChannels / 4) + v) * 4 + t;
    const float4 m = __ldg(reinterpret_cast<const float4*>(e.multiplier) + at);
    const float4 b = __ldg(reinterpret_cast<const float4*>(e.bias) + at);
    c.multiplier[4 * v] = m.x, c.multiplier[4 * v + 1] = m.y, c.multiplier[4 * v + 2] = m.z;
    c.multiplier[4 * v + 3] = m.w;
    c.bias[4 * v] = b.x, c.bias[4 * v + 1] = b.y, c.bias[4 * v + 2] = b.z, c.bias[4 * v + 3] = b.w;
  }
  return c;
}

inline constexpr bool kRelu = Unary::XI_ACTIVATION == Unary::kRelu && !XI_STEP;
/// ReLU at no cost: as part of the instruction that rounds and packs two values to s8 or to half. Packing to u8 does it
/// anyway. (There, a max before it would be fused into F2IP.U8.RELU, which an H100 rejects as illegal.)
inline constexpr bool kFusedRelu = kRelu && sizeof(XI_OUT_T) <= 2;

/// finish(), less the ReLU where pack() does it.
__device__ __forceinline__ float end_of(const EpilogueArgs& e, Accumulator acc, float multiplier, float bias, float r) {
  if constexpr (kFusedRelu) {
    float y = fmaf(static_cast<float>(acc), multiplier, bias);
#if XI_RESIDUAL
    y = fmaf(r, e.residual_scale, y);
#endif
    return y;
  } else {
    return finish(e, acc, multiplier, bias, r);
  }
}

/// Two halves, the first in the lower bits, kept finite as from_float() does (but true infinities, which a product has
/// only where its operands have them, are not told from overflow).
__device__ __forceinline__ u32 finite_halves(float a, float b) {
  u32 word;
  if constexpr (kFusedRelu) {
    asm("cvt.rn.relu.satfinite.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(b), "f"(a));
  } else {
    asm("cvt.rn.satfinite.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(b), "f"(a));
  }
  return word;
}

/// kChannels values as 16 bytes.
template <class Out>
__device__ __forceinline__ Vector16 pack(const float (&y)[kChannels]) {
  if constexpr (sizeof(Out) == 1) {
    // max(), rounding and packing fuse into F2IP.S8.RELU, which rounds NaN to 0 as max does.
    constexpr bool kMax = kFusedRelu && static_cast<Out>(-1) < static_cast<Out>(1);
    u32 words[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      words[i] = kMax ? pack4<Out>(fmaxf(y[4 * i], 0.0f), fmaxf(y[4 * i + 1], 0.0f), fmaxf(y[4 * i + 2], 0.0f),
                                   fmaxf(y[4 * i + 3], 0.0f))
                      : pack4<Out>(y[4 * i], y[4 * i + 1], y[4 * i + 2], y[4 * i + 3]);
    }
    return {words[0], words[1], words[2], words[3]};
  } else if constexpr (sizeof(Out) == 2) {
    return {finite_halves(y[0], y[1]), finite_halves(y[2], y[3]), finite_halves(y[4], y[5]), finite_halves(y[6], y[7])};
  } else {
    return {__float_as_uint(y[0]), __float_as_uint(y[1]), __float_as_uint(y[2]), __float_as_uint(y[3])};
  }
}

/// Where the output begins that has the tile's channels, and how many of them lie in outputs before.
struct Part {
  XI_OUT_T* output;
  s32 first_channel;
};
__device__ __forceinline__ Part part_of(const WgemmArgs& args, s32 channel_tile) {
  Part part{static_cast<XI_OUT_T*>(args.output), 0};
#if XI_PARTS
  const s32 index = channel_tile / args.part_tiles;
  part.output += index * args.part_stride;
  part.first_channel = index * args.part_tiles * XI_BN;
#endif
  return part;
}

#if XI_RESIDUAL
using ResidualWords = u32[kResidualWords];
#else
using ResidualWords = u32[1];
#endif

/// Ends the kChannels outputs of one group that this thread holds in its upper (h = 0) or lower (h = 1) row.
__device__ __forceinline__ Vector16 end_group(const EpilogueArgs& e, const Accumulator (&acc)[XI_BN / 2],
                                              const Constants& c, int group, int h, const ResidualWords& words) {
  float y[kChannels];
#pragma unroll
  for (int i = 0; i < kChannels; ++i) {
    float r = 0.0f;
#if XI_RESIDUAL
    r = residual_value<XI_RESIDUAL_T>(words, i);
#endif
    y[i] = end_of(e, acc[4 * (kChannels / 2 * group + i / 2) + 2 * h + i % 2], c.multiplier[i], c.bias[i], r);
  }
  return pack<XI_OUT_T>(y);
}

/// Ends and stores the part of 64 x XI_BN outputs that this thread holds in rows m and m + 8, channels of one group.
/// `residual` is where the 64 rows start in a tile of kRows.
template <int kRows>
__device__ __forceinline__ void store_group(const WgemmArgs& args, const Accumulator (&acc)[XI_BN / 2],
                                            const Constants& c, s32 channel_tile, int group, s32 m, u32 t,
                                            u32 residual_tile, u32 residual_row) {
  const s32 in_tile = group * 4 * kChannels + t * kChannels;
  const Part part = part_of(args, channel_tile);
  const s32 channel = channel_tile * XI_BN - part.first_channel + in_tile;
  if (channel >= args.pitch) return;
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    ResidualWords words;
#if XI_RESIDUAL
    residual_words<kRows>(words, residual_tile, residual_row + 8 * h, in_tile);
#endif
    const Vector16 out = end_group(args.epilogue, acc, c, group, h, words);
    const s32 row = m + 8 * h;
    if (row < args.rows) {
      const u64 at = static_cast<u64>(row) * args.pitch + channel;
      *reinterpret_cast<Vector16*>(part.output + at) = out;
    }
  }
}
