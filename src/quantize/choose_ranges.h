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
  std::map<std::string, std::string> methods;
};

/// The ranges of `table`, with the thresholds of tensors that INT8 convolutions and linear layers read chosen anew: for
/// each, among what the methods propose and fractions of the largest magnitude, the threshold with the least error of
/// the sums that its readers compute of it (on sampled rows; weights as 32 random projections of them, after Johnson
/// and Lindenstrauss, which keeps the expected error). The error is the squared one over all rows for convolutions; for
/// linear layers the root mean square of each row's noise for signal, so that a rare token counts as much as another.
/// Another threshold than kMse's (linear layers: the largest magnitude) is taken where it is better by 3 % (by a factor
/// of four). Where nobody such reads the tensor, or there are no samples: the threshold of kMse.
///
/// Deterministic, the same for any number of threads. Throws as cpu::compile does.
ChosenRanges choose_ranges(const std::shared_ptr<const ir::Graph>& graph, const CalibrationTable& table,
                           const PlanOptions& plan, std::span<const Sample> samples, int threads = 0);

}  // namespace xinfer::quantize
