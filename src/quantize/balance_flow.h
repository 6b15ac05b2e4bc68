#pragma once
// The flow of channel scales through a graph: which channels must be scaled alike, who can take a scale into its
// parameters, and where a scale would change the result.

#include <set>
#include <vector>

#include "ir/graph.h"
#include "quantize/balance_channels.h"
#include "quantize/channel_ranges.h"

namespace xinfer::quantize {

struct FlowOptions {
  bool equalize = true;              ///< scales may start at convolutions and linear layers
  bool migrate = true;               ///< ... and at normalisations, and may pass through attention
  std::set<ir::NodeId> points = {};  ///< ... and at these products with a constant (migration.h)
};

struct ChannelFlow {
  std::vector<Channels> values;     ///< by value id; factors are those that find() gives
  std::vector<ir::NodeId> writers;  ///< divide by the scale of their output within their parameters, in graph order
  std::vector<ir::NodeId> readers;  ///< Conv, ConvTranspose and Linear that multiply by the scale of their data
  Factors factors;
};

/// Follows scales from the nodes that can write them.
///
/// They pass through what is linear in a channel or commutes with a positive scale: ReLU, leaky ReLU, sums of values
/// that are scaled alike, products with values that aren't scaled, pools, means, data movement, and attention from its
/// values to its output. A depthwise or grouped convolution both takes the scale of its data and starts a new one.
/// Everything else, the graph's outputs included, freezes what it reads.
///
/// Clips are positively homogeneous only for what they don't cut off. A channel that reached its bound is frozen; the
/// factor of another is kept so small that a quarter more than the largest value seen stays below the bound. Values
/// beyond what the samples showed may then be cut off earlier or later than in the float graph.
ChannelFlow follow_channels(const ir::Graph& graph, const ChannelRanges& ranges, const FlowOptions& options);

}  // namespace xinfer::quantize
