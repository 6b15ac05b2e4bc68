#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "cuda/executor.h"
#include "cuda/floor.h"
#include "cuda/tuned.h"
#include "gpu/peak.h"
#include "runtime/backend.h"
#include "runtime/program_pool.h"
#include "xinfer/core/errors.h"

namespace xinfer::runtime {
namespace {

std::string precision_name(cuda::Element element) {
  switch (element) {
    case cuda::Element::kS8:
    case cuda::Element::kU8:
      return "int8";
    case cuda::Element::kF16:
      return "fp16";
    case cuda::Element::kF32:
      return "fp32";
    default:
      return std::string(cuda::name_of(element));
  }
}

std::vector<LayerInfo> describe(const cuda::Program& program, const gpu::Peak& peak,
                                const std::vector<engine::TunedChoice>& choices) {
  std::vector<LayerInfo> result;
  const std::map<std::string, double> tuned = cuda::tuned_times(choices, program.options.target.arch, program.batch);
  for (const cuda::StepInfo& step : program.infos) {
    LayerInfo layer;
    layer.name = step.node;
    layer.op = ir::name_of(step.op);
    layer.precision = precision_name(step.compute);
    layer.implementation = step.implementation;
    layer.layout = step.format;
    layer.reorders = step.reformats;
    layer.refusals = step.refusals;
    layer.megabytes = step.bytes / 1e6;
    layer.gigaops = 2 * step.macs / 1e9;
    layer.floor_microseconds = cuda::floor_us(step, peak);
    if (const auto found = tuned.find(step.node); found != tuned.end()) layer.tuned_microseconds = found->second;
    result.push_back(std::move(layer));
  }
  return result;
}

std::shared_ptr<gpu::Compiler> make_compiler(const engine::CudaParts& parts, const RuntimeOptions& options) {
  std::vector<gpu::CubinPtr> known;
  for (const engine::DeviceKernel& kernel : parts.kernels) {
    const auto* bytes = static_cast<const std::byte*>(kernel.code.raw());
    known.push_back(std::make_shared<const gpu::Cubin>(
        gpu::Cubin{kernel.key, gpu::parse_arch(kernel.arch), {bytes, bytes + kernel.code.bytes()}}));
  }
  return std::make_shared<gpu::Compiler>(gpu::CompilerOptions{.cache_dir = "", .allow_compile = options.allow_compile},
                                         std::move(known));
}

class CudaBackend final : public Backend {
 public:
  CudaBackend(std::shared_ptr<const ir::Graph> graph, const engine::CudaParts& parts, const RuntimeOptions& options)
      : state_(std::make_shared<cuda::DeviceState>(gpu::Device::open(options.gpu), make_compiler(parts, options))),
        choices_(parts.choices),
        pool_(
            [graph = std::move(graph), state = state_, choices = choices_,
             host_nodes = cuda::host_nodes_of(parts)](std::int64_t batch) {
              cuda::CompileOptions compile_options;
              compile_options.target = state->target();
              compile_options.chooser = cuda::chooser_of(choices, state->target().arch, batch);
              compile_options.host_nodes = host_nodes;
              return std::make_shared<const cuda::LoadedProgram>(cuda::compile(graph, batch, compile_options), state);
            },
            [](const std::shared_ptr<const cuda::LoadedProgram>& program) {
              return std::make_unique<cuda::Context>(program);
            }) {}

  std::string device_name() const override { return state_->device()->info().name; }

  void run(std::int64_t batch, std::span<const Tensor> inputs, std::span<Tensor> outputs) override {
    const auto lease = pool_.lease(batch);
    lease.context().run(inputs, outputs);
  }

  void enqueue(std::int64_t batch, std::span<void* const> inputs, std::span<void* const> outputs,
               void* stream) override {
    const auto addresses = [](std::span<void* const> pointers) {
      std::vector<gpu::DevicePointer> result;
      for (void* pointer : pointers) result.push_back(reinterpret_cast<gpu::DevicePointer>(pointer));
      return result;
    };
    // Work on one stream is ordered, so each stream has a context of its own, which never has to be waited for.
    const std::lock_guard lock(streams_mutex_);
    auto& context = streams_[{stream, batch}];
    if (context == nullptr) context = std::make_unique<cuda::Context>(pool_.program(batch));
    gpu::Stream borrowed = gpu::Stream::borrow(state_->device(), stream);
    context->enqueue(borrowed, addresses(inputs), addresses(outputs));
  }

  std::vector<LayerInfo> layers(std::int64_t batch) override {
    return describe(pool_.program(batch)->program(), gpu::peak_of(state_->device()->info()), choices_);
  }

  std::vector<LayerInfo> profile(std::int64_t batch, std::span<const Tensor> inputs, std::span<Tensor> outputs,
                                 int) override {
    const auto lease = pool_.lease(batch);
    lease.context().run(inputs, outputs);
    std::vector<LayerInfo> result =
        describe(lease.program().program(), gpu::peak_of(state_->device()->info()), choices_);
    const std::vector<double> times = lease.context().profile();
    for (std::size_t i = 0; i < result.size(); ++i) result[i].microseconds = times[i];
    return result;
  }

  double device_time(std::int64_t batch, std::span<const Tensor> inputs, std::span<Tensor> outputs,
                     int iterations) override {
    const auto lease = pool_.lease(batch);
    lease.context().run(inputs, outputs);
    return lease.context().time(iterations);
  }

 private:
  std::shared_ptr<cuda::DeviceState> state_;
  std::vector<engine::TunedChoice> choices_;
  ProgramPool<cuda::LoadedProgram, cuda::Context> pool_;
  std::mutex streams_mutex_;
  std::map<std::pair<void*, std::int64_t>, std::unique_ptr<cuda::Context>> streams_;
};

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(std::shared_ptr<const ir::Graph> graph, const engine::EngineFile& file,
                                           const RuntimeOptions& options) {
  if (!file.cuda) {
    throw EngineError("this engine was not built for NVIDIA GPUs", "build it with --device cuda, or run on the CPU");
  }
  if (gpu::device_count() == 0) {
    throw DeviceError(fmt::format("there is no usable NVIDIA GPU: {}", gpu::why_no_device()),
                      "run on the CPU (--device cpu), or see 'xinfer doctor'");
  }
  return std::make_unique<CudaBackend>(std::move(graph), *file.cuda, options);
}

}  // namespace xinfer::runtime
