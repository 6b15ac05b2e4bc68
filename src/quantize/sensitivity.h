#pragma once
// Sensitivity: what each INT8 layer alone does to the outputs of the network.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "quantize/options.h"
#include "quantize/ranges.h"
#include "quantize/sample_set.h"

namespace xinfer::quantize {

enum class SensitivityMode : std::uint8_t {
  kAlone,    ///< one layer in INT8, everything else in float
  kLeftOut,  ///< one layer in float, everything else as the plan has it
};

struct SensitivityOptions {
  PlanOptions plan;  ///< the INT8 network in question: overrides, chosen parameters, ...
  SensitivityMode mode = SensitivityMode::kAlone;
  std::size_t samples = 16;                    ///< at most so many, the first ones
  std::size_t bytes = std::size_t{512} << 20;  ///< of intermediate values kept at a time
  int threads = 0;                             ///< 0: one a core
  /// Called with (steps done, steps), from one thread at a time; what it throws ends the measurement.
  std::function<void(std::size_t, std::size_t)> progress;
};

struct LayerSensitivity {
  std::string node;
  ir::OpType op = ir::OpType::kConv;
  /// Noise in the network's outputs for their signal, as powers; of several outputs the mean. NaN when an output is.
  double noise_ratio = 0;
  double sqnr_db = 0;  ///< -10 log10(noise_ratio)
};

struct Sensitivity {
  std::vector<LayerSensitivity> layers;    ///< INT8 layers with weights or products of their own, in graph order
  std::optional<double> all_int8_sqnr_db;  ///< of the whole plan, on the same samples; measured in kLeftOut
};

/// Measures every Conv, ConvTranspose, Linear and MatMul that quantize(float_graph, ranges, options.plan) runs in INT8,
/// by the f32 outputs of the network.
///
/// The values that don't depend on the layer are computed once for each sample and kept; for each layer only what does
/// depend on it is compiled and run (remainder.h). Layers are measured side by side, each on one thread, sums are added
/// in the order of the samples: the result depends neither on threads nor on `bytes`. Throws CalibrationError as
/// quantize() does, Error when there are no samples or no f32 outputs, UnsupportedError as cpu::compile does.
Sensitivity measure_sensitivity(const std::shared_ptr<const ir::Graph>& float_graph, const Ranges& ranges,
                                std::span<const Sample> samples, const SensitivityOptions& options = {});

}  // namespace xinfer::quantize
