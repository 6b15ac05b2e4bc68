#pragma once
// The integer contract, written down once: from an exact int32 accumulator to the output.
//
//   y   = fma(float(acc), multiplier[c], bias[c])
//   y   = fma(float(r), residual_scale, y)             where there is a residual r (8-bit, or f32 with scale 1)
//   y   = activation(y)                                see activate_f32
//   out = saturate(round_half_even(y / output_scale))  8-bit; an f32 output is y
//
// all in float32. For identity, ReLU, clip and leaky ReLU (which commute with a positive scale) 1/s_y is folded into
// multiplier, bias, residual scale and clip bounds, in double, rounded once to float; output_scale is then 1 and the
// division falls away. multiplier[c] = s_x * s_w[c] (/ s_y).

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "ir/ops.h"
#include "xinfer/core/data_type.h"

namespace xinfer::reference {

/// What a layer's scales are before folding. A scale of 1 stands for f32.
struct LayerScales {
  double input = 1;                     ///< s_x, or s_a * s_b * alpha of a MatMul
  std::span<const float> weights = {};  ///< one, or one for each output channel; empty means 1
  std::span<const float> bias = {};     ///< real-valued, one for each output channel; empty means none
  double residual = 1;                  ///< s_r
  double output = 1;                    ///< s_y
};

/// Constants of the contract's formula.
struct FoldedScales {
  std::vector<float> multiplier;  ///< one, or one for each output channel
  std::vector<float> bias;        ///< empty, or one for each output channel
  float residual_scale = 1;
  ir::Epilogue activation;  ///< clip bounds are in output steps where 1/s_y is folded
  float output_scale = 1;   ///< 1 where folded
};

/// True for activations with f(x / s) * s == f(x) once clip bounds are scaled too: 1/s_y is folded for these.
bool commutes_with_scale(ir::UnaryKind activation);

/// Folds a layer's scales.
FoldedScales fold(const LayerScales& scales, const ir::Epilogue& epilogue);

/// The fused activation on float32: identity, ReLU, clip, leaky ReLU, hard swish and hard sigmoid as float32 steps,
/// everything else in double and rounded once.
float activate_f32(const ir::Epilogue& epilogue, float y);

/// From y (before the activation) to output steps: activation, then / output_scale where it is not folded.
inline float finish(const FoldedScales& folded, float y) {
  y = activate_f32(folded.activation, y);
  return folded.output_scale == 1.0F ? y : y / folded.output_scale;
}

/// acc and no residual to output steps, for output channel `channel`.
inline float finish(const FoldedScales& folded, std::int32_t acc, std::size_t channel) {
  const float m = folded.multiplier.size() == 1 ? folded.multiplier[0] : folded.multiplier[channel];
  return finish(folded, std::fma(static_cast<float>(acc), m, folded.bias.empty() ? 0.0F : folded.bias[channel]));
}

/// acc and residual to output steps. `residual` is float(r) of an 8-bit one, or the f32 one itself.
inline float finish(const FoldedScales& folded, std::int32_t acc, std::size_t channel, float residual) {
  const float m = folded.multiplier.size() == 1 ? folded.multiplier[0] : folded.multiplier[channel];
  const float y = std::fma(static_cast<float>(acc), m, folded.bias.empty() ? 0.0F : folded.bias[channel]);
  return finish(folded, std::fma(residual, folded.residual_scale, y));
}

/// Rounds output steps to T: saturate(round_half_even(y)) to the type's full range, NaN to 0; float is kept as it is.
template <class T>
T round_to(float y) {
  if constexpr (std::is_same_v<T, float>) {
    return y;
  } else {
    if (std::isnan(y)) return 0;
    const float rounded = std::nearbyint(y);  // the default rounding mode is half to even
    constexpr auto kLow = static_cast<float>(std::numeric_limits<T>::min());
    constexpr auto kHigh = static_cast<float>(std::numeric_limits<T>::max());
    return static_cast<T>(rounded < kLow ? kLow : rounded > kHigh ? kHigh : rounded);
  }
}

}  // namespace xinfer::reference
