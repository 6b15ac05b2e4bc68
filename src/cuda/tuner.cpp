#include "cuda/tuner.h"

#include <algorithm>
#include <random>
#include <unordered_map>

#include "cuda/implementations.h"

namespace xinfer::cuda {
namespace {

/// All variants of all implementations but the last, which is the slow one that takes everything.
std::vector<Choice> candidates(const Request& request) {
  const auto list = implementations_of(request.node.op);
  std::vector<Choice> result;
  if (list.size() < 2) return result;
  for (const Implementation& implementation : list.first(list.size() - 1)) {
    const bool folds = request.output_override != ir::kNone;
    if (folds && !implementation.writes_quantized) continue;
    std::vector<Tactic> tactics{{}};
    if (implementation.tactics != nullptr) tactics = implementation.tactics(request);
    for (Tactic& tactic : tactics) {
      if (std::holds_alternative<Refusal>(implementation.create(request, tactic))) break;
      result.push_back({std::string(implementation.name), std::move(tactic)});
    }
  }
  return result;
}

/// Random inputs and room for outputs on the device, shared by all rounds.
struct Outside {
  std::vector<gpu::DeviceBuffer> buffers;
  std::vector<gpu::DevicePointer> inputs, outputs;
};

std::vector<Tensor> random_inputs(const ir::Graph& graph, std::int64_t batch) {
  std::mt19937 engine(1);
  std::normal_distribution<float> normal;
  std::vector<Tensor> inputs;
  for (const ir::ValueId id : graph.inputs()) {
    Tensor tensor(graph.value(id).dtype, graph.value(id).shape.at(batch));  // indices and masks stay zero
    if (tensor.dtype() == DataType::kFloat32) {
      constexpr std::size_t kDistinct = 1 << 18;  // then repeated: the kernels' time does not depend on more
      const auto values = tensor.data<float>();
      const std::size_t distinct = std::min(kDistinct, values.size());
      for (std::size_t i = 0; i < distinct; ++i) values[i] = normal(engine);
      for (std::size_t i = distinct; i < values.size(); ++i) values[i] = values[i - distinct];
    }
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

Outside make_outside(const ir::Graph& graph, std::int64_t batch, const gpu::DevicePtr& device) {
  Outside outside;
  gpu::Stream stream(device);
  const auto add = [&](std::size_t bytes) {
    outside.buffers.emplace_back(device, std::max<std::size_t>(bytes, 16));
    return outside.buffers.back().pointer();
  };
  for (const Tensor& tensor : random_inputs(graph, batch)) {
    outside.inputs.push_back(add(tensor.bytes()));
    gpu::copy_to_device(stream, outside.inputs.back(), tensor.raw(), tensor.bytes());
    stream.synchronize();
  }
  for (const ir::ValueId id : graph.outputs()) {
    const ir::Value& value = graph.value(id);
    const auto count = static_cast<std::size_t>(element_count(value.shape.at(batch)));
    outside.outputs.push_back(add(count * xinfer::size_of(value.dtype)));
  }
  return outside;
}

}  // namespace

int tuning_rounds(const std::shared_ptr<const ir::Graph>& graph, std::int64_t batch, const CompileOptions& options) {
  std::size_t most = 1;
  CompileOptions counting = options;
  counting.chooser = [&most](const Request& request) -> std::optional<Choice> {
    most = std::max(most, candidates(request).size());
    return std::nullopt;
  };
  compile(graph, batch, counting);
  return static_cast<int>(most);
}

std::vector<TunedNode> tune(const std::shared_ptr<const ir::Graph>& graph, std::int64_t batch,
                            const CompileOptions& options, const std::shared_ptr<DeviceState>& state,
                            const std::function<void()>& round_done) {
  const int rounds = tuning_rounds(graph, batch, options);
  const Outside outside = make_outside(*graph, batch, state->device());
  // All programs first, so that their kernels compile together, on all cores.
  std::vector<std::shared_ptr<const Program>> programs;
  std::vector<gpu::KernelSource> kernels;
  for (int round = 0; round < rounds; ++round) {
    CompileOptions compile_options = options;
    compile_options.chooser = [round](const Request& request) -> std::optional<Choice> {
      std::vector<Choice> list = candidates(request);
      if (list.empty()) return std::nullopt;
      return list[static_cast<std::size_t>(round) % list.size()];
    };
    programs.push_back(compile(graph, batch, compile_options));
    for (gpu::KernelSource& source : programs.back()->kernels()) kernels.push_back(std::move(source));
  }
  state->compiler().get_all(kernels, state->device()->arch());

  std::vector<TunedNode> best;
  std::unordered_map<std::string, std::size_t> index;
  for (const auto& program : programs) {
    Context context(std::make_shared<const LoadedProgram>(program, state));
    const std::vector<double> times = context.profile(outside.inputs, outside.outputs);
    for (std::size_t i = 0; i < program->infos.size(); ++i) {
      const StepInfo& info = program->infos[i];
      if (info.choice.empty()) continue;
      const auto [found, added] = index.emplace(info.node, best.size());
      if (added) best.push_back({info.node, {info.choice, info.tactic}, times[i]});
      TunedNode& node = best[found->second];
      if (times[i] < node.microseconds) node = {info.node, {info.choice, info.tactic}, times[i]};
    }
    if (round_done) round_done();
  }
  return best;
}

}  // namespace xinfer::cuda
