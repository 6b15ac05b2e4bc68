#pragma once
// Text and Graphviz renderings of a graph.

#include <string>

#include "ir/graph.h"

namespace xinfer::ir {

/// One line a node: `%y: f32[N, 64, 56, 56] = Conv(%x, %w, %b) {strides=[2, 2], ...}  # name`.
std::string to_text(const Graph& graph);
/// Graphviz "digraph": nodes with op, name and attributes, edges with type, shape and scale.
std::string to_dot(const Graph& graph);
/// "strides=[2, 2], pads=[1, 1, 1, 1], activation=Relu": only what differs from the default.
std::string to_string(const Attributes& attrs);

}  // namespace xinfer::ir
