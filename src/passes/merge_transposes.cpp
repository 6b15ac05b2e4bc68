#include <algorithm>
#include <utility>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace xinfer::passes {
namespace {

using Permutation = std::vector<std::int64_t>;

const Permutation& perm_of(const Graph& graph, NodeId id) { return graph.node(id).as<ir::TransposeAttrs>().perm; }

// `constant` broadcasts against the transposed x; what broadcasts against x itself: a view or a permuted copy.
ValueId untransposed_constant(Graph& graph, ValueId constant, const Permutation& perm) {
  const Tensor tensor = std::as_const(*graph.value(constant).constant);
  if (tensor.numel() == 1) return constant;
  std::vector<std::int64_t> from = tensor.shape();
  from.insert(from.begin(), perm.size() - from.size(), 1);
  // Axis perm[i] of the result is axis i of the constant.
  std::vector<std::int64_t> to(perm.size());
  for (std::size_t i = 0; i < perm.size(); ++i) to[static_cast<std::size_t>(perm[i])] = from[i];
  std::vector<std::int64_t> stride(perm.size());  // of axis i of the constant, in the result
  for (std::size_t i = 0; i < perm.size(); ++i) {
    stride[i] = 1;
    for (std::size_t axis = static_cast<std::size_t>(perm[i]) + 1; axis < to.size(); ++axis) stride[i] *= to[axis];
  }
  Tensor result(tensor.dtype(), to);
  const auto source = tensor.data<float>();
  const auto target = result.data<float>();
  for (std::size_t i = 0; i < source.size(); ++i) {
    auto rest = static_cast<std::int64_t>(i);
    std::int64_t place = 0;
    for (std::size_t axis = from.size(); axis-- > 0; rest /= from[axis]) place += rest % from[axis] * stride[axis];
    target[static_cast<std::size_t>(place)] = source[i];
  }
  return graph.add_constant(graph.value(constant).name + "_moved", std::move(result));
}

// Lets `moved` (a Transpose or Reshape), whose only reader is `id`, run after it: id reads what `moved` read at `side`.
void swap_order(Graph& graph, NodeId moved, NodeId id, std::size_t side) {
  const ValueId inner = graph.node(moved).outputs[0];
  const ValueId last = graph.node(id).outputs[0];
  graph.set_input(id, side, graph.node(moved).inputs[0]);
  graph.node(id).outputs[0] = inner;
  graph.node(moved).outputs[0] = last;
  graph.value(inner).producer = id;
  graph.value(last).producer = moved;
  graph.set_input(moved, 0, inner);
  graph.infer(id);
  graph.infer(moved);
}

bool is_plain_binary(const Graph& graph, const Node& node) {
  return node.op == OpType::kBinary && is_float(graph, node.inputs[0]) && is_float(graph, node.inputs[1]) &&
         is_float(graph, node.outputs[0]);
}

// f(T(x), T(z)) -> T(f(x, z))
bool sink_pair(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const ValueId a = node.inputs[0];
  const ValueId b = node.inputs[1];
  const NodeId left = match_op(graph, a, OpType::kTranspose);
  const NodeId right = match_op(graph, b, OpType::kTranspose);
  if (left == kNone || right == kNone || left == right) return false;
  if (perm_of(graph, left) != perm_of(graph, right)) return false;
  if (graph.sole_consumer(a) != id || graph.sole_consumer(b) != id) return false;
  graph.set_input(id, 1, graph.node(right).inputs[0]);
  graph.remove_node(right);
  swap_order(graph, left, id, 0);
  return true;
}

// f(T(x), c) -> T(f(x, c')), f(T(x)) -> T(f(x))
bool sink_one(Graph& graph, NodeId id, std::size_t side) {
  const ValueId x = graph.node(id).inputs[side];
  NodeId moved = match_op(graph, x, OpType::kTranspose);
  const bool reshapes = moved == kNone;
  if (reshapes) moved = match_op(graph, x, OpType::kReshape);
  if (moved == kNone || graph.sole_consumer(x) != id) return false;
  if (graph.node(id).op == OpType::kBinary) {
    const ValueId other = graph.node(id).inputs[1 - side];
    const ir::Value& constant = graph.value(other);
    if (!constant.is_constant() || constant.shape.rank() > graph.value(x).shape.rank()) return false;
    if (graph.value(graph.node(id).outputs[0]).shape != graph.value(x).shape) return false;
    if (reshapes || constant.constant->numel() == 1) {
      // A constant of one element fits any shape, once it has no more axes than the value.
      const ValueId source = graph.node(moved).inputs[0];
      if (constant.constant->numel() != 1) return false;
      if (constant.shape.rank() > graph.value(source).shape.rank()) return false;
    } else {
      const ValueId fitted = untransposed_constant(graph, other, perm_of(graph, moved));
      graph.set_input(id, 1 - side, fitted);
    }
  }
  swap_order(graph, moved, id, side);
  return true;
}

bool sink(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (node.op == OpType::kUnary) {
    return is_float(graph, node.inputs[0]) && is_float(graph, node.outputs[0]) && sink_one(graph, id, 0);
  }
  if (!is_plain_binary(graph, node)) return false;
  return sink_pair(graph, id) || sink_one(graph, id, 0) || sink_one(graph, id, 1);
}

bool is_movement(const Graph& graph, ValueId value) {
  return match_op(graph, value, OpType::kTranspose) != kNone || match_op(graph, value, OpType::kReshape) != kNone;
}

bool keeps_last_axis(const Permutation& perm) { return perm.back() + 1 == static_cast<std::int64_t>(perm.size()); }

// The operand's Transpose when it swaps the last two axes only.
NodeId swaps_last_axes(const Graph& graph, ValueId value) {
  const NodeId id = match_op(graph, value, OpType::kTranspose);
  if (id == kNone || !is_float(graph, value)) return kNone;
  Permutation perm = perm_of(graph, id);
  if (perm.size() < 2) return kNone;
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return is_identity_permutation(perm) ? id : kNone;
}

}  // namespace

//   x ── Transpose p ── Transpose q ── y          x ── Transpose p[q] ── y
//
// The first one stays for its other readers.
bool merge_transposes(Graph& graph) {
  return for_each_node(graph, [](Graph& g, NodeId id) {
    if (g.node(id).op != OpType::kTranspose) return false;
    const NodeId first = match_op(g, g.node(id).inputs[0], OpType::kTranspose);
    if (first == kNone) return false;
    Permutation composed = perm_of(g, id);
    for (std::int64_t& axis : composed) axis = perm_of(g, first)[static_cast<std::size_t>(axis)];
    rewrite(g, id, OpType::kTranspose, {g.node(first).inputs[0]}, ir::TransposeAttrs{composed});
    return true;
  });
}

//   x ── Transpose | Reshape ── f ── y              x ── f ── Transpose | Reshape ── y
//   x ── Transpose ── f(., c) ── y                  x ── f(., c') ── Transpose ── y
//   x ── Transpose ──┐
//   z ── Transpose ──┴─ f ── y                      x, z ── f ── Transpose ── y
//
// f is elementwise on f32 and the moved value's only reader, so that it meets the layer before, and transposes meet the
// ones after and cancel. c is a constant that does not broadcast x; below a Reshape it has one element. Of two
// operands both are transposed alike.
bool sink_transposes(Graph& graph) { return for_each_node(graph, sink); }

//   x ── Transpose p ── Linear ── y                          x ── Linear ── Transpose p ── y
//   x ── Transpose | Reshape ── Linear ── Transpose p ── y   x ── Transpose | Reshape ── Transpose p ── Linear ── y
//
// p keeps the last axis, of which alone a Linear takes notice; the value between has no other reader, the Linear no
// residual. Down, away from a computed x, the Transpose meets the head split; up, toward another movement, it merges
// with that, and the layer meets the shortcut. (Attention written for (sequence, batch, features) needs both.)
bool move_past_linear(Graph& graph) {
  return for_each_node(graph, [](Graph& g, NodeId id) {
    const Node& node = g.node(id);
    if (node.op != OpType::kLinear || node.has_input(3)) return false;
    const ValueId x = node.inputs[0];
    const NodeId next = g.sole_consumer(node.outputs[0]);
    if (is_movement(g, x) && next != kNone && g.node(next).op == OpType::kTranspose &&
        keeps_last_axis(perm_of(g, next))) {
      swap_order(g, id, next, 0);
      return true;
    }
    const NodeId before = match_op(g, x, OpType::kTranspose);
    if (before == kNone || g.sole_consumer(x) != id || !keeps_last_axis(perm_of(g, before))) return false;
    if (is_movement(g, g.node(before).inputs[0])) return false;
    swap_order(g, before, id, 0);
    return true;
  });
}

//   a, b ── Transpose of the last two axes ── MatMul ── y          a, b ── MatMul with transpose_b ── y
//
// Either operand; other readers keep the Transpose.
bool absorb_transposes(Graph& graph) {
  return for_each_node(graph, [](Graph& g, NodeId id) {
    if (g.node(id).op != OpType::kMatMul) return false;
    bool changed = false;
    for (const std::size_t side : {0U, 1U}) {
      const ValueId value = g.node(id).inputs[side];
      const NodeId transpose = swaps_last_axes(g, value);
      if (transpose == kNone) continue;
      auto& attrs = g.node(id).as<ir::MatMulAttrs>();
      bool& flag = side == 0 ? attrs.transpose_a : attrs.transpose_b;
      flag = !flag;
      g.set_input(id, side, g.node(transpose).inputs[0]);
      sweep(g, value);
      changed = true;
    }
    if (changed) g.infer(id);
    return changed;
  });
}

}  // namespace xinfer::passes
