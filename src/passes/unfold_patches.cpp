#include "passes/match.h"
#include "passes/rewrites.h"
#include "passes/weights.h"

namespace xinfer::passes {
namespace {

constexpr std::int64_t kMostChannels = 4;
constexpr std::int64_t kFewestTaps = 64;

// True for a 2-D convolution whose windows tile the input: kernel = stride, no padding, no dilation, one group.
bool tiles_its_input(const Graph& graph, const Node& node) {
  if (node.op != OpType::kConv || node.has_input(3) || !has_constant_weights(graph, node)) return false;
  const ir::Shape& x = graph.value(node.inputs[0]).shape;
  const ir::Shape& w = graph.value(node.inputs[1]).shape;
  const auto& attrs = node.as<ir::ConvAttrs>();
  if (x.rank() != 4 || attrs.groups != 1 || !is_identity(attrs.epilogue)) return false;
  for (std::size_t i = 0; i < 2; ++i) {
    const ir::Dim size = x[i + 2];
    const std::int64_t kernel = w[i + 2].value;
    if (!size.is_constant() || size.value % kernel != 0 || attrs.strides[i] != kernel) return false;
    if (attrs.dilations[i] != 1 || attrs.pads[i] != 0 || attrs.pads[i + 2] != 0) return false;
  }
  return true;
}

}  // namespace

//   x [N, C, h k, w k] ── Conv (k x k, stride k) ── y [N, O, h, w]
//
//   x ── Reshape [N, C, h, k, w, k] ── Transpose [N, h, w, C, k, k] ── Reshape [N, h w, C k k] ── Linear ── [N, h w, O]
//                                                                          ── Transpose ── Reshape ── y [N, O, h, w]
//
// The first layer of a vision transformer as the matrix product that it is. Backends store channels in groups of 16 or
// so, of which a picture fills 3; the product has no gaps, and its rows are what the layers behind read. For at most 4
// input channels and at least 64 taps: with more channels the convolution wastes nothing, with fewer taps moving the
// pixels costs more than it saves.
bool unfold_patches(Graph& graph) {
  return for_each_node(graph, [](Graph& g, NodeId id) {
    if (!tiles_its_input(g, g.node(id))) return false;
    const Node conv = g.node(id);
    const ir::Shape x = g.value(conv.inputs[0]).shape;
    const ir::Shape y = g.value(conv.outputs[0]).shape;
    const Tensor weights = *g.value(conv.inputs[1]).constant;
    const std::int64_t channels = weights.dim(1), kh = weights.dim(2), kw = weights.dim(3);
    if (channels > kMostChannels || kh * kw < kFewestTaps) return false;

    const std::string name = conv.name + ".patches";
    const ValueId tiled =
        g.add(OpType::kReshape, name + ".tile", {conv.inputs[0]}, ir::ShapeAttrs{{x[0], channels, y[2], kh, y[3], kw}});
    const ValueId moved = g.add(OpType::kTranspose, name + ".move", {tiled}, ir::TransposeAttrs{{0, 2, 4, 1, 3, 5}});
    const ir::Dim count = ir::multiply(y[2], y[3]);
    const ValueId rows =
        g.add(OpType::kReshape, name + ".rows", {moved}, ir::ShapeAttrs{{x[0], count, channels * kh * kw}});
    std::vector<ValueId> inputs{
        rows, g.add_constant(name + ".weight", weights.reshaped({weights.dim(0), channels * kh * kw}))};
    if (conv.has_input(2)) inputs.push_back(conv.inputs[2]);
    const ValueId product = g.add(OpType::kLinear, name, inputs, ir::LinearAttrs{});
    const ValueId turned = g.add(OpType::kTranspose, name + ".turn", {product}, ir::TransposeAttrs{{0, 2, 1}});
    rewrite(g, id, OpType::kReshape, {turned}, ir::ShapeAttrs{y});
    return true;
  });
}

}  // namespace xinfer::passes
