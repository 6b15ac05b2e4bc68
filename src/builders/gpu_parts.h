#pragma once
// The part of a build that concerns GPUs.

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/engine_file.h"
#include "gpu/arch.h"
#include "xinfer/builders/build_report.h"

namespace xinfer::builders {

struct GpuOptions {
  bool wanted = false;
  bool tune = true;
  bool never_slower = true;           ///< with tuning: leave in half precision what is slower in INT8
  bool allow_host = false;            ///< run on the host what no kernel takes
  std::vector<gpu::Arch> archs;       ///< empty: that of the GPU at hand
  std::vector<std::int64_t> batches;  ///< empty: powers of two and the maximum
};

/// Throws Error before the long work for what could not be built: no architecture known, a batch out of range.
void check_gpu_options(const GpuOptions& options, std::int64_t max_batch);

/// Whether kernels are to be timed on the GPU at hand.
bool tunes_here(const GpuOptions& options);

/// Compiles kernels into `file`, and says so in `report`. Throws what cuda::prepare throws.
void prepare_for_gpus(engine::EngineFile& file, const GpuOptions& options, BuildReport& report,
                      const std::function<void(std::int64_t done, std::int64_t total)>& progress);

}  // namespace xinfer::builders
