#pragma once
// Global memory to shared memory: rows of K bytes, in 16-byte chunks that are permuted so that ldmatrix and the copies
// are free of bank conflicts.
#include "igemm_args.cuh"

/// Offset of a chunk in a tile of rows of XI_TILE_K bytes. Eight rows at one chunk, and one row's chunks, lie in eight
/// different groups of four banks: a row of 128 bytes covers all banks, so its chunks are permuted by row % 8; of rows
/// of 64 bytes a pair covers them, so they are permuted by (row / 2) % 4.
__device__ __forceinline__ u32 chunk_offset(u32 row, u32 chunk) {
  constexpr u32 kMask = XI_TILE_K / 16 - 1;
  const u32 permuted = chunk ^ ((XI_TILE_K == 128 ? row : row >> 1) & kMask);
  return row * XI_TILE_K + permuted * 16;
}

#if !XI_TURING
/// Starts copying the first `bytes` (0 to 16) of a chunk; the rest becomes zero.
__device__ __forceinline__ void copy_chunk(u32 to, const void* from, s32 bytes) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
}
__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int kPending>
__device__ __forceinline__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}
#endif

__device__ __forceinline__ Vector16 load_vector(const void* from) {
  Vector16 v;
  asm volatile("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(from));
  return v;
}
__device__ __forceinline__ void store_shared(u32 to, const Vector16& v) {
  asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
}
__device__ __forceinline__ Vector16 load_shared(u32 from) {
  Vector16 v;
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "r"(from));
  return v;
}
/// Four bytes of which the first `count` (any number) are kept.
__device__ __forceinline__ u32 keep_bytes(u32 word, s32 count) {
  return count >= 4 ? word : count <= 0 ? 0u : word & ((1u << (8 * count)) - 1u);
}
__device__ __forceinline__ Vector16 keep_bytes(const Vector16& v, s32 count) {
  return {keep_bytes(v.x, count), keep_bytes(v.y, count - 4), keep_bytes(v.z, count - 8), keep_bytes(v.w, count - 12)};
}

/// What loaders of both operands have in common: kPasses chunks a thread, each with its own offset from a base.
template <int kPasses>
struct Chunks {
  const u8* base;
  s32 offset[kPasses];
  Vector16 held[kPasses];  // sm_75: between fetch() and put()

  __device__ __forceinline__ void fetch_one(int pass, u32 to, s32 position, s32 bytes) {
    const u8* from = base + (offset[pass] + position);
#if !XI_TURING
    copy_chunk(to, from, bytes);
#else
    held[pass] = bytes > 0 ? keep_bytes(load_vector(from), bytes) : Vector16{0, 0, 0, 0};
#endif
  }
};

constexpr int kRowChunks = XI_TILE_K / 16;
constexpr int kRowsPerPass = kThreads / kRowChunks;
static_assert(kRowsPerPass % 8 == 0, "all chunks of a thread are permuted alike");

/// Rows of A.
struct LoaderA {
  static constexpr int kPasses = XI_TILE_M / kRowsPerPass;
  static_assert(XI_TILE_M % kRowsPerPass == 0);
  Chunks<kPasses> chunks;
  u32 shared;    // offset of the first chunk in a tile
  s32 position;  // bytes from a row's start to the chunk of the next stage (to the tap, in a convolution)
  s32 in_k;      // the same in K; in a convolution: in the current tap
#if XI_CONV
  u32 inside[kPasses];  // bit r: tap row r meets the image; bit 16 + s: tap column s does
  s32 tap_row, tap_column;
#endif

  __device__ __forceinline__ LoaderA(const IgemmArgs& args, const u8* a, s32 first_row, s32 first_step) {
    const s32 chunk = threadIdx.x % kRowChunks;
    const s32 thread_row = threadIdx.x / kRowChunks;
    shared = chunk_offset(thread_row, chunk);
    const s32 start = (first_step * kRowChunks + chunk) * 16;
#if XI_CONV
    const s32 first_image = args.out_positions.divide(first_row);
    chunks.base = a + static_cast<s64>(first_image) * args.image_bytes;
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      const s32 row = min(first_row + thread_row + i * kRowsPerPass, args.rows - 1);
      const s32 image = args.out_positions.divide(row);
      const s32 within = row - image * args.out_positions.value;
      const s32 out_y = args.out_w.divide(within);
      const s32 y = out_y * args.stride_h - args.pad_h;
      const s32 x = (within - out_y * args.out_w.value) * args.stride_w - args.pad_w;
      chunks.offset[i] = (image - first_image) * args.image_bytes + (y * args.in_w + x) * args.a_pitch;
      u32 bits = 0;
      for (s32 r = 0; r < args.kernel_h; ++r) {
        if (static_cast<u32>(y + r * args.dilation_h) < static_cast<u32>(args.in_h)) bits |= 1u << r;
      }
      for (s32 s = 0; s < args.kernel_w; ++s) {
        if (static_cast<u32>(x + s * args.dilation_w) < static_cast<u32>(args.in_w)) bits |= 0x10000u << s;
      }
      inside[i] = bits;
    }
    const s32 tap = start / args.tap_bytes;
    in_k = start - tap * args.tap_bytes;
    tap_row = tap / args.kernel_w;
    tap_column = tap - tap_row * args.kernel_w;
    position = (tap_row * args.dilation_h * args.in_w + tap_column * args.dilation_w) * args.a_pitch + in_k;
#else
    chunks.base = a + static_cast<s64>(first_row) * args.a_pitch;
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      const s32 row = min(thread_row + i * kRowsPerPass, args.rows - 1 - first_row);
      chunks.offset[i] = row * args.a_pitch;
    }
    position = start;
    in_k = start;
#endif
  }

  /// Fetches the next stage.
  __device__ __forceinline__ void fetch(const IgemmArgs& args, u32 tile) {
#if XI_CONV
    const bool live = tap_row < args.kernel_h;
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      const bool take = live && ((inside[i] >> tap_row) & (inside[i] >> (16 + tap_column)) & 1u) != 0;
      chunks.fetch_one(i, tile + shared + i * kRowsPerPass * XI_TILE_K, position, take ? 16 : 0);
    }
    in_k += XI_TILE_K;
    position += XI_TILE_K;
    while (in_k >= args.tap_bytes) {  // on to the next tap
      in_k -= args.tap_bytes;
      position += args.dilation_w * args.a_pitch - args.tap_bytes;
      if (++tap_column == args.kernel_w) {
        tap_column = 0;
        ++tap_row;
        position += (args.dilation_h * args.in_w - args.kernel_w * args.dilation_w) * args.a_pitch;
      }
    }
#else
    const s32 bytes = max(0, min(16, args.a_bytes - in_k));
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      chunks.fetch_one(i, tile + shared + i * kRowsPerPass * XI_TILE_K, position, bytes);
    }
    in_k += XI_TILE_K;
    position += XI_TILE_K;
#endif
  }

#if XI_TURING
  __device__ __forceinline__ void put(u32 tile) const {
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      store_shared(tile + shared + i * kRowsPerPass * XI_TILE_K, chunks.held[i]);
    }
  }
#endif
};

#if XI_B < 2
/// Rows of B: one a column of the output.
struct LoaderB {
  static constexpr int kPasses = XI_TILE_N / kRowsPerPass;
  static_assert(XI_TILE_N % kRowsPerPass == 0);
  static constexpr int kPassBytes = kRowsPerPass * XI_TILE_K;
  Chunks<kPasses> chunks;
  u32 shared;
  s32 in_k;

  __device__ __forceinline__ LoaderB(const IgemmArgs& args, const u8* b, s32 first_column, s32 first_step) {
    const s32 chunk = threadIdx.x % kRowChunks;
    const s32 thread_row = threadIdx.x / kRowChunks;
    shared = chunk_offset(thread_row, chunk);
    chunks.base = b + static_cast<s64>(first_column) * args.b_pitch;
    // Packed weights have a row for each stored column, an activation only for those with a meaning. What is computed
    // for the columns beyond is not stored, or overwritten with zeros.
    const s32 last = (XI_B == 0 ? args.columns : args.channels) - 1 - first_column;
#pragma unroll
    for (int i = 0; i < kPasses; ++i) chunks.offset[i] = min(thread_row + i * kRowsPerPass, last) * args.b_pitch;
    in_k = (first_step * kRowChunks + chunk) * 16;
  }

  __device__ __forceinline__ void fetch(const IgemmArgs& args, u32 tile) {
    const s32 bytes = in_k < args.b_bytes ? 16 : 0;
#pragma unroll
    for (int i = 0; i < kPasses; ++i) chunks.fetch_one(i, tile + shared + i * kPassBytes, in_k, bytes);
    in_k += XI_TILE_K;
  }

#if XI_TURING
  __device__ __forceinline__ void put(u32 tile) const {
#pragma unroll
    for (int i = 0; i < kPasses; ++i) store_shared(tile + shared + i * kPassBytes, chunks.held[i]);
  }
#endif
};
#else
/// Rows of B: one a position of K, with halves for the columns of the output. A tile has rows of XI_TILE_N halves (128
/// bytes or more), whose chunks are permuted within groups of eight by row % 8.
constexpr int kWideChunks = XI_TILE_N / 8;
static_assert(kWideChunks >= 8 && XI_FLOAT);
__device__ __forceinline__ u32 wide_offset(u32 row, u32 chunk) {
  return row * (XI_TILE_N * 2) + (chunk ^ (row & 7)) * 16;
}

struct LoaderB {
  static constexpr int kTileRows = XI_TILE_K / 2;
  static constexpr int kPassRows = kThreads / kWideChunks;
  static constexpr int kPasses = kTileRows / kPassRows;
  static_assert(kTileRows % kPassRows == 0 && kPassRows % 8 == 0);
  static constexpr int kPassBytes = kPassRows * XI_TILE_N * 2;
  Chunks<kPasses> chunks;
  u32 shared;
  s32 position, row;
  bool has_columns;

  __device__ __forceinline__ LoaderB(const IgemmArgs& args, const u8* b, s32 first_column, s32 first_step) {
    const s32 chunk = threadIdx.x % kWideChunks;
    const s32 thread_row = threadIdx.x / kWideChunks;
    shared = wide_offset(thread_row, chunk);
    chunks.base = b;
    has_columns = first_column + chunk * 8 < args.columns;
    row = first_step * kTileRows + thread_row;
    position = row * args.b_pitch + (first_column + chunk * 8) * 2;
#pragma unroll
    for (int i = 0; i < kPasses; ++i) chunks.offset[i] = i * kPassRows * args.b_pitch;
  }

  __device__ __forceinline__ void fetch(const IgemmArgs& args, u32 tile) {
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      const bool take = has_columns && row + i * kPassRows < args.b_bytes;
      chunks.fetch_one(i, tile + shared + i * kPassBytes, position, take ? 16 : 0);
    }
    row += kTileRows;
    position += kTileRows * args.b_pitch;
  }

#if XI_TURING
  __device__ __forceinline__ void put(u32 tile) const {
#pragma unroll
    for (int i = 0; i < kPasses; ++i) store_shared(tile + shared + i * kPassBytes, chunks.held[i]);
  }
#endif
};
#endif
