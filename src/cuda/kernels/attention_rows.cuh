#pragma once
// What the attention kernels on tensor cores share: their arguments, the mask, and the online softmax. Macros: XI_MASK,
// XI_MASK_T, XI_OUT_T, XI_STEP, as attention.cu says.
#include "attention.cuh"
#include "rows.cuh"

struct AttentionArgs {
  const half_t* q;
  const half_t* k;
  const half_t* v;
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
  float scale;      ///< times log2(e)
  float step;
};

__device__ __forceinline__ float minus_infinity() { return __int_as_float(0xff800000); }

#if XI_MASK
constexpr float kLog2E = 1.4426950408889634f;

/// In units of log 2; the lowest floats stay finite.
__device__ __forceinline__ float mask_units(float x) {
  const float y = x * kLog2E;
  return isinf(y) && !isinf(x) ? copysignf(3.402823466e38f, y) : y;
}

/// Two neighbouring elements of the mask, in units of log 2.
template <class T>
__device__ __forceinline__ float2 mask_pair(const T* at) {
  if constexpr (sizeof(T) == 4) {
    const float2 pair = *reinterpret_cast<const float2*>(at);
    return make_float2(mask_units(pair.x), mask_units(pair.y));
  } else {
    const u32 pair = *reinterpret_cast<const u32*>(at);
    return make_float2(to_float(half_t{static_cast<u16>(pair)}) * kLog2E,
                       to_float(half_t{static_cast<u16>(pair >> 16)}) * kLog2E);
  }
}
#endif

/// Takes the scores of one row (`half` 0 or 1 of the two that the thread has a part of): makes them probabilities,
/// which go to `p` as fragments of a left factor, and updates the row's highest score and the sum of this thread's
/// powers. Returns what the row's result so far is to be multiplied by.
template <int kGroups>
__device__ __forceinline__ float take_scores(const float (&s)[kGroups][4], int half, float scale, float& row_highest,
                                             float& row_sum, u32 (&p)[kGroups / 2][4]) {
  float highest = row_highest;
#pragma unroll
  for (int i = 0; i < kGroups; ++i) highest = fmaxf(highest, fmaxf(s[i][2 * half], s[i][2 * half + 1]));
  highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, 1));
  highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, 2));
  // Where every score so far is -inf, all powers shall be 0 rather than NaN: the sum stays 0.
  const float base = highest == minus_infinity() ? 0.0f : highest * scale;
  const float shrink = power_of_2(fmaf(row_highest, scale, -base));
  row_highest = highest;
  float sum = row_sum * shrink;
#pragma unroll
  for (int i = 0; i < kGroups; ++i) {
    const float left = power_of_2(fmaf(s[i][2 * half], scale, -base));
    const float right = power_of_2(fmaf(s[i][2 * half + 1], scale, -base));
    sum += left + right;
    p[i / 2][i % 2 * 2 + half] = pack_halves(left, right);
  }
  row_sum = sum;
  return shrink;
}
