#include <algorithm>
#include <bit>

#include "quantize/runner.h"

namespace xinfer::quantize {
namespace {

/// On the bits, whose order is that of the magnitudes: compilers vectorize this, but no maximum of floats.
float abs_max_of(std::span<const float> values) {
  std::uint32_t largest = 0;
  for (const float value : values) largest = std::max(largest, std::bit_cast<std::uint32_t>(value) & 0x7fffffffU);
  return std::bit_cast<float>(largest);
}

class TensorRunner final : public Runner {
 public:
  explicit TensorRunner(GraphFunction function) : function_(std::move(function)) {}

  std::int64_t max_images() const override { return 1; }

  void run(std::span<const Tensor> inputs, std::int64_t, std::span<Histogram* const> histograms) override {
    function_(inputs, [&](ir::ValueId id, const Tensor& tensor) {
      Histogram* histogram = histograms[static_cast<std::size_t>(id)];
      if (histogram != nullptr) histogram->add(tensor.data<float>());
    });
  }

  bool run_image(std::span<const Tensor> inputs, std::span<Histogram* const> histograms,
                 std::span<float> abs_max) override {
    function_(inputs, [&](ir::ValueId id, const Tensor& tensor) {
      Histogram* histogram = histograms[static_cast<std::size_t>(id)];
      if (histogram == nullptr) return;
      histogram->add(tensor.data<float>());
      abs_max[static_cast<std::size_t>(id)] = abs_max_of(tensor.data<float>());
    });
    return true;
  }

 private:
  GraphFunction function_;
};

}  // namespace

std::shared_ptr<Runner> tensor_runner(GraphFunction function) {
  return std::make_shared<TensorRunner>(std::move(function));
}

std::shared_ptr<Runner> cpu_runner(const std::shared_ptr<const ir::Graph>& graph, int threads) {
  cpu::CompileOptions options;
  options.threads = threads;
  options.keep_values = true;
  const auto program = cpu::compile(graph, 1, options);
  const std::shared_ptr<cpu::Context> context = program->new_context();
  std::vector<Tensor> outputs;
  for (const ir::ValueId id : graph->outputs()) {
    outputs.emplace_back(graph->value(id).dtype, graph->value(id).shape.at(1));
  }
  return tensor_runner(
      [program, context, outputs](std::span<const Tensor> inputs, const cpu::ValueObserver& observer) mutable {
        program->run(*context, inputs, outputs, &observer);
      });
}

}  // namespace xinfer::quantize
