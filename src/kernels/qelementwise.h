#pragma once
// Elementwise 8-bit kernels: quantize, dequantize, requantize, add, multiply, table lookup.
// 8-bit types are kInt8 and kUInt8, zero point 0. All are parallel over the elements and thread-safe, and throw Error
// on other types. Division by a scale is a true float32 division.

#include <array>
#include <cstdint>
#include <functional>

#include "kernels/isa.h"
#include "kernels/requant.h"
#include "xinfer/core/data_type.h"

namespace xinfer::kernels {

/// out = saturate(round_half_even(x / scale)); NaN becomes 0.
void quantize_f32(const float* input, std::int64_t count, float scale, DataType output_type, void* output,
                  Isa isa = detect_isa());

/// out = float(q) * scale.
void dequantize(const void* input, DataType input_type, std::int64_t count, float scale, float* output,
                Isa isa = detect_isa());

/// out = saturate(round_half_even(float(q) * ratio)), ratio = in_scale / out_scale. In-place is allowed.
void requantize(const void* input, DataType input_type, std::int64_t count, float ratio, DataType output_type,
                void* output, Isa isa = detect_isa());

/// Operands and end of a binary kernel. Scales have 1/s_y folded in where out_scale is 1 (see requant.h).
struct BinaryParams {
  DataType a_type = DataType::kInt8;
  DataType b_type = DataType::kInt8;
  float a_scale = 1.0F;
  float b_scale = 1.0F;  ///< qadd only; qmul takes the product of both scales as a_scale
  ActivationParams activation;
  float out_scale = 1.0F;
  DataType output_type = DataType::kInt8;  ///< kInt8, kUInt8 or kFloat32
};

/// y = fma(float(b), b_scale, float(a) * a_scale), then activation and rounding. Same shapes.
void qadd(const void* a, const void* b, std::int64_t count, const BinaryParams& params, void* output,
          Isa isa = detect_isa());

/// y = float(a * b) * a_scale, then activation and rounding. Same shapes.
void qmul(const void* a, const void* b, std::int64_t count, const BinaryParams& params, void* output,
          Isa isa = detect_isa());

/// As qmul, for a: [batch, pixels, channels] and b: [batch, 1, channels] (squeeze and excitation).
void qmul_channels(const void* a, const void* b, std::int64_t batch, std::int64_t pixels, std::int64_t channels,
                   const BinaryParams& params, void* output, Isa isa = detect_isa());

/// An 8-bit to 8-bit function, indexed by the input's byte.
using Lut = std::array<std::uint8_t, 256>;

/// Table of saturate(round_half_even(function(q * in_scale) / out_scale)); NaN becomes 0.
Lut build_lut(const std::function<float(float)>& function, DataType input_type, float in_scale, DataType output_type,
              float out_scale);

/// out[i] = lut[in[i]]. In-place is allowed.
void apply_lut(const void* input, std::int64_t count, const Lut& lut, void* output, Isa isa = detect_isa());

}  // namespace xinfer::kernels
