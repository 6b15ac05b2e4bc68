#include "ir/graph_queries.h"

#include <algorithm>

namespace xinfer::ir {
namespace {

/// How many nodes downstream the search goes.
constexpr int kSearchDepth = 6;

bool feeds_windows_within(const Graph& graph, ValueId id, int depth) {
  if (depth == 0) return false;
  using O = OpType;
  return std::any_of(graph.value(id).consumers.begin(), graph.value(id).consumers.end(), [&](NodeId consumer) {
    const Node& node = graph.node(consumer);
    switch (node.op) {
      case O::kConv:
      case O::kConvTranspose:
      case O::kMaxPool:
      case O::kAveragePool:
      case O::kResize:
        return true;
      case O::kUnary:
      case O::kBinary:
      case O::kConcat:
      case O::kSlice:
      case O::kSplit:
      case O::kPad:
        return std::any_of(node.outputs.begin(), node.outputs.end(),
                           [&](ValueId output) { return feeds_windows_within(graph, output, depth - 1); });
      default:
        return false;
    }
  });
}

}  // namespace

bool feeds_windows(const Graph& graph, ValueId value) { return feeds_windows_within(graph, value, kSearchDepth); }

}  // namespace xinfer::ir
