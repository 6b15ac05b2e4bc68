#pragma once
// SampleRunner: runs a graph on many samples, several at a time.

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "cpu/program.h"
#include "ir/graph.h"
#include "quantize/sample_set.h"

namespace xinfer::quantize {

/// Runs a graph (float, quantized or mixed) on the CPU, each sample on one thread, so that no result depends on the
/// number of threads. Thread-safe.
class SampleRunner {
 public:
  /// Sees every value of a sample as it is computed: integers where the graph computes integers. Called from several
  /// threads at once, for different samples; for one sample in the order of the graph.
  using Observer = std::function<void(std::size_t sample, ir::ValueId value, const Tensor& tensor)>;
  /// Called with the number of samples done, from one thread at a time; what it throws ends the run.
  using Progress = std::function<void(std::size_t done)>;

  /// `threads` samples at a time; 0: one a core. Nothing is compiled before the first run.
  explicit SampleRunner(std::shared_ptr<const ir::Graph> graph, int threads = 0);

  const ir::Graph& graph() const { return *graph_; }
  /// The graph's outputs for each sample. Throws UnsupportedError as cpu::compile does, and the first
  /// exception of an observer.
  std::vector<std::vector<Tensor>> run(std::span<const Sample> samples, const Observer& observer = {},
                                       const Progress& progress = {}) const;

 private:
  std::shared_ptr<const cpu::Program> program(bool observable) const;
  std::vector<Tensor> new_outputs() const;

  std::shared_ptr<const ir::Graph> graph_;
  std::size_t threads_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const cpu::Program> plain_;       ///< reuses memory; made when first wanted
  mutable std::shared_ptr<const cpu::Program> observable_;  ///< keeps every value
};

}  // namespace xinfer::quantize
