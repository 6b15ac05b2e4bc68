#include <algorithm>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace xinfer::passes {
namespace {

// True when the axes longer than 1 keep their order.
bool only_moves_ones(const ir::Shape& shape, const std::vector<std::int64_t>& perm) {
  std::int64_t last = -1;
  for (const std::int64_t axis : perm) {
    if (shape[static_cast<std::size_t>(axis)] == ir::Dim(1)) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

}  // namespace

//   x ── Reshape ── Reshape ── y                      x ── Reshape ── y
//   x ── Transpose that moves axes of 1 ── y          x ── Reshape ── y
//
// The first Reshape stays for its other readers. The batch N counts as longer than 1. Values that carry a scale for
// each channel keep their Transpose.
bool merge_reshapes(Graph& graph) {
  return for_each_node(graph, [](Graph& g, NodeId id) {
    const Node& node = g.node(id);
    if (node.op == OpType::kReshape) {
      const NodeId first = match_op(g, node.inputs[0], OpType::kReshape);
      if (first == kNone) return false;
      rewrite(g, id, OpType::kReshape, {g.node(first).inputs[0]}, node.attrs);
      return true;
    }
    if (node.op != OpType::kTranspose) return false;
    const ir::Value& x = g.value(node.inputs[0]);
    const auto& perm = node.as<ir::TransposeAttrs>().perm;
    if (is_identity_permutation(perm) || !only_moves_ones(x.shape, perm)) return false;
    if (x.quantization && x.quantization->per_channel()) return false;
    rewrite(g, id, OpType::kReshape, {node.inputs[0]}, ir::ShapeAttrs{g.value(node.outputs[0]).shape});
    return true;
  });
}

}  // namespace xinfer::passes
