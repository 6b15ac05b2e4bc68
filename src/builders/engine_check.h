#pragma once
// Compares a quantized engine with its float model right after the build.

#include <functional>
#include <optional>

#include "builders/sample_stream.h"
#include "xinfer/builders/build_report.h"
#include "xinfer/runtime/inference_engine.h"

namespace xinfer::builders {

struct CheckResult {
  AccuracyCheck accuracy;
  SpeedCheck speed;
};

/// Runs up to `samples` samples of `stream` through both. `progress` gets the number of samples done; it may throw.
CheckResult check_engine(const runtime::InferenceEngine& float_engine, const runtime::InferenceEngine& int8_engine,
                         SampleStream& stream, std::int64_t samples, const std::function<void(std::int64_t)>& progress);

}  // namespace xinfer::builders
