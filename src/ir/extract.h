#pragma once
// Cutting a piece out of a graph, to run it alone.

#include <span>
#include <vector>

#include "ir/graph.h"

namespace xinfer::ir {

/// Some nodes of a graph as a graph of their own. Names, types and quantization stay; constants share their memory.
struct Extract {
  Graph graph;
  std::vector<ValueId> inputs;   ///< in the source: what the piece reads from outside, in the order of graph.inputs()
  std::vector<ValueId> outputs;  ///< in the source: what somebody outside reads of it, in the order of graph.outputs()
};

/// `nodes` of `graph`, in an order in which producers stand before consumers. Throws std::logic_error when they don't,
/// or when nothing of the piece is read outside.
///
///     ... ─ x ─► [conv ─ y ─► relu ─ z ─► pool] ─ w ─► ...        inputs {x}, outputs {w}, and z if somebody else
///     reads it
Extract extract(const Graph& graph, std::span<const NodeId> nodes);

}  // namespace xinfer::ir
