#pragma once
// Counting values at the end of their integer range, and watching an engine's inferences for them.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cpu/program.h"
#include "engine/engine_file.h"
#include "ir/graph.h"
#include "runtime/program_pool.h"
#include "xinfer/core/tensor.h"
#include "xinfer/runtime/drift.h"

namespace xinfer::runtime {

struct SaturationCounts {
  std::uint64_t elements = 0;
  std::uint64_t saturated = 0;
  float largest = 0;  ///< largest magnitude, 1 being the end of the range

  void add(const SaturationCounts& other);
};

/// The tensors of a quantized graph that have a range of their own, and how to count them. Immutable, so thread-safe.
class SaturationWatch {
 public:
  struct Watched {
    ir::ValueId value;  ///< what is looked at: the reals before a Quantize, else the integers
    std::string name;   ///< of that value
    DataType type;      ///< of the integers
    float scale;
    bool before;  ///< reals are looked at
    ir::Shape shape;

    int levels() const { return type == DataType::kUInt8 ? 255 : 127; }
    float threshold() const { return scale * static_cast<float>(levels()); }
  };
  /// One for each tensor.
  using Counts = std::vector<SaturationCounts>;

  explicit SaturationWatch(const ir::Graph& graph);

  /// In the order in which they are computed.
  const std::vector<Watched>& tensors() const& { return tensors_; }
  const std::vector<Watched>& tensors() const&& = delete;
  Counts zeros() const { return Counts(tensors_.size()); }
  /// Adds what is to be counted of `value`, computed for `samples` samples. `memory` holds its elements in any order;
  /// zeros may stand between them.
  void count(ir::ValueId value, std::span<const std::byte> memory, std::int64_t samples, Counts& counts) const;

 private:
  void add(ir::ValueId value, const ir::Value& integers, const ir::Graph& graph);

  std::vector<Watched> tensors_;
  std::vector<std::vector<std::size_t>> of_value_;  // by value id
};

/// Watches one inference in so many, on the CPU. Thread-safe.
///
/// A watched inference is one sample of the batch, run once more by a program whose values can all be seen; samples of
/// a batch take turns. So watching never changes a result, on whatever device the engine runs.
class DriftMonitor {
 public:
  /// `period` is 1 or more. `expected` may lack tensors.
  DriftMonitor(std::shared_ptr<const ir::Graph> graph, std::span<const engine::TensorRangeInfo> expected, int period,
               int threads, std::shared_ptr<cpu::WeightCache> weights);

  /// Counts an inference; true when it is to be watched: the first one, and every period-th after it.
  bool due() { return calls_.fetch_add(1, std::memory_order_relaxed) % period_ == 0; }
  void watch(std::int64_t batch, std::span<const Tensor> inputs);
  /// Compiles what watch() needs for this batch.
  void warm_up(std::int64_t batch);
  DriftReport report() const;
  /// Forgets what was counted, and watches the next inference.
  void reset();

 private:
  std::vector<Tensor> sample_of(std::int64_t batch, std::span<const Tensor> inputs);

  std::shared_ptr<const ir::Graph> graph_;
  SaturationWatch watch_;
  std::vector<std::optional<double>> expected_;  // by watched tensor
  std::uint64_t period_;
  bool divisible_ = true;  // batches can be cut into samples
  ProgramPool<cpu::Program, cpu::Context> pool_;
  std::atomic<std::uint64_t> calls_ = 0;
  std::atomic<std::uint64_t> turn_ = 0;
  mutable std::mutex mutex_;  // for what follows
  std::uint64_t samples_ = 0;
  SaturationWatch::Counts counts_;
};

}  // namespace xinfer::runtime
