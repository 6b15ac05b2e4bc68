#pragma once
// Adapts an INT8Calibrator, which names its tensors, to a graph, which numbers its inputs.

#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "xinfer/builders/calibrator.h"

namespace xinfer::builders {

class SampleStream {
 public:
  /// Both must outlive the stream. Rewinds the calibrator; throws CalibrationError when that fails and `first` is
  /// false.
  SampleStream(const ir::Graph& graph, INT8Calibrator& calibrator, bool first);

  /// The next batch in the order of the graph's inputs; nothing at the end. Throws CalibrationError naming the input
  /// when a tensor is missing, unknown, or of the wrong type or shape, or when there are names for some samples only.
  std::optional<std::vector<Tensor>> next();
  /// Names of the samples of the last batch: one each, or none.
  const std::vector<std::string>& sample_names() const { return names_; }

 private:
  const ir::Graph& graph_;
  INT8Calibrator& calibrator_;
  std::vector<std::string> names_;
};

}  // namespace xinfer::builders
