#include <optional>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace xinfer::passes {
namespace {

using ir::BinaryKind;
using ir::UnaryKind;

constexpr ir::UnaryAttrs kSixthSigmoid{UnaryKind::kHardSigmoid, 1.F / 6, 0.5F};

// value == Clip(x + offset, low, high): x, or kNone. Adds the nodes between to `nodes`.
ValueId match_shifted_clip(const Graph& graph, ValueId value, float offset, float high, std::vector<NodeId>& nodes) {
  const NodeId clip = match_unary(graph, value, UnaryKind::kClip);
  if (clip == kNone) return kNone;
  const auto& attrs = graph.node(clip).as<ir::UnaryAttrs>();
  if (attrs.alpha != 0 || attrs.beta != high) return kNone;
  const auto sum = match_binary_scalar(graph, graph.node(clip).inputs[0], BinaryKind::kAdd);
  if (!sum || !nearly(sum->scalar, offset)) return kNone;
  nodes.push_back(clip);
  nodes.push_back(sum->node);
  return sum->operand;
}

bool replace(Graph& graph, NodeId id, ValueId x, const std::vector<NodeId>& inner, ir::UnaryAttrs attrs) {
  if (graph.value(x).shape != graph.value(graph.node(id).outputs[0]).shape || !is_private(graph, inner, id)) {
    return false;
  }
  rewrite(graph, id, OpType::kUnary, {x}, attrs);
  return true;
}

// Clip(x + 3, 0, 6) / 6 and Clip(x / 6 + 1/2, 0, 1)
bool form_hard_sigmoid(Graph& graph, NodeId id) {
  const ValueId out = graph.node(id).outputs[0];
  std::vector<NodeId> nodes;
  const ValueId sum = match_shifted_clip(graph, out, 0.5F, 1, nodes);
  if (sum != kNone) {
    const Product product = multiply_out(graph, sum);
    if (product.factors.size() != 1 || !nearly(product.scalar, 1.0 / 6)) return false;
    nodes.insert(nodes.end(), product.nodes.begin(), product.nodes.end());
    return replace(graph, id, product.factors[0], nodes, kSixthSigmoid);
  }
  const Product product = multiply_out(graph, out);
  if (product.factors.size() != 1 || !nearly(product.scalar, 1.0 / 6)) return false;
  nodes = product.nodes;
  const ValueId x = match_shifted_clip(graph, product.factors[0], 3, 6, nodes);
  return x != kNone && replace(graph, id, x, nodes, kSixthSigmoid);
}

// x * gate(x)
std::optional<UnaryKind> match_gate(const Graph& graph, ValueId gate, ValueId x, std::vector<NodeId>& nodes) {
  const NodeId id = match_op(graph, gate, OpType::kUnary);
  if (id == kNone) return std::nullopt;
  const auto& attrs = graph.node(id).as<ir::UnaryAttrs>();
  const ValueId input = graph.node(id).inputs[0];
  nodes.push_back(id);
  if (attrs.kind == UnaryKind::kSigmoid && input == x) return UnaryKind::kSilu;
  if (attrs.kind == UnaryKind::kHardSigmoid && input == x && nearly(attrs.alpha, 1.0 / 6) && nearly(attrs.beta, 0.5)) {
    return UnaryKind::kHardSwish;
  }
  if (attrs.kind == UnaryKind::kTanh) {
    const NodeId softplus = match_unary(graph, input, UnaryKind::kSoftplus);
    if (softplus == kNone || graph.node(softplus).inputs[0] != x) return std::nullopt;
    nodes.push_back(softplus);
    return UnaryKind::kMish;
  }
  return std::nullopt;
}

bool form(Graph& graph, NodeId id) {
  if (form_hard_sigmoid(graph, id)) return true;
  const ValueId out = graph.node(id).outputs[0];
  const Product product = multiply_out(graph, out);
  if (product.factors.size() != 2) return false;
  for (const std::size_t side : {0U, 1U}) {
    const ValueId x = product.factors[side];
    const ValueId gate = product.factors[1 - side];
    std::vector<NodeId> nodes = product.nodes;
    if (product.scalar == 1) {
      const auto kind = match_gate(graph, gate, x, nodes);
      if (kind && replace(graph, id, x, nodes, {*kind})) return true;
    } else if (nearly(product.scalar, 1.0 / 6) && match_shifted_clip(graph, gate, 3, 6, nodes) == x) {
      if (replace(graph, id, x, nodes, {UnaryKind::kHardSwish})) return true;
    }
  }
  return false;
}

}  // namespace

//   x * Sigmoid(x)                              Silu(x)
//   x * Tanh(Softplus(x))                       Mish(x)
//   Clip(x + 3, 0, 6) / 6                       HardSigmoid(x, 1/6, 1/2)
//   Clip(x / 6 + 1/2, 0, 1)                     HardSigmoid(x, 1/6, 1/2)
//   x * HardSigmoid(x, 1/6, 1/2)                HardSwish(x)
//   x * Clip(x + 3, 0, 6) / 6                   HardSwish(x)
//
// In any order and grouping of the product. No value inside is used elsewhere or a graph output. A gate of another
// value (squeeze and excite: x * Sigmoid(y)) stays.
bool form_swish(Graph& graph) { return for_each_node(graph, form); }

}  // namespace xinfer::passes
