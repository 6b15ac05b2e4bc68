#pragma once
// Random data, and the integer contract written out literally, one element at a time.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/conv_shape.h"
#include "kernels/isa.h"
#include "kernels/requant.h"

namespace xinfer::kernels::testing {

/// 8-bit values as integers, whatever their type.
inline int value_of(DataType type, const void* p, std::size_t i) {
  return type == DataType::kInt8 ? static_cast<const std::int8_t*>(p)[i] : static_cast<const std::uint8_t*>(p)[i];
}

inline float real_of(DataType type, const void* p, std::size_t i) {
  return type == DataType::kFloat32 ? static_cast<const float*>(p)[i] : static_cast<float>(value_of(type, p, i));
}

inline std::vector<std::uint8_t> random_bytes(std::size_t n, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::uint8_t> bytes(n);
  for (auto& b : bytes) b = static_cast<std::uint8_t>(random() >> 7);
  return bytes;
}

inline std::vector<std::int8_t> random_weights(std::size_t n, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::int8_t> weights(n);
  for (auto& w : weights) w = static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
  return weights;
}

inline std::vector<float> random_floats(std::size_t n, float lo, float hi, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(lo, hi);
  std::vector<float> x(n);
  for (auto& v : x) v = uniform(random);
  return x;
}

inline float reference_activation(float y, const ActivationParams& p) {
  switch (p.kind) {
    case Activation::kIdentity:
      return y;
    case Activation::kRelu:
      return y > 0.0F ? y : 0.0F;
    case Activation::kClip:
      return std::min(std::max(y, p.clip_lo), p.clip_hi);
    case Activation::kLeakyRelu:
      return y < 0 ? p.alpha * y : y;
    case Activation::kHardSwish:
      return y * std::min(std::max(y + 3.0F, 0.0F), 6.0F) * (1.0F / 6.0F);
    case Activation::kHardSigmoid:
      return std::min(std::max(std::fma(p.alpha, y, p.beta), 0.0F), 1.0F);
    case Activation::kSigmoid:
      return static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(y))));
    case Activation::kSilu:
      return static_cast<float>(y / (1.0 + std::exp(-static_cast<double>(y))));
    case Activation::kTanh:
      return static_cast<float>(std::tanh(static_cast<double>(y)));
    case Activation::kGelu:
      return static_cast<float>(0.5 * y * std::erfc(-static_cast<double>(y) / std::sqrt(2.0)));
    case Activation::kGeluTanh: {
      const double d = y;
      return static_cast<float>(d / (1.0 + std::exp(-2.0 * std::sqrt(2.0 / M_PI) * (d + 0.044715 * d * d * d))));
    }
  }
  return y;
}

/// saturate(round_half_even(y)) as the byte of an 8-bit type.
inline std::uint8_t saturate(float y, DataType type) {
  const double rounded = std::nearbyint(static_cast<double>(y));
  if (type == DataType::kInt8) {
    return static_cast<std::uint8_t>(static_cast<std::int8_t>(std::clamp(rounded, -128.0, 127.0)));
  }
  return static_cast<std::uint8_t>(std::clamp(rounded, 0.0, 255.0));
}

inline void store(float y, DataType type, void* out, std::size_t i) {
  if (type == DataType::kFloat32) {
    std::memcpy(static_cast<float*>(out) + i, &y, 4);
  } else {
    static_cast<std::uint8_t*>(out)[i] = saturate(y, type);
  }
}

/// The contract for one accumulator of channel c at element i.
inline void reference_requantize(std::int32_t acc, std::size_t c, std::size_t i, const RequantParams& p, void* out) {
  float y = std::fma(static_cast<float>(acc), p.multiplier[c], p.bias == nullptr ? 0.0F : p.bias[c]);
  if (p.residual != nullptr) {
    y = std::fma(real_of(p.residual_type, p.residual, i), p.residual_scale, y);
  }
  store(reference_activation(y, p.activation) / p.out_scale, p.output_type, out, i);
}

/// A convolution by definition: NHWC input, OIHW weights.
inline std::vector<std::uint8_t> reference_conv(const ConvShape& s, DataType input_type, const void* input,
                                                const std::int8_t* weights, const RequantParams& params) {
  const std::int64_t group_in = s.in_channels / s.groups;
  const std::int64_t group_out = s.out_channels / s.groups;
  std::vector<std::uint8_t> out(static_cast<std::size_t>(s.batch * s.out_h() * s.out_w() * s.out_channels) *
                                size_of(params.output_type));
  std::size_t i = 0;
  for (std::int64_t n = 0; n < s.batch; ++n)
    for (std::int64_t oy = 0; oy < s.out_h(); ++oy)
      for (std::int64_t ox = 0; ox < s.out_w(); ++ox)
        for (std::int64_t o = 0; o < s.out_channels; ++o, ++i) {
          std::int32_t acc = 0;
          for (std::int64_t ky = 0; ky < s.kernel_h; ++ky)
            for (std::int64_t kx = 0; kx < s.kernel_w; ++kx) {
              const std::int64_t y = oy * s.stride_h - s.pad_top + ky * s.dilation_h;
              const std::int64_t x = ox * s.stride_w - s.pad_left + kx * s.dilation_w;
              if (y < 0 || y >= s.in_h || x < 0 || x >= s.in_w) continue;
              for (std::int64_t c = 0; c < group_in; ++c) {
                const std::int64_t at = ((n * s.in_h + y) * s.in_w + x) * s.in_channels + o / group_out * group_in + c;
                acc += value_of(input_type, input, static_cast<std::size_t>(at)) *
                       weights[((o * group_in + c) * s.kernel_h + ky) * s.kernel_w + kx];
              }
            }
          reference_requantize(acc, static_cast<std::size_t>(o), i, params, out.data());
        }
  return out;
}

inline std::string describe(const ConvShape& s) {
  return "batch " + std::to_string(s.batch) + " in " + std::to_string(s.in_h) + "x" + std::to_string(s.in_w) + " c " +
         std::to_string(s.in_channels) + "->" + std::to_string(s.out_channels) + " groups " + std::to_string(s.groups) +
         " k " + std::to_string(s.kernel_h) + "x" + std::to_string(s.kernel_w) + " s " + std::to_string(s.stride_h) +
         "x" + std::to_string(s.stride_w) + " d " + std::to_string(s.dilation_h) + "x" + std::to_string(s.dilation_w) +
         " p " + std::to_string(s.pad_top) + "," + std::to_string(s.pad_left) + "," + std::to_string(s.pad_bottom) +
         "," + std::to_string(s.pad_right);
}

/// Multipliers and biases that bring random accumulators over `taps` products to about the range of 8 bits.
struct Scales {
  std::vector<float> multiplier, bias;
  Scales(std::int64_t channels, std::int64_t taps, std::uint32_t seed) {
    const float unit = 1.0F / (127.0F * std::sqrt(static_cast<float>(taps)));
    multiplier = random_floats(static_cast<std::size_t>(channels), 0.3F * unit, 1.6F * unit, seed);
    bias = random_floats(static_cast<std::size_t>(channels), -20.0F, 20.0F, seed + 1);
  }
};

}  // namespace xinfer::kernels::testing
