#pragma once
// What kernels that work along rows share: vectors of 8 elements, reductions over a warp or a block, and the rounding
// of results to the output's type.
#include "common.cuh"

/// kCount (1 or 8) elements as floats; 8 of them start at a multiple of 16 bytes (8 for one-byte types).
template <int kCount, class T>
__device__ __forceinline__ void load_floats(const T* from, float (&to)[kCount]) {
  static_assert(kCount == 1 || kCount == 8);
  if constexpr (kCount == 1) {
    to[0] = to_float(*from);
  } else {
    static_assert(sizeof(T) == 2 || sizeof(T) == 4);
    constexpr int kVectors = kCount * sizeof(T) / 16;
    Vector16 parts[kVectors];
#pragma unroll
    for (int i = 0; i < kVectors; ++i) parts[i] = reinterpret_cast<const Vector16*>(from)[i];
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      const u32 words[4] = {parts[i].x, parts[i].y, parts[i].z, parts[i].w};
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        if constexpr (sizeof(T) == 4) {
          to[4 * i + j] = __uint_as_float(words[j]);
        } else {
          to[2 * j] = to_float(half_t{static_cast<u16>(words[j])});
          to[2 * j + 1] = to_float(half_t{static_cast<u16>(words[j] >> 16)});
        }
      }
    }
  }
}

template <int kCount, class T>
__device__ __forceinline__ void store_floats(T* to, const float (&from)[kCount]) {
  static_assert(kCount == 1 || kCount == 8);
  if constexpr (kCount == 1) {
    *to = from_float<T>(from[0]);
  } else if constexpr (sizeof(T) == 1) {
    const u64 low = pack4<T>(from[0], from[1], from[2], from[3]);
    const u64 high = pack4<T>(from[4], from[5], from[6], from[7]);
    *reinterpret_cast<u64*>(to) = low | (high << 32);
  } else if constexpr (sizeof(T) == 2) {
    *reinterpret_cast<Vector16*>(to) = {pack2_half(from[0], from[1]), pack2_half(from[2], from[3]),
                                        pack2_half(from[4], from[5]), pack2_half(from[6], from[7])};
  } else {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      reinterpret_cast<Vector16*>(to)[i] = {__float_as_uint(from[4 * i]), __float_as_uint(from[4 * i + 1]),
                                            __float_as_uint(from[4 * i + 2]), __float_as_uint(from[4 * i + 3])};
    }
  }
}

/// y / scale as IEEE 754 rounds it where that is below 1024 in magnitude, and something of the same sign and at least
/// 1023 where it is more: all that rounding to bytes can tell. `scale` is neither tiny nor huge (2^-60 to 2^60). Two
/// corrections by the exact remainder (P. Markstein, "IA-64 and Elementary Functions", 2000, chapter 8): the first
/// brings the quotient within one unit in the last place, the second rounds it correctly. A division proper takes twice
/// the instructions and a branch.
__device__ __forceinline__ float divide_for_bytes(float y, float scale) {
  const float reciprocal = __frcp_rn(scale);  // of a loop's scale, once
  const float first = y * reciprocal;
  float q = fmaf(fmaf(-first, scale, y), reciprocal, first);
  q = fmaf(fmaf(-q, scale, y), reciprocal, q);
  return fabsf(first) < 1024.0f ? q : first;  // the remainder of an infinity would be no number
}

/// A real result in steps of the output's scale. XI_STEP: 0 where the output has no scale, 1 where `step` is the exact
/// reciprocal of a power of two, 2 where it is the scale itself, 3 where it is a tiny or huge one.
#ifdef XI_STEP
__device__ __forceinline__ float to_steps(float y, float step) {
#if XI_STEP == 0
  return y;
#elif XI_STEP == 1
  return y * step;
#elif XI_STEP == 2
  return divide_for_bytes(y, step);
#else
  return __fdiv_rn(y, step);
#endif
}
#endif

struct Sum {
  static __device__ __forceinline__ float of(float a, float b) { return a + b; }
};
struct Highest {
  static __device__ __forceinline__ float of(float a, float b) { return fmaxf(a, b); }
};

template <class Op>
__device__ __forceinline__ float reduce_warp(float x) {
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) x = Op::of(x, __shfl_xor_sync(0xffffffffu, x, mask));
  return x;
}

/// Over the kThreads threads that share a row: a warp, or the whole block, which must then arrive together. `shared`
/// has one float for each warp; a later call may use the same one.
template <class Op, int kThreads>
__device__ __forceinline__ float reduce_row(float x, float* shared) {
  x = reduce_warp<Op>(x);
  if constexpr (kThreads > 32) {
    constexpr int kWarps = kThreads / 32;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    __syncthreads();  // the last call's values have been read
    if (lane == 0) shared[warp] = x;
    __syncthreads();
    x = shared[0];
#pragma unroll
    for (int i = 1; i < kWarps; ++i) x = Op::of(x, shared[i]);
  }
  return x;
}
