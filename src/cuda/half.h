#pragma once
// IEEE half precision on the host, for constants and packed weights. In integers: not every compiler that builds this
// has _Float16.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace xinfer::cuda {

/// Rounds half to even. Finite values beyond the largest half become that, as the device stores them (common.cuh).
inline std::uint16_t half_bits(float x) {
  constexpr float kLargest = 65504.0F;
  constexpr std::uint32_t kSmallestNormal = 0x38800000;  // 2^-14
  constexpr std::uint32_t kInfinity = 0x7F800000;
  const auto bits = std::bit_cast<std::uint32_t>(std::isfinite(x) ? std::clamp(x, -kLargest, kLargest) : x);
  const std::uint32_t sign = bits >> 16U & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  std::uint32_t half = 0;
  if (magnitude > kInfinity) {
    half = 0x7E00;  // NaN
  } else if (magnitude == kInfinity) {
    half = 0x7C00;
  } else if (magnitude < kSmallestNormal) {
    // Adding 1/2 makes the float's last bit worth 2^-24, a subnormal half's step, and rounds as wanted.
    half = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) - 0x3F000000U;
  } else {
    // The exponent's bias goes from 127 to 15, and 13 bits of the fraction are rounded off.
    half = (magnitude - (112U << 23U) + 0xFFFU + (magnitude >> 13U & 1U)) >> 13U;
  }
  return static_cast<std::uint16_t>(sign | half);
}

inline float from_half_bits(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000U) << 16U;
  const std::uint32_t exponent = bits >> 10U & 0x1FU;
  const std::uint32_t fraction = bits & 0x3FFU;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23U | fraction << 13U);
}

}  // namespace xinfer::cuda
