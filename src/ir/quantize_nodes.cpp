#include "ir/quantize_nodes.h"

#include <stdexcept>

namespace xinfer::ir {

ValueId add_quantize(Graph& graph, const std::string& name, ValueId x, DataType dtype, Quantization quantization) {
  if (!is_int8_like(dtype)) throw std::logic_error("add_quantize: the type must be s8 or u8, in '" + name + "'");
  if (quantization.scales.empty()) throw std::logic_error("add_quantize: no scale was given for '" + name + "'");
  const ValueId out = graph.add(OpType::kQuantize, name, {x});
  graph.value(out).dtype = dtype;
  graph.value(out).quantization = std::move(quantization);
  return out;
}

ValueId add_dequantize(Graph& graph, const std::string& name, ValueId x) {
  return graph.add(OpType::kDequantize, name, {x});
}

}  // namespace xinfer::ir
