#include "builders/measurements.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "runtime/drift.h"
#include "xinfer/core/data_type.h"

namespace xinfer::builders {
namespace {

using quantize::SampleRunner;

constexpr std::size_t kBins = 64;
constexpr std::size_t kWeakest = 3;
constexpr double kGoodDecibels = 20;

std::unordered_map<std::string_view, const ir::Node*> nodes_by_name(const ir::Graph& graph) {
  std::unordered_map<std::string_view, const ir::Node*> nodes;
  for (const ir::NodeId id : graph.order()) nodes.emplace(graph.node(id).name, &graph.node(id));
  return nodes;
}

/// Counts of one tensor's values over all samples.
struct Bins {
  std::vector<std::uint64_t> counts = std::vector<std::uint64_t>(kBins);
  std::uint64_t total = 0, clipped = 0;

  void add(std::span<const float> values, double min, double max, double threshold) {
    const double per_bin = max > min ? static_cast<double>(kBins) / (max - min) : 0;
    for (const float value : values) {
      if (std::isnan(value)) continue;
      const double place = (static_cast<double>(value) - min) * per_bin;
      ++counts[static_cast<std::size_t>(std::clamp(place, 0.0, static_cast<double>(kBins - 1)))];
      clipped += std::abs(static_cast<double>(value)) > threshold ? 1 : 0;
    }
    total += values.size();
  }
  void add(const Bins& other) {
    for (std::size_t i = 0; i < kBins; ++i) counts[i] += other.counts[i];
    total += other.total;
    clipped += other.clipped;
  }
};

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// Fills histograms of the tensors from what the float network makes of the samples.
void fill_histograms(std::vector<TensorQuality>& tensors, const SampleRunner& runner,
                     std::span<const quantize::Sample> samples) {
  const ir::Graph& graph = runner.graph();
  std::vector<std::vector<std::size_t>> tensors_of(graph.value_count());
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const ir::ValueId id = graph.find_value(tensors[t].tensor);
    if (id != ir::kNone) tensors_of[static_cast<std::size_t>(id)].push_back(t);
  }
  // Counts are whole numbers, so neither threads nor the order of samples show.
  std::vector<std::vector<Bins>> counted(samples.size(), std::vector<Bins>(tensors.size()));
  runner.run(samples, [&](std::size_t sample, ir::ValueId value, const Tensor& tensor) {
    for (const std::size_t t : tensors_of[static_cast<std::size_t>(value)]) {
      if (tensor.dtype() != DataType::kFloat32) continue;
      counted[sample][t].add(tensor.data<float>(), tensors[t].min, tensors[t].max, tensors[t].threshold);
    }
  });
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    Bins sum;
    for (const std::vector<Bins>& one : counted) sum.add(one[t]);
    tensors[t].clipped_share = share(sum.clipped, sum.total);
    if (sum.total == 0) continue;
    for (const std::uint64_t count : sum.counts) tensors[t].histogram.push_back(share(count, sum.total));
  }
}

}  // namespace

std::vector<LayerQuality> layer_quality(const MeasuredNetwork& network) {
  const auto float_nodes = nodes_by_name(network.float_graph);
  const auto quantized_nodes = nodes_by_name(*network.quantized);
  std::vector<LayerQuality> layers;
  for (const NodeReport& node : network.nodes) {
    LayerQuality layer{node.node, node.op, node.precision, {}, {}, {}, {}};
    const auto in_float = float_nodes.find(node.node);
    if (in_float != float_nodes.end()) {
      const auto value = network.quality.values.find(network.float_graph.value(in_float->second->outputs[0]).name);
      if (value != network.quality.values.end()) layer.sqnr_db = value->second.written.sqnr_db();
    }
    const auto quantized = quantized_nodes.find(node.node);
    if (quantized != quantized_nodes.end()) {
      const auto& form = network.quantized->value(quantized->second->outputs[0]).quantization;
      if (form && !form->per_channel()) layer.scale = form->scale();
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

void add_times(std::vector<LayerQuality>& layers, const std::vector<runtime::LayerInfo>& int8,
               const std::vector<runtime::LayerInfo>& in_float) {
  const auto add = [&](const std::vector<runtime::LayerInfo>& infos, std::optional<double> LayerQuality::*time) {
    std::unordered_map<std::string_view, double> ms;
    for (const runtime::LayerInfo& info : infos) ms[info.name] += info.microseconds / 1e3;
    for (LayerQuality& layer : layers) {
      const auto found = ms.find(layer.node);
      if (found != ms.end()) layer.*time = found->second;
    }
  };
  add(int8, &LayerQuality::int8_ms);
  add(in_float, &LayerQuality::float_ms);
}

std::vector<TensorQuality> tensor_quality(const MeasuredNetwork& network, const SampleRunner& runner,
                                          std::span<const quantize::Sample> samples,
                                          const quantize::CalibrationTable& table, const std::string& method,
                                          const std::map<std::string, std::string>& methods) {
  std::vector<TensorQuality> tensors;
  const runtime::SaturationWatch watch(*network.quantized);
  for (const runtime::SaturationWatch::Watched& watched : watch.tensors()) {
    TensorQuality tensor;
    tensor.tensor = watched.name;
    tensor.type = watched.type == DataType::kUInt8 ? "u8" : "s8";
    const auto own = methods.find(watched.name);
    tensor.method = own == methods.end() ? method : std::string(own->second);
    tensor.scale = watched.scale;
    tensor.threshold = watched.threshold();
    const auto seen = table.tensors.find(watched.name);
    if (seen != table.tensors.end()) {
      tensor.min = seen->second.min;
      tensor.max = seen->second.max;
      tensor.zero_share = share(seen->second.zeros, seen->second.count);
    }
    const auto value = network.quality.values.find(watched.name);
    if (value != network.quality.values.end()) {
      tensor.sqnr_db = value->second.in_integers.value_or(value->second.written).sqnr_db();
    }
    tensors.push_back(std::move(tensor));
  }
  fill_histograms(tensors, runner, samples);
  return tensors;
}

std::vector<Finding> weak_layers(double output_sqnr_db, const std::map<std::string, double>& sensitivities) {
  std::vector<Finding> findings;
  if (output_sqnr_db >= kGoodDecibels) return findings;
  std::vector<std::pair<double, std::string>> loudest;
  for (const auto& [node, decibels] : sensitivities) loudest.emplace_back(decibels, node);
  std::sort(loudest.begin(), loudest.end());
  for (const auto& [decibels, node] : loudest) {
    if (findings.size() == kWeakest || !(decibels < kGoodDecibels)) break;
    findings.push_back({node, fmt::format("alone in INT8 it brings the outputs down to {:.1f} dB", decibels),
                        "nothing was done: an accuracy budget (--max-drop) weighs it, --precision keeps it in float",
                        ""});
  }
  return findings;
}

}  // namespace xinfer::builders
