#include "quantize/graph_walk.h"

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "ir/extract.h"
#include "quantize/sample_runner.h"

namespace xinfer::quantize {
namespace {

std::vector<std::int64_t> count_uses(const ir::Graph& graph) {
  std::vector<std::int64_t> uses;
  for (std::size_t i = 0; i < graph.value_count(); ++i) {
    const auto id = static_cast<ir::ValueId>(i);
    uses.push_back(static_cast<std::int64_t>(graph.value(id).consumers.size()) + (graph.is_output(id) ? 1 : 0));
  }
  return uses;
}

}  // namespace

GraphWalk::GraphWalk(const ir::Graph& graph, std::span<const Sample> samples, int threads)
    : graph_(graph), threads_(threads), live_(samples.size()), uses_left_(count_uses(graph)) {
  for (std::size_t s = 0; s < samples.size(); ++s) {
    for (std::size_t i = 0; i < graph.inputs().size(); ++i) live_[s].emplace(graph.inputs()[i], samples[s].inputs[i]);
  }
}

void GraphWalk::advance(std::span<const ir::NodeId> nodes) {
  if (nodes.empty()) return;
  ir::Extract piece = ir::extract(graph_, nodes);
  std::vector<Sample> inputs(live_.size());
  for (std::size_t s = 0; s < live_.size(); ++s) {
    for (const ir::ValueId id : piece.inputs) inputs[s].inputs.push_back(value(s, id));
  }
  const SampleRunner runner(std::make_shared<const ir::Graph>(std::move(piece.graph)), threads_);
  const std::vector<std::vector<Tensor>> outputs = runner.run(inputs);
  for (std::size_t s = 0; s < live_.size(); ++s) {
    for (std::size_t i = 0; i < piece.outputs.size(); ++i) live_[s].emplace(piece.outputs[i], outputs[s][i]);
  }
  for (const ir::NodeId id : nodes) {
    for (const ir::ValueId input : graph_.node(id).inputs) {
      if (input == ir::kNone || graph_.value(input).is_constant()) continue;  // constants may be newer than the walk
      if (--uses_left_[static_cast<std::size_t>(input)] > 0) continue;
      for (auto& live : live_) live.erase(input);
    }
  }
}

const Tensor& GraphWalk::value(std::size_t sample, ir::ValueId id) const {
  const auto found = live_.at(sample).find(id);
  if (found == live_[sample].end()) {
    throw std::logic_error("graph walk: '" + graph_.value(id).name + "' is not alive here");
  }
  return found->second;
}

std::size_t GraphWalk::peak_bytes(const ir::Graph& graph) {
  std::vector<std::int64_t> left = count_uses(graph);
  const auto bytes = [&](ir::ValueId id) {
    const ir::Value& value = graph.value(id);
    return static_cast<std::size_t>(element_count(value.shape.at(1))) * size_of(value.dtype);
  };
  std::size_t now = 0;
  for (const ir::ValueId id : graph.inputs()) now += bytes(id);
  std::size_t peak = now;
  for (const ir::NodeId id : graph.order()) {
    for (const ir::ValueId out : graph.node(id).outputs) now += bytes(out);
    peak = std::max(peak, now);
    for (const ir::ValueId input : graph.node(id).inputs) {
      if (input == ir::kNone || graph.value(input).is_constant()) continue;
      if (--left[static_cast<std::size_t>(input)] == 0) now -= bytes(input);
    }
  }
  return peak;
}

}  // namespace xinfer::quantize
