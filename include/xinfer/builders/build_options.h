#pragma once
// Choices that a build leaves to the user.

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "xinfer/core/tensor.h"

namespace xinfer::builders {

/// How the range of each activation is chosen from its distribution over the calibration data.
enum class RangeMethod : std::uint8_t {
  kAuto,        ///< each range by the error that it causes where the tensor is read; kMse where nothing tells
  kMinMax,      ///< the largest magnitude seen
  kPercentile,  ///< cuts the largest 0.01 % of magnitudes off
  kEntropy,     ///< least Kullback-Leibler divergence from the float distribution
  kMse,         ///< least expected squared error
};

enum class Precision : std::uint8_t { kInt8, kFloat32 };

/// What a build of effort 1 or 2 does against the noise of quantization; each can be switched off.
enum class Repair : std::uint8_t {
  kEqualization,    ///< rescales channels between convolutions and linear layers (cross-layer equalization)
  kMigration,       ///< ... and from normalisations into the layers behind them (SmoothQuant)
  kWeightRounding,  ///< chooses the integers of weights by what comes out of their layer (least squares)
  kBiasCorrection,  ///< corrects each channel's mean
};

/// What the builder is doing; for progress displays.
enum class BuildStage : std::uint8_t {
  kRead,
  kSurvey,     ///< reading the data once: samples, and what stands out
  kBalance,    ///< rescaling channels
  kCalibrate,  ///< running the float model on all data
  kQuantize,   ///< choosing ranges, weights and biases
  kMeasure,    ///< what each layer does to the outputs
  kSearch,     ///< plans inside the accuracy budget
  kPrepareGpu,
  kCheck,
  kSave,
};

std::string_view name_of(RangeMethod method);
std::string_view name_of(BuildStage stage);
/// "equalization", "migration", "rounding", "bias".
std::string_view name_of(Repair repair);

/// A network to be scored: takes one batch, tensors in the order of the model's inputs, and gives its outputs.
using Network = std::function<std::vector<Tensor>(const std::vector<Tensor>& batch)>;

/// Scores a network on data of the caller's, in points: more is better, and a drop is counted in the same unit (0 to
/// 100 is usual). Called from the building thread, once for the float model and once for each INT8 network in question.
using Metric = std::function<double(const Network& network)>;

/// Called now and then from the building thread with the number of samples done; `total` is -1 when unknown. Returning
/// false stops the build with CancelledError.
using ProgressCallback = std::function<bool(BuildStage stage, std::int64_t done, std::int64_t total)>;

}  // namespace xinfer::builders
