#pragma once
// IEEE half precision on the host, for constants and packed weights.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace xinfer::cuda {

/// Rounds half to even. Finite values beyond the largest half become that, as the device stores them (common.cuh).
inline std::uint16_t half_bits(float x) {
  constexpr float kLargest = 65504.0F;
  const float bounded = std::isfinite(x) ? std::clamp(x, -kLargest, kLargest) : x;
  return std::bit_cast<std::uint16_t>(static_cast<_Float16>(bounded));
}

inline float from_half_bits(std::uint16_t bits) { return static_cast<float>(std::bit_cast<_Float16>(bits)); }

}  // namespace xinfer::cuda
