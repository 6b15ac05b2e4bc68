#include "cuda/placement.h"

#include <algorithm>
#include <limits>

#include "core/memory_plan.h"

namespace xinfer::cuda {
namespace {

constexpr int kForever = std::numeric_limits<int>::max();

}  // namespace

void place_buffers(Program& program) {
  std::vector<int> first(program.buffers.size(), kForever);
  std::vector<int> last(program.buffers.size(), -1);
  for (std::size_t i = 0; i < program.items.size(); ++i) {
    const auto touch = [&](int id) {
      if (id < 0) return;
      const auto root = static_cast<std::size_t>(program.place_of(id).root);
      first[root] = std::min(first[root], static_cast<int>(i));
      last[root] = std::max(last[root], static_cast<int>(i));
    };
    for (const int id : program.items[i].inputs) touch(id);
    for (const int id : program.items[i].outputs) touch(id);
    program.scratch_bytes = std::max(program.scratch_bytes, program.items[i].step->scratch_bytes);
  }
  const bool keep = program.options.keep_values;
  std::vector<Lifetime> lifetimes;
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < program.buffers.size(); ++i) {
    const Buffer& buffer = program.buffers[i];
    if (buffer.home != Buffer::Home::kArena || buffer.root >= 0 || last[i] < 0) continue;
    which.push_back(i);
    lifetimes.push_back({buffer.bytes, keep ? 0 : first[i], keep ? kForever : last[i]});
  }
  const MemoryPlan plan = plan_memory(lifetimes, kAddressUnit);
  for (std::size_t i = 0; i < which.size(); ++i) program.buffers[which[i]].offset = plan.offsets[i];
  program.arena_bytes = plan.arena_bytes;
}

}  // namespace xinfer::cuda
