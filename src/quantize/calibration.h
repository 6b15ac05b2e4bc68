#pragma once
// Calibration: runs the float graph over a stream of batches and collects the distribution of every activation.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace xinfer::quantize {

/// Mergeable distribution of one tensor's values. Bins have width 2^exponent on a fixed grid; when a larger value
/// arrives neighbouring bins are merged in pairs, so that the result depends neither on order nor on batching.
class Histogram;

/// How a range is chosen from a distribution.
enum class RangeMethod : std::uint8_t { kAuto, kMinMax, kPercentile, kEntropy, kMse };

}  // namespace xinfer::quantize
