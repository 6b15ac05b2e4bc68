#pragma once
// Text and Graphviz renderings of a graph.

#include <string>

#include "ir/graph.h"

namespace xinfer::ir {

/// A heading, inputs and constants, then one line a node, in order, then the outputs:
/// `%y: f32[N, 64, 56, 56] = Conv(%x, %w, %b) {strides=[2, 2], ...}  # name`. A quantized value shows its scale, as in
/// `%y: s8[N, 64] scale 0.05`; an absent optional input is `_`; the comment is left out where the name is the value's.
std::string to_text(const Graph& graph);
/// Graphviz "digraph": nodes with op, name and attributes, edges with type, shape and scale.
std::string to_dot(const Graph& graph);
/// "strides=[2, 2], pads=[1, 1, 1, 1], activation=Relu": what differs from the default, and always the kind.
std::string to_string(const Attributes& attrs);

}  // namespace xinfer::ir
