#pragma once
// Backend: what runs an engine's graph, on the CPU or on a GPU.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cpu/program.h"
#include "engine/engine_file.h"
#include "ir/graph.h"
#include "xinfer/core/tensor.h"
#include "xinfer/runtime/inference_engine.h"

namespace xinfer::runtime {

/// Thread-safe.
class Backend {
 public:
  virtual ~Backend() = default;
  /// "CPU (avx512_vnni)", "NVIDIA H100 80GB HBM3".
  virtual std::string device_name() const = 0;
  /// `inputs` and `outputs` are plain tensors in graph order, checked by the caller.
  virtual void run(std::int64_t batch, std::span<const Tensor> inputs, std::span<Tensor> outputs) = 0;
  /// Enqueues on a CUDA stream, with tensors in device memory. The CPU throws EngineError.
  virtual void enqueue(std::int64_t batch, std::span<void* const> inputs, std::span<void* const> outputs,
                       void* stream) = 0;
  /// How each layer runs, without the engine's own reasons and scales.
  virtual std::vector<LayerInfo> layers(std::int64_t batch) = 0;
  /// The same with median times over `iterations` runs of `inputs`.
  virtual std::vector<LayerInfo> profile(std::int64_t batch, std::span<const Tensor> inputs, std::span<Tensor> outputs,
                                         int iterations) = 0;
  /// Median time of one run on the device without the copies to and from it, microseconds; 0 where there are none.
  virtual double device_time(std::int64_t batch, std::span<const Tensor> inputs, std::span<Tensor> outputs,
                             int iterations) = 0;
};

/// `weights` may be shared with other programs of the same graph.
std::unique_ptr<Backend> make_cpu_backend(std::shared_ptr<const ir::Graph> graph, int threads,
                                          std::shared_ptr<cpu::WeightCache> weights);

/// Throws DeviceError where there is no usable GPU, and EngineError when the engine was not built for GPUs.
std::unique_ptr<Backend> make_cuda_backend(std::shared_ptr<const ir::Graph> graph, const engine::EngineFile& file,
                                           const RuntimeOptions& options);

}  // namespace xinfer::runtime
