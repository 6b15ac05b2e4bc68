#include "ir/cost.h"

#include <set>

namespace xinfer::ir {
namespace {

double elements(const Shape& shape, std::int64_t batch) {
  double count = 1;
  for (const Dim& dim : shape) count *= static_cast<double>(dim.at(batch));
  return count;
}

double elements(const Graph& graph, ValueId id, std::int64_t batch) { return elements(graph.value(id).shape, batch); }

double macs_of(const Graph& graph, const Node& node, std::int64_t batch) {
  const auto shape = [&](std::size_t input) -> const Shape& { return graph.value(node.inputs[input]).shape; };
  switch (node.op) {
    case OpType::kConv: {  // each output element reads one filter
      const Shape& weights = shape(1);
      return elements(graph, node.outputs[0], batch) * elements(weights, batch) /
             static_cast<double>(weights[0].at(batch));
    }
    case OpType::kConvTranspose: {  // each input element meets one filter
      const Shape& weights = shape(1);
      return elements(shape(0), batch) * elements(weights, batch) / static_cast<double>(weights[0].at(batch));
    }
    case OpType::kLinear:
      return elements(graph, node.outputs[0], batch) * static_cast<double>(shape(1)[1].at(batch));
    case OpType::kMatMul: {
      const Shape& a = shape(0);
      const std::size_t axis = a.rank() == 1 ? 0 : node.as<MatMulAttrs>().transpose_a ? a.rank() - 2 : a.rank() - 1;
      return elements(graph, node.outputs[0], batch) * static_cast<double>(a[axis].at(batch));
    }
    case OpType::kAttention: {  // q (N,H,S,D) times k (N,H,T,D), then times v (N,H,T,E)
      const double depth = static_cast<double>(shape(0)[3].at(batch) + shape(2)[3].at(batch));
      return elements(shape(0), batch) / static_cast<double>(shape(0)[3].at(batch)) *
             static_cast<double>(shape(1)[2].at(batch)) * depth;
    }
    default:
      return 0;
  }
}

}  // namespace

Cost cost_of(const Graph& graph, const Node& node, std::int64_t batch) {
  return cost_of(graph, node, batch,
                 [&](ValueId id) { return static_cast<double>(xinfer::size_of(graph.value(id).dtype)); });
}

Cost cost_of(const Graph& graph, const Node& node, std::int64_t batch,
             const std::function<double(ValueId)>& element_bytes) {
  Cost cost;
  cost.macs = macs_of(graph, node, batch);
  std::set<ValueId> moved(node.inputs.begin(), node.inputs.end());
  moved.insert(node.outputs.begin(), node.outputs.end());
  for (const ValueId id : moved) {
    if (id == kNone) continue;
    cost.bytes += elements(graph, id, batch) * element_bytes(id);
  }
  return cost;
}

}  // namespace xinfer::ir
