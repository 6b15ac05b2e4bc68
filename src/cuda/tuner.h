#pragma once
// Tuner: times the variants of every node on the GPU at hand and keeps the fastest.

#include <functional>
#include <memory>
#include <vector>

#include "cuda/executor.h"
#include "cuda/program.h"

namespace xinfer::cuda {

struct TunedNode {
  std::string node;
  Choice choice;
  double microseconds = 0;
};

/// Number of rounds that tune() takes for this graph.
int tuning_rounds(const std::shared_ptr<const ir::Graph>& graph, std::int64_t batch, const CompileOptions& options);

/// Runs the whole graph once for each candidate number: in round r every node uses its r-th candidate (counted round
/// where it has fewer), on random inputs, and the device times each step. So candidates are timed on the data and in the
/// neighbourhood that they will see. `round_done` is called after each round; it may throw.
std::vector<TunedNode> tune(const std::shared_ptr<const ir::Graph>& graph, std::int64_t batch,
                            const CompileOptions& options, const std::shared_ptr<DeviceState>& state,
                            const std::function<void()>& round_done = {});

}  // namespace xinfer::cuda
