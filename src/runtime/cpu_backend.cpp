#include <fmt/format.h>

#include <algorithm>

#include "cpu/program.h"
#include "runtime/backend.h"
#include "runtime/program_pool.h"
#include "xinfer/core/errors.h"

namespace xinfer::runtime {
namespace {

std::string precision_name(DataType type) {
  if (is_int8_like(type)) return "int8";
  return type == DataType::kFloat32 ? "fp32" : std::string(name_of(type));
}

std::vector<LayerInfo> describe(const cpu::Program& program) {
  std::vector<LayerInfo> result;
  for (const cpu::StepInfo& step : program.steps()) {
    LayerInfo layer;
    layer.name = step.node;
    layer.op = ir::name_of(step.op);
    layer.precision = precision_name(step.compute_type);
    layer.implementation = step.implementation;
    layer.layout = step.layout;
    layer.reorders = step.reorders;
    layer.refusals = step.refusals;
    result.push_back(std::move(layer));
  }
  return result;
}

class CpuBackend final : public Backend {
 public:
  CpuBackend(std::shared_ptr<const ir::Graph> graph, int threads, std::shared_ptr<cpu::WeightCache> weights)
      : pool_([graph = std::move(graph), threads, weights = std::move(weights)](
                  std::int64_t batch) { return cpu::compile(graph, batch, {.threads = threads}, weights); },
              [](const std::shared_ptr<const cpu::Program>& program) { return program->new_context(); }) {}

  std::string device_name() const override { return fmt::format("CPU ({})", cpu::isa_name()); }

  void run(std::int64_t batch, std::span<const Tensor> inputs, std::span<Tensor> outputs) override {
    const auto lease = pool_.lease(batch);
    lease.program().run(lease.context(), inputs, outputs);
  }

  void enqueue(std::int64_t, std::span<void* const>, std::span<void* const>, void*) override {
    throw EngineError("this engine runs on the CPU: it can't take tensors in GPU memory");
  }

  std::vector<LayerInfo> layers(std::int64_t batch) override { return describe(*pool_.program(batch)); }

  std::vector<LayerInfo> profile(std::int64_t batch, std::span<const Tensor> inputs, std::span<Tensor> outputs,
                                 int iterations) override {
    const auto lease = pool_.lease(batch);
    std::vector<LayerInfo> layers = describe(lease.program());
    std::vector<std::vector<std::int64_t>> samples(layers.size());
    lease.program().run(lease.context(), inputs, outputs);
    for (int i = 0; i < std::max(1, iterations); ++i) {
      cpu::StepTimes times;
      lease.program().run(lease.context(), inputs, outputs, nullptr, &times);
      for (std::size_t s = 0; s < layers.size(); ++s) samples[s].push_back(times.at(s));
    }
    for (std::size_t s = 0; s < layers.size(); ++s) {
      auto middle = samples[s].begin() + static_cast<std::ptrdiff_t>(samples[s].size() / 2);
      std::nth_element(samples[s].begin(), middle, samples[s].end());
      layers[s].microseconds = static_cast<double>(*middle) / 1e3;
    }
    return layers;
  }

  double device_time(std::int64_t, std::span<const Tensor>, std::span<Tensor>, int) override { return 0; }

 private:
  ProgramPool<cpu::Program, cpu::Context> pool_;
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(std::shared_ptr<const ir::Graph> graph, int threads,
                                          std::shared_ptr<cpu::WeightCache> weights) {
  return std::make_unique<CpuBackend>(std::move(graph), threads, std::move(weights));
}

}  // namespace xinfer::runtime
