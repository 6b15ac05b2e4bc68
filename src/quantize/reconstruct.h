#pragma once
// Reconstruction: weights and biases of INT8 layers, chosen so that each layer's outputs come out as in the float
// network.

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "quantize/options.h"
#include "quantize/ranges.h"
#include "quantize/sample_set.h"

namespace xinfer::quantize {

struct ReconstructOptions {
  int threads = 0;
  bool adjust_weights = true;       ///< least squares; else rounding to nearest, and only biases are corrected
  bool correct_bias = true;         ///< else biases stay what they are
  std::int64_t longest_sum = 2304;  ///< layers with longer sums get their bias corrected only
  std::size_t live_bytes = std::size_t{512}
                           << 20;  ///< bound of the activations kept; fewer samples are used to keep it
  /// Called with (layers done, layers); what it throws ends the work.
  std::function<void(std::size_t, std::size_t)> progress;
};

/// What was gained at one layer, on rows that didn't serve to fit it: SQNR of the layer's sums before the activation,
/// with all layers before it as they are in the end.
struct LayerRepair {
  std::string node;
  double nearest_db = 0;  ///< weights rounded to nearest, bias corrected
  double chosen_db = 0;   ///< the weights chosen
};

struct Reconstruction {
  LayerChoices layers;
  std::vector<LayerRepair> repairs;
};

/// Walks through the float network and the quantized one side by side, layer by layer. At each INT8 Conv and Linear it
/// compares what both read at sampled output elements, chooses integers, scales and bias that bring the quantized sums
/// closest to the float ones (round_weights.h), and goes on with these: so a layer also makes up for the errors of
/// those before it, as in sequential bias correction (Nagel et al. 2019, arXiv:1906.04721) and layer-wise
/// reconstruction.
///
/// Memory: the live activations of the samples (bounded by options) and the rows of one layer. Deterministic: the same
/// for any number of threads. Throws as quantize() and cpu::compile do.
Reconstruction reconstruct(const ir::Graph& float_graph, const Ranges& ranges, const PlanOptions& plan,
                           std::span<const Sample> samples, const ReconstructOptions& options = {});

}  // namespace xinfer::quantize
