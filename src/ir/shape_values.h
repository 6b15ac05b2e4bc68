#pragma once
// Arithmetic on the contents of shape tensors, so that a model may compute its shapes from the batch size.

#include <optional>
#include <vector>

#include "ir/graph.h"

namespace xinfer::ir {

/// Contents of a small integer or bool tensor of rank 0 or 1 (up to 64 elements), row by row: of a constant, or what
/// is known symbolically; bools count as 0 and 1. Empty when they are not known.
std::optional<std::vector<Dim>> contents_of(const Graph& graph, ValueId id);

/// Sets the symbolic contents of the node's output from its inputs', when at least one of those depends on the batch
/// and the operator is one that shape arithmetic uses (Gather, Concat, Slice, Reshape, Cast, Add, Sub, Mul, Div, Min,
/// Max, Equal, Where). The batch counts as 1 or more. Returns false and clears them otherwise, also when a result would
/// not be of the form k or k*N. Graph::infer calls this.
bool propagate_contents(Graph& graph, Node& node);

}  // namespace xinfer::ir
