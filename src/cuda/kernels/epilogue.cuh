#pragma once
// The end of a fused operator, as the integer contract says it (src/reference/requantize.h):
//
//   y   = fma(float(acc), multiplier[c], bias[c])
//   y   = fma(float(r), residual_scale, y)      where there is a residual
//   y   = activation(y)
//   out = saturate(round_half_even(y * output_step))
//
// Macros that specialise it (cuda/epilogue.h sets them):
//   XI_ACTIVATION  a Unary enumerator                       XI_RESIDUAL  0, or 1 with XI_RESIDUAL_T its element type
//   XI_OUT_T       s8, u8, half_t or float                  XI_STEP      1 when output_step is not 1
#include "unary.cuh"

/// Argument of kernels that end so. multiplier and bias hold one value for each stored output channel (the channels
/// padded to a multiple of 256, so that a tile may read past the last one; padding holds zeros).
struct EpilogueArgs {
  const float* multiplier;
  const float* bias;
  const void* residual;  ///< in the output's order and padding
  float residual_scale;
  float alpha, beta;  ///< of the activation
  float output_step;  ///< 1 / output scale, where it is not folded into the others
};

/// From an accumulator (s32 or float, exact up to 2^24) to the value to round; `r` is ignored without a residual.
template <class Acc>
__device__ __forceinline__ float finish(const EpilogueArgs& e, Acc acc, float multiplier, float bias, float r) {
  float y = fmaf(static_cast<float>(acc), multiplier, bias);
#if XI_RESIDUAL
  y = fmaf(r, e.residual_scale, y);
#endif
  y = apply_unary<Unary::XI_ACTIVATION>(y, e.alpha, e.beta);
#if XI_STEP
  y *= e.output_step;
#endif
  return y;
}
