#pragma once
// The epilogue of several neighbouring channels by one thread, up to the words to store.
#include "epilogue.cuh"
#include "lanes.cuh"

constexpr bool kHalfResult = same_type<XI_OUT_T, half_t>;
// A ReLU and rounding to halves are one instruction.
#if __CUDA_ARCH__ >= 800
constexpr bool kFusedRelu = kHalfResult && Unary::XI_ACTIVATION == Unary::kRelu && !XI_STEP;
#else
constexpr bool kFusedRelu = false;
#endif

/// Two finite halves of finished results, the first in the lower bits; what is larger becomes the largest.
__device__ __forceinline__ u32 finite_halves(float a, float b) {
#if __CUDA_ARCH__ >= 800
  u32 word;
  if constexpr (kFusedRelu)
    asm("cvt.rn.relu.satfinite.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(b), "f"(a));
  else
    asm("cvt.rn.satfinite.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(b), "f"(a));
  return word;
#else
  return pack2_half(a, b);
#endif
}

/// From accumulators of N channels, their multipliers and biases and the residual (ignored where there is none).
template <int N, class Acc>
__device__ __forceinline__ void finish_lanes(const EpilogueArgs& e, const Acc (&acc)[N], const float (&m)[N],
                                             const float (&b)[N], const float (&r)[N],
                                             u32 (&words)[words_of<XI_OUT_T, N>]) {
  float v[N];
#pragma unroll
  for (int c = 0; c < N; ++c) {
    if constexpr (kFusedRelu) {
      v[c] = fmaf(static_cast<float>(acc[c]), m[c], b[c]);
#if XI_RESIDUAL
      v[c] = fmaf(r[c], e.residual_scale, v[c]);
#endif
    } else {
      v[c] = finish(e, acc[c], m[c], b[c], r[c]);
    }
  }
  if constexpr (kHalfResult) {
#pragma unroll
    for (int i = 0; i < N / 2; ++i) words[i] = finite_halves(v[2 * i], v[2 * i + 1]);
  } else {
    pack<XI_OUT_T, N>(v, words);
  }
}
