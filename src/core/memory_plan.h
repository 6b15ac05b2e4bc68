#pragma once
// Static memory plan: places buffers whose lifetimes are known into one arena.

#include <cstddef>
#include <vector>

namespace xinfer {

/// A buffer alive in items [first, last] of the execution order.
struct Lifetime {
  std::size_t bytes = 0;
  int first = 0;
  int last = 0;
};

struct MemoryPlan {
  std::vector<std::size_t> offsets;  ///< one for each lifetime, multiples of `alignment`
  std::size_t arena_bytes = 0;
};

/// Greedy by size: the largest buffer first, each into the smallest gap that fits between buffers alive at the same
/// time (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020).
MemoryPlan plan_memory(const std::vector<Lifetime>& lifetimes, std::size_t alignment = 64);

}  // namespace xinfer
