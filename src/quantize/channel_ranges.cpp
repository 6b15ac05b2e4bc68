#include "quantize/channel_ranges.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace xinfer::quantize {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpType;
using ir::UnaryKind;
using ir::ValueId;

constexpr std::size_t kSamplesAtOnce = 16;

bool clips(const Node& node) {
  switch (node.op) {
    case OpType::kUnary:
      return node.as<ir::UnaryAttrs>().kind == UnaryKind::kClip;
    case OpType::kBinary:
      return node.as<ir::BinaryAttrs>().epilogue.activation == UnaryKind::kClip;
    default:
      return false;
  }
}

bool is_layer(OpType op) { return op == OpType::kConv || op == OpType::kConvTranspose || op == OpType::kLinear; }

// Channels lie `inner` elements apart, and come again every `inner * channels` elements.
struct Extents {
  std::size_t outer = 1, channels = 1, inner = 1;

  Extents(const std::vector<std::int64_t>& shape, std::size_t axis) : channels(static_cast<std::size_t>(shape[axis])) {
    for (std::size_t i = 0; i < axis; ++i) outer *= static_cast<std::size_t>(shape[i]);
    for (std::size_t i = axis + 1; i < shape.size(); ++i) inner *= static_cast<std::size_t>(shape[i]);
  }
};

ChannelStats measure(const Tensor& tensor, std::size_t axis) {
  const Extents e(tensor.shape(), axis);
  ChannelStats stats;
  stats.largest.assign(e.channels, 0.0F);
  stats.squares.assign(e.channels, 0.0);
  stats.count = static_cast<std::int64_t>(e.outer * e.inner);
  float smallest = 0;
  const float* x = tensor.data<float>().data();
  for (std::size_t o = 0; o < e.outer; ++o) {
    if (e.inner == 1) {
      for (std::size_t c = 0; c < e.channels; ++c) {
        stats.largest[c] = std::max(stats.largest[c], std::fabs(x[c]));
        stats.squares[c] += static_cast<double>(x[c]) * x[c];
        smallest = std::min(smallest, x[c]);
      }
      x += e.channels;
      continue;
    }
    for (std::size_t c = 0; c < e.channels; ++c, x += e.inner) {
      float largest = 0;
      double squares = 0;
      for (std::size_t i = 0; i < e.inner; ++i) {
        largest = std::max(largest, std::fabs(x[i]));
        smallest = std::min(smallest, x[i]);
        squares += static_cast<double>(x[i]) * x[i];
      }
      stats.largest[c] = std::max(stats.largest[c], largest);
      stats.squares[c] += squares;
    }
  }
  stats.non_negative = smallest >= 0;
  // max() passes NaN over; the sum of squares doesn't.
  for (std::size_t c = 0; c < e.channels; ++c) {
    if (std::isnan(stats.squares[c])) stats.largest[c] = std::numeric_limits<float>::quiet_NaN();
  }
  return stats;
}

void add(ChannelStats& sum, const ChannelStats& one) {
  if (sum.largest.empty()) {
    sum = one;
    return;
  }
  for (std::size_t c = 0; c < sum.largest.size(); ++c) {
    const bool nan = std::isnan(sum.largest[c]) || std::isnan(one.largest[c]);
    sum.largest[c] = nan ? std::numeric_limits<float>::quiet_NaN() : std::max(sum.largest[c], one.largest[c]);
    sum.squares[c] += one.squares[c];
  }
  sum.count += one.count;
  sum.non_negative = sum.non_negative && one.non_negative;
}

}  // namespace

bool ChannelStats::finite() const {
  return std::all_of(largest.begin(), largest.end(), [](float x) { return std::isfinite(x); });
}

std::size_t channel_axis(OpType op, std::size_t rank) {
  const bool last = op == OpType::kLinear || op == OpType::kLayerNorm || op == OpType::kBinary;
  return last ? rank - 1 : 1;
}

std::vector<ChannelKey> channels_to_measure(const Graph& graph) {
  std::set<ChannelKey> keys;
  const auto want = [&](ValueId id, OpType op) {
    const ir::Value& value = graph.value(id);
    if (value.is_constant() || value.dtype != DataType::kFloat32) return;
    const std::size_t axis = channel_axis(op, value.shape.rank());
    if (axis < value.shape.rank() && value.shape[axis].is_constant()) keys.emplace(id, axis);
  };
  for (const ir::NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    if (is_layer(node.op)) {
      want(node.inputs[0], node.op);
      want(node.outputs[0], node.op);
    } else if (clips(node)) {
      want(node.outputs[0], OpType::kConv);
      want(node.outputs[0], OpType::kLinear);
    }
  }
  return {keys.begin(), keys.end()};
}

ChannelRanges measure_channels(const SampleRunner& runner, std::span<const Sample> samples,
                               const SampleRunner::Progress& progress) {
  const Graph& graph = runner.graph();
  const std::vector<ChannelKey> keys = channels_to_measure(graph);
  std::vector<std::vector<std::size_t>> keys_of(graph.value_count());
  for (std::size_t k = 0; k < keys.size(); ++k) keys_of[static_cast<std::size_t>(keys[k].first)].push_back(k);

  std::vector<ChannelStats> sums(keys.size());
  for (std::size_t begin = 0; begin < samples.size(); begin += kSamplesAtOnce) {
    const auto some = samples.subspan(begin, std::min(kSamplesAtOnce, samples.size() - begin));
    std::vector<std::vector<ChannelStats>> measured(some.size(), std::vector<ChannelStats>(keys.size()));
    const SampleRunner::Observer observe = [&](std::size_t sample, ValueId value, const Tensor& tensor) {
      for (const std::size_t k : keys_of[static_cast<std::size_t>(value)]) {
        measured[sample][k] = measure(tensor, keys[k].second);
      }
    };
    const SampleRunner::Progress tell = [&](std::size_t done) { progress(begin + done); };
    runner.run(some, observe, progress ? tell : SampleRunner::Progress{});
    for (const std::vector<ChannelStats>& one : measured) {
      for (std::size_t k = 0; k < keys.size(); ++k) add(sums[k], one[k]);
    }
  }
  ChannelRanges ranges;
  for (std::size_t k = 0; k < keys.size(); ++k) ranges.emplace(keys[k], std::move(sums[k]));
  return ranges;
}

}  // namespace xinfer::quantize
