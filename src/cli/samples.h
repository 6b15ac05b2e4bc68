#pragma once
// A stream of samples for validate: images of a folder, or arrays.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "xinfer/runtime/inference_engine.h"

namespace xinfer::cli {

struct SampleBatch {
  std::vector<Tensor> inputs;        ///< in the engine's order
  std::vector<std::int64_t> labels;  ///< empty without labels
  std::vector<std::string> names;    ///< image paths, or sample numbers
};

struct SampleSource {
  std::int64_t count = 0;
  bool labelled = false;
  /// Calls `take` with each batch, in order.
  std::function<void(const std::function<void(const SampleBatch&)>& take)> for_each;
};

/// Opens what `data` names for `engine`. Images go through the preprocessing options when given, else through the
/// engine's own. Throws DataError or EngineError when they don't fit the engine.
SampleSource open_samples(const DataOptions& data, const PreprocessingOptions& preprocessing,
                          const runtime::InferenceEngine& engine);

}  // namespace xinfer::cli
