#pragma once
// Balance: rescales the channels of a float graph so that each tensor's channels have similar ranges, without changing
// what the graph computes.

#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "quantize/channel_ranges.h"
#include "quantize/finding.h"

namespace xinfer::quantize {

struct BalanceOptions {
  bool equalize = true;  ///< rescale what convolutions and linear layers write (cross-layer equalization)
  bool migrate = true;   ///< rescale what normalisations write, and what passes through attention (SmoothQuant)
  /// How far a channel's range moves into the weights behind it: 1 makes all channels equally large, 0 all columns of
  /// the weights. Empty: for each group what the estimate likes best.
  std::optional<float> alpha;
  double least_gain_db = 1;  ///< groups for which the estimate promises less are left alone
};

/// One group of channels that was rescaled. Where it holds several tensors, the layer that gained most speaks for it.
struct Rescaling {
  std::string writer;      ///< the node that writes the first of these channels
  std::string reader;      ///< the layer that gains most
  double range_ratio = 1;  ///< in its data: the largest channel's range in multiples of the median channel's
  double sqnr_before = 0;  ///< of its output in dB, estimated, with all other tensors exact
  double sqnr_after = 0;
  float alpha = 0;  ///< what was chosen
  /// Who takes the scales: a layer's weights (kConv, kLinear, ...), a normalisation, or a migration point (kBinary).
  ir::OpType writer_op = ir::OpType::kConv;
};

struct BalanceResult {
  /// Verified; nodes and values keep names and ids, new constants and the nodes of migration points come last.
  ir::Graph graph;
  bool changed = false;               ///< the graph differs from the one given
  std::vector<Rescaling> rescalings;  ///< in graph order
  std::vector<Finding> findings;      ///< of rescalings that gained more than 6 dB, or with a range ratio above 16
};

/// Rescales the channels of `graph` (float, canonical and fused), whose `ranges` measure_channels() gave.
///
/// A channel c of a tensor is multiplied by s[c] in the parameters of the node that writes it and divided by s[c] in
/// the weights of all layers that read it; follow_channels() says where that is possible. For each group of channels
/// that share a tensor or a layer, s[c] = largest[c]^-alpha * weight[c]^(1 - alpha), rounded to powers of two, so that
/// float results stay the same to the bit (but for underflow); alpha and rounding are those with the least estimated
/// noise (LayerNoise). Groups that gain less than `least_gain_db` stay as they are: a healthy network is left
/// untouched.
///
/// After M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, and
/// G. Xiao et al., "SmoothQuant", ICML 2023. Both scale by real numbers; grouping, estimate and choice of alpha are
/// ours. Deterministic and thread-safe. Throws std::logic_error when `ranges` belong to another graph.
BalanceResult balance(const ir::Graph& graph, const ChannelRanges& ranges, const BalanceOptions& options = {});

}  // namespace xinfer::quantize
