#include "xinfer/runtime/inference_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "engine/engine_file.h"
#include "gpu/device.h"
#include "runtime/backend.h"
#include "runtime/drift.h"
#include "runtime/worker_pool.h"
#include "xinfer/core/errors.h"
#include "xtorch/xtorch.h"

namespace xinfer::runtime {
namespace {

TensorInfo describe(const ir::Value& value, const std::string& name) {
  TensorInfo info{name, value.dtype, {}};
  for (const ir::Dim& dim : value.shape) info.shape.push_back(dim.batch && dim.value == 1 ? -1 : dim.value);
  return info;
}

std::unique_ptr<Backend> make_backend(const std::shared_ptr<const ir::Graph>& graph, const engine::EngineFile& file,
                                      const RuntimeOptions& options, const std::shared_ptr<cpu::WeightCache>& weights) {
  const bool on_gpu =
      options.device == Device::kCuda || (options.device == Device::kAuto && file.cuda && gpu::device_count() > 0);
  return on_gpu ? make_cuda_backend(graph, file, options) : make_cpu_backend(graph, options.threads, weights);
}

}  // namespace

struct InferenceEngine::Impl {
  Impl(engine::EngineFile engine_file, const RuntimeOptions& options)
      : file(std::move(engine_file)),
        graph(std::make_shared<ir::Graph>(file.graph)),
        async_workers(options.async_workers) {
    if (options.threads < 0) throw Error(fmt::format("the number of threads can't be {}", options.threads));
    if (async_workers < 1)
      throw Error(fmt::format("the number of async workers must be 1 or more, not {}", async_workers));
    for (const ir::ValueId id : graph->inputs()) inputs.push_back(describe(graph->value(id), graph->value(id).name));
    for (std::size_t i = 0; i < graph->outputs().size(); ++i) {
      outputs.push_back(describe(graph->value(graph->outputs()[i]), graph->output_names()[i]));
    }
    for (const engine::Decision& decision : file.decisions) reasons.emplace(decision.node, decision.reason);
    if (options.drift_sample_period < 0) {
      throw Error(fmt::format("the period of watched inferences can't be {}", options.drift_sample_period));
    }
    const auto weights = cpu::make_weight_cache();
    backend = make_backend(graph, file, options, weights);
    if (options.drift_sample_period == 0) return;
    drift = std::make_unique<DriftMonitor>(graph, file.ranges, options.drift_sample_period, options.threads, weights);
  }

  void check_batch(std::int64_t batch) const;
  /// Batch size that `given` imply; throws EngineError naming the first tensor that doesn't fit.
  std::int64_t check_inputs(const std::vector<Tensor>& given) const;
  std::vector<Tensor> make_outputs(std::int64_t batch) const;
  /// Adds what the engine knows of its layers.
  std::vector<LayerInfo> complete(std::vector<LayerInfo> layers) const;
  void run(std::int64_t batch, const std::vector<Tensor>& in, std::vector<Tensor>& out) {
    backend->run(batch, in, out);
    if (drift != nullptr && drift->due()) drift->watch(batch, in);
  }

  engine::EngineFile file;
  std::shared_ptr<const ir::Graph> graph;
  std::vector<TensorInfo> inputs;
  std::vector<TensorInfo> outputs;
  std::unordered_map<std::string, std::string> reasons;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<DriftMonitor> drift;  // null: nothing is watched
  int async_workers;
  std::once_flag pool_made;
  std::optional<WorkerPool> pool;  // last: its jobs use the members above
};

void InferenceEngine::Impl::check_batch(std::int64_t batch) const {
  if (batch < 1) throw EngineError(fmt::format("a batch can't have {} samples", batch));
  if (batch > file.max_batch) {
    throw EngineError(fmt::format("a batch of {} is larger than the engine's maximum of {}", batch, file.max_batch),
                      "split it, or rebuild with a larger --max-batch");
  }
}

std::int64_t InferenceEngine::Impl::check_inputs(const std::vector<Tensor>& given) const {
  if (given.size() != inputs.size()) {
    throw EngineError(fmt::format("the engine has {} inputs, {} were given", inputs.size(), given.size()));
  }
  std::int64_t batch = 0;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const ir::Value& wanted = graph->value(graph->inputs()[i]);
    const Tensor& tensor = given[i];
    if (tensor.empty() || tensor.dtype() != wanted.dtype) {
      throw EngineError(fmt::format("input '{}' must be of type {}, got {}", wanted.name, name_of(wanted.dtype),
                                    tensor.empty() ? "an empty tensor" : name_of(tensor.dtype())));
    }
    bool fits = tensor.rank() == wanted.shape.rank();
    for (std::size_t axis = 0; fits && axis < tensor.rank(); ++axis) {
      const ir::Dim& dim = wanted.shape[axis];
      const std::int64_t size = tensor.shape()[axis];
      if (!dim.batch) {
        fits = size == dim.value;
      } else if (size % std::max<std::int64_t>(dim.value, 1) != 0 || size == 0) {
        fits = false;
      } else if (batch == 0) {
        batch = size / dim.value;
      } else {
        fits = size == batch * dim.value;
      }
    }
    if (!fits) {
      throw EngineError(fmt::format("input '{}' must have the shape {}, got {}", wanted.name,
                                    ir::to_string(wanted.shape), to_string(tensor.shape())));
    }
  }
  if (batch == 0) batch = 1;  // no input depends on the batch
  check_batch(batch);
  return batch;
}

std::vector<Tensor> InferenceEngine::Impl::make_outputs(std::int64_t batch) const {
  std::vector<Tensor> result;
  for (const ir::ValueId id : graph->outputs()) {
    result.emplace_back(graph->value(id).dtype, graph->value(id).shape.at(batch));
  }
  return result;
}

std::vector<LayerInfo> InferenceEngine::Impl::complete(std::vector<LayerInfo> layers) const {
  std::unordered_map<std::string, const ir::Node*> nodes;
  for (const ir::NodeId id : graph->order()) nodes.emplace(graph->node(id).name, &graph->node(id));
  for (LayerInfo& layer : layers) {
    if (const auto found = reasons.find(layer.name); found != reasons.end()) layer.reason = found->second;
    if (const auto found = nodes.find(layer.name); found != nodes.end() && !found->second->outputs.empty()) {
      const ir::Value& out = graph->value(found->second->outputs.front());
      if (out.quantization) layer.output_scales = out.quantization->scales;
    }
  }
  return layers;
}

InferenceEngine::InferenceEngine(const std::string& path, const RuntimeOptions& options)
    : InferenceEngine(engine::load(path), options) {}
InferenceEngine::InferenceEngine(engine::EngineFile file, const RuntimeOptions& options)
    : impl_(std::make_unique<Impl>(std::move(file), options)) {}
InferenceEngine::~InferenceEngine() = default;
InferenceEngine::InferenceEngine(InferenceEngine&&) noexcept = default;
InferenceEngine& InferenceEngine::operator=(InferenceEngine&&) noexcept = default;

const std::vector<TensorInfo>& InferenceEngine::inputs() const { return impl_->inputs; }
const std::vector<TensorInfo>& InferenceEngine::outputs() const { return impl_->outputs; }
std::int64_t InferenceEngine::max_batch_size() const { return impl_->file.max_batch; }
const Preprocessing& InferenceEngine::preprocessing() const { return impl_->file.preprocessing; }
const std::vector<std::string>& InferenceEngine::labels() const { return impl_->file.labels; }
const std::vector<std::pair<std::string, std::string>>& InferenceEngine::facts() const { return impl_->file.facts; }
const std::string& InferenceEngine::producer() const { return impl_->file.producer; }
const engine::EngineFile& InferenceEngine::file() const { return impl_->file; }

std::vector<Tensor> InferenceEngine::infer(const std::vector<Tensor>& inputs) const {
  const std::int64_t batch = impl_->check_inputs(inputs);
  std::vector<Tensor> outputs = impl_->make_outputs(batch);
  impl_->run(batch, inputs, outputs);
  return outputs;
}

Tensor InferenceEngine::infer(const Tensor& input) const { return infer(std::vector<Tensor>{input}).front(); }

std::map<std::string, Tensor> InferenceEngine::infer(const std::map<std::string, Tensor>& inputs) const {
  std::vector<Tensor> ordered;
  for (const TensorInfo& info : impl_->inputs) {
    const auto found = inputs.find(info.name);
    if (found == inputs.end()) throw EngineError(fmt::format("input '{}' is missing", info.name));
    ordered.push_back(found->second);
  }
  if (inputs.size() != ordered.size()) {
    for (const auto& [name, tensor] : inputs) {
      const bool known = std::any_of(impl_->inputs.begin(), impl_->inputs.end(),
                                     [&name = name](const TensorInfo& info) { return info.name == name; });
      if (!known) throw EngineError(fmt::format("the engine has no input '{}'", name));
    }
  }
  const std::vector<Tensor> outputs = infer(ordered);
  std::map<std::string, Tensor> named;
  for (std::size_t i = 0; i < outputs.size(); ++i) named.emplace(impl_->outputs[i].name, outputs[i]);
  return named;
}

void InferenceEngine::infer_into(const std::vector<Tensor>& inputs, std::vector<Tensor>& outputs) const {
  const std::int64_t batch = impl_->check_inputs(inputs);
  const auto& ids = impl_->graph->outputs();
  if (outputs.size() != ids.size()) {
    throw EngineError(fmt::format("the engine has {} outputs, {} were given", ids.size(), outputs.size()));
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const ir::Value& wanted = impl_->graph->value(ids[i]);
    if (outputs[i].empty() || outputs[i].dtype() != wanted.dtype || outputs[i].shape() != wanted.shape.at(batch)) {
      throw EngineError(fmt::format("output '{}' must be {} of shape {}", impl_->outputs[i].name, name_of(wanted.dtype),
                                    to_string(wanted.shape.at(batch))));
    }
  }
  impl_->run(batch, inputs, outputs);
}

std::future<std::vector<Tensor>> InferenceEngine::infer_async(std::vector<Tensor> inputs) const {
  std::call_once(impl_->pool_made, [this] { impl_->pool.emplace(impl_->async_workers); });
  auto promise = std::make_shared<std::promise<std::vector<Tensor>>>();
  std::future<std::vector<Tensor>> future = promise->get_future();
  Impl* impl = impl_.get();  // stays valid when the engine is moved; the pool is joined before Impl goes
  impl_->pool->submit([impl, promise, inputs = std::move(inputs)] {
    try {
      const std::int64_t batch = impl->check_inputs(inputs);
      std::vector<Tensor> outputs = impl->make_outputs(batch);
      impl->run(batch, inputs, outputs);
      promise->set_value(std::move(outputs));
    } catch (...) {
      promise->set_exception(std::current_exception());
    }
  });
  return future;
}

void InferenceEngine::warm_up(std::int64_t batch_size) const {
  impl_->check_batch(batch_size);
  std::vector<Tensor> inputs;
  for (const ir::ValueId id : impl_->graph->inputs()) {
    inputs.emplace_back(impl_->graph->value(id).dtype, impl_->graph->value(id).shape.at(batch_size));
  }
  // Past the monitor: these zeros are nobody's data.
  std::vector<Tensor> outputs = impl_->make_outputs(batch_size);
  impl_->backend->run(batch_size, inputs, outputs);
  if (impl_->drift != nullptr) impl_->drift->warm_up(batch_size);
}

Tensor InferenceEngine::load_images(const std::vector<std::string>& paths) const {
  const Preprocessing& stored = impl_->file.preprocessing;
  if (paths.empty()) throw DataError("no images were given");
  if (!stored.replayable()) {
    throw EngineError("the engine's preprocessing has a step of the user's own code, which it can't repeat",
                      "preprocess in your program and pass tensors to infer()");
  }
  const auto transforms = xt::transforms::from_preprocessing(stored);
  Tensor batch;
  std::vector<std::int64_t> first;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const Tensor image = xt::load_image(paths[i], transforms);
    if (i == 0) {
      first = image.shape();
      std::vector<std::int64_t> shape = first;
      shape.insert(shape.begin(), static_cast<std::int64_t>(paths.size()));
      batch = Tensor(image.dtype(), std::move(shape));
    } else if (image.shape() != first) {
      throw DataError(fmt::format("image '{}' has the shape {} after preprocessing, '{}' has another", paths[i],
                                  to_string(image.shape()), paths[0]));
    }
    std::memcpy(static_cast<std::byte*>(batch.raw()) + i * image.bytes(), image.raw(), image.bytes());
  }
  return batch;
}

std::vector<LayerInfo> InferenceEngine::layers(std::int64_t batch_size) const {
  impl_->check_batch(batch_size);
  return impl_->complete(impl_->backend->layers(batch_size));
}

std::vector<LayerInfo> InferenceEngine::profile(const std::vector<Tensor>& inputs, int iterations) const {
  const std::int64_t batch = impl_->check_inputs(inputs);
  std::vector<Tensor> outputs = impl_->make_outputs(batch);
  return impl_->complete(impl_->backend->profile(batch, inputs, outputs, iterations));
}

double InferenceEngine::device_time(const std::vector<Tensor>& inputs, int iterations) const {
  const std::int64_t batch = impl_->check_inputs(inputs);
  std::vector<Tensor> outputs = impl_->make_outputs(batch);
  return impl_->backend->device_time(batch, inputs, outputs, iterations);
}

void InferenceEngine::infer_async(std::int64_t batch_size, const std::vector<void*>& inputs,
                                  const std::vector<void*>& outputs, void* stream) const {
  impl_->check_batch(batch_size);
  if (inputs.size() != impl_->inputs.size() || outputs.size() != impl_->outputs.size()) {
    throw EngineError(fmt::format("the engine has {} inputs and {} outputs, {} and {} addresses were given",
                                  impl_->inputs.size(), impl_->outputs.size(), inputs.size(), outputs.size()));
  }
  impl_->backend->enqueue(batch_size, inputs, outputs, stream);
}

DriftReport InferenceEngine::drift() const { return impl_->drift == nullptr ? DriftReport{} : impl_->drift->report(); }

void InferenceEngine::reset_drift() const {
  if (impl_->drift != nullptr) impl_->drift->reset();
}

std::string InferenceEngine::device_name() const { return impl_->backend->device_name(); }

}  // namespace xinfer::runtime
