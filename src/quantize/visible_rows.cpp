#include "quantize/visible_rows.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "quantize/layer_rows.h"

namespace xinfer::quantize {
namespace {

constexpr float kHidden = -1000;

// The masks of all attention nodes; empty when one has none, or another for each query or head.
std::set<ir::ValueId> masks_of(const ir::Graph& graph) {
  std::set<ir::ValueId> masks;
  for (const ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    if (node.op != ir::OpType::kAttention) continue;
    if (!node.has_input(3)) return {};
    const ir::Value& mask = graph.value(node.inputs[3]);
    const std::vector<std::int64_t> shape = mask.shape.at(1);
    const bool one_row = mask.dtype == DataType::kFloat32 && !mask.is_constant() && !shape.empty() &&
                         element_count(shape) == shape.back();
    if (!one_row) return {};
    masks.insert(node.inputs[3]);
  }
  return masks;
}

}  // namespace

VisibleRows::VisibleRows(const SampleRunner& float_network, std::span<const Sample> samples)
    : visible_(samples.size()), tokens_(samples.size()) {
  const std::set<ir::ValueId> masks = masks_of(float_network.graph());
  if (masks.empty()) return;
  std::vector<std::vector<bool>> hidden(samples.size());
  const auto see = [&](std::size_t sample, const Tensor& mask) {
    const auto values = mask.data<float>();
    std::vector<bool>& here = hidden[sample];
    if (here.empty()) here.assign(values.size(), true);
    for (std::size_t t = 0; t < here.size(); ++t) here[t] = here[t] && t < values.size() && values[t] <= kHidden;
  };
  const auto& inputs = float_network.graph().inputs();
  for (std::size_t i = 0; i < inputs.size(); ++i) {  // a mask that is an input is never computed
    if (!masks.contains(inputs[i])) continue;
    for (std::size_t s = 0; s < samples.size(); ++s) see(s, samples[s].inputs[i]);
  }
  float_network.run(samples, [&](std::size_t sample, ir::ValueId value, const Tensor& tensor) {
    if (masks.contains(value)) see(sample, tensor);
  });
  for (std::size_t s = 0; s < samples.size(); ++s) {
    tokens_[s] = static_cast<std::int64_t>(hidden[s].size());
    for (std::size_t t = 0; t < hidden[s].size(); ++t) {
      if (!hidden[s][t]) visible_[s].push_back(static_cast<std::int64_t>(t));
    }
  }
}

std::vector<std::int64_t> VisibleRows::pick(std::size_t sample, std::int64_t positions, std::int64_t count) const {
  const std::vector<std::int64_t>& visible = visible_[sample];
  if (visible.empty() || tokens_[sample] != positions) return pick_positions(positions, count, sample);
  std::vector<std::int64_t> picked = pick_positions(static_cast<std::int64_t>(visible.size()), count, sample);
  for (std::int64_t& position : picked) position = visible[static_cast<std::size_t>(position)];
  return picked;
}

}  // namespace xinfer::quantize
