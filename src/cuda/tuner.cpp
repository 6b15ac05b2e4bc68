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

std::vector<Tensor> random_inputs(const ir::Graph& graph, std::int64_t batch) {
  std::mt19937 engine(1);
  std::normal_distribution<float> normal;
  std::vector<Tensor> inputs;
  for (const ir::ValueId id : graph.inputs()) {
    Tensor tensor(graph.value(id).dtype, graph.value(id).shape.at(batch));  // indices and masks stay zero
    if (tensor.dtype() == DataType::kFloat32) {
      for (float& x : tensor.data<float>()) x = normal(engine);
    }
    inputs.push_back(std::move(tensor));
  }
  return inputs;
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
  const std::vector<Tensor> inputs = random_inputs(*graph, batch);
  std::vector<Tensor> outputs;
  for (const ir::ValueId id : graph->outputs()) {
    outputs.emplace_back(graph->value(id).dtype, graph->value(id).shape.at(batch));
  }
  std::vector<TunedNode> best;
  std::unordered_map<std::string, std::size_t> index;
  for (int round = 0; round < rounds; ++round) {
    CompileOptions compile_options = options;
    compile_options.chooser = [round](const Request& request) -> std::optional<Choice> {
      std::vector<Choice> list = candidates(request);
      if (list.empty()) return std::nullopt;
      return list[static_cast<std::size_t>(round) % list.size()];
    };
    const auto program = compile(graph, batch, compile_options);
    Context context(std::make_shared<const LoadedProgram>(program, state));
    context.run(inputs, outputs);
    const std::vector<double> times = context.profile();
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
