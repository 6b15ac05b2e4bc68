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

/// A slice of a shape may be empty; then it is known whatever it was cut from.
bool is_empty(const ir::Value& value) {
  return !value.quantization && value.shape.is_static() && value.shape.element_count() == ir::Dim(0);
}

Tensor tensor_of(const ir::Value& value) {
  Tensor tensor(value.dtype, value.shape.at(1));
  for (std::size_t i = 0; i < value.symbolic.size(); ++i) {
    const std::int64_t element = value.symbolic[i].value;
    if (value.dtype == DataType::kBool) tensor.data<bool>()[i] = element != 0;
    if (value.dtype == DataType::kInt32) tensor.data<std::int32_t>()[i] = static_cast<std::int32_t>(element);
    if (value.dtype == DataType::kInt64) tensor.data<std::int64_t>()[i] = element;
  }
  return tensor;
}

}  // namespace

bool Folder::fold(ir::Graph& graph, ir::NodeId id) {
  if (graph.node(id).outputs.size() == 1 && known(graph.value(graph.node(id).outputs[0]))) {
    const ir::ValueId out = graph.node(id).outputs[0];
    graph.make_constant(out, tensor_of(graph.value(out)));
    graph.remove_node(id);
    return true;
  }
  if (graph.node(id).outputs.size() == 1 && is_empty(graph.value(graph.node(id).outputs[0]))) {
    const ir::ValueId out = graph.node(id).outputs[0];
    graph.make_constant(out, Tensor(graph.value(out).dtype, graph.value(out).shape.at(1)));
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
