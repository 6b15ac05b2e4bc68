#pragma once
// InferenceEngine: loads an engine file and runs it.

#include <cstdint>
#include <future>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "xinfer/core/preprocessing.h"
#include "xinfer/core/tensor.h"
#include "xinfer/runtime/drift.h"

namespace xinfer::engine {
struct EngineFile;
}

namespace xinfer::runtime {

/// Where an engine runs.
enum class Device : std::uint8_t {
  kAuto,  ///< on a GPU when the engine was built for GPUs and there is one; else on the CPU
  kCpu,
  kCuda,
};

struct RuntimeOptions {
  /// Threads that work on one inference; 0: as many as OpenMP would use (OMP_NUM_THREADS, else the number of cores).
  int threads = 0;
  /// Inferences that infer_async() runs at the same time.
  int async_workers = 1;
  Device device = Device::kAuto;
  /// Index of the GPU, in the driver's order.
  int gpu = 0;
  /// False: kernels must have come with the engine or lie in the cache folder; nothing is compiled while running.
  bool allow_compile = true;
  /// Watches one inference in so many for values at the end of their integer range (see drift()); 0: none. One sample
  /// of a watched batch runs once more, on the CPU, so results never change. Batches on a CUDA stream are not watched.
  int drift_sample_period = 0;
};

/// An input or output. The first dimension is -1 where it is the batch.
struct TensorInfo {
  std::string name;
  DataType dtype = DataType::kFloat32;
  std::vector<std::int64_t> shape;
};

/// How one layer runs, for a batch size that was compiled.
struct LayerInfo {
  std::string name;
  std::string op;
  std::string precision;              ///< "int8", "fp32", or another element type that it computes on
  std::string implementation;         ///< the kernel chosen
  std::string layout;                 ///< memory layout of its output
  int reorders = 0;                   ///< conversions of layout or type inserted before it
  std::vector<std::string> refusals;  ///< "implementation: reason" of each better one that was passed over
  std::string reason;                 ///< why it is not in INT8, when it isn't
  std::vector<float> output_scales;   ///< quantization scale of its output; empty when that is real
  double microseconds = 0;            ///< median time, in the answer of profile()
  double megabytes = 0;               ///< operands and results, each moved once; 0 where unknown
  double gigaops = 0;                 ///< multiplications and additions, in thousand millions; 0 where unknown
  /// What it would take on the GPU at hand if memory or arithmetic units ran at their highest rate, whichever takes
  /// longer; 0 where unknown, and on CPUs. Operands count as coming from memory: those that are still in a cache may
  /// let a layer be faster than that.
  double floor_microseconds = 0;
  double tuned_microseconds = 0;  ///< what the build measured at this batch size on such a GPU; 0 where it didn't
};

/// A loaded engine. All member functions may be called from several threads at once; each running call uses its own
/// memory. Moving is cheap; the object that was moved from must not be used.
class InferenceEngine {
 public:
  /// Loads `path`. Throws EngineError naming the file and the reason when it is missing, damaged or foreign, and Error
  /// for options out of range.
  explicit InferenceEngine(const std::string& path, const RuntimeOptions& options = {});
  /// Takes over an engine in memory (what EngineBuilder::build() gives).
  explicit InferenceEngine(engine::EngineFile file, const RuntimeOptions& options = {});
  ~InferenceEngine();
  InferenceEngine(InferenceEngine&&) noexcept;
  InferenceEngine& operator=(InferenceEngine&&) noexcept;

  // -- What it is ---------------------------------------------------------------------------------------------------
  const std::vector<TensorInfo>& inputs() const;
  const std::vector<TensorInfo>& outputs() const;
  std::int64_t max_batch_size() const;
  const Preprocessing& preprocessing() const;
  /// Class names, in the order of the outputs; may be empty.
  const std::vector<std::string>& labels() const;
  /// Provenance: model hash, image hash, calibration method, versions, accuracy figures. In the order to print.
  const std::vector<std::pair<std::string, std::string>>& facts() const;
  const std::string& producer() const;
  /// Where it runs: "CPU (avx512_vnni)", "NVIDIA H100 80GB HBM3".
  std::string device_name() const;

  // -- Running ------------------------------------------------------------------------------------------------------
  /// Runs one batch of 1 to max_batch_size(); tensors in the order of inputs() and outputs(). The first call with a new
  /// batch size prepares kernels for it (see warm_up). Throws EngineError naming the tensor when a type or shape
  /// doesn't fit.
  std::vector<Tensor> infer(const std::vector<Tensor>& inputs) const;
  /// The same; what infer({a, b}) means.
  std::vector<Tensor> infer(std::initializer_list<Tensor> inputs) const { return infer(std::vector<Tensor>(inputs)); }
  /// The same for an engine of one input; gives the first output.
  Tensor infer(const Tensor& input) const;
  /// The same by name.
  std::map<std::string, Tensor> infer(const std::map<std::string, Tensor>& inputs) const;
  /// Writes into tensors of the caller's, of exactly the outputs' shapes: no memory is allocated once warm.
  void infer_into(const std::vector<Tensor>& inputs, std::vector<Tensor>& outputs) const;
  /// Queues a batch and returns at once; errors arrive through the future. The tensors' memory is shared, not copied:
  /// don't write to it before the future is ready.
  std::future<std::vector<Tensor>> infer_async(std::vector<Tensor> inputs) const;
  /// Enqueues a batch on a CUDA stream (a cudaStream_t or CUstream of the engine's GPU) and returns: no copies, no
  /// waiting. Inputs and outputs are addresses in device memory, multiples of 16, of plain row-major tensors of the
  /// shapes of inputs() and outputs() at this batch size, in their order. The first call with new addresses records
  /// their launches, so reuse buffers. Calls on one stream follow one another; those on several streams are
  /// independent. Throws EngineError when the engine runs on the CPU.
  void infer_async(std::int64_t batch_size, const std::vector<void*>& inputs, const std::vector<void*>& outputs,
                   void* stream) const;
  /// Prepares kernels and memory for a batch size, so that the first infer() with it is as quick as the others. Throws
  /// EngineError when it is not within 1 and max_batch_size().
  void warm_up(std::int64_t batch_size) const;
  /// Decodes image files and applies the stored preprocessing: a batch of shape [files, C, H, W]. Throws DataError for
  /// a bad image and EngineError when the engine stores no preprocessing that can be replayed.
  Tensor load_images(const std::vector<std::string>& paths) const;

  // -- Looking inside -----------------------------------------------------------------------------------------------
  /// How each layer runs at a batch size. Throws as warm_up() does.
  std::vector<LayerInfo> layers(std::int64_t batch_size = 1) const;
  /// Runs `inputs` `iterations` times and gives the median time of each layer.
  std::vector<LayerInfo> profile(const std::vector<Tensor>& inputs, int iterations) const;
  /// Median time of one run of `inputs` on the GPU without the copies to and from it, in microseconds; 0 on the CPU.
  double device_time(const std::vector<Tensor>& inputs, int iterations) const;
  /// What the watched inferences showed since the start or the last reset_drift(); empty when
  /// RuntimeOptions::drift_sample_period is 0.
  DriftReport drift() const;
  /// Forgets what was counted. The next inference is watched.
  void reset_drift() const;
  /// The engine's contents, for tools of this project (the header of EngineFile is not installed).
  const engine::EngineFile& file() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace xinfer::runtime
