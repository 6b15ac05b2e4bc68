#include "passes/match.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace xinfer::passes {

using ir::BinaryKind;
using ir::UnaryKind;

bool is_float(const Graph& graph, ValueId value) {
  return value != kNone && graph.value(value).dtype == DataType::kFloat32;
}

std::optional<float> scalar_constant(const Graph& graph, ValueId value) {
  if (!is_float(graph, value) || !graph.value(value).is_constant()) return std::nullopt;
  const auto numbers = std::as_const(*graph.value(value).constant).data<float>();
  if (numbers.empty()) return std::nullopt;
  const float first = numbers.front();
  if (!std::all_of(numbers.begin(), numbers.end(), [&](float x) { return x == first; })) return std::nullopt;
  return first;
}

bool nearly(double number, double target) { return std::abs(number - target) <= 1e-4 * std::abs(target); }

NodeId producer_of(const Graph& graph, ValueId value) { return value == kNone ? kNone : graph.value(value).producer; }

NodeId match_op(const Graph& graph, ValueId value, OpType op) {
  const NodeId id = producer_of(graph, value);
  return id != kNone && graph.node(id).op == op ? id : kNone;
}

NodeId match_unary(const Graph& graph, ValueId value, UnaryKind kind) {
  const NodeId id = match_op(graph, value, OpType::kUnary);
  return id != kNone && graph.node(id).as<ir::UnaryAttrs>().kind == kind ? id : kNone;
}

NodeId match_binary(const Graph& graph, ValueId value, BinaryKind kind) {
  const NodeId id = match_op(graph, value, OpType::kBinary);
  if (id == kNone || !is_float(graph, value)) return kNone;
  const auto& attrs = graph.node(id).as<ir::BinaryAttrs>();
  return attrs.kind == kind && is_identity(attrs.epilogue) ? id : kNone;
}

std::optional<ScalarBinary> match_binary_scalar(const Graph& graph, ValueId value, BinaryKind kind) {
  const NodeId id = match_binary(graph, value, kind);
  if (id == kNone) return std::nullopt;
  const Node& node = graph.node(id);
  const bool commutes =
      kind == BinaryKind::kAdd || kind == BinaryKind::kMul || kind == BinaryKind::kMax || kind == BinaryKind::kMin;
  for (const std::size_t side : {1U, 0U}) {
    if (side == 0 && !commutes) break;
    const auto scalar = scalar_constant(graph, node.inputs[side]);
    const ValueId operand = node.inputs[1 - side];
    if (scalar && graph.value(operand).shape == graph.value(value).shape) return ScalarBinary{id, operand, *scalar};
  }
  return std::nullopt;
}

ValueId other_operand(const Node& node, ValueId operand) {
  if (node.inputs.size() != 2) return kNone;
  if (node.inputs[0] == operand) return node.inputs[1];
  return node.inputs[1] == operand ? node.inputs[0] : kNone;
}

bool is_private(const Graph& graph, const std::vector<NodeId>& inner, NodeId root) {
  const auto inside = [&](NodeId id) { return id == root || std::find(inner.begin(), inner.end(), id) != inner.end(); };
  for (const NodeId id : inner) {
    if (id == root) continue;
    for (const ValueId out : graph.node(id).outputs) {
      const auto& users = graph.value(out).consumers;
      if (graph.is_output(out) || !std::all_of(users.begin(), users.end(), inside)) return false;
    }
  }
  return true;
}

const ir::Epilogue* epilogue_of(const Node& node) {
  switch (node.op) {
    case OpType::kConv:
    case OpType::kConvTranspose:
      return &node.as<ir::ConvAttrs>().epilogue;
    case OpType::kLinear:
      return &node.as<ir::LinearAttrs>().epilogue;
    case OpType::kBinary:
      return &node.as<ir::BinaryAttrs>().epilogue;
    default:
      return nullptr;
  }
}

bool is_identity(const ir::Epilogue& epilogue) { return epilogue.activation == UnaryKind::kIdentity; }

bool is_identity_permutation(const std::vector<std::int64_t>& perm) {
  for (std::size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

namespace {

void multiply_out(const Graph& graph, ValueId value, bool top, Product& product) {
  const bool used_once = top || graph.sole_consumer(value) != kNone;
  if (used_once) {
    if (const NodeId id = match_binary(graph, value, BinaryKind::kMul); id != kNone) {
      product.nodes.push_back(id);
      for (const ValueId input : graph.node(id).inputs) {
        if (const auto scalar = scalar_constant(graph, input)) {
          product.scalar *= *scalar;
        } else {
          multiply_out(graph, input, false, product);
        }
      }
      return;
    }
    if (const auto quotient = match_binary_scalar(graph, value, BinaryKind::kDiv)) {
      product.nodes.push_back(quotient->node);
      product.scalar /= quotient->scalar;
      multiply_out(graph, quotient->operand, false, product);
      return;
    }
    const auto power = match_binary_scalar(graph, value, BinaryKind::kPow);
    if (power && (power->scalar == 2 || power->scalar == 3)) {
      product.nodes.push_back(power->node);
      product.factors.insert(product.factors.end(), static_cast<std::size_t>(power->scalar), power->operand);
      return;
    }
  }
  product.factors.push_back(value);
}

}  // namespace

Product multiply_out(const Graph& graph, ValueId value) {
  Product product;
  multiply_out(graph, value, true, product);
  return product;
}

void rewrite(Graph& graph, NodeId node, OpType op, std::vector<ValueId> inputs, ir::Attributes attrs) {
  const std::vector<ValueId> before = graph.node(node).inputs;
  for (std::size_t i = 0; i < before.size(); ++i) graph.set_input(node, i, kNone);
  graph.node(node).inputs.assign(inputs.size(), kNone);
  for (std::size_t i = 0; i < inputs.size(); ++i) graph.set_input(node, i, inputs[i]);
  graph.node(node).op = op;
  graph.node(node).attrs = std::move(attrs);
  graph.infer(node);
  for (const ValueId value : before) sweep(graph, value);
}

void take_over(Graph& graph, NodeId keeper, NodeId gone) {
  const ValueId inner = graph.node(keeper).outputs.front();
  const ValueId last = graph.node(gone).outputs.front();
  const std::vector<ValueId> inputs = graph.node(gone).inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) graph.set_input(gone, i, kNone);
  std::swap(graph.node(keeper).outputs.front(), graph.node(gone).outputs.front());
  graph.value(last).producer = keeper;
  graph.value(inner).producer = gone;
  graph.remove_node(gone);
  graph.infer(keeper);
  for (const ValueId value : inputs) sweep(graph, value);
}

void sweep(Graph& graph, ValueId value) {
  std::vector<ValueId> open{value};
  while (!open.empty()) {
    const NodeId id = producer_of(graph, open.back());
    open.pop_back();
    if (id == kNone) continue;
    const auto& outputs = graph.node(id).outputs;
    const bool needed = std::any_of(outputs.begin(), outputs.end(), [&](ValueId out) {
      return graph.is_output(out) || !graph.value(out).consumers.empty();
    });
    if (needed) continue;
    const std::vector<ValueId> inputs = graph.node(id).inputs;
    graph.remove_node(id);
    open.insert(open.end(), inputs.begin(), inputs.end());
  }
}

}  // namespace xinfer::passes
