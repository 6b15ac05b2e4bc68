#pragma once
// What compile() makes of a graph: steps in order, the buffers they work on, and where those lie.

#include <memory>
#include <vector>

#include "cpu/program.h"
#include "cpu/step.h"

namespace xinfer::cpu {

/// A piece of memory that one or more steps use.
struct Buffer {
  enum class Home : std::uint8_t { kArena, kInput, kOutput, kConstant };
  Home home = Home::kArena;
  std::size_t index = 0;           ///< kInput, kOutput: which one
  const void* constant = nullptr;  ///< kConstant
  std::size_t bytes = 0;
  int root = -1;           ///< the buffer whose memory this one shares; -1: its own
  std::size_t offset = 0;  ///< kArena: place in the arena
};

/// A value that exists after an item has run, for the observer.
struct Visible {
  ir::ValueId value;
  int buffer;
  Layout layout;
};

/// One step at its place in the order.
struct Item {
  std::shared_ptr<const Step> step;
  std::vector<int> inputs, outputs;  ///< buffers; -1 for operands that are not read at run time
  int copy_from = -1;                ///< buffer to copy to output 0 before running
  std::size_t info = 0;              ///< index of the StepInfo that it counts to
  std::vector<Visible> visible;
};

/// Buffer to copy to a graph output at the end (an output that is also an input, a constant, or another output).
struct FinalCopy {
  int buffer;
  std::size_t output;
};

struct Executable {
  std::shared_ptr<const ir::Graph> graph;
  std::shared_ptr<WeightCache> weights;
  std::int64_t batch = 1;
  int threads = 1;
  std::vector<Item> items;
  std::vector<Buffer> buffers;
  std::vector<FinalCopy> final_copies;
  std::vector<StepInfo> infos;
  std::vector<Tensor> constants;  ///< converted constants that buffers point to
  std::size_t arena_bytes = 0;
  std::size_t scratch_bytes = 0;

  int root_of(int buffer) const {
    while (buffers[static_cast<std::size_t>(buffer)].root >= 0) buffer = buffers[static_cast<std::size_t>(buffer)].root;
    return buffer;
  }
};

/// Chooses an implementation for every node of `executable.graph` and fills items, buffers and infos.
void lower(Executable& executable, bool keep_values);

/// Decides which buffers share memory and lays out the arena. Runs after lower().
void place_buffers(Executable& executable, bool keep_values);

}  // namespace xinfer::cpu
