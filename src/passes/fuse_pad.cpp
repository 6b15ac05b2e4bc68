#include <algorithm>
#include <limits>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace xinfer::passes {
namespace {

// Padding that touches the spatial axes alone and adds: begins, then ends; else empty.
std::vector<std::int64_t> spatial_pads(const ir::PadAttrs& attrs) {
  const std::size_t rank = attrs.pads.size() / 2;
  if (attrs.mode != ir::PadMode::kConstant || rank < 3) return {};
  std::vector<std::int64_t> pads;
  for (std::size_t i = 0; i < attrs.pads.size(); ++i) {
    const std::int64_t pad = attrs.pads[i];
    if (pad < 0 || (i % rank < 2 && pad != 0)) return {};
    if (i % rank >= 2) pads.push_back(pad);
  }
  return pads;
}

bool is_non_negative(const Graph& graph, ValueId value) {
  const NodeId id = producer_of(graph, value);
  if (id == kNone) return false;
  const Node& node = graph.node(id);
  ir::Epilogue last;
  if (node.op == OpType::kUnary) {
    const auto& attrs = node.as<ir::UnaryAttrs>();
    last = {attrs.kind, attrs.alpha, attrs.beta};
  } else if (const ir::Epilogue* epilogue = epilogue_of(node)) {
    last = *epilogue;
  }
  return last.activation == ir::UnaryKind::kRelu || last.activation == ir::UnaryKind::kSigmoid ||
         last.activation == ir::UnaryKind::kHardSigmoid || (last.activation == ir::UnaryKind::kClip && last.alpha >= 0);
}

std::vector<std::int64_t> sum(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  std::vector<std::int64_t> result = a;
  for (std::size_t i = 0; i < b.size(); ++i) result[i] += b[i];
  return result;
}

// No window may lie in the padding alone, and the count of windows must not depend on where the padding is kept.
bool pool_can_pad(const ir::PoolAttrs& attrs, const std::vector<std::int64_t>& pads) {
  if (attrs.ceil_mode) return false;
  for (std::size_t i = 0; i < pads.size(); ++i) {
    if (pads[i] >= attrs.kernel[i % attrs.kernel.size()]) return false;
  }
  return std::all_of(attrs.dilations.begin(), attrs.dilations.end(), [](std::int64_t d) { return d == 1; });
}

bool fuse_into_pool(Graph& graph, NodeId id, NodeId pad, const std::vector<std::int64_t>& pads) {
  const auto& pad_attrs = graph.node(pad).as<ir::PadAttrs>();
  ir::PoolAttrs attrs = graph.node(id).as<ir::PoolAttrs>();
  const bool pads_already = std::any_of(attrs.pads.begin(), attrs.pads.end(), [](std::int64_t p) { return p != 0; });
  if (graph.node(id).op == OpType::kMaxPool) {
    const bool never_wins = pad_attrs.value <= std::numeric_limits<float>::lowest();
    const bool ties_at_most = pad_attrs.value == 0 && is_non_negative(graph, graph.node(pad).inputs[0]);
    if (!never_wins && !ties_at_most) return false;
  } else {
    if (pad_attrs.value != 0 || (pads_already && !attrs.count_include_pad)) return false;
    attrs.count_include_pad = true;
  }
  attrs.pads = sum(attrs.pads, pads);
  if (!pool_can_pad(attrs, attrs.pads)) return false;
  rewrite(graph, id, graph.node(id).op, {graph.node(pad).inputs[0]}, attrs);
  return true;
}

bool fuse(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const bool pools = node.op == OpType::kMaxPool || node.op == OpType::kAveragePool;
  if (!pools && node.op != OpType::kConv) return false;
  const ValueId padded = node.inputs[0];
  const NodeId pad = match_op(graph, padded, OpType::kPad);
  if (pad == kNone || !is_float(graph, padded)) return false;
  const std::vector<std::int64_t> pads = spatial_pads(graph.node(pad).as<ir::PadAttrs>());
  if (pads.empty()) return false;
  if (pools) return fuse_into_pool(graph, id, pad, pads);
  if (graph.node(pad).as<ir::PadAttrs>().value != 0) return false;
  auto& attrs = graph.node(id).as<ir::ConvAttrs>();
  attrs.pads = sum(attrs.pads, pads);
  graph.set_input(id, 0, graph.node(pad).inputs[0]);
  graph.infer(id);
  sweep(graph, padded);
  return true;
}

}  // namespace

//   x ── Pad (constant) ── Conv | AveragePool | MaxPool ── y          x ── same, with more pads ── y
//
// The padding is constant, adds, and touches spatial axes alone; other readers of the padded value keep the Pad.
// Conv: value 0. AveragePool: value 0, and its own padding is none or counted; from now on padding is counted.
// MaxPool: value -inf, or 0 where x can't be negative. Pools also need pads below the kernel, dilation 1 and no
// ceil_mode, which would count windows differently.
bool fuse_pad(Graph& graph) { return for_each_node(graph, fuse); }

}  // namespace xinfer::passes
