#include "quantize/calibrate.h"

namespace xinfer::quantize {

GraphRunner cpu_runner(const std::shared_ptr<const ir::Graph>& graph, int threads) {
  cpu::CompileOptions options;
  options.threads = threads;
  options.keep_values = true;
  const auto program = cpu::compile(graph, 1, options);
  const std::shared_ptr<cpu::Context> context = program->new_context();
  std::vector<Tensor> outputs;
  for (const ir::ValueId id : graph->outputs()) {
    outputs.emplace_back(graph->value(id).dtype, graph->value(id).shape.at(1));
  }
  return [program, context, outputs](std::span<const Tensor> inputs, const cpu::ValueObserver& observer) mutable {
    program->run(*context, inputs, outputs, &observer);
  };
}

}  // namespace xinfer::quantize
