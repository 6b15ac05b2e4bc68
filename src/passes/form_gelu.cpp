#include <algorithm>
#include <cmath>
#include <numbers>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace xinfer::passes {
namespace {

using ir::BinaryKind;
using ir::UnaryKind;

const double kHalfRoot = std::sqrt(0.5);                     // erf(x / sqrt 2)
const double kTanhFactor = std::sqrt(2 / std::numbers::pi);  // tanh(sqrt(2 / pi) (x + 0.044715 x^3))
constexpr double kCubic = 0.044715;

void append(std::vector<NodeId>& to, const std::vector<NodeId>& from) { to.insert(to.end(), from.begin(), from.end()); }

// value == scalar * x^count: adds the nodes between to `nodes`.
bool is_multiple_of_power(const Graph& graph, ValueId value, double scalar, ValueId x, std::size_t count,
                          std::vector<NodeId>& nodes) {
  const Product product = multiply_out(graph, value);
  const bool matches = nearly(product.scalar, scalar) && product.factors.size() == count &&
                       std::all_of(product.factors.begin(), product.factors.end(), [&](ValueId f) { return f == x; });
  if (matches) append(nodes, product.nodes);
  return matches;
}

// value == 1 + 0.044715 x^2
bool is_quadratic(const Graph& graph, ValueId value, ValueId x, std::vector<NodeId>& nodes) {
  const auto sum = match_binary_scalar(graph, value, BinaryKind::kAdd);
  if (!sum || !nearly(sum->scalar, 1)) return false;
  nodes.push_back(sum->node);
  return is_multiple_of_power(graph, sum->operand, kCubic, x, 2, nodes);
}

// value == x + 0.044715 x^3
bool is_cubic(const Graph& graph, ValueId value, ValueId x, std::vector<NodeId>& nodes) {
  const NodeId sum = match_binary(graph, value, BinaryKind::kAdd);
  if (sum == kNone) return false;
  const ValueId cube = other_operand(graph.node(sum), x);
  if (cube == kNone) return false;
  nodes.push_back(sum);
  return is_multiple_of_power(graph, cube, kCubic, x, 3, nodes);
}

// value == sqrt(2 / pi) (x + 0.044715 x^3), written as x + x^3 or as x (1 + x^2)
bool is_tanh_argument(const Graph& graph, ValueId value, ValueId x, std::vector<NodeId>& nodes) {
  const Product product = multiply_out(graph, value);
  if (!nearly(product.scalar, kTanhFactor)) return false;
  append(nodes, product.nodes);
  if (product.factors.size() == 1) return is_cubic(graph, product.factors[0], x, nodes);
  if (product.factors.size() != 2) return false;
  const bool x_first = product.factors[0] == x;
  if (!x_first && product.factors[1] != x) return false;
  return is_quadratic(graph, product.factors[x_first ? 1 : 0], x, nodes);
}

// value == 1 + erf(x / sqrt 2) or 1 + tanh(...)
std::optional<UnaryKind> match_gate(const Graph& graph, ValueId value, ValueId x, std::vector<NodeId>& nodes) {
  const auto sum = match_binary_scalar(graph, value, BinaryKind::kAdd);
  if (!sum || !nearly(sum->scalar, 1)) return std::nullopt;
  nodes.push_back(sum->node);
  if (const NodeId erf = match_unary(graph, sum->operand, UnaryKind::kErf); erf != kNone) {
    nodes.push_back(erf);
    if (is_multiple_of_power(graph, graph.node(erf).inputs[0], kHalfRoot, x, 1, nodes)) return UnaryKind::kGelu;
  } else if (const NodeId tanh = match_unary(graph, sum->operand, UnaryKind::kTanh); tanh != kNone) {
    nodes.push_back(tanh);
    if (is_tanh_argument(graph, graph.node(tanh).inputs[0], x, nodes)) return UnaryKind::kGeluTanh;
  }
  return std::nullopt;
}

bool form(Graph& graph, NodeId id) {
  const ValueId out = graph.node(id).outputs[0];
  const Product product = multiply_out(graph, out);
  if (!nearly(product.scalar, 0.5) || product.factors.size() != 2) return false;
  for (const std::size_t side : {0U, 1U}) {
    const ValueId x = product.factors[side];
    std::vector<NodeId> nodes = product.nodes;
    const auto kind = match_gate(graph, product.factors[1 - side], x, nodes);
    if (!kind || graph.value(x).shape != graph.value(out).shape || !is_private(graph, nodes, id)) continue;
    rewrite(graph, id, OpType::kUnary, {x}, ir::UnaryAttrs{*kind});
    return true;
  }
  return false;
}

}  // namespace

//   0.5 * x * (1 + erf(x / sqrt 2))                              Gelu(x)
//   0.5 * x * (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))          GeluTanh(x)
//
// In any order and grouping of the product, with / sqrt 2 or * sqrt(1/2), x^3 as Pow or product, or as x (1 + 0.044715
// x^2). Constants may be rounded (1e-4). No value inside is used elsewhere or a graph output.
// Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
bool form_gelu(Graph& graph) { return for_each_node(graph, form); }

}  // namespace xinfer::passes
