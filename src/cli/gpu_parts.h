#pragma once
// What an engine holds for GPUs, as `xinfer inspect` shows it.

#include <nlohmann/json.hpp>
#include <string>

#include "engine/engine_file.h"

namespace xinfer::cli {

/// The nodes that run on the host; empty without any.
std::string host_nodes_text(const engine::CudaParts& parts);

/// A table for each architecture, at the tuned batch size that runs of `batch` follow: kernel, variant and measured
/// time of each node.
std::string kernels_text(const engine::CudaParts& parts, std::int64_t batch);

/// All of it: batch sizes, nodes on the host, choices.
nlohmann::json gpu_json(const engine::CudaParts& parts);

}  // namespace xinfer::cli
