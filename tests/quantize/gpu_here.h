#pragma once
// The GPU of this machine, if any, for tests that compile kernels for several architectures where there is none.

#include <memory>
#include <vector>

#include "cuda/executor.h"

namespace xinfer::quantize::testing {

/// Null where there is no GPU.
inline std::shared_ptr<cuda::DeviceState> gpu_here() {
  if (gpu::device_count() == 0) return nullptr;
  static const auto state = std::make_shared<cuda::DeviceState>(gpu::Device::open(), std::make_shared<gpu::Compiler>());
  return state;
}

/// The oldest GPUs, the first with cp.async, and Hopper.
inline std::vector<cuda::Target> targets_without_gpu() {
  return {{{75, false}, 40, 64 * 1024}, {{80, false}, 108, 163 * 1024}, {{90, true}, 132, 227 * 1024}};
}

/// Fails the test when one does not compile. Does nothing where there is no NVRTC.
inline void compile_everywhere(const std::vector<gpu::KernelSource>& kernels) {
  if (!gpu::compiler_available()) return;
  for (const cuda::Target& target : targets_without_gpu()) gpu::Compiler().get_all(kernels, target.arch);
}

}  // namespace xinfer::quantize::testing
