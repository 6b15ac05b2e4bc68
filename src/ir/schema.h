#pragma once
// The registry of operators: arity, attribute type, and shape rule of each OpType.

#include <span>

#include "ir/graph.h"

namespace xinfer::ir {

/// How an operator takes part in INT8 execution.
enum class QuantRole : std::uint8_t {
  kFloatOnly,  ///< runs in float; integers are converted at its border
  kCompute,    ///< reads integers, accumulates, and requantizes: input and output scales are independent
  kMove,       ///< only moves or selects data: output integers carry the input's scale
};

struct OpSchema {
  OpType op;
  std::string_view name;
  int min_inputs;
  int max_inputs;  ///< -1: any number
  int min_outputs;
  int max_outputs;  ///< -1: any number
  QuantRole quant_role;
  std::size_t attrs_index;  ///< index of the attribute struct in ir::Attributes
  /// Sets dtype and shape of the node's outputs and brings its attributes into normal form. An output that already has
  /// a Quantization keeps its dtype; an operator that moves data hands its input's Quantization on. Throws ModelError
  /// without the node's name (Graph::infer adds it).
  void (*infer)(Graph& graph, Node& node);
};

/// Schema of `op`; every OpType has one.
const OpSchema& schema_of(OpType op);
/// All schemas, in OpType order.
std::span<const OpSchema> all_schemas();

/// Throws ModelError when `node` has too few or too many inputs or outputs, or a required input is absent;
/// std::logic_error when it carries another operator's attributes.
void check_arity(const OpSchema& schema, const Node& node);

}  // namespace xinfer::ir
