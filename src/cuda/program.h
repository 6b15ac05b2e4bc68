#pragma once
// Program: a graph compiled for one batch size and one GPU architecture. Plain data, made without a GPU; executor.h
// runs it.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cuda/step.h"
#include "ir/graph.h"

namespace xinfer::cuda {

/// How one node runs, for `inspect`.
struct StepInfo {
  std::string node;
  ir::OpType op = ir::OpType::kUnary;
  std::string implementation;  ///< e.g. "igemm:128x128x64x4", "folded into conv1", "host: reference"
  std::string choice;  ///< the name of its entry in the list of implementations; empty when folded or on the host
  Tactic tactic;
  std::vector<std::string> refusals;  ///< "implementation: reason" of every better one that was passed over
  bool on_host = false;               ///< no kernel: the reference runs it on the host
  Element compute = Element::kF16;
  std::string format;  ///< of its first output
  int reformats = 0;   ///< conversions of layout or type inserted for it
  double macs = 0;     ///< multiply-accumulates
  double bytes = 0;    ///< operands and results as they are stored, without padding, each once
};

/// Which implementation and variant a node gets, where the caller knows better than the lists' order (the tuner,
/// tests). When it refuses the node, the list decides after all.
struct Choice {
  std::string implementation;
  Tactic tactic;
  bool operator==(const Choice&) const = default;
};
/// Asked for each node; an empty optional leaves the choice to the list.
using Chooser = std::function<std::optional<Choice>(const Request&)>;

struct CompileOptions {
  Target target;
  Element real = Element::kF16;  ///< how values of type f32 are stored
  bool keep_values = false;      ///< no memory is reused, so that every value can be read afterwards
  Chooser chooser;
  /// Nodes that run on the host, slowly, whatever kernels there are: names, and why.
  std::map<std::string, std::string> host_nodes{};
  bool allow_host = false;  ///< a node that no kernel takes runs on the host too; else it is an error
};

/// Memory that steps use.
struct Buffer {
  enum class Home : std::uint8_t { kArena, kInput, kOutput, kConstant };
  Home home = Home::kArena;
  std::size_t index = 0;  ///< kInput, kOutput: which one; kConstant: which of Program::constants
  std::size_t bytes = 0;
  int root = -1;           ///< the buffer whose memory this one shares; -1: its own
  std::size_t offset = 0;  ///< place in the root; without one, kArena: place in the arena
};

/// One step at its place in the order.
struct Item {
  std::shared_ptr<const Step> step;
  std::vector<int> inputs, outputs;  ///< buffers; -1 for operands that are not read at run time
  std::size_t info = 0;              ///< index of the StepInfo that it counts to
};

/// Where a value lies after the run, for observers and tests.
struct Visible {
  ir::ValueId value = ir::kNone;
  int buffer = -1;
  Format format;
};

struct Program {
  std::shared_ptr<const ir::Graph> graph;
  std::int64_t batch = 1;
  CompileOptions options;
  std::vector<Item> items;
  std::vector<Buffer> buffers;
  std::vector<Resident> constants;
  std::vector<Visible> visible;
  std::vector<StepInfo> infos;
  std::size_t arena_bytes = 0;
  std::size_t scratch_bytes = 0;

  /// The buffer that has memory of its own, and where in it `buffer` begins.
  struct Place {
    int root;
    std::size_t offset;
  };
  Place place_of(int buffer) const;
  /// Every kernel that the steps launch, each once.
  std::vector<gpu::KernelSource> kernels() const;
};

/// Chooses an implementation for every node and lays out memory. Graph inputs and outputs are plain rows of their own
/// type (f32 stays f32). Throws UnsupportedError naming the node that no implementation takes, with the reasons, unless
/// the host may run it.
std::shared_ptr<const Program> compile(std::shared_ptr<const ir::Graph> graph, std::int64_t batch,
                                       const CompileOptions& options);

}  // namespace xinfer::cuda
