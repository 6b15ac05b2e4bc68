#pragma once
// Checks that a graph is well-formed; runs after every pass.

#include "ir/graph.h"

namespace xinfer::ir {

/// Throws std::logic_error (an internal bug, not bad input) naming the node or value and `stage` when: an id is out of
/// range, a use list is wrong, a value has two producers, a used value comes from nowhere (no producer, input or
/// constant), arity or attribute type is off, attributes are not in normal form, a constant's type or shape differs
/// from its value's, a stored output type or shape differs from what the shape rule gives, names repeat, a quantized
/// value has no scale or a scale that is not finite and positive, an operator that only moves data changes the scale,
/// or the graph has a cycle.
void verify(const Graph& graph, const std::string& stage);

}  // namespace xinfer::ir
