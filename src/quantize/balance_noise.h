#pragma once
// LayerNoise: an estimate of the error that 8 bits for data and weights cause in a layer's output, under any scaling of
// the channels of its data.

#include <cstddef>
#include <span>
#include <vector>

#include "ir/graph.h"
#include "quantize/balance_channels.h"
#include "quantize/channel_ranges.h"

namespace xinfer::quantize {

/// The weights of a Conv, ConvTranspose (one group) or Linear as rows: (group, row of the group, column, tap).
struct WeightLayout {
  std::size_t groups = 1, rows = 1, columns = 1, taps = 1;  ///< rows and columns of one group
  bool columns_first = false;                               ///< ConvTranspose: (column, row, tap)

  WeightLayout(const ir::Graph& graph, const ir::Node& node);
  std::size_t all_rows() const { return groups * rows; }
  std::size_t all_columns() const { return groups * columns; }
  /// Calls f(index, row, column) for each weight in the order of memory; rows and columns are those of all groups.
  template <class F>
  void for_each(F&& f) const {
    std::size_t index = 0;
    const std::size_t outer = columns_first ? columns : all_rows();
    const std::size_t inner = columns_first ? rows : columns;
    for (std::size_t i = 0; i < outer; ++i) {
      const std::size_t first = columns_first ? 0 : i / rows * columns;
      for (std::size_t j = 0; j < inner; ++j) {
        const std::size_t row = columns_first ? j : i;
        const std::size_t column = columns_first ? i : first + j;
        for (std::size_t t = 0; t < taps; ++t) f(index++, row, column);
      }
    }
  }
};

/// Model: both quantization errors are uniform and independent. The data's step follows from the largest value of the
/// tensor, a weight's from the largest of its row:
///   noise[o] = step_x^2 / 12 * sum of w[o][c]^2  +  step_w[o]^2 / 12 * sum of E[x[c]^2]
class LayerNoise {
 public:
  /// `factors`: of the data's channels; `row_weights`: how much the energy of each output channel counts. Columns that
  /// share a factor are merged.
  LayerNoise(const ir::Graph& graph, ir::NodeId node, std::span<const Factor> factors, const ChannelStats& data,
             const ChannelStats& output, std::span<const double> row_weights);

  /// Noise relative to the signal when channels with factor f are multiplied by scales[f]; 0 when there is no signal.
  double relative_noise(std::span<const float> scales) const;

  ir::NodeId node() const { return node_; }
  /// The columns' factors, and the largest magnitude of their data: for grouped layers group after group.
  const std::vector<Factor>& factors() const { return factors_; }
  const std::vector<float>& largest() const { return largest_; }
  /// For each column, its largest weight relative to the largest of the weight's row.
  std::vector<float> weight_shares() const;
  /// The largest channel's range in multiples of the median channel's (of those that are not always zero).
  double range_ratio() const;

 private:
  ir::NodeId node_;
  std::size_t groups_, rows_, columns_;  ///< rows and columns of one group
  double levels_;
  double signal_ = 0;
  std::vector<Factor> factors_;
  std::vector<float> largest_;
  std::vector<double> squares_;  ///< by column: sum of E[x^2] over what it merges, taps included
  std::vector<double> row_weights_;
  std::vector<float> weight_squares_;  ///< (row, column)
  std::vector<float> weight_largest_;
};

}  // namespace xinfer::quantize
