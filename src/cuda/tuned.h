#pragma once
// Choices that a tuner made, by architecture, batch size and node.

#include <cstdint>
#include <span>

#include "cuda/program.h"
#include "engine/engine_file.h"

namespace xinfer::cuda {

/// A chooser that follows `choices` for this architecture at the nearest batch size that was tuned (the smallest one
/// that is not smaller, else the largest). Empty when none was tuned for it: the lists decide.
Chooser chooser_of(std::span<const engine::TunedChoice> choices, gpu::Arch arch, std::int64_t batch);

}  // namespace xinfer::cuda
