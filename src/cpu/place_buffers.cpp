// Decides which buffers share memory: outputs written in place, operations working in place, and reuse over time.

#include <algorithm>
#include <limits>

#include "core/memory_plan.h"
#include "cpu/executable.h"

namespace xinfer::cpu {
namespace {

constexpr int kForever = std::numeric_limits<int>::max();

class Placement {
 public:
  Placement(Executable& executable, bool keep_values) : exe_(executable), keep_values_(keep_values) {}

  void run() {
    write_outputs_in_place();
    measure_lifetimes();
    for (std::size_t i = 0; i < exe_.items.size(); ++i) share(exe_.items[i], static_cast<int>(i));
    lay_out();
    for (const Item& item : exe_.items) exe_.scratch_bytes = std::max(exe_.scratch_bytes, item.step->scratch_bytes);
  }

 private:
  Buffer& buffer(int id) { return exe_.buffers[static_cast<std::size_t>(id)]; }

  void write_outputs_in_place() {
    std::erase_if(exe_.final_copies, [&](const FinalCopy& copy) {
      Buffer& root = buffer(exe_.root_of(copy.buffer));
      if (root.home != Buffer::Home::kArena || root.bytes != buffer(copy.buffer).bytes) return false;
      root.home = Buffer::Home::kOutput;
      root.index = copy.output;
      return true;
    });
  }

  void measure_lifetimes() {
    first_.assign(exe_.buffers.size(), kForever);
    last_.assign(exe_.buffers.size(), -1);
    const auto touch = [&](int id, int when) {
      if (id < 0) return;
      const auto root = static_cast<std::size_t>(exe_.root_of(id));
      first_[root] = std::min(first_[root], when);
      last_[root] = std::max(last_[root], when);
    };
    for (std::size_t i = 0; i < exe_.items.size(); ++i) {
      for (const int id : exe_.items[i].inputs) touch(id, static_cast<int>(i));
      for (const int id : exe_.items[i].outputs) touch(id, static_cast<int>(i));
    }
    for (const FinalCopy& copy : exe_.final_copies) touch(copy.buffer, kForever);
    for (std::size_t i = 0; i < exe_.buffers.size(); ++i) {
      if (exe_.buffers[i].home == Buffer::Home::kOutput) last_[i] = kForever;
    }
  }

  /// Whether output 0 of `item` may take over the memory of `source`, which dies there.
  bool may_take_over(const Item& item, int when, int source) {
    const int root = exe_.root_of(source);
    const int output = item.outputs[0];
    const Buffer& from = buffer(root);
    const Buffer& to = buffer(output);
    if (keep_values_ || to.root >= 0 || from.home != Buffer::Home::kArena || to.home == Buffer::Home::kInput)
      return false;
    if (last_[static_cast<std::size_t>(root)] != when || to.bytes > from.bytes) return false;
    if (to.home == Buffer::Home::kOutput && to.bytes != from.bytes) return false;
    // A second operand in the same memory would be overwritten while it is still read.
    return std::count_if(item.inputs.begin(), item.inputs.end(),
                         [&](int id) { return id >= 0 && exe_.root_of(id) == root; }) == 1;
  }

  void share(Item& item, int when) {
    const Sharing sharing = item.step->sharing;
    if (sharing != Sharing::kMay && sharing != Sharing::kMust) return;
    const int source = item.inputs[item.step->shared_input];
    if (source >= 0 && may_take_over(item, when, source)) {
      const int root = exe_.root_of(source);
      const int output = item.outputs[0];
      if (buffer(output).home == Buffer::Home::kOutput) {
        buffer(root).home = Buffer::Home::kOutput;
        buffer(root).index = buffer(output).index;
      }
      last_[static_cast<std::size_t>(root)] = last_[static_cast<std::size_t>(output)];
      buffer(output).root = root;
    } else if (sharing == Sharing::kMust) {
      item.copy_from = source;
    }
  }

  void lay_out() {
    std::vector<Lifetime> lifetimes;
    std::vector<std::size_t> which;
    for (std::size_t i = 0; i < exe_.buffers.size(); ++i) {
      const Buffer& b = exe_.buffers[i];
      if (b.home != Buffer::Home::kArena || b.root >= 0 || last_[i] < 0) continue;
      which.push_back(i);
      lifetimes.push_back({b.bytes, keep_values_ ? 0 : first_[i], keep_values_ ? kForever : last_[i]});
    }
    const MemoryPlan plan = plan_memory(lifetimes);
    for (std::size_t i = 0; i < which.size(); ++i) exe_.buffers[which[i]].offset = plan.offsets[i];
    exe_.arena_bytes = plan.arena_bytes;
  }

  Executable& exe_;
  bool keep_values_;
  std::vector<int> first_, last_;
};

}  // namespace

void place_buffers(Executable& executable, bool keep_values) { Placement(executable, keep_values).run(); }

}  // namespace xinfer::cpu
