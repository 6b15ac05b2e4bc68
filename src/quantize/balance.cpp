#include "quantize/balance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>
#include <utility>

#include "ir/verifier.h"
#include "quantize/balance_flow.h"
#include "quantize/balance_noise.h"
#include "quantize/migration.h"

namespace xinfer::quantize {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::OpType;
using ir::ValueId;

constexpr int kLargestExponent = 20;
constexpr float kSmallestShare = 0x1p-20F;
constexpr float kAlphas[] = {0.5F, 0.35F, 0.65F, 0.8F, 0.9F, 1.0F};
constexpr double kFindingGain = 6, kFindingRatio = 16;

double decibels(double relative_noise) { return -10 * std::log10(relative_noise); }

std::vector<Factor> factors_of(const Graph& graph, const ChannelFlow& flow, OpType op, ValueId value) {
  const ir::Shape& shape = graph.value(value).shape;
  const auto factors =
      factors_along(shape, flow.values[static_cast<std::size_t>(value)], channel_axis(op, shape.rank()));
  return factors.value_or(std::vector<Factor>{});
}

// Chooses scales, group by group.
class Chooser {
 public:
  Chooser(const Graph& graph, const ChannelRanges& ranges, const ChannelFlow& flow, const BalanceOptions& options)
      : graph_(graph), ranges_(ranges), flow_(flow), options_(options), scales_(flow.factors.size(), 1.0F) {}

  void run() {
    find_importance();
    for (const auto& [_, readers] : group_readers()) choose(readers);
  }

  const std::vector<float>& scales() const { return scales_; }
  std::vector<Rescaling> take_rescalings() { return std::move(rescalings_); }

 private:
  struct Member {
    Factor factor;
    float largest = 0;  // of its channels, relative to their tensor's
    float weight = 0;   // of its columns, relative to their row's
  };
  struct Candidate {
    float alpha = 0;
    double noise = 0;
    std::vector<float> scales;  // by member
  };

  const ChannelStats& stats(const Node& node, ValueId value) const {
    const auto found = ranges_.find({value, channel_axis(node.op, graph_.value(value).shape.rank())});
    if (found == ranges_.end()) {
      throw std::logic_error(fmt::format("balance: '{}' was not measured", graph_.value(value).name));
    }
    return found->second;
  }
  std::vector<Factor> data_factors(NodeId reader) const {
    const Node& node = graph_.node(reader);
    return factors_of(graph_, flow_, node.op, node.inputs[0]);
  }

  // What the energy of a channel means to the layers behind it: the squares of the weights that read it.
  void find_importance() {
    importance_.assign(flow_.factors.size(), 0.0);
    for (const NodeId id : flow_.readers) {
      const std::vector<Factor> factors = data_factors(id);
      if (factors.empty()) continue;
      const std::span<const float> weights = graph_.value(graph_.node(id).inputs[1]).constant->data<float>();
      WeightLayout(graph_, graph_.node(id)).for_each([&](std::size_t index, std::size_t, std::size_t column) {
        importance_[static_cast<std::size_t>(factors[column])] += static_cast<double>(weights[index]) * weights[index];
      });
    }
  }

  std::vector<double> row_weights(const Node& node) const {
    const auto rows = static_cast<std::size_t>(stats(node, node.outputs[0]).largest.size());
    std::vector<double> result(rows, 1.0);
    const std::vector<Factor> factors = factors_of(graph_, flow_, node.op, node.outputs[0]);
    if (factors.empty()) return result;
    for (std::size_t i = 0; i < rows; ++i) {
      result[i] = importance_[static_cast<std::size_t>(factors[i])];
    }
    if (std::all_of(result.begin(), result.end(), [](double x) { return x == 0; })) result.assign(rows, 1.0);
    return result;
  }

  // Layers that share a factor which can be chosen, by the first such factor.
  std::map<Factor, std::vector<NodeId>> group_readers() const {
    Factors groups;
    for (std::size_t i = 0; i < flow_.factors.size(); ++i) groups.add(ir::kNone);
    std::map<NodeId, Factor> first_of;
    for (const NodeId id : flow_.readers) {
      for (const Factor factor : data_factors(id)) {
        if (flow_.factors.frozen(factor)) continue;
        groups.unite(first_of.emplace(id, factor).first->second, factor);
      }
    }
    std::map<Factor, std::vector<NodeId>> result;
    for (const NodeId id : flow_.readers) {
      const auto first = first_of.find(id);
      if (first != first_of.end()) result[groups.find(first->second)].push_back(id);
    }
    return result;
  }

  void choose(const std::vector<NodeId>& readers) {
    std::vector<LayerNoise> layers;
    for (const NodeId id : readers) {
      const Node& node = graph_.node(id);
      layers.emplace_back(graph_, id, data_factors(id), stats(node, node.inputs[0]), stats(node, node.outputs[0]),
                          row_weights(node));
    }
    std::vector<double> before;
    double total = 0;
    for (const LayerNoise& layer : layers) total += before.emplace_back(layer.relative_noise(scales_));
    if (!(total > 0)) return;

    const std::vector<Member> members = members_of(layers);
    Candidate best{0, total, std::vector<float>(members.size(), 1.0F)};
    const auto consider = [&](float alpha) {
      for (double shift = 0; shift > -lowest_shift(layers); shift -= 0.25) {
        Candidate candidate{alpha, 0, scales_for(members, alpha, shift)};
        apply(members, candidate.scales);
        for (const LayerNoise& layer : layers) candidate.noise += layer.relative_noise(scales_);
        if (candidate.noise < best.noise) best = std::move(candidate);
      }
    };
    if (options_.alpha) {
      consider(*options_.alpha);
    } else {
      for (const float alpha : kAlphas) consider(alpha);
    }
    const bool pays = decibels(best.noise) - decibels(total) >= options_.least_gain_db;
    if (!pays) best.scales.assign(members.size(), 1.0F);
    apply(members, best.scales);
    if (pays) tell(layers, before, best.alpha);
  }

  void apply(const std::vector<Member>& members, const std::vector<float>& scales) {
    for (std::size_t i = 0; i < members.size(); ++i) {
      scales_[static_cast<std::size_t>(members[i].factor)] = scales[i];
    }
  }

  // The factors that may be chosen.
  std::vector<Member> members_of(const std::vector<LayerNoise>& layers) const {
    std::map<Factor, Member> members;
    for (const LayerNoise& layer : layers) {
      const float top = *std::max_element(layer.largest().begin(), layer.largest().end());
      const std::vector<float> shares = layer.weight_shares();
      for (std::size_t c = 0; c < shares.size(); ++c) {
        const Factor factor = layer.factors()[c];
        if (flow_.factors.frozen(factor)) continue;
        Member& member = members.try_emplace(factor, Member{factor}).first->second;
        if (top > 0) member.largest = std::max(member.largest, layer.largest()[c] / top);
        member.weight = std::max(member.weight, shares[c]);
      }
    }
    std::vector<Member> result;
    for (const auto& [_, member] : members) {
      if (member.largest > 0) result.push_back(member);  // a channel that is always zero disturbs nobody
    }
    return result;
  }

  // A shift by a whole number changes nothing but where some channels can't follow.
  double lowest_shift(const std::vector<LayerNoise>& layers) const {
    for (const LayerNoise& layer : layers) {
      for (const Factor factor : layer.factors()) {
        if (flow_.factors.frozen(factor) || flow_.factors.limit(factor) < kLargestExponent) return 6;
      }
    }
    return 1;
  }

  // By member. `shift` 0 leaves the largest channel of all about as large as it is.
  std::vector<float> scales_for(const std::vector<Member>& members, float alpha, double shift) const {
    std::vector<double> exponents;
    double top = -kLargestExponent;
    for (const Member& m : members) {
      const double share = std::max(m.weight, kSmallestShare);
      exponents.push_back(-alpha * std::log2(m.largest) + (1 - alpha) * std::log2(share));
      top = std::max(top, exponents.back() + std::log2(m.largest));
    }
    std::vector<float> scales;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const int highest = std::min(kLargestExponent, flow_.factors.limit(members[i].factor));
      const int exponent = static_cast<int>(std::lround(exponents[i] - top + shift));
      scales.push_back(std::ldexp(1.0F, std::clamp(exponent, -kLargestExponent, highest)));
    }
    return scales;
  }

  void tell(const std::vector<LayerNoise>& layers, const std::vector<double>& before, float alpha) {
    Rescaling most;
    double most_gain = -1;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const double after = layers[i].relative_noise(scales_);
      if (!(before[i] > 0 && after > 0) || decibels(after) - decibels(before[i]) <= most_gain) continue;
      most_gain = decibels(after) - decibels(before[i]);
      const auto chosen = std::find_if(layers[i].factors().begin(), layers[i].factors().end(),
                                       [&](Factor f) { return !flow_.factors.frozen(f); });
      const Node& writer = graph_.node(flow_.factors.writer(*chosen));
      most = {writer.name,
              graph_.node(layers[i].node()).name,
              layers[i].range_ratio(),
              decibels(before[i]),
              decibels(after),
              alpha,
              writer.op};
    }
    rescalings_.push_back(std::move(most));
  }

  const Graph& graph_;
  const ChannelRanges& ranges_;
  const ChannelFlow& flow_;
  const BalanceOptions& options_;
  std::vector<float> scales_;  // by factor
  std::vector<double> importance_;
  std::vector<Rescaling> rescalings_;
};

// Writes scales into parameters.
class Rescaler {
 public:
  Rescaler(const Graph& graph, const ChannelFlow& flow, const std::vector<float>& scales)
      : graph_(graph), flow_(flow), scales_(scales) {}

  Graph run() {
    for (const NodeId id : flow_.readers) {
      const std::vector<float> columns = scales_of(id, graph_.node(id).inputs[0]);
      if (!columns.empty()) divide_columns(id, columns);
    }
    for (const NodeId id : flow_.writers) {
      const std::vector<float> rows = scales_of(id, graph_.node(id).outputs[0]);
      if (!rows.empty()) multiply_rows(id, rows);
    }
    ir::verify(graph_, "balance");
    return std::move(graph_);
  }

 private:
  // Empty when all are 1.
  std::vector<float> scales_of(NodeId id, ValueId value) const {
    std::vector<float> result;
    for (const Factor factor : factors_of(graph_, flow_, graph_.node(id).op, value)) {
      result.push_back(scales_[static_cast<std::size_t>(factor)]);
    }
    if (std::all_of(result.begin(), result.end(), [](float s) { return s == 1; })) result.clear();
    return result;
  }

  void divide_columns(NodeId id, const std::vector<float>& scales) {
    Tensor weights = parameter(id, 1).clone();
    const std::span<float> w = weights.data<float>();
    WeightLayout(graph_, graph_.node(id)).for_each([&](std::size_t index, std::size_t, std::size_t column) {
      w[index] /= scales[column];
    });
    set_parameter(id, 1, std::move(weights));
  }

  void multiply_rows(NodeId id, const std::vector<float>& scales) {
    const OpType op = graph_.node(id).op;
    const bool is_norm = op == OpType::kLayerNorm || op == OpType::kGroupNorm || op == OpType::kBinary;
    Tensor weights = parameter(id, 1).clone();
    const std::span<float> w = weights.data<float>();
    if (is_norm) {  // or a migration point: one number a channel
      for (std::size_t c = 0; c < w.size(); ++c) w[c] *= scales[c];
    } else {
      WeightLayout(graph_, graph_.node(id)).for_each([&](std::size_t index, std::size_t row, std::size_t) {
        w[index] *= scales[row];
      });
    }
    set_parameter(id, 1, std::move(weights));
    if (!graph_.node(id).has_input(2)) return;
    Tensor bias = parameter(id, 2).clone();
    const std::span<float> b = bias.data<float>();
    for (std::size_t c = 0; c < b.size(); ++c) b[c] *= scales[c];
    set_parameter(id, 2, std::move(bias));
  }

  const Tensor& parameter(NodeId id, std::size_t input) const {
    return *graph_.value(graph_.node(id).inputs[input]).constant;
  }

  // In place of the constant, or beside it where other nodes read it too.
  void set_parameter(NodeId id, std::size_t input, Tensor tensor) {
    const ValueId old = graph_.node(id).inputs[input];
    if (graph_.sole_consumer(old) == id) {
      graph_.make_constant(old, std::move(tensor));
    } else {
      graph_.set_input(id, input, graph_.add_constant(graph_.value(old).name + ".balanced", std::move(tensor)));
    }
  }

  Graph graph_;
  const ChannelFlow& flow_;
  const std::vector<float>& scales_;
};

Finding finding_for(const Rescaling& r) {
  const bool layer =
      r.writer_op == OpType::kConv || r.writer_op == OpType::kConvTranspose || r.writer_op == OpType::kLinear;
  const std::string ratio =
      r.range_ratio < 100 ? fmt::format("{:.3g}", r.range_ratio) : fmt::format("{:.0f}", r.range_ratio);
  return {r.writer, fmt::format("one channel's range is {} times the median", ratio),
          fmt::format("{} raised the estimated SQNR of {} from {:.1f} to {:.1f} dB",
                      layer ? "equalization" : "migration", r.reader, r.sqnr_before, r.sqnr_after),
          r.writer_op == OpType::kBinary ? "a pass over the tensor" : "none"};
}

}  // namespace

BalanceResult balance(const Graph& graph, const ChannelRanges& ranges, const BalanceOptions& options) {
  for (const ChannelKey& key : channels_to_measure(graph)) {
    if (ranges.count(key) != 0) continue;
    throw std::logic_error(fmt::format("balance: '{}' was not measured", graph.value(key.first).name));
  }
  Graph extended = graph;
  ChannelRanges known = ranges;
  FlowOptions follow{options.equalize, options.migrate, {}};
  std::vector<MigrationPoint> points;
  if (options.migrate) {
    ChannelFlow without = follow_channels(graph, ranges, follow);
    points = add_migration_points(extended, without, known);
    for (const MigrationPoint& point : points) follow.points.insert(point.node);
  }
  const ChannelFlow flow = follow_channels(extended, known, follow);
  Chooser chooser(extended, known, flow, options);
  chooser.run();
  BalanceResult result;
  result.graph = Rescaler(extended, flow, chooser.scales()).run();
  const bool lifted = lift_points(result.graph, points, known);
  remove_idle_points(result.graph, points);
  if (!points.empty()) ir::verify(result.graph, "migration");
  result.rescalings = chooser.take_rescalings();
  result.changed = lifted || !result.rescalings.empty();
  for (const Rescaling& r : result.rescalings) {
    if (r.sqnr_after - r.sqnr_before > kFindingGain || r.range_ratio > kFindingRatio) {
      result.findings.push_back(finding_for(r));
    }
  }
  return result;
}

}  // namespace xinfer::quantize
