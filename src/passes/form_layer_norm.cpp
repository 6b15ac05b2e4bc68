#include <algorithm>
#include <utility>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace xinfer::passes {
namespace {

using ir::BinaryKind;
using ir::UnaryKind;

// The first of the reduced axes when `value` is the mean of `x` over its last axes, kept as size 1.
std::optional<std::size_t> match_mean(const Graph& graph, ValueId value, ValueId x) {
  const NodeId id = match_op(graph, value, OpType::kReduce);
  if (id == kNone || graph.node(id).inputs[0] != x) return std::nullopt;
  const auto& attrs = graph.node(id).as<ir::ReduceAttrs>();
  const std::size_t rank = graph.value(x).shape.rank();
  if (attrs.kind != ir::ReduceKind::kMean || !attrs.keepdims || attrs.axes.empty()) return std::nullopt;
  const std::size_t first = rank - attrs.axes.size();
  for (std::size_t i = 0; i < attrs.axes.size(); ++i) {
    if (attrs.axes[i] != static_cast<std::int64_t>(first + i)) return std::nullopt;
  }
  return first;
}

// value == Sqrt(variance + epsilon): variance + epsilon.
std::optional<ScalarBinary> match_deviation(const Graph& graph, ValueId value, std::vector<NodeId>& nodes) {
  const NodeId root = match_unary(graph, value, UnaryKind::kSqrt);
  if (root == kNone) return std::nullopt;
  nodes.push_back(root);
  return match_binary_scalar(graph, graph.node(root).inputs[0], BinaryKind::kAdd);
}

// node == numerator / Sqrt(variance + epsilon), also as a product with the reciprocal or a power of -1/2.
struct Quotient {
  ValueId numerator = kNone;
  ScalarBinary variance;
};
std::optional<Quotient> match_quotient(const Graph& graph, NodeId id, std::vector<NodeId>& nodes) {
  const ValueId out = graph.node(id).outputs[0];
  if (match_binary(graph, out, BinaryKind::kDiv) == id) {
    const auto variance = match_deviation(graph, graph.node(id).inputs[1], nodes);
    if (variance) return Quotient{graph.node(id).inputs[0], *variance};
    return std::nullopt;
  }
  if (match_binary(graph, out, BinaryKind::kMul) != id) return std::nullopt;
  for (const std::size_t side : {0U, 1U}) {
    const ValueId inverse = graph.node(id).inputs[side];
    std::vector<NodeId> found;
    std::optional<ScalarBinary> variance;
    if (const NodeId reciprocal = match_unary(graph, inverse, UnaryKind::kReciprocal); reciprocal != kNone) {
      found.push_back(reciprocal);
      variance = match_deviation(graph, graph.node(reciprocal).inputs[0], found);
    } else if (const auto power = match_binary_scalar(graph, inverse, BinaryKind::kPow);
               power && power->scalar == -0.5F) {
      found.push_back(power->node);
      variance = match_binary_scalar(graph, power->operand, BinaryKind::kAdd);
    }
    if (!variance) continue;
    nodes.insert(nodes.end(), found.begin(), found.end());
    return Quotient{graph.node(id).inputs[1 - side], *variance};
  }
  return std::nullopt;
}

bool form_core(Graph& graph, NodeId id) {
  if (graph.node(id).op != OpType::kBinary) return false;
  std::vector<NodeId> nodes;
  const auto quotient = match_quotient(graph, id, nodes);
  if (!quotient) return false;
  const NodeId centred = match_binary(graph, quotient->numerator, BinaryKind::kSub);
  if (centred == kNone) return false;
  const ValueId x = graph.node(centred).inputs[0];
  const ValueId mean = graph.node(centred).inputs[1];
  const auto axis = match_mean(graph, mean, x);
  if (!axis) return false;
  const ValueId variance = quotient->variance.operand;
  const NodeId variance_node = match_op(graph, variance, OpType::kReduce);
  if (variance_node == kNone) return false;
  const ValueId squared = graph.node(variance_node).inputs[0];
  if (match_mean(graph, variance, squared) != axis) return false;
  const NodeId square = match_binary(graph, squared, BinaryKind::kMul);
  if (square == kNone || graph.node(square).inputs != std::vector{quotient->numerator, quotient->numerator}) {
    return false;
  }
  nodes.insert(nodes.end(), {centred, producer_of(graph, mean), quotient->variance.node, variance_node, square});
  if (!is_private(graph, nodes, id)) return false;
  ir::NormAttrs attrs;
  attrs.axis = static_cast<std::int64_t>(*axis);
  attrs.epsilon = quotient->variance.scalar;
  rewrite(graph, id, OpType::kLayerNorm, {x}, attrs);
  return true;
}

// The constant as the normalised axes want it, or nothing when it differs along other axes or in size.
std::optional<ValueId> affine_constant(Graph& graph, ValueId constant, const ir::Shape& shape, std::size_t axis) {
  if (!is_float(graph, constant) || !graph.value(constant).is_constant()) return std::nullopt;
  const std::vector<ir::Dim> wanted(shape.begin() + static_cast<std::ptrdiff_t>(axis), shape.end());
  const ir::Shape normalised{wanted};
  const ir::Shape& own = graph.value(constant).shape;
  if (own == normalised) return constant;
  if (!normalised.is_static() || own.rank() <= normalised.rank() || own.rank() > shape.rank()) return std::nullopt;
  const std::size_t extra = own.rank() - normalised.rank();
  for (std::size_t i = 0; i < own.rank(); ++i) {
    if (own[i] != (i < extra ? ir::Dim(1) : wanted[i - extra])) return std::nullopt;
  }
  const Tensor reshaped = std::as_const(*graph.value(constant).constant).reshaped(normalised.at(1));
  return graph.add_constant(graph.value(constant).name, reshaped);
}

// LayerNorm, then * scale or + bias.
bool form_affine(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (node.op != OpType::kBinary || !is_identity(node.as<ir::BinaryAttrs>().epilogue)) return false;
  const BinaryKind kind = node.as<ir::BinaryAttrs>().kind;
  if (kind != BinaryKind::kMul && kind != BinaryKind::kAdd) return false;
  for (const std::size_t side : {0U, 1U}) {
    const ValueId x = graph.node(id).inputs[side];
    const NodeId norm = match_op(graph, x, OpType::kLayerNorm);
    if (norm == kNone || graph.sole_consumer(x) != id) continue;
    const bool free = !graph.node(norm).has_input(2) && (kind == BinaryKind::kAdd || !graph.node(norm).has_input(1));
    const ir::Shape shape = graph.value(x).shape;
    if (!free || graph.value(graph.node(id).outputs[0]).shape != shape) continue;
    const auto axis = ir::normalize_axis(graph.node(norm).as<ir::NormAttrs>().axis, shape.rank());
    const auto constant = affine_constant(graph, graph.node(id).inputs[1 - side], shape, axis);
    if (!constant) continue;
    graph.set_or_append_input(norm, kind == BinaryKind::kMul ? 1 : 2, *constant);
    take_over(graph, norm, id);
    return true;
  }
  return false;
}

}  // namespace

//   d = x - Mean(x);  d / Sqrt(Mean(d * d) + epsilon) * scale + bias          LayerNorm(x, scale, bias)
//
// Means over the same last axes, kept as size 1; epsilon a scalar; the quotient also as * Reciprocal(Sqrt(..)) or
// * (..)^-0.5. No value inside is used elsewhere. scale and bias join when constant, of the normalised axes' shape, and
// the norm's only reader. A norm over the channels of (N, C, H, W), or one without the mean (RMS), stays.
// Ba et al., "Layer Normalization", 2016.
bool form_layer_norm(Graph& graph) {
  return for_each_node(graph, [](Graph& g, NodeId id) { return form_core(g, id) || form_affine(g, id); });
}

}  // namespace xinfer::passes
