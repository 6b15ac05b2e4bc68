#pragma once
// Resolves precision overrides to the nodes of one graph.

#include <string>
#include <vector>

#include "ir/graph.h"
#include "quantize/options.h"

namespace xinfer::quantize {

/// For each node slot of `graph`: why an override keeps it in float ("override of node 'a'"), or "" where none does.
/// Throws CalibrationError naming the override when it matches no node, with the nearest names that exist.
std::vector<std::string> resolve_overrides(const ir::Graph& graph, const PlanOptions& options);

/// True when somebody asked for a precision of `node`, whichever it is.
bool is_overridden(const ir::Node& node, const PlanOptions& options);

}  // namespace xinfer::quantize
