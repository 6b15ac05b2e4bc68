#include <algorithm>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace xinfer::passes {

//   x ── op ── y (unused)          x
//
// No output has a consumer or is a graph output. Consumers first, so one walk removes whole chains. A node of several
// outputs stays while one of them is used.
bool eliminate_dead(Graph& graph) {
  bool changed = false;
  const std::vector<NodeId> order = graph.order();
  for (auto id = order.rbegin(); id != order.rend(); ++id) {
    const auto& outputs = graph.node(*id).outputs;
    const bool used = std::any_of(outputs.begin(), outputs.end(), [&](ValueId out) {
      return graph.is_output(out) || !graph.value(out).consumers.empty();
    });
    if (used) continue;
    graph.remove_node(*id);
    changed = true;
  }
  return changed;
}

}  // namespace xinfer::passes
