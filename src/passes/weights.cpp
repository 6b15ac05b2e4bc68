#include "passes/weights.h"

#include <algorithm>
#include <utility>

namespace xinfer::passes {
namespace {

const Tensor& constant_of(const Graph& graph, ValueId value) { return *graph.value(value).constant; }

std::vector<double> bias_of(const Graph& graph, const Node& node, std::int64_t channels) {
  std::vector<double> bias(static_cast<std::size_t>(channels), 0.0);
  if (node.has_input(2)) {
    const auto numbers = constant_of(graph, node.inputs[2]).data<float>();
    std::copy(numbers.begin(), numbers.end(), bias.begin());
  }
  return bias;
}

void set_bias(Graph& graph, NodeId node, const std::vector<double>& bias) {
  Tensor tensor(DataType::kFloat32, {static_cast<std::int64_t>(bias.size())});
  std::transform(bias.begin(), bias.end(), tensor.data<float>().begin(),
                 [](double x) { return static_cast<float>(x); });
  set_constant_input(graph, node, 2, std::move(tensor), graph.node(node).name + ".bias");
}

std::int64_t groups_of(const Node& node) { return node.op == OpType::kLinear ? 1 : node.as<ir::ConvAttrs>().groups; }

}  // namespace

bool has_constant_weights(const Graph& graph, const Node& node) {
  if (node.op != OpType::kConv && node.op != OpType::kConvTranspose && node.op != OpType::kLinear) return false;
  if (!is_float(graph, node.inputs[1]) || !graph.value(node.inputs[1]).is_constant()) return false;
  return !node.has_input(2) || (is_float(graph, node.inputs[2]) && graph.value(node.inputs[2]).is_constant());
}

std::size_t channel_axis(const Graph& graph, const Node& node) {
  return node.op == OpType::kLinear ? graph.value(node.outputs[0]).shape.rank() - 1 : 1;
}

std::int64_t output_channels(const Graph& graph, const Node& node) {
  return graph.value(node.outputs[0]).shape[channel_axis(graph, node)].value;
}

std::optional<std::vector<double>> per_channel_constant(const Graph& graph, ValueId value, std::size_t rank,
                                                        std::size_t axis, std::int64_t channels) {
  if (!is_float(graph, value) || !graph.value(value).is_constant()) return std::nullopt;
  const Tensor& tensor = constant_of(graph, value);
  if (tensor.rank() > rank || tensor.numel() == 0) return std::nullopt;
  const std::size_t offset = rank - tensor.rank();
  for (std::size_t i = 0; i < tensor.rank(); ++i) {
    const std::int64_t size = tensor.shape()[i];
    if (size != 1 && (offset + i != axis || size != channels)) return std::nullopt;
  }
  const auto numbers = tensor.data<float>();
  std::vector<double> result(static_cast<std::size_t>(channels));
  for (std::size_t c = 0; c < result.size(); ++c) result[c] = numbers[numbers.size() == 1 ? 0 : c];
  return result;
}

void set_constant_input(Graph& graph, NodeId node, std::size_t index, Tensor tensor, const std::string& name) {
  if (graph.node(node).has_input(index)) {
    const ValueId old = graph.node(node).inputs[index];
    if (graph.sole_consumer(old) == node) {
      graph.make_constant(old, std::move(tensor));
      return;
    }
  }
  graph.set_or_append_input(node, index, graph.add_constant(name, std::move(tensor)));
}

void scale_and_shift_output(Graph& graph, NodeId id, std::span<const double> scale, std::span<const double> shift) {
  const Node& node = graph.node(id);
  const std::int64_t channels = output_channels(graph, node);
  std::vector<double> bias = bias_of(graph, node, channels);
  for (std::size_t o = 0; o < bias.size(); ++o) bias[o] = bias[o] * scale[o] + shift[o];

  const bool scales = std::any_of(scale.begin(), scale.end(), [](double s) { return s != 1; });
  if (scales) {
    Tensor weights = constant_of(graph, node.inputs[1]).clone();
    const auto w = weights.data<float>();
    if (node.op == OpType::kConvTranspose) {  // (C, O / groups, kernel...)
      const std::int64_t inputs_in_group = weights.dim(0) / groups_of(node);
      const std::int64_t outputs_in_group = weights.dim(1);
      const std::int64_t inner = weights.numel() / (weights.dim(0) * outputs_in_group);
      for (std::int64_t i = 0; i < weights.numel(); ++i) {
        const std::int64_t group = i / inner / outputs_in_group / inputs_in_group;
        const std::int64_t o = group * outputs_in_group + i / inner % outputs_in_group;
        float& x = w[static_cast<std::size_t>(i)];
        x = static_cast<float>(x * scale[static_cast<std::size_t>(o)]);
      }
    } else {
      const std::int64_t inner = weights.numel() / channels;
      for (std::int64_t i = 0; i < weights.numel(); ++i) {
        float& x = w[static_cast<std::size_t>(i)];
        x = static_cast<float>(x * scale[static_cast<std::size_t>(i / inner)]);
      }
    }
    set_constant_input(graph, id, 1, std::move(weights), graph.node(id).name + ".weight");
  }
  const bool shifts = std::any_of(bias.begin(), bias.end(), [](double b) { return b != 0; });
  if (shifts || graph.node(id).has_input(2)) set_bias(graph, id, bias);
}

void scale_and_shift_input(Graph& graph, NodeId id, std::span<const double> scale, std::span<const double> shift) {
  const Node& node = graph.node(id);
  const std::int64_t channels = output_channels(graph, node);
  std::vector<double> bias = bias_of(graph, node, channels);
  Tensor weights = constant_of(graph, node.inputs[1]).clone();  // (O, C / groups, kernel...)
  const auto w = weights.data<float>();
  const std::int64_t inputs_in_group = weights.dim(1);
  const std::int64_t outputs_in_group = channels / groups_of(node);
  const std::int64_t inner = weights.numel() / (channels * inputs_in_group);
  for (std::int64_t i = 0; i < weights.numel(); ++i) {
    const std::int64_t o = i / inner / inputs_in_group;
    const auto c = static_cast<std::size_t>(o / outputs_in_group * inputs_in_group + i / inner % inputs_in_group);
    float& x = w[static_cast<std::size_t>(i)];
    bias[static_cast<std::size_t>(o)] += x * shift[c];
    x = static_cast<float>(x * scale[c]);
  }
  set_constant_input(graph, id, 1, std::move(weights), graph.node(id).name + ".weight");
  set_bias(graph, id, bias);
}

}  // namespace xinfer::passes
