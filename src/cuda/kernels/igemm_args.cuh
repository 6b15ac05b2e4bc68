#pragma once
// Constants and arguments of igemm.cu.
//
//   XI_TILE_M, XI_TILE_N  rows and columns of the output that one block computes
//   XI_TILE_K             bytes of K that one pipeline stage holds: 64 or 128
//   XI_STAGES             pipeline stages; 2 on sm_75
//   XI_WARPS_M, XI_WARPS_N  how the block's warps divide the tile
//   XI_CONV     1: rows of A are gathered at filter taps; 0: A is a matrix
//   XI_BATCHED  1: blockIdx.z selects a group of a convolution or a pair of matrices
//   XI_SPLIT    1: blockIdx.y selects a part of K
//   XI_B        what B is: 0 packed weights, 1 an activation with K innermost, 2 an activation with columns innermost
#include "epilogue.cuh"
#include "igemm_mma.cuh"

/// One axis that blockIdx.z runs over (innermost first), and how far the operands lie apart along it, in bytes.
struct BatchAxis {
  u32 size;
  u32 unused;
  s64 a, b;
};

/// Division of numbers below 2^31 by a constant: n / value = (n * multiplier) >> (32 + shift), as in Granlund and
/// Montgomery, "Division by Invariant Integers using Multiplication" (1994).
struct Divisor {
  s32 value;
  u32 multiplier, shift;  ///< 0, 0 for the value 1

  __device__ __forceinline__ s32 divide(s32 n) const {
    return value == 1 ? n : static_cast<s32>(__umulhi(static_cast<u32>(n), multiplier) >> shift);
  }
};

struct IgemmArgs {
  const u8* a;
  const u8* b;
  u8* out;
  Vector16* partials;  ///< split: accumulators of every tile and part, in fragment order
  u32* arrived;        ///< split: how many parts of a tile are done; zero between launches
  EpilogueArgs epilogue;
  BatchAxis batch[3];
  s64 out_batch;    ///< elements of the output (and the residual) per blockIdx.z
  s32 table_batch;  ///< channels per blockIdx.z
  s32 rows;         ///< M
  s32 columns;      ///< stored columns: a multiple of 16
  s32 channels;     ///< of these, the ones with a meaning
  s32 out_pitch;    ///< elements from row to row of the output
  Divisor tiles_n;
  s32 steps;        ///< of XI_TILE_K bytes, in all of K
  s32 split_steps;  ///< per part
  s32 a_pitch;      ///< bytes from row to row of A (from pixel to pixel of an image)
  s32 b_pitch;      ///< bytes from row to row of B
  s32 a_bytes;      ///< bytes of K in a row of A; beyond them zeros are taken
  s32 b_bytes;      ///< bytes of K in a row of B; with columns innermost: rows of B
  // A convolution's own.
  s32 tap_bytes;  ///< bytes of K per filter tap: a multiple of 16
  s32 image_bytes;
  Divisor out_positions, out_w;
  s32 in_h, in_w;
  s32 kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_h, pad_w;
};

constexpr int kWarps = XI_WARPS_M * XI_WARPS_N;
constexpr int kThreads = kWarps * 32;
constexpr int kWarpRows = XI_TILE_M / XI_WARPS_M;
constexpr int kWarpColumns = XI_TILE_N / XI_WARPS_N;
constexpr int kBlocksM = kWarpRows / 16;  // mma tiles of a warp
constexpr int kBlocksN = kWarpColumns / 8;
constexpr int kBytesA = XI_TILE_M * XI_TILE_K;
constexpr int kBytesB = XI_TILE_N * XI_TILE_K;
constexpr int kStageBytes = kBytesA + kBytesB;
static_assert(kBlocksN % 2 == 0, "columns of B are fetched in pairs of mma tiles");
