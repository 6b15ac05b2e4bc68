#pragma once
// Constant folding while reading: exporters compute shapes, pads and scales with chains of nodes, and the reader needs
// their values.

#include <cstdint>

#include "ir/graph.h"

namespace xinfer::onnx {

/// Evaluates nodes whose inputs are all constants, within limits, so that a small hostile file can't ask for much
/// memory or time: nodes that move data fold up to 2^26 elements, nodes that compute up to 2^16, and 2^28 elements in
/// all.
class Folder {
 public:
  /// Replaces the node by constants when that is possible and cheap. Returns whether it did.
  bool fold(ir::Graph& graph, ir::NodeId node);

 private:
  std::int64_t folded_elements_ = 0;
};

}  // namespace xinfer::onnx
