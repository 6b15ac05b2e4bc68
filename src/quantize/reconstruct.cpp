#include "quantize/reconstruct.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "quantize/graph_walk.h"
#include "quantize/layer_rows.h"
#include "quantize/parallel.h"
#include "quantize/plan.h"
#include "quantize/round_weights.h"
#include "quantize/sample_runner.h"
#include "quantize/visible_rows.h"

namespace xinfer::quantize {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::ValueId;

constexpr std::int64_t kFewestRows = 2048;
constexpr std::int64_t kMostRows = 8192;
constexpr std::size_t kFewestSamples = 8;

double decibels(double signal, double noise) {
  return noise > 0 ? 10 * std::log10(signal / noise) : std::numeric_limits<double>::infinity();
}

// True when `node` of a quantized graph multiplies integers by constant ones in a way that rows can describe.
bool is_integer_layer(const Graph& graph, const Node& node) {
  if (!layer_shape(graph, node)) return false;
  const ir::Value& x = graph.value(node.inputs[0]);
  return x.quantization && x.quantization->zero_points.empty() && graph.value(node.inputs[1]).quantization;
}

class Reconstructor {
 public:
  Reconstructor(const Graph& float_graph, Graph& quantized, std::span<const Sample> samples,
                const ReconstructOptions& options)
      : float_(float_graph),
        quantized_(quantized),
        samples_(samples),
        options_(options),
        visible_(SampleRunner(std::make_shared<Graph>(float_graph), options.threads), samples),
        float_walk_(float_graph, samples, options.threads),
        quantized_walk_(quantized, samples, options.threads) {
    for (const NodeId id : float_.order()) float_nodes_.emplace(float_.node(id).name, id);
  }

  Reconstruction run() {
    const std::vector<NodeId> order = quantized_.order();
    const auto total = static_cast<std::size_t>(std::count_if(
        order.begin(), order.end(), [&](NodeId id) { return is_integer_layer(quantized_, quantized_.node(id)); }));
    std::size_t done = 0;
    // The float network follows the order of the quantized one, which holds all of its nodes.
    std::vector<NodeId> float_pending;
    std::vector<NodeId> quantized_pending;
    for (const NodeId id : order) {
      if (is_integer_layer(quantized_, quantized_.node(id))) {
        float_walk_.advance(std::exchange(float_pending, {}));
        quantized_walk_.advance(std::exchange(quantized_pending, {}));
        mend(id);
        ++done;
        if (options_.progress) options_.progress(done, total);
        if (done == total) break;  // nobody looks at what comes behind
      }
      quantized_pending.push_back(id);
      const auto same = float_nodes_.find(quantized_.node(id).name);
      if (same != float_nodes_.end()) float_pending.push_back(same->second);
    }
    return std::move(result_);
  }

 private:
  struct Rows {
    std::int64_t count = 0;
    std::vector<float> exact;
    std::vector<float> given;
  };

  Rows gather(const LayerShape& shape, const Node& float_node, const Node& node) const {
    const std::int64_t wanted = std::clamp(4 * shape.k, kFewestRows, kMostRows);
    const auto samples = static_cast<std::int64_t>(samples_.size());
    const std::int64_t each = std::min(shape.positions, (wanted + samples - 1) / samples);
    std::vector<std::vector<std::int64_t>> positions;
    std::vector<std::size_t> begins;
    Rows rows;
    for (std::size_t s = 0; s < samples_.size(); ++s) {
      begins.push_back(static_cast<std::size_t>(rows.count * shape.columns()));
      positions.push_back(visible_.pick(s, shape.positions, each));
      rows.count += static_cast<std::int64_t>(positions.back().size());
    }
    const auto numbers = static_cast<std::size_t>(rows.count * shape.columns());
    rows.exact.resize(numbers);
    rows.given.resize(numbers);
    const float scale = quantized_.value(node.inputs[0]).quantization->scale();
    parallel_for(samples_.size(), options_.threads, [&](std::size_t s) {
      const auto part = [&](std::vector<float>& all) {
        return std::span(all).subspan(begins[s], positions[s].size() * static_cast<std::size_t>(shape.columns()));
      };
      gather_rows(float_, float_node, float_walk_.value(s, float_node.inputs[0]), 1.0F, positions[s], part(rows.exact));
      gather_rows(quantized_, node, quantized_walk_.value(s, node.inputs[0]), scale, positions[s], part(rows.given));
    });
    return rows;
  }

  void mend(NodeId id) {
    const Node& node = quantized_.node(id);
    const Node& float_node = float_.node(float_nodes_.at(node.name));
    const LayerShape shape = *layer_shape(float_, float_node);
    const Rows rows = gather(shape, float_node, node);
    const std::span<const float> weights = float_.value(float_node.inputs[1]).constant->data<float>();

    LayerParameters layer;
    layer.weights.values = Tensor(DataType::kInt8, float_.value(float_node.inputs[1]).constant->shape());
    layer.weights.quantization.axis = 0;
    layer.bias = Tensor(DataType::kFloat32, {shape.channels()});
    if (float_node.has_input(2)) {
      const auto old = float_.value(float_node.inputs[2]).constant->data<float>();
      std::copy(old.begin(), old.end(), layer.bias.data<float>().begin());
    }
    layer.weights.quantization.scales.resize(static_cast<std::size_t>(shape.channels()));
    std::vector<RoundedWeights> groups(static_cast<std::size_t>(shape.groups));
    const bool many_groups = shape.groups > 1;
    parallel_for(groups.size(), options_.threads, [&](std::size_t g) {
      const auto group = static_cast<std::int64_t>(g);
      RoundingProblem problem{rows.exact,
                              rows.given,
                              rows.count,
                              shape.columns(),
                              group * shape.k,
                              shape.k,
                              shape.m,
                              weights.subspan(g * static_cast<std::size_t>(shape.m * shape.k),
                                              static_cast<std::size_t>(shape.m * shape.k))};
      RoundingOptions rounding;
      rounding.adjust = options_.adjust_weights && shape.k <= options_.longest_sum;
      rounding.threads = many_groups ? 1 : options_.threads;
      groups[g] = round_weights(problem, rounding);
    });
    install(layer, shape, groups);
    record(node.name, groups);
    const std::string name = node.name;
    const std::string weights_name = quantized_.value(node.inputs[1]).name;
    quantized_.set_input(id, 1,
                         quantized_.add_constant(weights_name, layer.weights.values, layer.weights.quantization));
    quantized_.set_or_append_input(id, 2, quantized_.add_constant(name + ".bias.corrected", layer.bias));
    result_.layers.emplace(name, std::move(layer));
  }

  void install(LayerParameters& layer, const LayerShape& shape, const std::vector<RoundedWeights>& groups) const {
    const auto m = static_cast<std::size_t>(shape.m);
    const auto k = static_cast<std::size_t>(shape.k);
    const std::span<std::int8_t> values = layer.weights.values.data<std::int8_t>();
    const std::span<float> bias = layer.bias.data<float>();
    for (std::size_t g = 0; g < groups.size(); ++g) {
      std::copy(groups[g].values.begin(), groups[g].values.end(),
                values.begin() + static_cast<std::ptrdiff_t>(g * m * k));
      for (std::size_t c = 0; c < m; ++c) {
        layer.weights.quantization.scales[g * m + c] = groups[g].scales[c];
        if (options_.correct_bias) bias[g * m + c] += groups[g].shift[c];
      }
    }
  }

  void record(const std::string& node, const std::vector<RoundedWeights>& groups) {
    double signal = 0;
    double nearest = 0;
    double chosen = 0;
    for (const RoundedWeights& group : groups) {
      signal += group.signal;
      nearest += group.nearest_noise;
      chosen += group.noise;
    }
    result_.repairs.push_back({node, decibels(signal, nearest), decibels(signal, chosen)});
  }

  const Graph& float_;
  Graph& quantized_;
  std::span<const Sample> samples_;
  const ReconstructOptions& options_;
  const VisibleRows visible_;
  GraphWalk float_walk_;
  GraphWalk quantized_walk_;
  std::map<std::string, NodeId> float_nodes_;
  Reconstruction result_;
};

}  // namespace

Reconstruction reconstruct(const Graph& float_graph, const Ranges& ranges, const PlanOptions& plan,
                           std::span<const Sample> samples, const ReconstructOptions& options) {
  if (samples.empty()) return {};
  PlanOptions plain = plan;
  plain.layers.clear();
  QuantizedModel model = quantize(float_graph, ranges, plain);
  const std::size_t each = GraphWalk::peak_bytes(float_graph) + GraphWalk::peak_bytes(model.graph);
  const std::size_t room = std::max(kFewestSamples, options.live_bytes / std::max<std::size_t>(1, each));
  return Reconstructor(float_graph, model.graph, samples.first(std::min(room, samples.size())), options).run();
}

}  // namespace xinfer::quantize
