#pragma once
// Choices that a build leaves to the user.

#include <cstdint>
#include <functional>
#include <string_view>

namespace xinfer::builders {

/// How the range of each activation is chosen from its distribution over the calibration data.
enum class RangeMethod : std::uint8_t {
  kAuto,        ///< xInfer's choice; at present one fixed rule, the same as kMse
  kMinMax,      ///< the largest magnitude seen
  kPercentile,  ///< cuts the largest 0.01 % of magnitudes off
  kEntropy,     ///< least Kullback-Leibler divergence from the float distribution
  kMse,         ///< least expected squared error
};

enum class Precision : std::uint8_t { kInt8, kFloat32 };

/// What the builder is doing; for progress displays.
enum class BuildStage : std::uint8_t { kRead, kSurvey, kCalibrate, kQuantize, kPrepareGpu, kCheck, kSave };

std::string_view name_of(RangeMethod method);
std::string_view name_of(BuildStage stage);

/// Called now and then from the building thread with the number of samples done; `total` is -1 when unknown. Returning
/// false stops the build with CancelledError.
using ProgressCallback = std::function<bool(BuildStage stage, std::int64_t done, std::int64_t total)>;

}  // namespace xinfer::builders
