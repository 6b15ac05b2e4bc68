#include "quantize/sample_runner.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

namespace xinfer::quantize {

SampleRunner::SampleRunner(std::shared_ptr<const ir::Graph> graph, int threads)
    : graph_(std::move(graph)),
      threads_(threads > 0 ? static_cast<std::size_t>(threads) : std::max(1U, std::thread::hardware_concurrency())) {}

std::shared_ptr<const cpu::Program> SampleRunner::program(bool observable) const {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<const cpu::Program>& program = observable ? observable_ : plain_;
  if (!program) {
    cpu::CompileOptions options;
    options.threads = 1;
    options.keep_values = observable;
    program = cpu::compile(graph_, 1, options);
  }
  return program;
}

std::vector<Tensor> SampleRunner::new_outputs() const {
  std::vector<Tensor> outputs;
  for (const ir::ValueId id : graph_->outputs()) {
    outputs.emplace_back(graph_->value(id).dtype, graph_->value(id).shape.at(1));
  }
  return outputs;
}

std::vector<std::vector<Tensor>> SampleRunner::run(std::span<const Sample> samples, const Observer& observer,
                                                   const Progress& progress) const {
  const std::shared_ptr<const cpu::Program> program = this->program(static_cast<bool>(observer));
  std::vector<std::vector<Tensor>> results(samples.size());
  std::atomic<std::size_t> next = 0;
  std::size_t done = 0;
  std::exception_ptr failure;
  std::mutex mutex;
  const auto work = [&] {
    try {
      const std::unique_ptr<cpu::Context> context = program->new_context();
      for (std::size_t i = next++; i < samples.size(); i = next++) {
        results[i] = new_outputs();
        const cpu::ValueObserver show = [&](ir::ValueId id, const Tensor& tensor) { observer(i, id, tensor); };
        program->run(*context, samples[i].inputs, results[i], observer ? &show : nullptr);
        const std::lock_guard lock(mutex);
        ++done;
        if (progress) progress(done);
      }
    } catch (...) {
      next = samples.size();
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (std::size_t t = 1; t < std::min(threads_, samples.size()); ++t) helpers.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
  return results;
}

}  // namespace xinfer::quantize
