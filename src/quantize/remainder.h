#pragma once
// Remainder: the part of a graph that differs from another graph, whose values are known.

#include <optional>
#include <vector>

#include "ir/graph.h"

namespace xinfer::quantize {

/// Where an output of the whole graph comes from.
struct OutputSource {
  std::optional<std::size_t> computed;  ///< from this output of the remainder's graph
  ir::ValueId known = ir::kNone;        ///< or from this value of the base; kNone: it is the base's own output
  bool operator==(const OutputSource&) const = default;
};

struct Remainder {
  ir::Graph graph;                    ///< what is left to compute; without nodes when that is nothing
  std::vector<ir::ValueId> inputs;    ///< the values of the base that are its inputs
  std::vector<OutputSource> outputs;  ///< for each output of the whole graph
};

/// The nodes of `variant` that have no equal node in `base`: one of the same name, operator, attributes, constants and
/// result types, whose other inputs are equal too. When only one layer differs, that is this layer and what depends on
/// it. Throws std::logic_error unless both graphs have the same inputs and as many outputs. Thread-safe.
Remainder remainder_of(const ir::Graph& base, const ir::Graph& variant);

}  // namespace xinfer::quantize
