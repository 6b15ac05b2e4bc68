#pragma once
// Ranges by the error that they cause where the tensor is read.

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "ir/graph.h"
#include "quantize/options.h"
#include "quantize/ranges.h"
#include "quantize/sample_set.h"
#include "quantize/table.h"

namespace xinfer::quantize {

struct ChosenRanges {
  Ranges ranges;
  /// How each range was found: the method whose threshold it is, or "tuned" for one between them.
  std::map<std::string, std::string_view> methods;
};

/// The ranges of `table`, with the thresholds of tensors that INT8 convolutions and linear layers read chosen anew: for
/// each, among what the methods propose and fractions of the largest magnitude, the threshold with the least squared
/// error of the sums that its readers compute of it (on sampled rows; weights as 32 random projections of them, after
/// Johnson and Lindenstrauss, which keeps the expected error). Where nobody such reads the tensor, or there are no
/// samples: the threshold of least error of the tensor itself (kMse).
///
/// Deterministic, the same for any number of threads. Throws as cpu::compile does.
ChosenRanges choose_ranges(const std::shared_ptr<const ir::Graph>& graph, const CalibrationTable& table,
                           const PlanOptions& plan, std::span<const Sample> samples, int threads = 0);

}  // namespace xinfer::quantize
