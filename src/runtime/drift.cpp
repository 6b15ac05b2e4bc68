#include "runtime/drift.h"

#include <algorithm>
#include <cmath>
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

/// Counts elements at `low` and below or `high` and above, and finds the largest magnitude, in arithmetic of type Wide.
template <class Stored, class Wide>
SaturationCounts count_ends(std::span<const std::byte> memory, Wide low, Wide high) {
  const auto* values = reinterpret_cast<const Stored*>(memory.data());
  const std::size_t size = memory.size() / sizeof(Stored);
  constexpr std::size_t kBlock = 1 << 14;  // its count fits into 32 bits, which vectors hold more of
  SaturationCounts counts;
  Wide largest = 0;
  for (std::size_t begin = 0; begin < size; begin += kBlock) {
    const std::size_t end = std::min(size, begin + kBlock);
    std::int32_t outside = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const Wide value = values[i];
      outside += (value >= high ? 1 : 0) | (value <= low ? 1 : 0);
      const Wide magnitude = value < 0 ? -value : value;
      largest = magnitude > largest ? magnitude : largest;
    }
    counts.saturated += static_cast<std::uint64_t>(outside);
  }
  counts.largest = static_cast<float>(largest);
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
    const auto top = static_cast<float>(t.levels());
    SaturationCounts found;
    if (t.before) {
      // What rounds to the last integer, or lies beyond it.
      const float low = is_unsigned ? -0.5F : 0.5F - top;
      found = count_ends<float, float>(memory, low * t.scale, (top - 0.5F) * t.scale);
      found.largest /= t.threshold();
    } else {
      found = is_unsigned ? count_ends<std::uint8_t, std::int32_t>(memory, -1, 255)
                          : count_ends<std::int8_t, std::int32_t>(memory, -127, 127);
      found.largest /= top;
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
