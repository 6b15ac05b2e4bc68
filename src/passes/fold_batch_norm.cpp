#include <algorithm>
#include <cmath>
#include <utility>

#include "passes/rewrites.h"
#include "passes/weights.h"

namespace xinfer::passes {
namespace {

// What a batch norm does to channel c: scale[c] * x + shift[c].
struct Affine {
  std::vector<double> scale, shift;
};

std::optional<Affine> affine_of(const Graph& graph, const Node& node) {
  if (node.op != OpType::kBatchNorm || !is_float(graph, node.inputs[0])) return std::nullopt;
  for (std::size_t i = 1; i < 5; ++i) {
    if (!is_float(graph, node.inputs[i]) || !graph.value(node.inputs[i]).is_constant()) return std::nullopt;
  }
  const auto numbers = [&](std::size_t i) {
    return std::as_const(*graph.value(node.inputs[i]).constant).data<float>();
  };
  const auto gamma = numbers(1);
  const auto beta = numbers(2);
  const auto mean = numbers(3);
  const auto variance = numbers(4);
  Affine affine;
  for (std::size_t c = 0; c < gamma.size(); ++c) {
    affine.scale.push_back(gamma[c] / std::sqrt(static_cast<double>(variance[c]) + node.as<ir::NormAttrs>().epsilon));
    affine.shift.push_back(beta[c] - mean[c] * affine.scale[c]);
  }
  return affine;
}

bool fold_into_producer(Graph& graph, NodeId id, const Affine& affine) {
  const ValueId x = graph.node(id).inputs[0];
  const NodeId layer = producer_of(graph, x);
  if (layer == kNone || graph.sole_consumer(x) != id || !has_constant_weights(graph, graph.node(layer))) return false;
  const Node& node = graph.node(layer);
  // Batch norm counts channels along axis 1, a linear layer along the last.
  if (channel_axis(graph, node) != 1 || node.has_input(3) || !is_identity(*epilogue_of(node))) return false;
  scale_and_shift_output(graph, layer, affine.scale, affine.shift);
  take_over(graph, layer, id);
  return true;
}

bool fold_into_consumer(Graph& graph, NodeId id, const Affine& affine) {
  const ValueId y = graph.node(id).outputs[0];
  const NodeId layer = graph.sole_consumer(y);
  if (layer == kNone) return false;
  const Node& node = graph.node(layer);
  if (!has_constant_weights(graph, node) || node.inputs[0] != y || node.op == OpType::kConvTranspose) return false;
  if (node.op == OpType::kLinear && graph.value(y).shape.rank() != 2) return false;
  if (node.op == OpType::kConv) {
    const auto& pads = node.as<ir::ConvAttrs>().pads;
    if (std::any_of(pads.begin(), pads.end(), [](std::int64_t p) { return p != 0; })) return false;
  }
  scale_and_shift_input(graph, layer, affine.scale, affine.shift);
  graph.set_input(layer, 0, graph.node(id).inputs[0]);
  graph.infer(layer);
  graph.remove_node(id);
  return true;
}

}  // namespace

//   x ── Conv | ConvTranspose | Linear (w, b) ── BatchNorm ── y          x ── same (s w, s b + t) ── y
//   x ── BatchNorm ── Conv without padding | Linear (w, b) ── y          x ── same (w s, b + w t) ── y
//
// s = gamma / sqrt(variance + epsilon), t = beta - mean s, in double. All parameters, weights and the bias are f32
// constants; nothing else reads the value between; the layer before has no activation and no residual yet; a Linear has
// rank 2, where its channels are batch norm's axis 1. Before a conv that pads, or with ReLU between (DenseNet's
// BatchNorm-ReLU-Conv), nothing can be folded: see lower_batch_norm.
// Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018.
bool fold_batch_norm(Graph& graph) {
  return for_each_node(graph, [](Graph& g, NodeId id) {
    const auto affine = affine_of(g, g.node(id));
    return affine && (fold_into_producer(g, id, *affine) || fold_into_consumer(g, id, *affine));
  });
}

//   x ── BatchNorm ── y          x ── Conv 1x1, one group a channel (w = s, b = t) ── y
//
// For (N, C, H, W) in f32 with constant parameters, where no layer could take it. As a depthwise conv it runs in
// integers (a single weight a channel is exact in int8), and takes an activation and a residual.
bool lower_batch_norm(Graph& graph) {
  return for_each_node(graph, [](Graph& g, NodeId id) {
    const auto affine = affine_of(g, g.node(id));
    const ValueId x = g.node(id).inputs.empty() ? kNone : g.node(id).inputs[0];
    if (!affine || g.value(x).shape.rank() != 4) return false;
    const auto channels = static_cast<std::int64_t>(affine->scale.size());
    std::vector<float> weights(affine->scale.begin(), affine->scale.end());
    std::vector<float> bias(affine->shift.begin(), affine->shift.end());
    const std::string name = g.node(id).name;
    const ValueId w = g.add_constant(name + ".weight", Tensor::from<float>({channels, 1, 1, 1}, weights));
    const ValueId b = g.add_constant(name + ".bias", Tensor::from<float>({channels}, bias));
    ir::ConvAttrs attrs;
    attrs.strides = attrs.dilations = {1, 1};
    attrs.pads = {0, 0, 0, 0};
    attrs.groups = channels;
    rewrite(g, id, OpType::kConv, {x, w, b}, attrs);
    return true;
  });
}

}  // namespace xinfer::passes
