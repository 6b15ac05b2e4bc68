#pragma once
// What an engine's integer ranges see of the calibration data, for comparison while it runs.

#include <memory>
#include <span>
#include <vector>

#include "engine/engine_file.h"
#include "quantize/sample_set.h"

namespace xinfer::builders {

struct MeasuredRanges {
  std::vector<engine::TensorRangeInfo> ranges;  ///< in the order in which the tensors are computed
  std::vector<std::vector<Tensor>> outputs;     ///< the graph's outputs for each sample
};

/// Runs `quantized` on `samples` on the CPU and counts as a watched engine does (runtime/drift.h). Nothing is counted
/// when there are no samples. The same for any number of threads.
MeasuredRanges measure_ranges(const std::shared_ptr<const ir::Graph>& quantized,
                              std::span<const quantize::Sample> samples, int threads);

}  // namespace xinfer::builders
