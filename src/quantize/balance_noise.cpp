#include "quantize/balance_noise.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>

namespace xinfer::quantize {

WeightLayout::WeightLayout(const ir::Graph& graph, const ir::Node& node) {
  const Tensor& weights = *graph.value(node.inputs[1]).constant;
  const auto first = static_cast<std::size_t>(weights.dim(0)), second = static_cast<std::size_t>(weights.dim(1));
  if (node.op != ir::OpType::kLinear) groups = static_cast<std::size_t>(node.as<ir::ConvAttrs>().groups);
  columns_first = node.op == ir::OpType::kConvTranspose;
  rows = columns_first ? second : first / groups;
  columns = columns_first ? first : second;
  taps = static_cast<std::size_t>(weights.numel()) / std::max<std::size_t>(1, first * second);
}

LayerNoise::LayerNoise(const ir::Graph& graph, ir::NodeId id, std::span<const Factor> factors, const ChannelStats& data,
                       const ChannelStats& output, std::span<const double> row_weights)
    : node_(id), levels_(data.non_negative ? 255 : 127), row_weights_(row_weights.begin(), row_weights.end()) {
  const ir::Node& node = graph.node(id);
  const WeightLayout layout(graph, node);
  groups_ = layout.groups;
  rows_ = layout.rows;

  // With one group, columns of one factor count as one: flattened images have many of those.
  std::vector<std::size_t> column_of(factors.size());
  if (groups_ == 1) {
    std::unordered_map<Factor, std::size_t> seen;
    for (std::size_t c = 0; c < factors.size(); ++c) {
      const auto [found, is_new] = seen.emplace(factors[c], seen.size());
      if (is_new) factors_.push_back(factors[c]);
      column_of[c] = found->second;
    }
  } else {
    std::iota(column_of.begin(), column_of.end(), std::size_t{0});
    factors_.assign(factors.begin(), factors.end());
  }
  columns_ = factors_.size() / groups_;

  largest_.assign(factors_.size(), 0.0F);
  squares_.assign(factors_.size(), 0.0);
  for (std::size_t c = 0; c < factors.size(); ++c) {
    float& largest = largest_[column_of[c]];
    largest = std::max(largest, data.largest[c]);
    squares_[column_of[c]] += data.mean_square(c) * static_cast<double>(layout.taps);
  }
  weight_squares_.assign(groups_ * rows_ * columns_, 0.0F);
  weight_largest_.assign(groups_ * rows_ * columns_, 0.0F);
  const std::span<const float> weights = graph.value(node.inputs[1]).constant->data<float>();
  layout.for_each([&](std::size_t index, std::size_t row, std::size_t column) {
    const std::size_t at = row * columns_ + column_of[column] % columns_;
    weight_squares_[at] += weights[index] * weights[index];
    weight_largest_[at] = std::max(weight_largest_[at], std::fabs(weights[index]));
  });
  for (std::size_t row = 0; row < row_weights_.size(); ++row) signal_ += row_weights_[row] * output.mean_square(row);
}

double LayerNoise::relative_noise(std::span<const float> scales) const {
  if (!(signal_ > 0) || !std::isfinite(signal_)) return 0;
  std::vector<float> inverse(factors_.size());
  float largest = 0;
  for (std::size_t c = 0; c < factors_.size(); ++c) {
    const float scale = scales[static_cast<std::size_t>(factors_[c])];
    inverse[c] = 1.0F / scale;
    largest = std::max(largest, largest_[c] * scale);
  }
  const double data_step = largest / levels_;
  double noise = 0;
  for (std::size_t g = 0; g < groups_; ++g) {
    const float* inverses = inverse.data() + g * columns_;
    double squares = 0;
    for (std::size_t c = 0; c < columns_; ++c) {
      const double scale = scales[static_cast<std::size_t>(factors_[g * columns_ + c])];
      squares += squares_[g * columns_ + c] * scale * scale;
    }
    for (std::size_t row = g * rows_; row < (g + 1) * rows_; ++row) {
      const float* weight_squares = weight_squares_.data() + row * columns_;
      const float* weight_largest = weight_largest_.data() + row * columns_;
      double sum = 0;
      float top = 0;
      for (std::size_t c = 0; c < columns_; ++c) {
        sum += static_cast<double>(weight_squares[c]) * inverses[c] * inverses[c];
        top = std::max(top, weight_largest[c] * inverses[c]);
      }
      const double weight_step = top / 127.0;
      noise += row_weights_[row] * (data_step * data_step * sum + weight_step * weight_step * squares);
    }
  }
  return noise / 12.0 / signal_;
}

std::vector<float> LayerNoise::weight_shares() const {
  std::vector<float> shares(factors_.size(), 0.0F);
  for (std::size_t row = 0; row < groups_ * rows_; ++row) {
    const float* weights = weight_largest_.data() + row * columns_;
    const float top = *std::max_element(weights, weights + columns_);
    if (!(top > 0)) continue;
    float* group = shares.data() + row / rows_ * columns_;
    for (std::size_t c = 0; c < columns_; ++c) group[c] = std::max(group[c], weights[c] / top);
  }
  return shares;
}

double LayerNoise::range_ratio() const {
  std::vector<float> alive;
  std::copy_if(largest_.begin(), largest_.end(), std::back_inserter(alive), [](float x) { return x > 0; });
  if (alive.empty()) return 1;
  std::sort(alive.begin(), alive.end());
  return static_cast<double>(alive.back()) / alive[alive.size() / 2];
}

}  // namespace xinfer::quantize
