#pragma once
// Times of whole networks on the GPU at hand, each with the kernels that are fastest for it.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "cuda/executor.h"
#include "cuda/timing_cache.h"

namespace xinfer::cuda {

struct NetworkTimes {
  double total_us = 0;                    ///< of one run without copies to and from the device: the median of several
  std::map<std::string, double> node_us;  ///< of each node launched by itself; 0 where another one does its work
};

/// Tunes the graph (see Tuner; `cache` may be nullptr) and times it on random inputs; conversions between layouts count
/// to the node that asked for them. Throws as compile() and Tuner::run() do.
NetworkTimes measure_tuned(const std::shared_ptr<const ir::Graph>& graph, std::int64_t batch, CompileOptions options,
                           const std::shared_ptr<DeviceState>& state, TimingCache* cache,
                           const std::function<void()>& round_done = {});

}  // namespace xinfer::cuda
