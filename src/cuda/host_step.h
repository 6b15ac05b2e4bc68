#pragma once
// The step of a node that no kernel takes, where the user allowed that: the reference computes it on the host.

#include <cstdint>
#include <memory>

#include "cuda/step.h"

namespace xinfer::cuda {

/// Reads and writes plain rows, f32 for reals. `node` is one of `graph`, which the step keeps alive. The reference may
/// refuse the node's types when it runs (UnsupportedError).
std::unique_ptr<Step> create_host_step(std::shared_ptr<const ir::Graph> graph, const ir::Node& node,
                                       std::int64_t batch);

}  // namespace xinfer::cuda
