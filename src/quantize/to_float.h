#pragma once
// The way back: from a graph on integers to the float graph that it stands for.

#include <set>
#include <string>

#include "ir/graph.h"
#include "quantize/options.h"

namespace xinfer::quantize {

/// A float graph, and what quantize() needs to make the same integer graph of it again.
struct FloatForm {
  ir::Graph graph;  ///< f32 wherever integers stood for reals; weights are the reals that their integers stand for
  /// Every layer's integer weights; and overrides that keep in float what ran in float. What runs on integers can be
  /// read off the graph; the range method can't and is left at its default, as is symmetric_s8_only.
  PlanOptions options;
};

/// Undoes quantize(): drops the Quantize and Dequantize nodes at the borders and gives integer values back their reals'
/// type. Nodes, activations and outputs keep their names, weights lose the ending that quantize() gave them.
///
/// quantize(form.graph, ranges, form.options) with the ranges of the first time gives `quantized` again; with others it
/// gives the same nodes and the same weights under other scales. `own` names the Quantize and Dequantize nodes that the
/// model had before it was quantized: they stay. Deterministic and thread-safe.
FloatForm to_float(const ir::Graph& quantized, const std::set<std::string>& own = {});

}  // namespace xinfer::quantize
