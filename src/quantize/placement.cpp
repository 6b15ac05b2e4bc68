#include "quantize/placement.h"

#include <fmt/format.h>

#include <algorithm>

#include "quantize/overrides.h"

namespace xinfer::quantize {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::ValueId;

// Longest sum of products of one output: the weights' elements for each output channel.
std::int64_t sum_length(const Graph& graph, const Node& node) {
  const ir::Shape& data = graph.value(node.inputs[0]).shape;
  if (node.op == ir::OpType::kMatMul) {
    const std::size_t axis = data.rank() - (node.as<ir::MatMulAttrs>().transpose_a ? 2 : 1);
    return data[axis].is_constant() ? data[axis].value : 0;
  }
  const Tensor& weight = *graph.value(node.inputs[1]).constant;
  if (node.op == ir::OpType::kConvTranspose) {
    const std::int64_t per_input = weight.numel() / std::max<std::int64_t>(1, weight.dim(0) * weight.dim(1));
    return per_input * weight.dim(0) / node.as<ir::ConvAttrs>().groups;
  }
  return weight.numel() / std::max<std::int64_t>(1, weight.dim(0));
}

// Counts conversions at the borders of nodes, for one assignment of precisions.
class Borders {
 public:
  Borders(const Graph& graph, const Placement& placement, const PlanOptions& options)
      : graph_(graph), placement_(placement), options_(options) {}

  /// True when `value` comes from a node that runs in INT8.
  bool from_int8(ValueId value) const {
    const NodeId producer = graph_.value(value).producer;
    return producer != ir::kNone && choice(producer).precision == Precision::kInt8;
  }

  Users users_of(ValueId value, NodeId except) const {
    return quantize::users_of(graph_, placement_, options_, value, except);
  }

  /// Conversions that `id` causes when it runs in INT8.
  int cost_in_int8(NodeId id) const {
    const Node& node = graph_.node(id);
    int cost = 0;
    for (const ValueId value : distinct_data(node)) {
      if (!from_int8(value) && !users_of(value, id).int8_anchor) ++cost;
    }
    for (const ValueId value : node.outputs) {
      const Users users = users_of(value, ir::kNone);
      if (users.real && (users.int8 || !can_write_float(choice(id).kind, node))) ++cost;
    }
    return cost;
  }

  /// Conversions that `id` causes when it runs in float.
  int cost_in_float(NodeId id) const {
    const Node& node = graph_.node(id);
    int cost = 0;
    for (const ValueId value : distinct_data(node)) {
      if (!from_int8(value)) continue;
      const Users others = users_of(value, id);
      const NodeId producer = graph_.value(value).producer;
      const bool writes_float = can_write_float(choice(producer).kind, graph_.node(producer)) && !others.int8;
      if (!writes_float && !others.real) ++cost;
    }
    for (const ValueId value : node.outputs) cost += users_of(value, ir::kNone).int8 ? 1 : 0;
    return cost;
  }

  bool pays(NodeId id) const {
    const Node& node = graph_.node(id);
    const int in_int8 = cost_in_int8(id);
    const int in_float = cost_in_float(id);
    if (in_int8 != in_float) return in_int8 < in_float;
    // A tie. Integers are smaller to move and faster to compute, but where nothing behind reads integers float keeps
    // the last results exact, and before a node that drops data fewer elements remain to be converted behind it.
    const bool feeds_int8 =
        std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId v) { return users_of(v, ir::kNone).int8; });
    return feeds_int8 && !(shrinks(node) && !from_int8(node.inputs[0]));
  }

 private:
  const NodeChoice& choice(NodeId id) const { return placement_[static_cast<std::size_t>(id)]; }

  std::vector<ValueId> distinct_data(const Node& node) const {
    std::vector<ValueId> values;
    for (const std::size_t i : data_inputs(graph_, node)) {
      if (std::find(values.begin(), values.end(), node.inputs[i]) == values.end()) values.push_back(node.inputs[i]);
    }
    return values;
  }

  bool shrinks(const Node& node) const {
    const ir::Dim in = graph_.value(node.inputs[0]).shape.element_count();
    const ir::Dim out = graph_.value(node.outputs[0]).shape.element_count();
    return node.outputs.size() == 1 && in.batch == out.batch && out.value < in.value;
  }

  const Graph& graph_;
  const Placement& placement_;
  const PlanOptions& options_;
};

std::string missing_range(const Graph& graph, const Ranges& ranges, ValueId value) {
  const std::string& name = graph.value(value).name;
  const auto found = ranges.find(name);
  if (found != ranges.end() && found->second.dead()) {
    return fmt::format("'{}' was zero for every calibration image", name);
  }
  return fmt::format("no range is known for '{}'", name);
}

// Why a node can't run in INT8 for lack of a range; "" when it can.
std::string range_obstacle(const Graph& graph, const Node& node, NodeKind kind, const Ranges& ranges) {
  for (const std::size_t i : data_inputs(graph, node)) {
    if (range_of(graph, ranges, node.inputs[i]) == nullptr) return missing_range(graph, ranges, node.inputs[i]);
  }
  const bool needs_output = kind == NodeKind::kLight && !can_write_float(kind, node);
  if (needs_output && range_of(graph, ranges, node.outputs[0]) == nullptr) {
    return missing_range(graph, ranges, node.outputs[0]);
  }
  return "";
}

// Why the sums of an anchor can't be exact in int32; "" when they can.
std::string overflow_obstacle(const Graph& graph, const Node& node) {
  constexpr std::int64_t kLargestProduct = 127 * 255;
  const std::int64_t length = sum_length(graph, node);
  if (length <= std::int64_t{0x7fffffff} / kLargestProduct) return "";
  return fmt::format("its sums of {} products could overflow int32", length);
}

std::string float_reason(NodeKind kind) {
  return kind == NodeKind::kMover ? "moving floats saves conversions here" : "integers would save no conversions here";
}

// Only demotions happen, so this ends. Backwards, since float spreads from the outputs and from float consumers.
void give_up_what_does_not_pay(const Graph& graph, const std::vector<NodeId>& order, const PlanOptions& options,
                               Placement& placement) {
  const Borders borders(graph, placement, options);
  for (bool changed = true; changed;) {
    changed = false;
    for (auto id = order.rbegin(); id != order.rend(); ++id) {
      NodeChoice& choice = placement[static_cast<std::size_t>(*id)];
      if (choice.precision != Precision::kInt8 || choice.kind == NodeKind::kAnchor || borders.pays(*id)) continue;
      choice.precision = Precision::kFloat;
      choice.reason = float_reason(choice.kind);
      changed = true;
    }
  }
}

}  // namespace

const Range* range_of(const Graph& graph, const Ranges& ranges, ValueId value) {
  while (true) {
    const auto found = ranges.find(graph.value(value).name);
    if (found != ranges.end()) return found->second.dead() ? nullptr : &found->second;
    const NodeId producer = graph.value(value).producer;
    std::string ignored;
    if (producer == ir::kNone || kind_of(graph, graph.node(producer), PlanOptions{}, &ignored) != NodeKind::kMover) {
      return nullptr;
    }
    value = graph.node(producer).inputs[0];
  }
}

bool may_stay_float(const Graph& graph, const Placement& placement, const PlanOptions& options, const Node& node,
                    std::size_t index) {
  const bool is_residual = index == 3 && (node.op == ir::OpType::kConv || node.op == ir::OpType::kLinear);
  // The recursion follows a chain of residuals towards the outputs, so it ends.
  return options.float_residuals && is_residual && !users_of(graph, placement, options, node.outputs[0]).int8;
}

Users users_of(const Graph& graph, const Placement& placement, const PlanOptions& options, ValueId value,
               NodeId except) {
  Users users;
  users.real = graph.is_output(value);
  for (const NodeId user : graph.value(value).consumers) {
    if (user == except) continue;
    const NodeChoice& choice = placement[static_cast<std::size_t>(user)];
    if (choice.precision != Precision::kInt8) {
      users.real = true;
      continue;
    }
    const Node& node = graph.node(user);
    for (const std::size_t i : data_inputs(graph, node)) {
      if (node.inputs[i] != value || may_stay_float(graph, placement, options, node, i)) continue;
      users.int8 = true;
      users.int8_anchor |= choice.kind == NodeKind::kAnchor;
    }
  }
  return users;
}

Placement place(const Graph& graph, const Ranges* ranges, const PlanOptions& options) {
  const std::vector<std::string> overridden = resolve_overrides(graph, options);
  const std::vector<NodeId> order = graph.order();
  Placement placement(graph.node_slots());
  for (const NodeId id : order) {
    const Node& node = graph.node(id);
    NodeChoice& choice = placement[static_cast<std::size_t>(id)];
    choice.kind = kind_of(graph, node, options, &choice.reason);
    if (choice.kind == NodeKind::kIndex) {
      choice.precision = Precision::kIndex;
      choice.reason = "works on shapes, indices or booleans";
      continue;
    }
    if (choice.kind == NodeKind::kFloatOnly) continue;
    choice.reason = overridden[static_cast<std::size_t>(id)];
    if (choice.reason.empty() && choice.kind == NodeKind::kAnchor) choice.reason = overflow_obstacle(graph, node);
    if (choice.reason.empty()) choice.precision = Precision::kInt8;
  }
  give_up_what_does_not_pay(graph, order, options, placement);
  if (ranges == nullptr) return placement;
  // Ranges come second: calibration doesn't observe what would run in float anyway, and that is then the reason.
  for (const NodeId id : order) {
    NodeChoice& choice = placement[static_cast<std::size_t>(id)];
    if (choice.precision != Precision::kInt8) continue;
    choice.reason = range_obstacle(graph, graph.node(id), choice.kind, *ranges);
    if (!choice.reason.empty()) choice.precision = Precision::kFloat;
  }
  give_up_what_does_not_pay(graph, order, options, placement);
  return placement;
}

}  // namespace xinfer::quantize
