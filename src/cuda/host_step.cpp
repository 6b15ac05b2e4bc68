#include "cuda/host_step.h"

#include <fmt/format.h>

#include <cstring>

#include "reference/reference.h"
#include "xinfer/core/errors.h"

namespace xinfer::cuda {
namespace {

class HostStep final : public Step {
 public:
  HostStep(std::shared_ptr<const ir::Graph> graph, const ir::Node& node, std::int64_t batch)
      : graph_(std::move(graph)), node_(node), batch_(batch) {
    implementation = "host: reference";
    on_host = true;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      inputs.emplace_back();
      if (!node.has_input(i) || graph_->value(node.inputs[i]).is_constant()) continue;  // constants are at hand
      inputs.back() = format_of(node.inputs[i]);
    }
    for (const ir::ValueId id : node.outputs) outputs.push_back(format_of(id));
    compute = outputs.at(0).element;
    for (const auto& input : inputs) {
      if (input && (input->element == Element::kS8 || input->element == Element::kU8)) compute = input->element;
    }
  }

  void launch(const Frame&, std::vector<gpu::Launch>&) const override {}

  void run_on_host(const HostFrame& frame) const override {
    std::vector<Tensor> operands;
    for (std::size_t i = 0; i < node_.inputs.size(); ++i) {
      operands.emplace_back();
      if (!node_.has_input(i)) continue;
      const ir::Value& value = graph_->value(node_.inputs[i]);
      operands.back() = value.is_constant()
                            ? *value.constant
                            : Tensor::view(value.dtype, value.shape.at(batch_), frame.inputs.at(i), nullptr);
    }
    const std::vector<Tensor> results = reference::evaluate({*graph_, node_, batch_}, operands);
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (results[i].bytes() > 0) std::memcpy(frame.outputs.at(i), results[i].raw(), results[i].bytes());
    }
  }

 private:
  Format format_of(ir::ValueId id) const { return Format::rows(element_of(graph_->value(id).dtype, Element::kF32)); }

  std::shared_ptr<const ir::Graph> graph_;
  const ir::Node& node_;
  std::int64_t batch_;
};

}  // namespace

std::unique_ptr<Step> create_host_step(std::shared_ptr<const ir::Graph> graph, const ir::Node& node,
                                       std::int64_t batch) {
  return std::make_unique<HostStep>(std::move(graph), node, batch);
}

}  // namespace xinfer::cuda
