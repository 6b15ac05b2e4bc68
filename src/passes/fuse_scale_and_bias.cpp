#include <algorithm>

#include "passes/rewrites.h"
#include "passes/weights.h"

namespace xinfer::passes {
namespace {

using ir::BinaryKind;

bool fuse(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (node.op != OpType::kBinary || !is_identity(node.as<ir::BinaryAttrs>().epilogue)) return false;
  const BinaryKind kind = node.as<ir::BinaryAttrs>().kind;
  const bool commutes = kind == BinaryKind::kAdd || kind == BinaryKind::kMul;
  if (!commutes && kind != BinaryKind::kSub && kind != BinaryKind::kDiv) return false;
  for (const std::size_t side : {0U, 1U}) {
    if (side == 1 && !commutes) break;
    const ValueId x = node.inputs[side];
    const NodeId layer = producer_of(graph, x);
    if (layer == kNone || graph.sole_consumer(x) != id || !has_constant_weights(graph, graph.node(layer))) continue;
    const Node& target = graph.node(layer);
    if (target.has_input(3) || !is_identity(*epilogue_of(target))) continue;
    const ir::Shape& shape = graph.value(x).shape;
    if (graph.value(node.outputs[0]).shape != shape) continue;
    const std::int64_t channels = output_channels(graph, target);
    const auto numbers =
        per_channel_constant(graph, node.inputs[1 - side], shape.rank(), channel_axis(graph, target), channels);
    if (!numbers) continue;
    std::vector<double> scale(numbers->size(), 1.0);
    std::vector<double> shift(numbers->size(), 0.0);
    for (std::size_t c = 0; c < numbers->size(); ++c) {
      const double number = (*numbers)[c];
      if (kind == BinaryKind::kAdd) shift[c] = number;
      if (kind == BinaryKind::kSub) shift[c] = -number;
      if (kind == BinaryKind::kMul) scale[c] = number;
      if (kind == BinaryKind::kDiv) scale[c] = 1 / number;
    }
    scale_and_shift_output(graph, layer, scale, shift);
    take_over(graph, layer, id);
    return true;
  }
  return false;
}

}  // namespace

//   x ── Conv | ConvTranspose | Linear (w, b) ── + c ── y             x ── same (w, b + c) ── y
//   x ── Conv | ConvTranspose | Linear (w, b) ── * c, / c ── y        x ── same (c w, c b) ── y
//
// c is a constant, one number or one for each output channel. Nothing else reads the layer's output; weights and bias
// are constants; no activation or residual is fused yet.
bool fuse_scale_and_bias(Graph& graph) { return for_each_node(graph, fuse); }

}  // namespace xinfer::passes
