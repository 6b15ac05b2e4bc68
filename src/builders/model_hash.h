#pragma once
// Tells models apart.

#include <string>

#include "ir/graph.h"

namespace xinfer::builders {

/// 32 hex digits that change with anything that could change an activation: operators, attributes, names, constants.
std::string content_hash(const ir::Graph& graph);

}  // namespace xinfer::builders
