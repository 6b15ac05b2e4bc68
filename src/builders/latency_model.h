#pragma once
// A model of a node's time, for choices that must come out the same on every machine and in every run.

#include <cstdint>

#include "ir/graph.h"
#include "quantize/options.h"

namespace xinfer::builders {

/// What an engine is meant to run on.
enum class Hardware : std::uint8_t { kCpu, kGpu };

/// Milliseconds of one node of a float graph at batch 1, in one precision: a roofline (S. Williams et al., "Roofline",
/// CACM 2009) with the rates of a typical machine, two cores with VNNI or one large GPU, and a fixed cost a node. Only
/// comparisons between nodes and precisions mean anything.
double modelled_ms(const ir::Graph& float_graph, const ir::Node& node, quantize::Precision precision,
                   Hardware hardware);

}  // namespace xinfer::builders
