#include <vector>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace xinfer::passes {
namespace {

// The layer whose output is `operand` and which can take `other` as its residual; else kNone.
NodeId layer_that_takes(const Graph& graph, NodeId add, ValueId operand, ValueId other) {
  const NodeId layer = producer_of(graph, operand);
  if (layer == kNone || graph.sole_consumer(operand) != add) return kNone;
  const Node& node = graph.node(layer);
  if (node.op != OpType::kConv && node.op != OpType::kLinear) return kNone;
  if (node.has_input(3) || !is_identity(*epilogue_of(node))) return kNone;
  if (graph.value(other).is_constant() || graph.value(operand).shape != graph.value(other).shape) return kNone;
  return is_float(graph, operand) && is_float(graph, other) ? layer : kNone;
}

}  // namespace

//   x ── Conv | Linear ──┐
//                        + ── y          x, z ── same with residual z ── y
//   z ───────────────────┘
//
// The Add alone reads the layer's output (so z can't depend on it); same shapes; no activation or residual in the layer
// yet; z is no constant. When both operands come from such layers the later one takes the other, whose result is then
// ready.
bool fuse_residual(Graph& graph) {
  std::vector<std::size_t> position(graph.node_slots(), 0);
  std::size_t next = 0;
  for (const NodeId id : graph.order()) position[static_cast<std::size_t>(id)] = next++;
  return for_each_node(graph, [&](Graph& g, NodeId id) {
    if (match_binary(g, g.node(id).outputs[0], ir::BinaryKind::kAdd) != id) return false;
    const ValueId a = g.node(id).inputs[0];
    const ValueId b = g.node(id).inputs[1];
    const NodeId left = layer_that_takes(g, id, a, b);
    const NodeId right = layer_that_takes(g, id, b, a);
    if (left == kNone && right == kNone) return false;
    const auto place = [&](NodeId layer) { return position[static_cast<std::size_t>(layer)]; };
    const bool takes_left = right == kNone || (left != kNone && place(left) > place(right));
    const NodeId layer = takes_left ? left : right;
    g.set_or_append_input(layer, 3, takes_left ? b : a);
    take_over(g, layer, id);
    return true;
  });
}

}  // namespace xinfer::passes
