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
      if (std::holds_alternative<Refusal>(implementation.create(request, tactic))) continue;
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

std::string layer_name(const Request& request) {
  return (request.output_override == ir::kNone ? "alone " : "folds ") + request.node.name;
}

}  // namespace

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

Tuner::Tuner(std::shared_ptr<const ir::Graph> graph, std::int64_t batch, CompileOptions options,
             std::shared_ptr<DeviceState> state, TimingCache* cache)
    : graph_(std::move(graph)), batch_(batch), options_(std::move(options)), state_(std::move(state)), cache_(cache) {
  std::size_t most = 0;
  CompileOptions looking = options_;
  looking.chooser = [&](const Request& request) -> std::optional<Choice> {
    Layer layer;
    layer.candidates = candidates(request);
    layer.key = timing_key(request, layer.candidates, state_->device()->info());
    if (cache_ != nullptr) layer.known = cache_->find(layer.key);
    if (!layer.known) most = std::max(most, layer.candidates.size());
    std::optional<Choice> choice;
    if (layer.known) choice = layer.known->choice;
    layers_[layer_name(request)] = std::move(layer);
    return choice;
  };
  compile(graph_, batch_, looking);
  rounds_ = static_cast<int>(most);
}

std::optional<Choice> Tuner::choice_of(const Request& request, int round) const {
  const auto found = layers_.find(layer_name(request));
  if (found == layers_.end()) return std::nullopt;
  const Layer& layer = found->second;
  if (layer.known) return layer.known->choice;
  if (layer.candidates.empty()) return std::nullopt;
  return layer.candidates[static_cast<std::size_t>(round) % layer.candidates.size()];
}

std::vector<TunedNode> Tuner::run(const std::function<void()>& round_done) {
  // All programs first, so that their kernels compile together, on all cores.
  std::vector<std::shared_ptr<const Program>> programs;
  std::vector<gpu::KernelSource> kernels;
  for (int round = 0; round < std::max(1, rounds_); ++round) {
    CompileOptions compile_options = options_;
    compile_options.chooser = [this, round](const Request& request) { return choice_of(request, round); };
    programs.push_back(compile(graph_, batch_, compile_options));
    for (gpu::KernelSource& source : programs.back()->kernels()) kernels.push_back(std::move(source));
  }
  state_->compiler().get_all(kernels, state_->device()->arch());

  std::vector<TunedNode> best;
  std::unordered_map<std::string, std::size_t> index;
  std::optional<Outside> outside;
  if (rounds_ > 0) outside = make_outside(*graph_, batch_, state_->device());
  for (const auto& program : programs) {
    std::vector<double> times(program->infos.size(), 0.0);
    if (rounds_ > 0) {
      Context context(std::make_shared<const LoadedProgram>(program, state_));
      times = context.profile(outside->inputs, outside->outputs);
    }
    for (std::size_t i = 0; i < program->infos.size(); ++i) {
      const StepInfo& info = program->infos[i];
      if (info.choice.empty()) continue;
      const auto [found, added] = index.emplace(info.node, best.size());
      if (added) best.push_back({info.node, {info.choice, info.tactic}, times[i]});
      TunedNode& node = best[found->second];
      if (times[i] < node.microseconds) node = {info.node, {info.choice, info.tactic}, times[i]};
    }
    if (rounds_ > 0 && round_done) round_done();
  }
  for (TunedNode& node : best) {
    if (rounds_ > 0) break;
    for (const char* how : {"alone ", "folds "}) {
      const auto layer = layers_.find(how + node.node);
      if (layer != layers_.end() && layer->second.known) node.microseconds = layer->second.known->microseconds;
    }
  }
  if (cache_ != nullptr) {
    for (const TunedNode& node : best) {
      for (const char* how : {"alone ", "folds "}) {
        const auto layer = layers_.find(how + node.node);
        if (layer == layers_.end() || layer->second.known) continue;
        cache_->add(layer->second.key, {node.choice, node.microseconds});
      }
    }
  }
  return best;
}

}  // namespace xinfer::cuda
