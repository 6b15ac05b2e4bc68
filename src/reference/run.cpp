// Running a whole graph.

#include <fmt/format.h>

#include <optional>

#include "reference/reference.h"
#include "xinfer/core/errors.h"

namespace xinfer::reference {
namespace {

/// Adds what one dimension says about the batch; returns false when it contradicts the size or an earlier one.
bool match(const ir::Dim& dim, std::int64_t size, std::optional<std::int64_t>& batch) {
  if (!dim.batch) return dim.value == size;
  if (dim.value == 0) return size == 0;
  if (size % dim.value != 0) return false;
  const std::int64_t implied = size / dim.value;
  if (batch.has_value() && *batch != implied) return false;
  batch = implied;
  return true;
}

/// The contents of a shape tensor that depends on the batch.
Tensor materialize(const ir::Value& value, std::int64_t batch) {
  std::vector<std::int64_t> contents;
  for (const ir::Dim& dim : value.symbolic) contents.push_back(dim.at(batch));
  return Tensor::from<std::int64_t>(value.shape.at(batch), contents);
}

/// Tensors by value id, with the number of uses that each still has.
class Live {
 public:
  Live(const ir::Graph& graph, std::int64_t batch, bool keep_all)
      : graph_(graph), batch_(batch), keep_all_(keep_all), tensors_(graph.value_count()), uses_(graph.value_count()) {
    for (std::size_t i = 0; i < uses_.size(); ++i) {
      uses_[i] = graph.value(static_cast<ir::ValueId>(i)).consumers.size();
    }
    for (const ir::ValueId id : graph.outputs()) ++uses_[static_cast<std::size_t>(id)];
  }

  void set(ir::ValueId id, Tensor tensor) {
    if (keep_all_ || uses_[static_cast<std::size_t>(id)] > 0)
      tensors_[static_cast<std::size_t>(id)] = std::move(tensor);
  }
  Tensor get(ir::ValueId id) const {
    const ir::Value& value = graph_.value(id);
    if (value.is_constant()) return *value.constant;
    const Tensor& tensor = tensors_[static_cast<std::size_t>(id)];
    if (tensor.empty() && !value.symbolic.empty()) return materialize(value, batch_);
    if (tensor.empty()) throw ModelError(fmt::format("tensor '{}' is never computed", value.name));
    return tensor;
  }
  void release(ir::ValueId id) {
    if (--uses_[static_cast<std::size_t>(id)] == 0 && !keep_all_) tensors_[static_cast<std::size_t>(id)] = Tensor();
  }

 private:
  const ir::Graph& graph_;
  std::int64_t batch_;
  bool keep_all_;
  std::vector<Tensor> tensors_;
  std::vector<std::size_t> uses_;
};

}  // namespace

std::int64_t batch_of(const ir::Graph& graph, std::span<const Tensor> inputs) {
  if (inputs.size() != graph.inputs().size()) {
    throw EngineError(
        fmt::format("{} inputs were given, but the network has {}", inputs.size(), graph.inputs().size()));
  }
  std::optional<std::int64_t> batch;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const ir::Value& value = graph.value(graph.inputs()[i]);
    const auto& shape = inputs[i].shape();
    bool fits = shape.size() == value.shape.rank();
    for (std::size_t axis = 0; fits && axis < shape.size(); ++axis) fits = match(value.shape[axis], shape[axis], batch);
    if (!fits) {
      throw EngineError(fmt::format("input '{}' has shape {}, which doesn't fit {}{}", value.name, to_string(shape),
                                    to_string(value.shape),
                                    batch.has_value() ? fmt::format(" with N = {}", *batch) : std::string()));
    }
  }
  return batch.value_or(1);
}

std::vector<Tensor> run(const ir::Graph& graph, std::span<const Tensor> inputs,
                        std::unordered_map<std::string, Tensor>* keep) {
  std::int64_t batch = 1;
  try {
    batch = batch_of(graph, inputs);
  } catch (const EngineError& error) {
    throw ModelError(error.what());
  }
  Live live(graph, batch, keep != nullptr);
  const auto record = [&](ir::ValueId id, Tensor tensor) {
    if (keep != nullptr) keep->insert_or_assign(graph.value(id).name, tensor);
    live.set(id, std::move(tensor));
  };
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const ir::Value& value = graph.value(graph.inputs()[i]);
    if (inputs[i].dtype() != value.dtype) {
      throw ModelError(fmt::format("input '{}' is {}, but {} was given", value.name, name_of(value.dtype),
                                   name_of(inputs[i].dtype())));
    }
    record(graph.inputs()[i], inputs[i]);
  }
  for (const ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    std::vector<Tensor> operands;
    for (const ir::ValueId input : node.inputs) operands.push_back(input == ir::kNone ? Tensor() : live.get(input));
    std::vector<Tensor> results = evaluate({graph, node, batch}, operands);
    for (std::size_t i = 0; i < results.size(); ++i) record(node.outputs[i], std::move(results[i]));
    for (const ir::ValueId input : node.inputs) {
      if (input != ir::kNone) live.release(input);
    }
  }
  std::vector<Tensor> outputs;
  for (const ir::ValueId id : graph.outputs()) outputs.push_back(live.get(id));
  return outputs;
}

}  // namespace xinfer::reference
