#include "builders/gpu_parts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cuda/prepare.h"
#include "gpu/compiler.h"
#include "gpu/device.h"
#include "xinfer/core/errors.h"

namespace xinfer::builders {

void check_gpu_options(const GpuOptions& options, std::int64_t max_batch) {
  if (!options.wanted) return;
  if (options.archs.empty() && gpu::device_count() == 0) {
    throw DeviceError(fmt::format("no GPU to build for: {}", gpu::why_no_device()),
                      "name the architectures (--gpu-arch 80,90a)");
  }
  for (const std::int64_t batch : options.batches) {
    if (batch < 1 || batch > max_batch) {
      throw Error(fmt::format("batch size {} is not within 1 and the maximum of {}", batch, max_batch));
    }
  }
}

bool tunes_here(const GpuOptions& options) {
  if (!options.wanted || !options.tune || gpu::device_count() == 0) return false;
  const std::vector<gpu::Arch>& archs = options.archs;
  return archs.empty() || std::find(archs.begin(), archs.end(), gpu::Device::open()->arch()) != archs.end();
}

void prepare_for_gpus(engine::EngineFile& file, const GpuOptions& options, BuildReport& report,
                      const std::function<void(std::int64_t, std::int64_t)>& progress) {
  cuda::PrepareOptions prepare;
  prepare.progress = progress;
  prepare.allow_host = options.allow_host;
  prepare.archs = options.archs;
  prepare.batches = options.batches.empty() ? cuda::default_batches(file.max_batch) : options.batches;
  if (prepare.archs.empty()) prepare.archs.push_back(gpu::Device::open()->arch());
  if (tunes_here(options)) prepare.tune_on = 0;
  gpu::Compiler compiler;
  file.cuda = cuda::prepare(std::make_shared<const ir::Graph>(file.graph), prepare, compiler);
  std::vector<std::string> names;
  for (const gpu::Arch arch : prepare.archs) names.push_back(gpu::to_string(arch));
  file.target = fmt::format("cuda-{}", fmt::join(names, ","));
  report.target = file.target;
  report.gpu_batches = prepare.batches;
  report.gpu_kernels = file.cuda->kernels.size();
  report.gpu_tuned = prepare.tune_on >= 0;
  for (const engine::HostNode& host : file.cuda->host_nodes) {
    report.remarks.push_back(fmt::format("node '{}' runs on the host, by plain slow code: {}", host.node, host.reason));
  }
}

}  // namespace xinfer::builders
