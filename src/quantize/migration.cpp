#include "quantize/migration.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <span>

namespace xinfer::quantize {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::OpType;
using ir::UnaryKind;
using ir::ValueId;

bool is_parameter(const Graph& graph, ValueId id) {
  return graph.value(id).is_constant() && graph.value(id).dtype == DataType::kFloat32;
}

// Linear layers with constant weights that read `value` as their data.
std::vector<NodeId> linear_readers(const Graph& graph, ValueId value) {
  std::set<NodeId> readers;
  for (const NodeId id : graph.value(value).consumers) {
    const Node& node = graph.node(id);
    if (node.op == OpType::kLinear && node.inputs[0] == value && is_parameter(graph, node.inputs[1]))
      readers.insert(id);
  }
  return {readers.begin(), readers.end()};
}

// The least value of an activation that falls below zero, a little rounded down; 0 for others.
float least_of(UnaryKind kind) {
  switch (kind) {
    case UnaryKind::kGelu:
    case UnaryKind::kGeluTanh:
      return -0.1701F;
    case UnaryKind::kSilu:
      return -0.2785F;
    case UnaryKind::kMish:
      return -0.3089F;
    case UnaryKind::kHardSwish:
      return -0.375F;
    default:
      return 0;
  }
}

float least_of(const Graph& graph, ValueId value) {
  const NodeId producer = graph.value(value).producer;
  if (producer == ir::kNone) return 0;
  const Node& node = graph.node(producer);
  switch (node.op) {
    case OpType::kUnary:
      return least_of(node.as<ir::UnaryAttrs>().kind);
    case OpType::kLinear:
      return least_of(node.as<ir::LinearAttrs>().epilogue.activation);
    default:
      return 0;
  }
}

// bias - W c, summed in double.
Tensor lowered_bias(const Graph& graph, const Node& linear, std::span<const float> lift) {
  const Tensor& weights = *graph.value(linear.inputs[1]).constant;
  const auto w = weights.data<float>();
  Tensor bias(DataType::kFloat32, {weights.dim(0)});
  for (std::size_t o = 0; o < bias.data<float>().size(); ++o) {
    double sum = linear.has_input(2) ? graph.value(linear.inputs[2]).constant->data<float>()[o] : 0.0F;
    for (std::size_t k = 0; k < lift.size(); ++k) sum -= static_cast<double>(w[o * lift.size() + k]) * lift[k];
    bias.data<float>()[o] = static_cast<float>(sum);
  }
  return bias;
}

// True when some channel of the value is scaled by a factor that may still be chosen.
bool can_be_scaled(ChannelFlow& flow, ValueId value) {
  const Channels& channels = flow.values[static_cast<std::size_t>(value)];
  return std::ranges::any_of(channels.factors, [&](Factor factor) { return !flow.factors.frozen(factor); });
}

}  // namespace

std::vector<MigrationPoint> add_migration_points(Graph& graph, ChannelFlow& flow, ChannelRanges& ranges) {
  std::vector<MigrationPoint> points;
  const auto count = static_cast<ValueId>(graph.value_count());
  for (ValueId id = 0; id < count; ++id) {
    const ir::Value value = graph.value(id);  // a copy: the graph grows
    if (value.is_constant() || value.dtype != DataType::kFloat32 || value.shape.rank() < 2) continue;
    const std::size_t axis = value.shape.rank() - 1;
    const auto seen = ranges.find({id, axis});
    if (!value.shape[axis].is_constant() || seen == ranges.end() || !seen->second.finite()) continue;
    if (value.producer == ir::kNone || can_be_scaled(flow, id)) continue;
    const std::vector<NodeId> readers = linear_readers(graph, id);
    if (readers.empty()) continue;

    Tensor ones(DataType::kFloat32, {value.shape[axis].value});
    std::ranges::fill(ones.data<float>(), 1.0F);
    const std::string name = value.name + ".migrated";
    const ValueId factors = graph.add_constant(name + ".factors", std::move(ones));
    MigrationPoint point;
    point.from = id;
    point.node = graph.add_node(OpType::kBinary, name, {id, factors}, ir::BinaryAttrs{ir::BinaryKind::kMul, {}});
    point.to = graph.node(point.node).outputs[0];
    for (const NodeId reader : readers) graph.set_input(reader, 0, point.to);
    ranges.emplace(ChannelKey{point.to, axis}, seen->second);
    points.push_back(point);
  }
  return points;
}

bool lift_points(Graph& graph, const std::vector<MigrationPoint>& points, const ChannelRanges& ranges) {
  constexpr double kLeastGain = 3;  // dB
  bool changed = false;
  for (const MigrationPoint& point : points) {
    const float least = least_of(graph, point.from);
    const std::vector<NodeId> readers = linear_readers(graph, point.to);
    const bool biased = std::ranges::all_of(readers, [&](NodeId id) {
      return !graph.node(id).has_input(2) || is_parameter(graph, graph.node(id).inputs[2]);
    });
    if (least == 0 || !biased) continue;
    const Tensor factors = *graph.value(graph.node(point.node).inputs[1]).constant;
    const auto s = factors.data<float>();
    const std::size_t axis = graph.value(point.from).shape.rank() - 1;
    const std::vector<float>& largest = ranges.at({point.to, axis}).largest;
    Tensor lift(DataType::kFloat32, {static_cast<std::int64_t>(s.size())});
    float top = 0, lifted = 0;
    for (std::size_t c = 0; c < s.size(); ++c) {
      lift.data<float>()[c] = -least * s[c];
      top = std::max(top, largest[c] * s[c]);
      lifted = std::max(lifted, largest[c] * s[c] - least * s[c]);
    }
    if (!(20 * std::log10(2 * top / lifted) >= kLeastGain)) continue;

    const std::string name = graph.value(point.from).name + ".lifted";
    const ValueId amounts = graph.add_constant(name + ".amounts", lift);
    ir::BinaryAttrs attrs{ir::BinaryKind::kAdd, {}};
    attrs.epilogue.activation = UnaryKind::kRelu;
    const ValueId up = graph.add(OpType::kBinary, name, {point.to, amounts}, attrs);
    for (const NodeId reader : readers) {
      Tensor bias = lowered_bias(graph, graph.node(reader), lift.data<float>());
      graph.set_input(reader, 0, up);
      graph.set_or_append_input(reader, 2,
                                graph.add_constant(graph.node(reader).name + ".bias.lowered", std::move(bias)));
    }
    changed = true;
  }
  return changed;
}

void remove_idle_points(Graph& graph, const std::vector<MigrationPoint>& points) {
  for (const MigrationPoint& point : points) {
    const auto factors = graph.value(graph.node(point.node).inputs[1]).constant->data<float>();
    if (!std::ranges::all_of(factors, [](float f) { return f == 1; })) continue;
    graph.replace_uses(point.to, point.from);
    graph.remove_node(point.node);
  }
}

}  // namespace xinfer::quantize
