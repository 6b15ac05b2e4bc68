#pragma once
// A compiled kernel on a device, ready to launch.

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gpu/compiler.h"
#include "gpu/device.h"
#include "gpu/launch.h"

namespace xinfer::gpu {

/// Thread-safe.
class LoadedKernel {
 public:
  ~LoadedKernel();
  LoadedKernel(const LoadedKernel&) = delete;
  LoadedKernel& operator=(const LoadedKernel&) = delete;

  /// Enqueues `launch` (whose kernel index the caller has resolved to this one). An empty grid does nothing. Throws
  /// DeviceError naming the kernel when the arguments don't fit its parameters or the driver refuses.
  void launch(Stream& stream, const Launch& launch) const;

  const std::string& entry() const { return entry_; }
  int registers() const { return registers_; }        ///< of one thread
  int local_bytes() const { return local_bytes_; }    ///< of one thread: stack and spills
  int shared_bytes() const { return shared_bytes_; }  ///< static, of one block
  int max_threads() const { return max_threads_; }    ///< of one block

 private:
  friend std::shared_ptr<const LoadedKernel> load(const DevicePtr&, std::shared_ptr<const Cubin>, const std::string&);
  LoadedKernel(DevicePtr device, std::shared_ptr<const Cubin> cubin, std::string entry);
  void allow_shared(std::uint32_t bytes) const;
  void check_arguments(const KernelArgs& args) const;

  DevicePtr device_;
  std::shared_ptr<const Cubin> cubin_;
  std::string entry_;
  void* module_ = nullptr;
  void* function_ = nullptr;
  int registers_ = 0, local_bytes_ = 0, shared_bytes_ = 0, max_threads_ = 0;
  std::vector<std::size_t> parameters_;       // bytes of each; empty: unknown
  mutable std::mutex mutex_;                  // of allowed_shared_
  mutable std::uint32_t allowed_shared_ = 0;  // dynamic; raised when a launch asks for more
};

/// Throws DeviceError when the cubin is for another architecture or has no such kernel.
std::shared_ptr<const LoadedKernel> load(const DevicePtr& device, std::shared_ptr<const Cubin> cubin,
                                         const std::string& entry);

}  // namespace xinfer::gpu
