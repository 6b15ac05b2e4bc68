#pragma once
// DriftReport: how much of its integer ranges an engine uses while it runs, and how much runs over.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "xinfer/core/data_type.h"

namespace xinfer::runtime {

/// What was counted of one tensor that is stored in integers. Copies (of slices, reshapes, max pools, ...) are not
/// counted again.
struct TensorDrift {
  std::string tensor;
  DataType type = DataType::kInt8;  ///< kInt8 or kUInt8
  float scale = 1;                  ///< real value of one integer step
  std::uint64_t elements = 0;
  /// Elements at the end of the range: 127 and beyond in magnitude, or 255. Of a real tensor that is turned into
  /// integers also those that lie beyond the range, including negative ones where the integers are unsigned.
  std::uint64_t saturated = 0;
  /// Largest magnitude, 1 being the end of the range. Above 1 only where reals are turned into integers: integers that
  /// a layer writes are cut off before anyone sees them.
  double largest = 0;
  /// Share that the calibration data had at the end of the range, when the engine stores it.
  std::optional<double> expected;

  double share() const { return elements == 0 ? 0 : static_cast<double>(saturated) / static_cast<double>(elements); }
  /// The share above which the tensor counts as drifted: four times what calibration saw, and at least 0.1 %; 1 % where
  /// that is not known, since ranges that are chosen by error cut some values off on purpose.
  double limit() const { return expected ? std::max(4 * *expected, 0.001) : 0.01; }
  bool drifted() const { return share() > limit(); }
};

struct DriftReport {
  int period = 0;                    ///< RuntimeOptions::drift_sample_period; 0: nothing is watched
  std::uint64_t samples = 0;         ///< samples that were watched
  std::vector<TensorDrift> tensors;  ///< in the order in which they are computed
};

}  // namespace xinfer::runtime
