#pragma once
// HostCalls: the steps of one context that run on the host, between copies through pinned memory.

#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "cuda/program.h"
#include "gpu/device.h"

namespace xinfer::cuda {

/// Belongs to one context, whose runs follow one another; does and allocates nothing where no step is on the host.
class HostCalls {
 public:
  /// `program` must outlive it.
  HostCalls(const Program& program, const gpu::DevicePtr& device);
  /// Waits for the last run: its calls use this object.
  ~HostCalls();
  HostCalls(const HostCalls&) = delete;
  HostCalls& operator=(const HostCalls&) = delete;

  bool has(std::size_t item) const { return item < calls_.size() && calls_[item] != nullptr; }
  /// Enqueues, or records, the copies and the call of one item; addresses as in Frame.
  void enqueue(std::size_t item, std::span<const gpu::DevicePointer> inputs,
               std::span<const gpu::DevicePointer> outputs, gpu::Stream& stream);
  /// To be called when all work of a run is enqueued.
  void enqueued_all(gpu::Stream& stream);
  /// Throws EngineError naming the node when a call of an earlier run has failed; its outputs were left as they were.
  void check();

 private:
  struct Call {
    HostCalls* owner = nullptr;
    const Step* step = nullptr;
    const StepInfo* info = nullptr;
    HostFrame frame;
    std::vector<std::size_t> input_bytes, output_bytes;
  };
  static void run(void* call) noexcept;

  const Program& program_;
  gpu::PinnedBuffer staging_;                 // shared by all calls, which run one after another
  std::vector<std::unique_ptr<Call>> calls_;  // by item; null for those of the device; empty where all are
  std::optional<gpu::Event> last_run_;
  std::mutex mutex_;
  std::exception_ptr failure_;  // the first one; guarded by mutex_
};

}  // namespace xinfer::cuda
