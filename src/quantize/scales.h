#pragma once
// The integer form (type and scale) of every value that is read or written as integers.

#include <optional>
#include <vector>

#include "ir/graph.h"
#include "quantize/placement.h"

namespace xinfer::quantize {

struct IntegerForm {
  DataType dtype = DataType::kInt8;
  float scale = 1;
  bool operator==(const IntegerForm&) const = default;
};

/// By value id; empty for values without an integer form.
using IntegerForms = std::vector<std::optional<IntegerForm>>;

/// True when an INT8 node writes `value` as integers, in place of f32.
bool written_as_integers(const ir::Graph& graph, const Placement& placement, const PlanOptions& options,
                         ir::ValueId value);

/// True when the structure of the graph keeps `value` from being negative: a ReLU, a sigmoid, a softmax, ... before it.
/// By value id. A graph input counts as such: there the observed range decides.
std::vector<bool> never_negative(const ir::Graph& graph);

/// Chooses type and scale of every value with an integer form.
///
/// u8 where the value can't be negative, s8 otherwise (also for the second operand of an INT8 MatMul, and everywhere
/// with symmetric_s8_only). A mover's output takes its input's form. A value that a concat alone reads takes the form
/// of the concat's output, so that the concat only copies; through movers and nested concats too.
IntegerForms choose_forms(const ir::Graph& graph, const Placement& placement, const Ranges& ranges,
                          const PlanOptions& options);

}  // namespace xinfer::quantize
