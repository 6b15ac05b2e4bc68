#pragma once
// Linear layers that read the same value, as one: queries, keys and values of an attention.

#include <functional>
#include <optional>
#include <vector>

#include "ir/graph.h"

namespace xinfer::cuda {

struct Siblings {
  std::vector<ir::NodeId> nodes;  ///< in the graph's order; the first leads
  ir::Graph merged;             ///< one Linear, named as the leader, with the columns of all of them behind each other
  ir::NodeId node = ir::kNone;  ///< that Linear
};

/// The layers that one product can compute together with `leader`, and that product:
///
///   x ──┬── Linear a ── f32 [.., n]                x ── Linear a|b|c ── f32 [.., 3 n]
///       ├── Linear b ── f32 [.., n]
///       └── Linear c ── f32 [.., n]
///
/// Constant weights of one type and shape, one activation, f32 outputs, no residuals. Empty where `leader` is not the
/// first of at least two such layers. `allowed` may leave nodes out.
std::optional<Siblings> sibling_linears(const ir::Graph& graph, ir::NodeId leader,
                                        const std::function<bool(ir::NodeId)>& allowed);

}  // namespace xinfer::cuda
