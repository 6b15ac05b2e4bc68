#pragma once
// Running programs on a device: DeviceState holds what all programs of an engine share, LoadedProgram one program,
// Context the memory of one execution.

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "cuda/host_calls.h"
#include "cuda/program.h"
#include "gpu/compiler.h"
#include "gpu/device.h"
#include "gpu/graph.h"
#include "gpu/module.h"
#include "xinfer/core/tensor.h"

namespace xinfer::cuda {

/// Kernels and resident data on one device, each once. Thread-safe.
class DeviceState {
 public:
  DeviceState(gpu::DevicePtr device, std::shared_ptr<gpu::Compiler> compiler);

  const gpu::DevicePtr& device() const { return device_; }
  gpu::Compiler& compiler() const { return *compiler_; }
  /// What programs for this device are compiled for.
  Target target() const;
  std::shared_ptr<const gpu::LoadedKernel> kernel(const gpu::KernelSource& source);
  /// Makes those that are new, on all cores, and uploads them.
  void prepare(std::span<const Resident* const> residents);
  /// Address of one; prepares it on first use.
  gpu::DevicePointer resident(const Resident& resident);
  std::size_t resident_bytes() const;

 private:
  void upload(const Resident& resident, const std::vector<std::byte>& bytes);

  gpu::DevicePtr device_;
  std::shared_ptr<gpu::Compiler> compiler_;
  mutable std::mutex mutex_;
  gpu::Stream upload_;
  std::unordered_map<std::string, std::shared_ptr<const gpu::LoadedKernel>> kernels_;
  std::unordered_map<std::string, gpu::DeviceBuffer> residents_;
};

class Context;

/// A program with its kernels and data on the device. Immutable; contexts of it may run in several threads.
class LoadedProgram {
 public:
  /// Compiles what the compiler doesn't know yet, on all cores. Throws DeviceError.
  LoadedProgram(std::shared_ptr<const Program> program, std::shared_ptr<DeviceState> state);

  const Program& program() const { return *program_; }
  const std::shared_ptr<DeviceState>& state() const { return state_; }

 private:
  friend class Context;
  struct LoadedItem {
    std::vector<std::shared_ptr<const gpu::LoadedKernel>> kernels;
    std::vector<gpu::DevicePointer> residents;
  };
  std::shared_ptr<const Program> program_;
  std::shared_ptr<DeviceState> state_;
  std::vector<LoadedItem> items_;
  std::vector<gpu::DevicePointer> constants_;
};

/// Memory, stream and captured graphs of one execution. One thread at a time.
class Context {
 public:
  explicit Context(std::shared_ptr<const LoadedProgram> program);

  /// Copies `inputs` to the device, runs, copies to `outputs`, and waits. Plain tensors in graph order, of exactly the
  /// program's shapes and types.
  void run(std::span<const Tensor> inputs, std::span<Tensor> outputs);

  /// Enqueues the program on `stream`, reading and writing plain tensors in device memory, without copies. Pointers
  /// must be multiples of 16. The graph for a set of addresses is kept, so reuse buffers. Runs of one context follow
  /// one another: use one stream at a time. Steps on the host don't wait here either: the driver calls them when the
  /// stream gets there. Throws EngineError when one of an earlier run failed.
  void enqueue(gpu::Stream& stream, std::span<const gpu::DevicePointer> inputs,
               std::span<const gpu::DevicePointer> outputs);

  /// Microseconds that each step takes on the device, in the order of Program::infos, each begun when the one before
  /// has ended: the sum is larger than the time of a run. Uses the inputs of the last run(), or those at the given
  /// addresses.
  std::vector<double> profile() { return profile(staged_inputs_, staged_outputs_); }
  std::vector<double> profile(std::span<const gpu::DevicePointer> inputs, std::span<const gpu::DevicePointer> outputs);
  /// Microseconds of one run on the device, without copies: the median of `repeats` replays.
  double time(int repeats);

  /// A value's tensor after run(); needs CompileOptions::keep_values unless memory happens to be untouched.
  Tensor read(const Visible& visible);
  /// Where that value lies on the device, for work on stream() after run().
  gpu::DevicePointer address(const Visible& visible) { return address(visible.buffer, own_binding()); }
  gpu::Stream& stream() { return stream_; }

  const LoadedProgram& program() const { return *program_; }
  std::size_t device_bytes() const { return arena_.bytes(); }

 private:
  /// The launches for one set of outside addresses, and their graph once captured.
  struct Binding {
    std::vector<gpu::DevicePointer> inputs, outputs;
    std::vector<std::vector<gpu::Launch>> launches;  // one list for each item
    gpu::Graph graph;
  };
  Binding& binding(std::span<const gpu::DevicePointer> inputs, std::span<const gpu::DevicePointer> outputs);
  gpu::DevicePointer address(int buffer, const Binding& binding) const;
  enum class Start : std::uint8_t {
    kEarly,          ///< while the previous item ends, where the kernel allows it
    kAfterPrevious,  ///< when the previous item has ended
  };
  void launch_item(std::size_t item, const Binding& binding, gpu::Stream& stream, Start start);
  void upload(std::span<const Tensor> inputs);
  Binding& own_binding() { return binding(staged_inputs_, staged_outputs_); }

  static constexpr std::size_t kMaxBindings = 16;

  std::shared_ptr<const LoadedProgram> program_;
  gpu::Stream stream_;
  gpu::DeviceBuffer arena_;  // activations, then scratch, then the steps' own state, then staged inputs and outputs
  gpu::PinnedBuffer pinned_;
  gpu::DevicePointer scratch_ = 0;
  std::vector<gpu::DevicePointer> states_;  // one for each item
  std::vector<gpu::DevicePointer> staged_inputs_, staged_outputs_;
  std::vector<std::size_t> pinned_inputs_, pinned_outputs_;  // offsets; the memory is made by the first run()
  std::size_t pinned_bytes_ = 0;
  std::vector<std::unique_ptr<Binding>> bindings_;  // most recently used first
  HostCalls host_calls_;                            // last: it waits for runs that use the others
};

}  // namespace xinfer::cuda
