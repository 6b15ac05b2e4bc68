#include "runtime/drift.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>
#include <unordered_map>

namespace xinfer::runtime {
namespace {

/// Whether a node's integers have a range of their own; others carry that of what they move.
bool has_own_range(const ir::Node& node) {
  switch (node.op) {
    case ir::OpType::kConv:
    case ir::OpType::kConvTranspose:
    case ir::OpType::kLinear:
    case ir::OpType::kMatMul:
    case ir::OpType::kBinary:
    case ir::OpType::kAveragePool:
    case ir::OpType::kReduce:
    case ir::OpType::kConcat:
      return true;
    case ir::OpType::kUnary:
      return node.as<ir::UnaryAttrs>().kind != ir::UnaryKind::kIdentity;
    default:
      return false;
  }
}

// Counting goes by lanes, side by side, which compilers turn into vectors; what remains at the end goes to the first
// lanes.
constexpr std::size_t kLanes = 64;

/// Magnitudes of 8-bit integers: how many reach `top`, and the largest.
template <class T>
SaturationCounts count_integers(std::span<const std::byte> memory, std::uint8_t top) {
  constexpr std::size_t kRows = 255;  // as many as a lane can count
  const auto* values = reinterpret_cast<const T*>(memory.data());
  std::array<std::uint8_t, kLanes> largest{};
  SaturationCounts counts;
  for (std::size_t begin = 0; begin < memory.size(); begin += kRows * kLanes) {
    const std::size_t end = std::min(memory.size(), begin + kRows * kLanes);
    std::array<std::uint8_t, kLanes> reached{};
    const auto add = [&](std::size_t lane, T value) {
      const auto magnitude = static_cast<std::uint8_t>(value < 0 ? -value : value);
      reached[lane] = static_cast<std::uint8_t>(reached[lane] + (magnitude >= top ? 1 : 0));
      largest[lane] = std::max(largest[lane], magnitude);
    };
    std::size_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) add(lane, values[i + lane]);
    }
    for (std::size_t lane = 0; i < end; ++i, ++lane) add(lane, values[i]);
    counts.saturated += std::accumulate(reached.begin(), reached.end(), std::uint64_t{0});
  }
  counts.largest = static_cast<float>(*std::max_element(largest.begin(), largest.end())) / static_cast<float>(top);
  return counts;
}

/// Reals: how many are at most `low` or at least `high`, and the largest magnitude.
SaturationCounts count_reals(std::span<const std::byte> memory, float low, float high) {
  const auto* values = reinterpret_cast<const float*>(memory.data());
  const std::size_t size = memory.size() / sizeof(float);
  std::array<float, kLanes> largest{};
  std::array<std::uint32_t, kLanes> reached{};
  const auto add = [&](std::size_t lane, float value) {
    const float magnitude = value < 0 ? -value : value;
    reached[lane] += static_cast<std::uint32_t>(value >= high) | static_cast<std::uint32_t>(value <= low);
    largest[lane] = magnitude > largest[lane] ? magnitude : largest[lane];  // never NaN
  };
  std::size_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) add(lane, values[i + lane]);
  }
  for (std::size_t lane = 0; i < size; ++i, ++lane) add(lane, values[i]);
  SaturationCounts counts;
  counts.saturated = std::accumulate(reached.begin(), reached.end(), std::uint64_t{0});
  counts.largest = *std::max_element(largest.begin(), largest.end());
  return counts;
}

}  // namespace

void SaturationCounts::add(const SaturationCounts& other) {
  elements += other.elements;
  saturated += other.saturated;
  largest = std::max(largest, other.largest);
}

SaturationWatch::SaturationWatch(const ir::Graph& graph) : of_value_(graph.value_count()) {
  for (const ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    if (node.op != ir::OpType::kQuantize && !has_own_range(node)) continue;
    const ir::Value& out = graph.value(node.outputs[0]);
    const bool plain = is_int8_like(out.dtype) && out.quantization && !out.quantization->per_channel() &&
                       std::all_of(out.quantization->zero_points.begin(), out.quantization->zero_points.end(),
                                   [](std::int32_t zero) { return zero == 0; });
    if (plain) add(node.op == ir::OpType::kQuantize ? node.inputs[0] : node.outputs[0], out, graph);
  }
}

void SaturationWatch::add(ir::ValueId value, const ir::Value& integers, const ir::Graph& graph) {
  const ir::Value& shown = graph.value(value);
  if (shown.is_constant()) return;
  of_value_[static_cast<std::size_t>(value)].push_back(tensors_.size());
  tensors_.push_back({value, shown.name, integers.dtype, integers.quantization->scale(),
                      shown.dtype == DataType::kFloat32, shown.shape});
}

void SaturationWatch::count(ir::ValueId value, std::span<const std::byte> memory, std::int64_t samples,
                            Counts& counts) const {
  for (const std::size_t i : of_value_[static_cast<std::size_t>(value)]) {
    const Watched& t = tensors_[i];
    const bool is_unsigned = t.type == DataType::kUInt8;
    SaturationCounts found;
    if (t.before) {
      // What rounds to the last integer, or lies beyond it.
      const float top = static_cast<float>(t.levels()) - 0.5F;
      found = count_reals(memory, (is_unsigned ? -0.5F : -top) * t.scale, top * t.scale);
      found.largest /= t.threshold();
    } else {
      found = is_unsigned ? count_integers<std::uint8_t>(memory, 255) : count_integers<std::int8_t>(memory, 127);
    }
    found.elements = static_cast<std::uint64_t>(element_count(t.shape.at(samples)));
    counts[i].add(found);
  }
}

DriftMonitor::DriftMonitor(std::shared_ptr<const ir::Graph> graph, std::span<const engine::TensorRangeInfo> expected,
                           int period, int threads, std::shared_ptr<cpu::WeightCache> weights)
    : graph_(std::move(graph)),
      watch_(*graph_),
      expected_(watch_.tensors().size()),
      period_(static_cast<std::uint64_t>(period)),
      pool_(
          [graph = graph_, threads, weights = std::move(weights)](std::int64_t batch) {
            return cpu::compile(graph, batch, {.threads = threads, .keep_values = true}, weights);
          },
          [](const std::shared_ptr<const cpu::Program>& program) { return program->new_context(); }),
      counts_(watch_.zeros()) {
  std::unordered_map<std::string_view, double> shares;
  for (const engine::TensorRangeInfo& range : expected) shares.emplace(range.name, range.clipped_share);
  for (std::size_t i = 0; i < expected_.size(); ++i) {
    const auto found = shares.find(watch_.tensors()[i].name);
    if (found != shares.end()) expected_[i] = found->second;
  }
  for (const ir::ValueId id : graph_->inputs()) {
    const ir::Shape& shape = graph_->value(id).shape;
    for (std::size_t axis = 1; axis < shape.rank(); ++axis) divisible_ = divisible_ && !shape[axis].batch;
  }
}

std::vector<Tensor> DriftMonitor::sample_of(std::int64_t batch, std::span<const Tensor> inputs) {
  const auto index =
      static_cast<std::int64_t>(turn_.fetch_add(1, std::memory_order_relaxed) % static_cast<std::uint64_t>(batch));
  std::vector<Tensor> sample(inputs.begin(), inputs.end());
  for (std::size_t i = 0; i < sample.size(); ++i) {
    const ir::Shape& shape = graph_->value(graph_->inputs()[i]).shape;
    if (!shape.is_static()) sample[i] = sample[i].rows(index * shape[0].value, (index + 1) * shape[0].value);
  }
  return sample;
}

void DriftMonitor::watch(std::int64_t batch, std::span<const Tensor> inputs) {
  const std::int64_t samples = divisible_ ? 1 : batch;
  const std::vector<Tensor> watched =
      samples == batch ? std::vector<Tensor>(inputs.begin(), inputs.end()) : sample_of(batch, inputs);
  std::vector<Tensor> outputs;
  for (const ir::ValueId id : graph_->outputs()) {
    outputs.emplace_back(graph_->value(id).dtype, graph_->value(id).shape.at(samples));
  }
  SaturationWatch::Counts counts = watch_.zeros();
  const cpu::MemoryObserver observer = [&](ir::ValueId id, std::span<const std::byte> memory) {
    watch_.count(id, memory, samples, counts);
  };
  const auto lease = pool_.lease(samples);
  lease.program().run(lease.context(), watched, outputs, nullptr, nullptr, &observer);
  const std::lock_guard lock(mutex_);
  samples_ += static_cast<std::uint64_t>(samples);
  for (std::size_t i = 0; i < counts.size(); ++i) counts_[i].add(counts[i]);
}

void DriftMonitor::warm_up(std::int64_t batch) { pool_.program(divisible_ ? 1 : batch); }

DriftReport DriftMonitor::report() const {
  DriftReport report;
  report.period = static_cast<int>(period_);
  const std::lock_guard lock(mutex_);
  report.samples = samples_;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const SaturationWatch::Watched& t = watch_.tensors()[i];
    report.tensors.push_back(
        {t.name, t.type, t.scale, counts_[i].elements, counts_[i].saturated, counts_[i].largest, expected_[i]});
  }
  return report;
}

void DriftMonitor::reset() {
  const std::lock_guard lock(mutex_);
  samples_ = 0;
  counts_ = watch_.zeros();
  calls_ = 0;
}

}  // namespace xinfer::runtime
