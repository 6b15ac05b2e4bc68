#include "cuda/measure.h"

#include "cuda/tuner.h"

namespace xinfer::cuda {
namespace {

constexpr int kRuns = 20;

}  // namespace

NetworkTimes measure_tuned(const std::shared_ptr<const ir::Graph>& graph, std::int64_t batch, CompileOptions options,
                           const std::shared_ptr<DeviceState>& state, TimingCache* cache,
                           const std::function<void()>& round_done) {
  Tuner tuner(graph, batch, options, state, cache);
  std::map<std::string, Choice> choices;
  for (TunedNode& node : tuner.run(round_done)) choices[node.node] = std::move(node.choice);
  options.chooser = [&choices](const Request& request) -> std::optional<Choice> {
    const auto found = choices.find(request.node.name);
    if (found == choices.end()) return std::nullopt;
    return found->second;
  };
  const auto program = compile(graph, batch, options);
  Context context(std::make_shared<const LoadedProgram>(program, state));
  const std::vector<Tensor> inputs = random_inputs(*graph, batch);
  std::vector<Tensor> outputs;
  for (const ir::ValueId id : graph->outputs()) {
    outputs.emplace_back(graph->value(id).dtype, graph->value(id).shape.at(batch));
  }
  context.run(inputs, outputs);
  NetworkTimes times;
  const std::vector<double> by_step = context.profile();
  for (std::size_t i = 0; i < program->infos.size(); ++i) times.node_us[program->infos[i].node] = by_step[i];
  times.total_us = context.time(kRuns);
  return times;
}

}  // namespace xinfer::cuda
