#pragma once
// What an engine file needs for GPUs: kernels compiled for architectures and batch sizes, and the choices among
// implementations, measured where there is a GPU.

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cuda/program.h"
#include "engine/engine_file.h"
#include "gpu/compiler.h"

namespace xinfer::cuda {

struct PrepareOptions {
  std::vector<gpu::Arch> archs;       ///< at least one
  std::vector<std::int64_t> batches;  ///< at least one
  /// Measure on the GPU of this index the programs of its own architecture; negative: heuristics decide everywhere.
  int tune_on = -1;
  /// A node that no kernel takes on one of the architectures, at one of the batch sizes, runs on the host everywhere
  /// (CudaParts::host_nodes names it); else it is an error.
  bool allow_host = false;
  /// Called with steps done and their number; what it throws stops the work and is passed on.
  std::function<void(std::int64_t done, std::int64_t total)> progress;
};

/// Throws UnsupportedError naming a node that the GPU doesn't take, and DeviceError when a kernel can't be compiled.
engine::CudaParts prepare(const std::shared_ptr<const ir::Graph>& graph, const PrepareOptions& options,
                          gpu::Compiler& compiler);

/// Sizes to prepare for when the user names none: 1, 2, 4, ... and `max_batch`.
std::vector<std::int64_t> default_batches(std::int64_t max_batch);

/// What to assume of a GPU of this architecture that is not at hand.
Target typical_target(gpu::Arch arch);

}  // namespace xinfer::cuda
