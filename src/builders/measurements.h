#pragma once
// What the report says of layers and tensors, measured on samples.

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "quantize/sample_runner.h"
#include "quantize/table.h"
#include "quantize/tensor_quality.h"
#include "xinfer/builders/build_report.h"
#include "xinfer/runtime/inference_engine.h"

namespace xinfer::builders {

/// Both forms of one network, and what was seen of it.
struct MeasuredNetwork {
  const ir::Graph& float_graph;  ///< the one that was quantized
  std::shared_ptr<const ir::Graph> quantized;
  const std::vector<NodeReport>& nodes;
  const quantize::NetworkQuality& quality;
};

/// One entry for each node that had a choice of precision, in their order: SQNR of its output, and its scale.
std::vector<LayerQuality> layer_quality(const MeasuredNetwork& network);

/// Times of `layers` at batch 1, from the answers of InferenceEngine::profile() for both networks.
void add_times(std::vector<LayerQuality>& layers, const std::vector<runtime::LayerInfo>& int8,
               const std::vector<runtime::LayerInfo>& in_float);

/// One entry for each tensor with a range of its own, in the order in which they are computed. Histograms are those of
/// `samples` in the float network (`runner`), 64 bins; `methods` says where a range's rule is another than `method`.
std::vector<TensorQuality> tensor_quality(const MeasuredNetwork& network, const quantize::SampleRunner& runner,
                                          std::span<const quantize::Sample> samples,
                                          const quantize::CalibrationTable& table, const std::string& method,
                                          const std::map<std::string, std::string>& methods);

/// Layers that keep the network from being good, where it isn't: at most three, the loudest first. `sensitivities` in
/// dB by node; nothing is said of a network whose outputs have 20 dB or more.
std::vector<Finding> weak_layers(double output_sqnr_db, const std::map<std::string, double>& sensitivities);

}  // namespace xinfer::builders
