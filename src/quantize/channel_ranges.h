#pragma once
// ChannelRanges: how large each channel of a layer's data gets, measured on samples.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "ir/graph.h"
#include "quantize/sample_runner.h"
#include "quantize/sample_set.h"

namespace xinfer::quantize {

/// What was seen of one value, for each index along one of its axes.
struct ChannelStats {
  std::vector<float> largest;   ///< largest |x|; NaN where a value was NaN
  std::vector<double> squares;  ///< sum of x * x
  std::int64_t count = 0;       ///< values in each channel
  bool non_negative = true;     ///< no negative value was seen

  double mean_square(std::size_t channel) const {
    return count == 0 ? 0.0 : squares[channel] / static_cast<double>(count);
  }
  bool finite() const;
  bool operator==(const ChannelStats&) const = default;
};

/// A value and the axis that counts its channels.
using ChannelKey = std::pair<ir::ValueId, std::size_t>;
using ChannelRanges = std::map<ChannelKey, ChannelStats>;

/// Axis of the channels in what a layer of operator `op` reads and writes: the last one for Linear, LayerNorm and the
/// products of migration points, 1 for every other operator.
std::size_t channel_axis(ir::OpType op, std::size_t rank);

/// What measure_channels() measures: data and outputs of Conv, ConvTranspose and Linear, and outputs of operators that
/// clip. Values that aren't f32, constants and channels whose number depends on the batch don't count.
std::vector<ChannelKey> channels_to_measure(const ir::Graph& graph);

/// Runs the runner's graph on all samples. Sums are added in the order of the samples, so that the result doesn't
/// depend on the number of threads. Throws as SampleRunner::run does. Memory: 192 bytes for each channel, beside the
/// graph's.
ChannelRanges measure_channels(const SampleRunner& runner, std::span<const Sample> samples,
                               const SampleRunner::Progress& progress = {});

}  // namespace xinfer::quantize
