// Attention in half precision: softmax(scale * q k^T + mask) v without storing the scores. A block has 16 * XI_TILES
// rows of queries for each of its warps, walks over the keys in tiles, and keeps for each row the highest score so far,
// the sum of powers, and the unscaled result, rescaled when the highest score grows: Milakov and Gimelshein, "Online
// normalizer calculation for softmax" (2018); Dao, "FlashAttention-2" (2023). Products are taken by the tensor cores
// (probabilities rounded to half), everything else is float. Macros:
//   XI_DEPTH, XI_VALUES   sizes of a key and of a value, rounded up to multiples of 16
//   XI_WARPS, XI_TILES    warps of a block, tiles of 16 queries of a warp
//   XI_KEYS               keys of a tile, a multiple of 16
//   XI_CAUSAL             1: query s sees keys 0 to s
//   XI_MASK               0: none; 1: one row of it for all queries; 2: a row for each query
//   XI_MASK_T             its element type
//   XI_SCALE_FIRST        0: the scale is positive and there is no mask, so that the highest product has the highest
//                         score
//   XI_OUT_T, XI_STEP     element type of the result; see rows.cuh
#include "attention_rows.cuh"

namespace {

constexpr int kThreads = XI_WARPS * 32;
constexpr int kWarpRows = XI_TILES * 16;
constexpr int kRows = XI_WARPS * kWarpRows;
constexpr int kDepthPitch = XI_DEPTH + 8;
constexpr int kValuePitch = XI_VALUES + 8;
constexpr int kStage = XI_KEYS * (kDepthPitch + kValuePitch) > kRows* kDepthPitch
                           ? XI_KEYS*(kDepthPitch + kValuePitch)
                           : kRows* kDepthPitch;  // halves; the second stage first holds the queries
constexpr int kOutPitch = XI_VALUES + 16 / static_cast<int>(sizeof(XI_OUT_T));

/// What a warp knows of its rows.
struct WarpState {
  u32 q[XI_TILES][XI_DEPTH / 16][4];
  float o[XI_TILES][XI_VALUES / 8][4];
  float highest[XI_TILES][2];
  float sum[XI_TILES][2];  ///< of this thread's columns
};

/// Takes one tile of keys. Unless kWhole, only `groups` groups of 16 keys are looked at, and keys beyond the last one
/// (or the query) count as -inf.
template <bool kWhole>
__device__ __forceinline__ void take_tile(WarpState& w, const AttentionArgs& a, const half_t* keys,
                                          const half_t* values, u32 first_key, u32 first_row, int groups,
                                          const void* mask) {
  const u32 lane = threadIdx.x % 32;
  float s[XI_TILES][XI_KEYS / 8][4] = {};

  const u32 key_address = shared_address(keys + (lane / 16 * 8 + lane % 8) * kDepthPitch + lane / 8 % 2 * 8);
#pragma unroll
  for (int g = 0; g < XI_KEYS / 16; ++g) {
    if (!kWhole && g >= groups) break;
#pragma unroll
    for (int d = 0; d < XI_DEPTH / 16; ++d) {
      u32 b[4];
      load_matrices(b, key_address + (g * 16 * kDepthPitch + d * 16) * 2);
#pragma unroll
      for (int t = 0; t < XI_TILES; ++t) {
        multiply(s[t][2 * g], w.q[t][d], b[0], b[1]);
        multiply(s[t][2 * g + 1], w.q[t][d], b[2], b[3]);
      }
    }
  }

#if XI_SCALE_FIRST
#pragma unroll
  for (int i = 0; i < XI_KEYS / 8; ++i) {
    if (!kWhole && i / 2 >= groups) break;
#if XI_MASK
    const auto* pair = static_cast<const XI_MASK_T*>(mask) + first_key + i * 8 + lane % 4 * 2;
#endif
#if XI_MASK == 1
    const float2 add = mask_pair(pair);
#elif !XI_MASK
    const float2 add = make_float2(0.0f, 0.0f);
#endif
#pragma unroll
    for (int t = 0; t < XI_TILES; ++t) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
#if XI_MASK == 2
        const u32 row = min(first_row + t * 16 + half * 8 + lane / 4, a.queries - 1);
        const float2 add = mask_pair(pair + static_cast<u64>(row) * a.mask_row);
#endif
        s[t][i][2 * half] = fmaf(s[t][i][2 * half], a.scale, add.x);
        s[t][i][2 * half + 1] = fmaf(s[t][i][2 * half + 1], a.scale, add.y);
      }
    }
  }
  const float scale = 1.0f;
#else
  const float scale = a.scale;
#endif

  if (!kWhole) {
#pragma unroll
    for (int t = 0; t < XI_TILES; ++t) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
#if XI_CAUSAL
        const u32 row = first_row + t * 16 + half * 8 + lane / 4;
        const u32 end = min(a.keys, row + 1);
#else
        const u32 end = a.keys;
#endif
#pragma unroll
        for (int i = 0; i < XI_KEYS / 8; ++i) {
          const u32 key = first_key + i * 8 + lane % 4 * 2;
          if (key >= end) s[t][i][2 * half] = minus_infinity();
          if (key + 1 >= end) s[t][i][2 * half + 1] = minus_infinity();
        }
      }
    }
  }

  u32 p[XI_TILES][XI_KEYS / 16][4];  // fragments of the left factor
#pragma unroll
  for (int t = 0; t < XI_TILES; ++t) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float shrink = take_scores(s[t], half, scale, w.highest[t][half], w.sum[t][half], p[t]);
#pragma unroll
      for (int i = 0; i < XI_VALUES / 8; ++i) {
        w.o[t][i][2 * half] *= shrink;
        w.o[t][i][2 * half + 1] *= shrink;
      }
    }
  }

  const u32 value_address = shared_address(values + (lane / 8 % 2 * 8 + lane % 8) * kValuePitch + lane / 16 * 8);
#pragma unroll
  for (int g = 0; g < XI_KEYS / 16; ++g) {
    if (!kWhole && g >= groups) break;
#pragma unroll
    for (int e = 0; e < XI_VALUES / 16; ++e) {
      u32 b[4];
      load_transposed(b, value_address + (g * 16 * kValuePitch + e * 16) * 2);
#pragma unroll
      for (int t = 0; t < XI_TILES; ++t) {
        multiply(w.o[t][2 * e], p[t][g], b[0], b[1]);
        multiply(w.o[t][2 * e + 1], p[t][g], b[2], b[3]);
      }
    }
  }
}

/// Writes a warp's rows through its own part of the shared memory, so that rows leave in pieces of 16 bytes.
__device__ __forceinline__ void write_rows(WarpState& w, const AttentionArgs& a, XI_OUT_T* shared, XI_OUT_T* y,
                                           u32 first_row) {
  const u32 lane = threadIdx.x % 32;
#pragma unroll
  for (int t = 0; t < XI_TILES; ++t) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float sum = w.sum[t][half];
      sum += __shfl_xor_sync(0xffffffffu, sum, 1);
      sum += __shfl_xor_sync(0xffffffffu, sum, 2);
      const float inverse = 1.0f / sum;  // a row without any key: 0 * inf, NaN
      XI_OUT_T* row = shared + (t * 16 + half * 8 + lane / 4) * kOutPitch;
#pragma unroll
      for (int i = 0; i < XI_VALUES / 8; ++i) {
        const u32 column = i * 8 + lane % 4 * 2;
        float left = to_steps(w.o[t][i][2 * half] * inverse, a.step);
        float right = to_steps(w.o[t][i][2 * half + 1] * inverse, a.step);
        if (column >= a.values) left = 0;
        if (column + 1 >= a.values) right = 0;
        if constexpr (sizeof(XI_OUT_T) == 2) {
          *reinterpret_cast<u32*>(row + column) = pack2_half(left, right);
        } else {
          row[column] = from_float<XI_OUT_T>(left);
          row[column + 1] = from_float<XI_OUT_T>(right);
        }
      }
    }
  }
  __syncwarp();
  constexpr u32 kPiece = 16 / sizeof(XI_OUT_T);
  constexpr u32 kPieces = XI_VALUES / kPiece;
#pragma unroll
  for (u32 i = lane; i < kWarpRows * kPieces; i += 32) {
    const u32 row = i / kPieces, column = i % kPieces * kPiece;
    if (first_row + row < a.queries && column < a.y_columns) {
      *reinterpret_cast<Vector16*>(y + static_cast<u64>(first_row + row) * a.y_row + column) =
          *reinterpret_cast<const Vector16*>(shared + row * kOutPitch + column);
    }
  }
}

}  // namespace

#if XI_DEPTH <= 16
#define XI_BOUNDS __launch_bounds__(kThreads, 3)  // else ptxas spills one register to reach 80, on sm_86 and sm_89
#elif XI_TILES == 1 && __CUDA_ARCH__ >= 1200
#define XI_BOUNDS __launch_bounds__(kThreads, 3)  // else ptxas 13.2 stops at 128 registers, and spills one
#else
#define XI_BOUNDS __launch_bounds__(kThreads)
#endif

extern "C" __global__ void XI_BOUNDS attention(const AttentionArgs a) {
  extern __shared__ __align__(16) u8 shared[];
  half_t* stages = reinterpret_cast<half_t*>(shared);
  const u32 tile = blockIdx.x % a.query_tiles, item = blockIdx.x / a.query_tiles;
  const u32 batch = item / a.heads, head = item % a.heads;
  const u32 block_row = tile * kRows;
  const u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const u32 first_row = block_row + warp * kWarpRows;
  const half_t* k = a.k + batch * a.k_batch + head * a.k_head;
  const half_t* v = a.v + batch * a.v_batch + head * a.v_head;
#if XI_MASK
  const XI_MASK_T* mask = a.mask + batch * a.mask_batch + head * a.mask_head;
#else
  const void* mask = nullptr;
#endif
  const auto copy_keys = [&](u32 j) {
    half_t* stage = stages + j % 2 * kStage;
    const s32 left = static_cast<s32>(a.keys - j * XI_KEYS);
    copy_tile<XI_KEYS, XI_DEPTH, kThreads>(stage, k + static_cast<u64>(j * XI_KEYS) * a.k_row, a.k_row, left, a.depth);
    copy_tile<XI_KEYS, XI_VALUES, kThreads>(stage + XI_KEYS * kDepthPitch, v + static_cast<u64>(j * XI_KEYS) * a.v_row,
                                            a.v_row, left, a.values);
  };

  wait_for_previous();
  launch_next();
  copy_tile<kRows, XI_DEPTH, kThreads>(
      stages + kStage, a.q + batch * a.q_batch + head * a.q_head + static_cast<u64>(block_row) * a.q_row, a.q_row,
      static_cast<s32>(a.queries - block_row), a.depth);
  copy_keys(0);
  commit_copies();
  wait_for_copies<0>();
  __syncthreads();
  WarpState w;
#pragma unroll
  for (int t = 0; t < XI_TILES; ++t) {
    const half_t* rows = stages + kStage + (warp * kWarpRows + t * 16 + lane / 8 % 2 * 8 + lane % 8) * kDepthPitch;
#pragma unroll
    for (int d = 0; d < XI_DEPTH / 16; ++d) load_matrices(w.q[t][d], shared_address(rows + d * 16 + lane / 16 * 8));
#pragma unroll
    for (int i = 0; i < XI_VALUES / 8; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) w.o[t][i][j] = 0;
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      w.highest[t][half] = minus_infinity();
      w.sum[t][half] = 0;
    }
  }

#if XI_CAUSAL
  const u32 block_keys = min(a.keys, block_row + kRows), warp_keys = min(a.keys, first_row + kWarpRows);
  const u32 whole_keys = min(a.keys, first_row + 1);  // seen by all of the warp's rows
#else
  const u32 block_keys = a.keys, warp_keys = a.keys, whole_keys = a.keys;
#endif
  const bool active = first_row < a.queries;
  const u32 count = (block_keys + XI_KEYS - 1) / XI_KEYS;
  for (u32 j = 0; j < count; ++j) {
    wait_for_copies<0>();
    __syncthreads();
    if (j + 1 < count) copy_keys(j + 1);
    commit_copies();
    const u32 first_key = j * XI_KEYS;
    if (!active || first_key >= warp_keys) continue;
    const half_t* keys = stages + j % 2 * kStage;
    const half_t* values = keys + XI_KEYS * kDepthPitch;
    if (first_key + XI_KEYS <= whole_keys) {
      take_tile<true>(w, a, keys, values, first_key, first_row, XI_KEYS / 16, mask);
    } else {
      const int groups = min(XI_KEYS / 16, static_cast<int>((warp_keys - first_key + 15) / 16));
      take_tile<false>(w, a, keys, values, first_key, first_row, groups, mask);
    }
  }
  __syncthreads();
  if (!active) return;
  write_rows(w, a, reinterpret_cast<XI_OUT_T*>(shared) + warp * kWarpRows * kOutPitch,
             a.y + batch * a.y_batch + head * a.y_head, first_row);
}
