#pragma once
// Small helpers with which the rewrites look at a graph and change it.

#include <optional>
#include <vector>

#include "ir/graph.h"

namespace xinfer::passes {

using ir::Graph;
using ir::kNone;
using ir::Node;
using ir::NodeId;
using ir::OpType;
using ir::ValueId;

// -- Looking ------------------------------------------------------------------------------------------------------

/// True for a present value of type f32.
bool is_float(const Graph& graph, ValueId value);
/// The f32 constant's number when it has one element or all its elements are equal; else nothing.
std::optional<float> scalar_constant(const Graph& graph, ValueId value);
/// Equal within what exporters round away (they write 0.7071 for sqrt(1/2)): 1e-4 relative.
bool nearly(double number, double target);
/// The node that produces `value`; kNone for graph inputs, constants and kNone itself.
NodeId producer_of(const Graph& graph, ValueId value);
/// The producer of `value` when its operator is `op`; else kNone.
NodeId match_op(const Graph& graph, ValueId value, OpType op);
/// The producer of `value` when it is this unary function; else kNone.
NodeId match_unary(const Graph& graph, ValueId value, ir::UnaryKind kind);
/// The producer of `value` when it is this binary function of floats without a fused activation; else kNone.
NodeId match_binary(const Graph& graph, ValueId value, ir::BinaryKind kind);

/// operand (+ - * / ...) scalar.
struct ScalarBinary {
  NodeId node = kNone;
  ValueId operand = kNone;
  float scalar = 0;
};
/// Matches a binary function with a scalar constant (on either side when it commutes, else on the right) that leaves
/// its operand's shape as it is.
std::optional<ScalarBinary> match_binary_scalar(const Graph& graph, ValueId value, ir::BinaryKind kind);

/// The operand of a binary node that is not `operand`; kNone when `operand` is not one of the two. For f(x, x): x.
ValueId other_operand(const Node& node, ValueId operand);
/// True when the outputs of `inner` are read by nodes of `inner` and by `root` alone, and none is a graph output: the
/// nodes can vanish when `root` is replaced.
bool is_private(const Graph& graph, const std::vector<NodeId>& inner, NodeId root);
/// The epilogue of a conv, transposed conv, linear or binary node; null for other operators.
const ir::Epilogue* epilogue_of(const Node& node);
/// True for the epilogue that does nothing.
bool is_identity(const ir::Epilogue& epilogue);
/// The permutation that leaves every axis where it is.
bool is_identity_permutation(const std::vector<std::int64_t>& perm);

/// A value's constant multiple of a product: scalar * factors[0] * factors[1] * ...
struct Product {
  double scalar = 1;
  std::vector<ValueId> factors;
  std::vector<NodeId> nodes;  ///< that were multiplied out
};
/// Multiplies out the nodes above `value`: Mul, Div by a scalar, Pow(x, 2 or 3). Goes through values used once only.
Product multiply_out(const Graph& graph, ValueId value);

// -- Changing -----------------------------------------------------------------------------------------------------

/// Turns a node with one output into another operator over other inputs. The output value stays the same; producers
/// that nobody needs any more are removed.
void rewrite(Graph& graph, NodeId node, OpType op, std::vector<ValueId> inputs, ir::Attributes attrs);
/// Lets `keeper` produce the output of `gone`, its sole consumer, and removes `gone`. The surviving value keeps the
/// last name, since ranges are looked up by value names. Infers `keeper` again, so change its attributes before.
void take_over(Graph& graph, NodeId keeper, NodeId gone);
/// Removes the producer of `value`, and upwards what only it needed, when nobody uses it.
void sweep(Graph& graph, ValueId value);

/// Calls `rewrite_one(graph, node)` on every live node, producers first; true when one call returned true.
template <class F>
bool for_each_node(Graph& graph, F&& rewrite_one) {
  bool changed = false;
  for (const NodeId id : graph.order()) {
    if (!graph.node(id).removed) changed |= rewrite_one(graph, id);
  }
  return changed;
}

}  // namespace xinfer::passes
