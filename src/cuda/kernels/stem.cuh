#pragma once
// What both kernels of first layers share (stem.cu, stem_wgmma.cu): convolutions of images of up to four channels,
// stored as pixels of four. k runs over taps times four channels, so that three channels waste a quarter of the work,
// where padding them to 16 would waste four fifths of it and of the reads.
//
// Blocks are persistent: each walks over tiles of 16 x 16 output pixels of one image and copies the input patch of the
// next one while it computes. Taps come in groups of four neighbours of one kernel row: that is 16 bytes of k for
// bytes, 32 for halves, and a lane's part of an A fragment at a group is one pixel: one register (bytes) or two
// (halves). A lane's output channels come in runs of 16 bytes: the host orders the weights so (cuda/stem.cpp).
//
// Macros beside the epilogue's: XI_T (s8, u8, half_t), XI_KH, XI_KW, XI_SH, XI_SW (kernel and strides), XI_ALIGN
// (pixels that are copied at once: 16 bytes of them where rows allow it, or 1), XI_SHIFT (columns that the patch begins
// before the first tap, so that copies are aligned), XI_TILES (columns of 8 output channels computed at once: 4 or 8),
// XI_WARPS and XI_BLOCKS (warps of a block, and blocks that shall fit on a multiprocessor), XI_KEEP (see StemTables).
#include "finish_lanes.cuh"

struct StemArgs {
  const XI_T* x;
  const Vector16* weights;
  XI_OUT_T* y;
  int in_h, in_w, out_h, out_w, pad_h, pad_w;
  int out_pitch;  ///< output channels, padded
  int chunks;     ///< of 8 * XI_TILES output channels
  int tiles_h, tiles_w, tiles;
  EpilogueArgs epilogue;
};

constexpr bool kHalf = same_type<XI_T, half_t>;
constexpr int kThreads = XI_WARPS * 32, kTileSide = 16;
constexpr int kPixelWords = kHalf ? 2 : 1;
constexpr int kRowGroups = (XI_KW + 3) / 4;
constexpr int kGroups = XI_KH * kRowGroups;
constexpr int kGroupsPerStep = kHalf ? 1 : 2;
constexpr int kSteps = (kGroups + kGroupsPerStep - 1) / kGroupsPerStep;
constexpr int kPatchRows = (kTileSide - 1) * XI_SH + XI_KH;
constexpr int kPatchColumns =
    ((kTileSide - 1) * XI_SW + 4 * kRowGroups + XI_SHIFT + XI_ALIGN - 1) / XI_ALIGN * XI_ALIGN;
constexpr int kRowWords = kPatchColumns * kPixelWords;
constexpr int kPatchBytes = (kPatchRows * kRowWords * 4 + 15) / 16 * 16;
constexpr int kCopies = kPatchColumns / XI_ALIGN;  // of one row
constexpr int kChunkChannels = 8 * XI_TILES;
constexpr int kChunkVectors = kSteps * XI_TILES * 8 * 2;  // of weights: 32 bytes for each channel and step

template <class T>
struct StemAcc {
  using Type = s32;
};
template <>
struct StemAcc<half_t> {
  using Type = float;
};
using Acc = StemAcc<XI_T>::Type;

/// Copies kBytes, or writes zeros, without waiting.
template <int kBytes>
__device__ __forceinline__ void copy_async(u32 to, const void* from, bool really) {
  const int bytes = really ? kBytes : 0;
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(from), "n"(kBytes), "r"(bytes)
                 : "memory");
  }
}
__device__ __forceinline__ void wait_for_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }

struct StemTile {
  u32 image;
  int row, column;  ///< the first ones of the output
};
__device__ __forceinline__ StemTile tile_at(const StemArgs& a, int tile) {
  const int rest = tile / a.tiles_w;
  const int image = rest / a.tiles_h;
  return {static_cast<u32>(image), (rest - image * a.tiles_h) * kTileSide, (tile - rest * a.tiles_w) * kTileSide};
}

/// Starts to copy the patch of a tile; columns and rows outside of the image become zeros.
__device__ __forceinline__ void copy_patch(const StemArgs& a, const StemTile& tile, u32 patch) {
  const int y0 = tile.row * XI_SH - a.pad_h, x0 = tile.column * XI_SW - a.pad_w - XI_SHIFT;
  const XI_T* const image = a.x + static_cast<u64>(tile.image) * a.in_h * a.in_w * 4;
#pragma unroll
  for (int i = static_cast<int>(threadIdx.x); i < kPatchRows * kCopies; i += kThreads) {
    const int r = i / kCopies, c = i - r * kCopies;
    const int y = y0 + r, x = x0 + c * XI_ALIGN;
    // Where several pixels are copied at once, the image's width is a multiple of their number, and so is x.
    const bool inside =
        static_cast<u32>(y) < static_cast<u32>(a.in_h) && static_cast<u32>(x) < static_cast<u32>(a.in_w);
    const XI_T* from = inside ? image + (y * a.in_w + x) * 4 : a.x;
    copy_async<4 * kPixelWords * XI_ALIGN>(patch + (r * kRowWords + c * XI_ALIGN * kPixelWords) * 4, from, inside);
  }
}

// Steps come in turns of one kernel row each, or two where one row fills half a step of bytes. In that case a last row
// may be missing: what is read for it has zero weights.
constexpr int kTurnRows = kHalf || kRowGroups == 2 ? 1 : 2;
constexpr int kTurnSteps = kHalf ? kRowGroups : 1;
constexpr int kTurns = (XI_KH + kTurnRows - 1) / kTurnRows;
static_assert(kRowGroups <= 2 && kTurns * kTurnSteps == kSteps);

/// The A registers of 16 output pixels at step `s` of turn `turn`; `patch` points to the lane's pixel at the first tap.
__device__ __forceinline__ void load_a(const u32* patch, int turn, int s, u32 (&a)[4]) {
  constexpr int kNext = 8 * XI_SW * kPixelWords;  // eight output pixels further
  const u32* const at = patch + turn * kTurnRows * kRowWords;
  if constexpr (kHalf) {
    const u64 low = *reinterpret_cast<const u64*>(at + s * 8), high = *reinterpret_cast<const u64*>(at + s * 8 + kNext);
    a[0] = static_cast<u32>(low), a[2] = static_cast<u32>(low >> 32);
    a[1] = static_cast<u32>(high), a[3] = static_cast<u32>(high >> 32);
  } else {
    constexpr int kSecond = kRowGroups == 2 ? 4 : kRowWords;
    a[0] = at[0], a[1] = at[kNext];
    a[2] = at[kSecond], a[3] = at[kSecond + kNext];
  }
}

/// Where the lane's pixel of row `row` of a tile lies in the patch, in words.
__device__ __forceinline__ int place_of(int row, int lane) {
  return row * XI_SH * kRowWords + (lane / 4 * XI_SW + lane % 4 + XI_SHIFT) * kPixelWords;
}

constexpr int kLane = 2 * XI_TILES;  // output channels of a lane
constexpr int kFullRun = 16 / static_cast<int>(sizeof(XI_OUT_T));
constexpr int kRun = kLane < kFullRun ? kLane : kFullRun;  // neighbours among them

/// The first channel of a lane's run.
__device__ __forceinline__ int channel_of(int chunk, int run) {
  return chunk * kChunkChannels + run * 4 * kRun + static_cast<int>(threadIdx.x) % 4 * kRun;
}

/// Multipliers and biases of the lane's channels: in registers (XI_KEEP, where there is one chunk), or in shared
/// memory.
struct StemTables {
#if XI_KEEP
  float m[kLane], b[kLane];
#else
  const float* all;  ///< multipliers, then biases
#endif
};

/// Ends one row of 16 output pixels for the channels of a chunk. The lane holds columns 2t and 2t + 1 (t = lane % 4) of
/// each tile of pixels lane / 4 (acc[.][0..1]) and lane / 4 + 8 (acc[.][2..3]).
__device__ __forceinline__ void finish_row(const StemArgs& a, const StemTile& tile, int row, int chunk,
                                           const StemTables& tables, const Acc (&acc)[XI_TILES][4]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int y = tile.row + row, x = tile.column + lane / 4;
  if (y >= a.out_h) return;
  XI_OUT_T* const to = a.y + ((static_cast<u64>(tile.image) * a.out_h + y) * a.out_w + x) * a.out_pitch;
#pragma unroll
  for (int run = 0; run < kLane / kRun; ++run) {
    const int channel = channel_of(chunk, run);
    if (channel >= a.out_pitch) continue;
    u32 words[2][words_of<XI_OUT_T, kRun>];
#pragma unroll
    for (int part = 0; part < kRun / 4; ++part) {
      float m[4], b[4];
#if XI_KEEP
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        m[c] = tables.m[run * kRun + 4 * part + c];
        b[c] = tables.b[run * kRun + 4 * part + c];
      }
#else
      load_lanes<float, 4>(tables.all + channel + 4 * part, m);
      load_lanes<float, 4>(tables.all + a.chunks * kChunkChannels + channel + 4 * part, b);
#endif
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        constexpr float kNone[4] = {};
        Acc here[4];
#pragma unroll
        for (int c = 0; c < 4; ++c) {
          const int at = run * kRun + part * 4 + c;
          here[c] = acc[at / 2][2 * half + at % 2];
        }
        u32 packed[words_of<XI_OUT_T, 4>];
        finish_lanes(a.epilogue, here, m, b, kNone, packed);
#pragma unroll
        for (int k = 0; k < words_of<XI_OUT_T, 4>; ++k) words[half][part * words_of<XI_OUT_T, 4> + k] = packed[k];
      }
    }
    if (x < a.out_w) store_words(to + channel, words[0]);
    if (x + 8 < a.out_w) store_words(to + 8 * a.out_pitch + channel, words[1]);
  }
}

/// Starts to copy weights and tables, which stay for the whole kernel.
__device__ __forceinline__ StemTables copy_weights(const StemArgs& a, u32 weights, float* shared) {
  for (int i = static_cast<int>(threadIdx.x); i < a.chunks * kChunkVectors; i += kThreads) {
    copy_async<16>(weights + i * 16, a.weights + i, true);
  }
  StemTables tables;
#if XI_KEEP
#pragma unroll
  for (int i = 0; i < kLane; ++i) {
    tables.m[i] = a.epilogue.multiplier[channel_of(0, i / kRun) + i % kRun];
    tables.b[i] = a.epilogue.bias[channel_of(0, i / kRun) + i % kRun];
  }
#else
  for (int i = static_cast<int>(threadIdx.x); i < a.chunks * kChunkChannels; i += kThreads) {
    shared[i] = a.epilogue.multiplier[i];
    shared[a.chunks * kChunkChannels + i] = a.epilogue.bias[i];
  }
  tables.all = shared;
#endif
  return tables;
}
