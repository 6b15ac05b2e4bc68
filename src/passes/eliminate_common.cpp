#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace xinfer::passes {
namespace {

constexpr std::int64_t kSmallConstant = 64;  // elements

bool same_constant(const ir::Value& a, const ir::Value& b) {
  return a.dtype == b.dtype && a.shape == b.shape && a.quantization == b.quantization && a.symbolic == b.symbolic &&
         std::memcmp(std::as_const(*a.constant).raw(), std::as_const(*b.constant).raw(), a.constant->bytes()) == 0;
}

// Exporters write the same scalar again for each use; merged, they let the nodes above them merge too.
bool merge_constants(Graph& graph) {
  bool changed = false;
  std::vector<ValueId> seen;
  for (ValueId id = 0; id < static_cast<ValueId>(graph.value_count()); ++id) {
    const ir::Value& value = graph.value(id);
    if (!value.is_constant() || value.consumers.empty() || graph.is_output(id)) continue;
    if (value.constant->numel() == 0 || value.constant->numel() > kSmallConstant) continue;
    const auto twin =
        std::find_if(seen.begin(), seen.end(), [&](ValueId s) { return same_constant(graph.value(s), value); });
    if (twin == seen.end()) {
      seen.push_back(id);
    } else {
      graph.replace_uses(id, *twin);
      changed = true;
    }
  }
  return changed;
}

bool is_same_computation(const Graph& graph, const Node& a, const Node& b) {
  if (a.attrs != b.attrs || a.outputs.size() != b.outputs.size()) return false;
  for (std::size_t i = 0; i < a.outputs.size(); ++i) {
    const ir::Value& x = graph.value(a.outputs[i]);
    const ir::Value& y = graph.value(b.outputs[i]);
    if (x.dtype != y.dtype || x.shape != y.shape || x.quantization != y.quantization) return false;
  }
  return true;
}

}  // namespace

//   x ─┬─ op ── y          x ── op ─┬─ y
//      └─ op ── z                   └─ y (for z)
//
// Same operator, inputs (in order) and attributes. Equal constants of up to 64 elements are merged before. A second
// node whose output is a graph output stays, so that every graph output keeps a value of its own.
bool eliminate_common(Graph& graph) {
  bool changed = merge_constants(graph);
  std::map<std::pair<OpType, std::vector<ValueId>>, std::vector<NodeId>> seen;
  for (const NodeId id : graph.order()) {
    auto& alike = seen[{graph.node(id).op, graph.node(id).inputs}];
    const auto& outputs = graph.node(id).outputs;
    const bool is_output = std::any_of(outputs.begin(), outputs.end(), [&](ValueId o) { return graph.is_output(o); });
    const auto twin = std::find_if(alike.begin(), alike.end(), [&](NodeId other) {
      return is_same_computation(graph, graph.node(other), graph.node(id));
    });
    if (twin == alike.end() || is_output) {
      alike.push_back(id);
      continue;
    }
    const std::vector<ValueId> replaced = outputs;
    for (std::size_t i = 0; i < replaced.size(); ++i) graph.replace_uses(replaced[i], graph.node(*twin).outputs[i]);
    graph.remove_node(id);
    changed = true;
  }
  return changed;
}

}  // namespace xinfer::passes
