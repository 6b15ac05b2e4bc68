#pragma once
// The rewrites that turn a freshly read graph into the canonical, fused one.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace xinfer::passes {

struct Pass {
  const char* name;
  bool (*run)(ir::Graph& graph);  ///< true when it changed something
};

struct PipelineOptions {
  /// Called after each pass that changed the graph: (running number, pass name, graph). For dumps.
  std::function<void(int, const char*, const ir::Graph&)> after_pass;
  /// The list is repeated until no pass changes anything, at most this often. With a bound above 1, a list that has not
  /// settled by then is a bug (std::logic_error); a bound of 1 runs it once.
  int max_rounds = 1;
};

/// All passes, in order: the canonical ones, then the fusing ones.
std::span<const Pass> default_passes();
/// One spelling a meaning: folds, cleans up, and names what exporters spell out (GELU, layer norm, attention, ...).
std::span<const Pass> canonical_passes();
/// Moves bias, scale, padding, residual and activation into the convolution or linear layer before them.
std::span<const Pass> fusing_passes();

/// Runs `passes` in order, verifying the graph before the first and after each (std::logic_error names the culprit).
void run(ir::Graph& graph, std::span<const Pass> passes, const PipelineOptions& options = {});
/// Runs the canonical passes until they settle, then the fusing ones, and compacts the graph (ids change; names of
/// values that live on do not). Running it again changes nothing. `options.max_rounds` of 1 stands for the default
/// bound of 32.
void run_default(ir::Graph& graph, const PipelineOptions& options = {});

}  // namespace xinfer::passes
