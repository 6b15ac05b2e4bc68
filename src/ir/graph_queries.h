#pragma once
// Questions about a graph's surroundings that several backends ask.

#include "ir/graph.h"

namespace xinfer::ir {

/// Whether `value` will be used by window operators (convolutions, pools, resizing), which want channels last:
/// directly, or through a few elementwise operators and moves.
bool feeds_windows(const Graph& graph, ValueId value);

}  // namespace xinfer::ir
