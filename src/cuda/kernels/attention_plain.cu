// Attention in float for what attention.cu does not take: float operands, heads of any size, masks of any shape. A
// block has 8 queries of one head, one for each warp; the warps share tiles of keys, and a lane has one key of a tile.
// Macros:
//   XI_IN_T, XI_OUT_T, XI_STEP  element types of q, k, v and of the result; see rows.cuh
//   XI_MASK, XI_MASK_T          1 where there is a mask, and its element type
//   XI_CAUSAL                   1: query s sees keys 0 to s
#include "rows.cuh"

struct AttentionArgs {
  const XI_IN_T* q;
  const XI_IN_T* k;
  const XI_IN_T* v;
  XI_OUT_T* y;
#if XI_MASK
  const XI_MASK_T* mask;
#else
  const void* mask;
#endif
  s64 q_batch, q_head, k_batch, k_head, v_batch, v_head, y_batch, y_head, mask_batch, mask_head;  ///< elements
  u32 q_row, k_row, v_row, y_row, mask_row;                                                       ///< elements
  u32 heads, queries, keys, depth, values;
  u32 y_columns;    ///< to write: values, or those with padding
  u32 query_tiles;  ///< blocks of a head
  float scale;
  float step;
  u32 mask_key;  ///< 0 or 1
};

namespace {
constexpr u32 kWarps = 8, kKeys = 32, kPart = 64;  // kPart: elements of a key in shared memory at once
}

extern "C" __global__ void __launch_bounds__(kWarps * 32, 3) attention_plain(const AttentionArgs a) {
  extern __shared__ float results[];  // [kWarps][values]
  __shared__ float key_part[kKeys][kPart + 1], query_part[kWarps][kPart], powers[kWarps][kKeys];
  const float minus_infinity = __int_as_float(0xff800000);
  const u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const u32 tile = blockIdx.x % a.query_tiles, item = blockIdx.x / a.query_tiles;
  const u32 batch = item / a.heads, head = item % a.heads;
  const u32 first_query = tile * kWarps, query = first_query + warp;
  const XI_IN_T* q = a.q + batch * a.q_batch + head * a.q_head;
  const XI_IN_T* k = a.k + batch * a.k_batch + head * a.k_head;
  const XI_IN_T* v = a.v + batch * a.v_batch + head * a.v_head;
  float* o = results + warp * a.values;
  for (u32 e = lane; e < a.values; e += 32) o[e] = 0;
  float highest = minus_infinity, sum = 0;
  wait_for_previous();
  launch_next();
#if XI_CAUSAL
  const u32 end = min(a.keys, first_query + kWarps);
#else
  const u32 end = a.keys;
#endif
  for (u32 first_key = 0; first_key < end; first_key += kKeys) {
    const u32 count = min(kKeys, a.keys - first_key);
    float dot = 0;
    for (u32 part = 0; part < a.depth; part += kPart) {
      const u32 size = min(kPart, a.depth - part);
      __syncthreads();
      for (u32 i = threadIdx.x; i < kKeys * kPart; i += kWarps * 32) {
        const u32 key = i / kPart, d = i % kPart;
        if (key < count && d < size) {
          key_part[key][d] = to_float(k[static_cast<u64>(first_key + key) * a.k_row + part + d]);
        }
      }
      for (u32 i = threadIdx.x; i < kWarps * kPart; i += kWarps * 32) {
        const u32 row = i / kPart, d = i % kPart;
        if (first_query + row < a.queries && d < size) {
          query_part[row][d] = to_float(q[static_cast<u64>(first_query + row) * a.q_row + part + d]);
        }
      }
      __syncthreads();
      if (lane < count && query < a.queries) {
        for (u32 d = 0; d < size; ++d) dot = fmaf(query_part[warp][d], key_part[lane][d], dot);
      }
    }
    if (query >= a.queries) continue;  // whole warps, which meet the others at the barriers above
    const u32 key = first_key + lane;
    float score = minus_infinity;
#if XI_CAUSAL
    const bool seen = lane < count && key <= query;
#else
    const bool seen = lane < count;
#endif
    if (seen) {
      score = dot * a.scale;
#if XI_MASK
      score += to_float(a.mask[batch * a.mask_batch + head * a.mask_head + static_cast<s64>(query) * a.mask_row +
                               static_cast<s64>(key) * a.mask_key]);
#endif
    }
    const float before = highest;
    highest = fmaxf(highest, reduce_warp<Highest>(score));
    const float base = highest == minus_infinity ? 0.0f : highest;
    const float shrink = __expf(before - base), power = __expf(score - base);
    sum = sum * shrink + reduce_warp<Sum>(power);
    powers[warp][lane] = power;
    __syncwarp();
    for (u32 e = lane; e < a.values; e += 32) {
      float total = o[e] * shrink;
      const XI_IN_T* from = v + static_cast<u64>(first_key) * a.v_row + e;
      for (u32 j = 0; j < count; ++j) {
        total = fmaf(powers[warp][j], to_float(from[static_cast<u64>(j) * a.v_row]), total);
      }
      o[e] = total;
    }
    __syncwarp();
  }
  if (query >= a.queries) return;
  XI_OUT_T* y = a.y + batch * a.y_batch + head * a.y_head + static_cast<u64>(query) * a.y_row;
  const float inverse = 1.0f / sum;  // a row without any key: 0 * inf, NaN
  for (u32 e = lane; e < a.y_columns; e += 32) {
    y[e] = from_float<XI_OUT_T>(e < a.values ? to_steps(o[e] * inverse, a.step) : 0.0f);
  }
}
