#include "cuda/tuner.h"

#include <algorithm>
#include <limits>
#include <random>
#include <unordered_map>
#include <unordered_set>

#include "cuda/implementations.h"

namespace xinfer::cuda {
namespace {

constexpr std::size_t kVariantsBehind = 2;
constexpr double kLeastGain = 0.02;
constexpr double kResolution = 0.1;  // microseconds; of the device's events

/// All variants of the first implementation that takes the layer, and the first ones of those behind it; not the last
/// of several, which is the slow one that takes everything. (Of 360 layers of ResNet-50, ViT and BERT on an H200, 18
/// were fastest with a later implementation, and two of its variants in place of all cost 0.02 % of the time.)
std::vector<Choice> candidates(const Request& request) {
  const auto list = implementations_of(request.node.op);
  std::vector<Choice> result;
  if (list.size() < 2 && list.front().tactics == nullptr) return result;
  for (const Implementation& implementation : list.first(std::max<std::size_t>(1, list.size() - 1))) {
    const bool folds = request.output_override != ir::kNone;
    if (folds && !implementation.writes_quantized) continue;
    std::vector<Tactic> tactics{{}};
    if (implementation.tactics != nullptr) tactics = implementation.tactics(request);
    const bool first = result.empty();
    std::size_t left = first ? tactics.size() : kVariantsBehind;
    for (Tactic& tactic : tactics) {
      if (left == 0) break;
      if (std::holds_alternative<Refusal>(implementation.create(request, tactic))) continue;
      result.push_back({std::string(implementation.name), std::move(tactic)});
      --left;
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

std::vector<Tuner::Trial> Tuner::trials() const {
  std::vector<Trial> result;
  for (int round = 0; round < std::max(1, rounds_); ++round) {
    Trial trial;
    CompileOptions options = options_;
    options.chooser = [&](const Request& request) {
      const auto layer = layers_.find(layer_name(request));
      if (layer != layers_.end()) trial.layer_of[request.node.name] = &layer->second;
      return choice_of(request, round);
    };
    trial.program = compile(graph_, batch_, options);
    result.push_back(std::move(trial));
  }
  return result;
}

std::vector<TunedNode> Tuner::run(const std::function<void()>& round_done) {
  // All programs first, so that their kernels compile together, on all cores.
  const std::vector<Trial> all = trials();
  std::vector<gpu::KernelSource> kernels;
  for (const Trial& trial : all) {
    for (gpu::KernelSource& source : trial.program->kernels()) kernels.push_back(std::move(source));
  }
  state_->compiler().get_all(kernels, state_->device()->arch());

  // What was timed of each kind of layer: equal layers of a network are timed together, which evens noise out.
  std::map<std::string, std::vector<Timed>> timed;
  std::optional<Outside> outside;
  if (rounds_ > 0) outside = make_outside(*graph_, batch_, state_->device());
  for (const Trial& trial : all) {
    if (rounds_ == 0) break;
    Context context(std::make_shared<const LoadedProgram>(trial.program, state_));
    const std::vector<double> times = context.profile(outside->inputs, outside->outputs);
    for (std::size_t i = 0; i < times.size(); ++i) {
      const StepInfo& info = trial.program->infos[i];
      const auto layer = trial.layer_of.find(info.node);
      if (info.choice.empty() || layer == trial.layer_of.end()) continue;
      note(timed[layer->second->key], {info.choice, info.tactic}, times[i]);
    }
    if (round_done) round_done();
  }
  return choose(all, timed);
}

void Tuner::note(std::vector<Timed>& candidates, const Choice& choice, double microseconds) {
  auto found = std::find_if(candidates.begin(), candidates.end(), [&](const Timed& t) { return t.choice == choice; });
  if (found == candidates.end()) found = candidates.insert(found, {choice, {}});
  found->microseconds.push_back(microseconds);
}

std::optional<TunedNode> Tuner::best_of(const StepInfo& info, const Layer& layer,
                                        std::map<std::string, std::vector<Timed>>& timed) const {
  if (layer.known) return TunedNode{info.node, layer.known->choice, layer.known->microseconds};
  std::optional<TunedNode> best;
  for (Timed& candidate : timed[layer.key]) {  // in the order of the rules, which decide where times hardly differ
    std::vector<double>& us = candidate.microseconds;
    const auto middle = us.begin() + static_cast<std::ptrdiff_t>(us.size() / 2);
    std::nth_element(us.begin(), middle, us.end());
    const bool faster = best && *middle < (1 - kLeastGain) * best->microseconds - kResolution;
    if (!best || faster) best = TunedNode{info.node, candidate.choice, *middle};
  }
  if (best && cache_ != nullptr) cache_->add(layer.key, {best->choice, best->microseconds});
  return best;
}

std::vector<TunedNode> Tuner::choose(const std::vector<Trial>& trials,
                                     std::map<std::string, std::vector<Timed>>& timed) const {
  std::vector<TunedNode> best;
  std::unordered_set<std::string> seen;
  for (const Trial& trial : trials) {  // a node may be folded into another in some of them
    for (const StepInfo& info : trial.program->infos) {
      if (info.choice.empty() || !seen.insert(info.node).second) continue;
      const auto layer = trial.layer_of.find(info.node);
      std::optional<TunedNode> node;
      if (layer != trial.layer_of.end()) node = best_of(info, *layer->second, timed);
      best.push_back(node.value_or(TunedNode{info.node, {info.choice, info.tactic}, 0}));
    }
  }
  return best;
}

}  // namespace xinfer::cuda
