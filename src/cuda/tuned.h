#pragma once
// What an engine says of its nodes: the choices that a tuner made, by architecture, batch size and node, and what is
// left to the host.

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "cuda/program.h"
#include "engine/engine_file.h"

namespace xinfer::cuda {

/// The batch size whose choices runs of `batch` follow on this architecture: the smallest tuned one that is not
/// smaller, else the largest; 0 when none was tuned.
std::int64_t followed_batch(std::span<const engine::TunedChoice> choices, gpu::Arch arch, std::int64_t batch);

/// A chooser that follows `choices` for this architecture at followed_batch(). Empty when none was tuned for it: the
/// lists decide.
Chooser chooser_of(std::span<const engine::TunedChoice> choices, gpu::Arch arch, std::int64_t batch);

/// The tuner's time of each node for this architecture at exactly this batch size, in microseconds; nodes that were not
/// timed are missing.
std::map<std::string, double> tuned_times(std::span<const engine::TunedChoice> choices, gpu::Arch arch,
                                          std::int64_t batch);

/// CompileOptions::host_nodes of an engine.
std::map<std::string, std::string> host_nodes_of(const engine::CudaParts& parts);

}  // namespace xinfer::cuda
