#pragma once
// Never slower: finds the INT8 layers that measure slower, with their conversions, than in half precision. Times come
// from the caller, so nothing here needs a GPU.

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "builders/speed_model.h"

namespace xinfer::builders {

/// Times the whole network with these nodes in float: one entry for each of SpeedModel::batches.
using MeasureFloatNodes = std::function<BatchTimes(const std::set<std::string>& float_nodes)>;

/// A node that is faster in float.
struct SlowInInt8 {
  std::string node;
  std::string reason;  ///< "INT8 was slower than FP16 here (12.1 against 9.8 us with conversions, batch 32)"
};

struct NeverSlowerOptions {
  int max_measurements = 5;    ///< including that of the plan at hand
  double min_gain = 0.01;      ///< share of the network's time that a change must save, averaged over batch sizes
  double max_loss = 0.01;      ///< share that no batch size may lose
  double min_promise = 0.002;  ///< share that a group of nodes must promise to be tried
};

struct NeverSlowerResult {
  std::vector<SlowInInt8> moved;   ///< in the order of the model's nodes; empty: all stay in INT8
  BatchTimes before_us, after_us;  ///< of the whole network as measured; equal when nothing moved
  int measurements = 0;
  bool all_promised = false;  ///< every INT8 node promised to be faster in float, so that nothing was tried
};

/// Chooses groups of neighbouring nodes that promise to be faster in float by the single times and the conversions that
/// come and go with them; has all groups measured together and, where the whole network is not faster by that, one by
/// one on top of those that were, the most promising first. A change that does not measure faster is not kept. At least
/// one node stays in INT8. Deterministic when `measure` is. Throws std::logic_error when times are missing for a batch
/// size, and what `measure` throws.
NeverSlowerResult search_never_slower(const SpeedModel& model, const MeasureFloatNodes& measure,
                                      const NeverSlowerOptions& options = {});

}  // namespace xinfer::builders
