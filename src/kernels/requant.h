#pragma once
// The fused end of every integer kernel: from exact int32 accumulators to the output type.
//
//   y   = fma(float(acc), multiplier[c], bias[c])
//   y   = fma(float(r), residual_scale, y)                     where there is a residual r
//   y   = activation(y)
//   out = saturate(round_half_even(y / out_scale))             8-bit output; f32 output is y / out_scale
//
// For identity, ReLU, leaky ReLU and clip the caller folds 1/s_y into multiplier, bias, residual_scale and the clip
// bounds and leaves out_scale at 1; the division is then skipped. Every kernel of this room computes exactly these
// operations in float32, so the results are the same at every Isa and for any number of threads.

#include <cstdint>

#include "kernels/isa.h"
#include "xinfer/core/data_type.h"

namespace xinfer::kernels {

/// Activations that a kernel can fuse. Those up to kLeakyRelu commute with a positive scale.
enum class Activation : std::uint8_t {
  kIdentity,
  kRelu,
  kClip,         ///< min(max(y, clip_lo), clip_hi)
  kLeakyRelu,    ///< y < 0 ? alpha * y : y
  kHardSwish,    ///< y * min(max(y + 3, 0), 6) * (1/6)
  kHardSigmoid,  ///< min(max(fma(alpha, y, beta), 0), 1)
  kSigmoid,
  kSilu,
  kTanh,
  kGelu,      ///< y/2 * (1 + erf(y / sqrt(2)))
  kGeluTanh,  ///< y/2 * (1 + tanh(sqrt(2/pi) * (y + 0.044715 y^3)))
};

/// An activation and its parameters.
struct ActivationParams {
  Activation kind = Activation::kIdentity;
  float clip_lo = 0.0F;  ///< kClip; in units of out_scale's input, that is output steps where 1/s_y is folded
  float clip_hi = 0.0F;  ///< kClip
  float alpha = 0.0F;    ///< kLeakyRelu, kHardSigmoid
  float beta = 0.0F;     ///< kHardSigmoid
};

/// How accumulators become outputs. Pointers are borrowed for the call and hold one float per output channel.
struct RequantParams {
  const float* multiplier = nullptr;  ///< required
  const float* bias = nullptr;        ///< nullptr means zero
  ActivationParams activation;
  float out_scale = 1.0F;                    ///< 1 where 1/s_y is folded
  DataType output_type = DataType::kInt8;    ///< kInt8, kUInt8 or kFloat32
  const void* residual = nullptr;            ///< same layout as the output, or nullptr
  DataType residual_type = DataType::kInt8;  ///< kInt8, kUInt8 or kFloat32
  float residual_scale = 0.0F;
};

/// Requantizes `rows` x `channels` accumulators, dense and row-major; output and residual have the same layout.
/// Throws Error when a type is not one listed above.
void requantize_accumulators(const std::int32_t* acc, std::int64_t rows, std::int64_t channels,
                             const RequantParams& params, void* output, Isa isa = detect_isa());

/// Throws Error when a type is not one listed above or there are no multipliers. `what` names the kernel.
void check_requant(const RequantParams& params, const char* what);

}  // namespace xinfer::kernels
