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
  /// Called after each pass that changed the graph: (index, pass name, graph). For dumps.
  std::function<void(int, const char*, const ir::Graph&)> after_pass;
};

/// The list of passes, in order.
std::span<const Pass> default_passes();

/// Runs `passes` in order, verifying the graph after each and naming the culprit when it is broken.
void run(ir::Graph& graph, std::span<const Pass> passes, const PipelineOptions& options = {});
inline void run_default(ir::Graph& graph, const PipelineOptions& options = {}) {
  run(graph, default_passes(), options);
}

}  // namespace xinfer::passes
