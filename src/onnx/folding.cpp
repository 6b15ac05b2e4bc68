#include "onnx/folding.h"

#include <algorithm>

#include "reference/reference.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::OpType;

constexpr std::int64_t kMovedElements = std::int64_t{1} << 26;
constexpr std::int64_t kComputedElements = std::int64_t{1} << 16;
constexpr std::int64_t kTotalElements = std::int64_t{1} << 28;

std::int64_t limit_of(OpType op) {
  switch (op) {
    case OpType::kTranspose:
    case OpType::kReshape:
    case OpType::kCast:
    case OpType::kSlice:
    case OpType::kConcat:
    case OpType::kSplit:
    case OpType::kGather:
    case OpType::kUnary:
    case OpType::kBinary:
    case OpType::kWhere:
      return kMovedElements;
    case OpType::kQuantize:
    case OpType::kDequantize:
      return -1;  // they say how a tensor is stored; that must not be lost
    default:
      return kComputedElements;
  }
}

/// Contents of a shape tensor that turned out not to depend on the batch.
bool known(const ir::Value& value) {
  return !value.symbolic.empty() &&
         std::all_of(value.symbolic.begin(), value.symbolic.end(), [](const ir::Dim& d) { return d.is_constant(); });
}

}  // namespace

bool Folder::fold(ir::Graph& graph, ir::NodeId id) {
  if (graph.node(id).outputs.size() == 1 && known(graph.value(graph.node(id).outputs[0]))) {
    const ir::ValueId out = graph.node(id).outputs[0];
    const ir::Value& value = graph.value(out);
    std::vector<std::int64_t> contents;
    for (const ir::Dim& d : value.symbolic) contents.push_back(d.value);
    graph.make_constant(out, Tensor::from<std::int64_t>(value.shape.at(1), contents));
    graph.remove_node(id);
    return true;
  }
  const ir::Node& node = graph.node(id);
  const std::int64_t limit = limit_of(node.op);
  std::int64_t elements = 0;
  std::vector<Tensor> inputs;
  for (const ir::ValueId input : node.inputs) {
    inputs.emplace_back();
    if (input == ir::kNone) continue;
    const ir::Value& value = graph.value(input);
    if (!value.is_constant() || value.quantization) return false;
    elements = std::max(elements, value.constant->numel());
    inputs.back() = *value.constant;
  }
  std::int64_t produced = 0;
  for (const ir::ValueId output : node.outputs) {
    if (!graph.value(output).shape.is_static()) return false;
    const std::int64_t count = graph.value(output).shape.element_count().value;
    elements = std::max(elements, count);
    produced += count;
  }
  if (elements > limit || folded_elements_ + produced > kTotalElements) return false;
  std::vector<Tensor> results;
  try {
    results = reference::evaluate({graph, node, 1}, inputs);
  } catch (const UnsupportedError&) {
    return false;  // it stays a node, and whoever needs its value says so
  }
  folded_elements_ += produced;
  const std::vector<ir::ValueId> outputs = node.outputs;
  for (std::size_t i = 0; i < outputs.size(); ++i) graph.make_constant(outputs[i], std::move(results.at(i)));
  graph.remove_node(id);
  return true;
}

}  // namespace xinfer::onnx
