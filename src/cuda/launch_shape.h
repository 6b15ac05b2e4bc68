#pragma once
// Grids for kernels that take one small piece of work a thread.

#include <cstdint>

#include "gpu/launch.h"

namespace xinfer::cuda {

/// Largest size of a grid along y and z.
inline constexpr std::int64_t kGridLimit = 65535;
/// What kernels that number their threads with 32 bits take.
inline constexpr std::int64_t kThreadLimit = std::int64_t{1} << 31;

inline constexpr std::int64_t div_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// A block size that leaves few threads of the last block idle: a multiple of 32 from 128 to 256, the larger of equals.
inline std::uint32_t block_for(std::int64_t threads) {
  std::int64_t best = 256;
  if (threads <= best) return static_cast<std::uint32_t>(threads <= 32 ? 32 : div_up(threads, 32) * 32);
  for (std::int64_t size = 224; size >= 128; size -= 32) {
    if (div_up(threads, size) * size < div_up(threads, best) * best) best = size;
  }
  return static_cast<std::uint32_t>(best);
}

/// A launch of `threads` threads along x, times a grid of y and z.
inline gpu::Launch launch_of(std::int64_t threads, std::uint32_t block, std::int64_t y = 1, std::int64_t z = 1) {
  gpu::Launch launch;
  launch.block.x = block;
  launch.grid.x = static_cast<std::uint32_t>(div_up(threads, block));
  launch.grid.y = static_cast<std::uint32_t>(y);
  launch.grid.z = static_cast<std::uint32_t>(z);
  launch.dependent = true;
  return launch;
}

}  // namespace xinfer::cuda
