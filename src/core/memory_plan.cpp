#include "core/memory_plan.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace xinfer {
namespace {

std::size_t round_up(std::size_t bytes, std::size_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

}  // namespace

MemoryPlan plan_memory(const std::vector<Lifetime>& lifetimes, std::size_t alignment) {
  MemoryPlan plan;
  plan.offsets.assign(lifetimes.size(), 0);
  std::vector<std::size_t> by_size(lifetimes.size());
  std::iota(by_size.begin(), by_size.end(), std::size_t{0});
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](std::size_t a, std::size_t b) { return lifetimes[a].bytes > lifetimes[b].bytes; });
  std::vector<std::size_t> placed;  // kept sorted by offset
  for (const std::size_t buffer : by_size) {
    const Lifetime& life = lifetimes[buffer];
    const std::size_t bytes = round_up(life.bytes, alignment);
    std::size_t best = std::numeric_limits<std::size_t>::max();
    std::size_t best_gap = std::numeric_limits<std::size_t>::max();
    std::size_t end = 0;
    for (const std::size_t other : placed) {
      const Lifetime& o = lifetimes[other];
      if (o.last < life.first || life.last < o.first) continue;
      const std::size_t begin = plan.offsets[other];
      if (begin >= end && begin - end >= bytes && begin - end < best_gap) {
        best = end;
        best_gap = begin - end;
      }
      end = std::max(end, begin + round_up(o.bytes, alignment));
    }
    plan.offsets[buffer] = best_gap == std::numeric_limits<std::size_t>::max() ? end : best;
    plan.arena_bytes = std::max(plan.arena_bytes, plan.offsets[buffer] + bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), buffer,
                                   [&](std::size_t a, std::size_t b) { return plan.offsets[a] < plan.offsets[b]; }),
                  buffer);
  }
  return plan;
}

}  // namespace xinfer
