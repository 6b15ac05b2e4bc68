#include <map>
#include <tuple>
#include <utility>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace xinfer::passes {
namespace {

// (K, O), or (O, K) when `transposed`, times alpha -> (O, K).
Tensor linear_weights(const Tensor& matrix, bool transposed, float alpha) {
  const std::int64_t k = matrix.dim(transposed ? 1 : 0);
  const std::int64_t o = matrix.dim(transposed ? 0 : 1);
  Tensor result(DataType::kFloat32, {o, k});
  const auto from = matrix.data<float>();
  const auto to = result.data<float>();
  for (std::int64_t row = 0; row < o; ++row) {
    for (std::int64_t column = 0; column < k; ++column) {
      const std::int64_t source = transposed ? row * k + column : column * o + row;
      to[static_cast<std::size_t>(row * k + column)] = from[static_cast<std::size_t>(source)] * alpha;
    }
  }
  return result;
}

}  // namespace

//   x, constant (K, O) ── MatMul ── y          x, constant (O, K) ── Linear ── y
//
// f32, the right operand a matrix, the left one not transposed and of rank 2 or more. alpha goes into the weights. Two
// products with the same constant share the new one.
bool form_linear(Graph& graph) {
  std::map<std::tuple<ValueId, bool, float>, ValueId> made;
  return for_each_node(graph, [&](Graph& g, NodeId id) {
    const Node& node = g.node(id);
    if (node.op != OpType::kMatMul) return false;
    const auto attrs = node.as<ir::MatMulAttrs>();
    const ValueId x = node.inputs[0];
    const ValueId matrix = node.inputs[1];
    const ir::Value& m = g.value(matrix);
    if (attrs.transpose_a || !is_float(g, x) || g.value(x).shape.rank() < 2) return false;
    if (!is_float(g, matrix) || !m.is_constant() || m.shape.rank() != 2) return false;
    const std::tuple key{matrix, attrs.transpose_b, attrs.alpha};
    if (!made.contains(key)) {
      const bool as_it_is = attrs.transpose_b && attrs.alpha == 1;
      made[key] = as_it_is ? matrix
                           : g.add_constant(m.name + "_linear",
                                            linear_weights(std::as_const(*m.constant), attrs.transpose_b, attrs.alpha));
    }
    rewrite(g, id, OpType::kLinear, {x, made[key]}, ir::LinearAttrs{});
    return true;
  });
}

//   x ── Reshape (.., K) ── Linear (.., O) ── Reshape (S.., O) ── y          x ── [Reshape (S.., K)] ── Linear ── y
//
// The second Reshape keeps the last axis, so it can go before the layer, where it merges with the first; it vanishes
// when x has that shape. Then a bias or a shortcut after it meets the layer. The Linear has no other reader and no
// fused residual.
bool unwrap_linear(Graph& graph) {
  return for_each_node(graph, [](Graph& g, NodeId id) {
    if (g.node(id).op != OpType::kReshape) return false;
    const ValueId inner = g.node(id).inputs[0];
    const NodeId linear = match_op(g, inner, OpType::kLinear);
    if (linear == kNone || g.sole_consumer(inner) != id || g.node(linear).has_input(3)) return false;
    const ValueId flat = g.node(linear).inputs[0];
    const NodeId first = match_op(g, flat, OpType::kReshape);
    if (first == kNone) return false;
    ir::Shape wanted = g.value(g.node(id).outputs[0]).shape;
    if (wanted.rank() < 2 || wanted.dims().back() != g.value(inner).shape.dims().back()) return false;
    wanted.dims().back() = g.value(flat).shape.dims().back();
    ValueId x = g.node(first).inputs[0];
    if (g.value(x).shape != wanted) x = g.add(OpType::kReshape, g.node(first).name, {x}, ir::ShapeAttrs{wanted});
    g.set_input(linear, 0, x);
    sweep(g, flat);
    take_over(g, linear, id);
    return true;
  });
}

}  // namespace xinfer::passes
