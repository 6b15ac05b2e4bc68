#pragma once
// GraphWalk: runs a graph piece by piece on many samples, keeping only the values that are still to be read.

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "ir/graph.h"
#include "quantize/sample_set.h"

namespace xinfer::quantize {

/// One pass through a graph in steps of the caller's choice; between steps the caller may look at values and change
/// constants of nodes that did not run yet. Each sample runs on one thread: results don't depend on their number. One
/// thread at a time.
class GraphWalk {
 public:
  /// `graph` must outlive the walk.
  GraphWalk(const ir::Graph& graph, std::span<const Sample> samples, int threads);

  /// Runs these nodes on all samples. Each node runs once, after what it reads. Throws UnsupportedError as cpu::compile
  /// does.
  void advance(std::span<const ir::NodeId> nodes);

  std::size_t samples() const { return live_.size(); }
  /// A graph input, or a value that was computed and is still to be read by a node that did not run yet. Throws
  /// std::logic_error otherwise.
  const Tensor& value(std::size_t sample, ir::ValueId id) const;

  /// The most bytes of values that are alive at one time for one sample, running in the order of the graph.
  static std::size_t peak_bytes(const ir::Graph& graph);

 private:
  const ir::Graph& graph_;
  int threads_;
  std::vector<std::map<ir::ValueId, Tensor>> live_;  ///< by sample
  std::vector<std::int64_t> uses_left_;              ///< by value id; the outside's use of an output never ends
};

}  // namespace xinfer::quantize
