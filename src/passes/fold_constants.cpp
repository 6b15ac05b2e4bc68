#include <algorithm>
#include <utility>

#include "passes/match.h"
#include "passes/rewrites.h"
#include "reference/reference.h"

namespace xinfer::passes {
namespace {

constexpr std::int64_t kLargestResult = 64LL << 20;  // bytes
constexpr std::int64_t kLargestGrowth = 1LL << 20;   // bytes an Expand or Tile may write out

std::int64_t output_bytes(const Graph& graph, const Node& node) {
  std::int64_t bytes = 0;
  for (const ValueId out : node.outputs) {
    const ir::Value& value = graph.value(out);
    bytes += value.shape.element_count().value * static_cast<std::int64_t>(size_of(value.dtype));
  }
  return bytes;
}

bool is_foldable(const Graph& graph, const Node& node) {
  if (node.inputs.empty()) return false;
  for (const ValueId input : node.inputs) {
    if (input != kNone && !graph.value(input).is_constant()) return false;
  }
  for (const ValueId out : node.outputs) {
    if (!graph.value(out).shape.is_static()) return false;
  }
  // Weights that come as integers stay integers: their scales are what a quantized model is about.
  if (node.op == OpType::kDequantize && is_int8_like(graph.value(node.inputs[0]).dtype)) return false;
  const bool only_repeats = node.op == OpType::kExpand || node.op == OpType::kTile;
  return output_bytes(graph, node) <= (only_repeats ? kLargestGrowth : kLargestResult);
}

}  // namespace

//   constants ── op ── y          y (a constant)
//
// Every input is a constant, every output has a fixed shape and the result is at most 64 MiB (1 MiB for Expand and
// Tile, which would only write the same numbers many times). Dequantize of 8-bit weights stays.
bool fold_constants(Graph& graph) {
  return for_each_node(graph, [](Graph& g, NodeId id) {
    if (!is_foldable(g, g.node(id))) return false;
    std::vector<Tensor> inputs;
    for (const ValueId input : g.node(id).inputs) {
      inputs.push_back(input == kNone ? Tensor() : *std::as_const(g).value(input).constant);
    }
    const std::vector<Tensor> results = reference::evaluate({g, g.node(id)}, inputs);
    const std::vector<ValueId> outputs = g.node(id).outputs;
    for (std::size_t i = 0; i < outputs.size(); ++i) g.make_constant(outputs[i], results[i]);
    g.remove_node(id);
    return true;
  });
}

}  // namespace xinfer::passes
