#include "cuda/siblings.h"

#include <cstring>

namespace xinfer::cuda {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::Value;
using ir::ValueId;

// True for a Linear whose columns can stand beside those of others.
bool may_join(const Graph& graph, const Node& node) {
  if (node.op != ir::OpType::kLinear || node.has_input(3) || node.outputs.size() != 1) return false;
  const Value& weights = graph.value(node.inputs[1]);
  const Value& output = graph.value(node.outputs[0]);
  if (!weights.is_constant() || output.dtype != DataType::kFloat32 || output.quantization) return false;
  if (weights.quantization) {
    const ir::Quantization& q = *weights.quantization;
    if (!q.zero_points.empty() || (q.per_channel() && q.axis != 0)) return false;
  }
  if (!node.has_input(2)) return true;
  const Value& bias = graph.value(node.inputs[2]);
  return bias.is_constant() && bias.dtype == DataType::kFloat32;
}

bool match(const Graph& graph, const Node& a, const Node& b) {
  const Value& x = graph.value(a.inputs[1]);
  const Value& y = graph.value(b.inputs[1]);
  return x.dtype == y.dtype && x.shape == y.shape && x.quantization.has_value() == y.quantization.has_value() &&
         a.as<ir::LinearAttrs>() == b.as<ir::LinearAttrs>() &&
         graph.value(a.outputs[0]).shape == graph.value(b.outputs[0]).shape;
}

Tensor concatenate(const std::vector<Tensor>& parts) {
  std::vector<std::int64_t> shape = parts.front().shape();
  shape[0] *= static_cast<std::int64_t>(parts.size());
  Tensor result(parts.front().dtype(), shape);
  auto* to = static_cast<std::byte*>(result.raw());
  for (const Tensor& part : parts) {
    std::memcpy(to, part.raw(), part.bytes());
    to += part.bytes();
  }
  return result;
}

void build(const Graph& graph, Siblings& siblings) {
  const Node& leader = graph.node(siblings.nodes.front());
  const Value& input = graph.value(leader.inputs[0]);
  const std::int64_t columns = graph.value(leader.inputs[1]).constant->dim(0);
  std::vector<Tensor> weights, biases;
  ir::Quantization scales;
  scales.axis = 0;
  bool any_bias = false;
  for (const NodeId id : siblings.nodes) {
    const Node& node = graph.node(id);
    const Value& w = graph.value(node.inputs[1]);
    weights.push_back(*w.constant);
    if (w.quantization && w.quantization->per_channel()) {
      const std::vector<float>& own = w.quantization->scales;
      scales.scales.insert(scales.scales.end(), own.begin(), own.end());
    } else if (w.quantization) {
      scales.scales.insert(scales.scales.end(), static_cast<std::size_t>(columns), w.quantization->scale());
    }
    any_bias = any_bias || node.has_input(2);
    const std::vector<float> none(static_cast<std::size_t>(columns), 0.0F);
    biases.push_back(node.has_input(2) ? *graph.value(node.inputs[2]).constant : Tensor::from<float>({columns}, none));
  }
  Graph& merged = siblings.merged;
  const ValueId x = merged.add_input(input.name, input.dtype, input.shape);
  merged.value(x).quantization = input.quantization;
  std::vector<ValueId> inputs{x, merged.add_constant("weights", concatenate(weights),
                                                     scales.scales.empty() ? std::nullopt : std::optional(scales))};
  if (any_bias) inputs.push_back(merged.add_constant("bias", concatenate(biases)));
  siblings.node = merged.add_node(ir::OpType::kLinear, leader.name, inputs, leader.attrs);
  Value& output = merged.value(merged.node(siblings.node).outputs[0]);
  output.dtype = DataType::kFloat32;  // of integers too
  merged.set_outputs({merged.node(siblings.node).outputs[0]});
}

}  // namespace

std::optional<Siblings> sibling_linears(const Graph& graph, NodeId leader, const std::function<bool(NodeId)>& allowed) {
  const Node& first = graph.node(leader);
  if (!may_join(graph, first) || !allowed(leader)) return std::nullopt;
  Siblings siblings;
  for (const NodeId id : graph.value(first.inputs[0]).consumers) {
    const Node& node = graph.node(id);
    if (id == leader || !may_join(graph, node) || node.inputs[0] != first.inputs[0] || !match(graph, first, node)) {
      continue;
    }
    if (allowed(id)) siblings.nodes.push_back(id);
  }
  if (siblings.nodes.empty()) return std::nullopt;
  siblings.nodes.insert(siblings.nodes.begin(), leader);
  build(graph, siblings);
  return siblings;
}

}  // namespace xinfer::cuda
