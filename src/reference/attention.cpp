// Scaled dot-product attention: softmax(scale * q k^T + mask) v, computed in double from f32 operands and rounded once.

#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/functions.h"
#include "reference/loops.h"

namespace xinfer::reference {
namespace {

/// In place; a row that is masked out altogether becomes NaN, as in the composed operators.
void softmax_row(std::vector<double>& row) {
  const double highest = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (double& x : row) sum += x = std::exp(x - highest);
  for (double& x : row) x /= sum;
}

}  // namespace

// Query s sees keys 0..s where causal (aligned at the top left).
Tensors attention(const NodeView& view, Inputs in) {
  const auto& attrs = view.node.as<ir::AttentionAttrs>();
  for (const Tensor& input : in) {
    if (!input.empty()) require_f32(input, "every input of Attention");
  }
  const std::int64_t heads = in[0].dim(0) * in[0].dim(1);
  const std::int64_t queries = in[0].dim(2), depth = in[0].dim(3);
  const std::int64_t keys = in[1].dim(2), width = in[2].dim(3);
  const Sizes scores = {in[0].dim(0), in[0].dim(1), queries, keys};
  const bool masked = view.node.has_input(3);
  const Sizes mask_strides = masked ? broadcast_strides(in[3].shape(), scores) : Sizes(4, 0);
  const float* mask = masked ? elements<float>(in[3]) : nullptr;
  Tensor y(DataType::kFloat32, view.output_shape(0));
  auto* to = elements<float>(y);
  std::vector<double> row(static_cast<std::size_t>(keys));
  std::vector<double> sum(static_cast<std::size_t>(width));
  for (std::int64_t h = 0; h < heads; ++h) {
    const std::int64_t mask_head = h / in[0].dim(1) * mask_strides[0] + h % in[0].dim(1) * mask_strides[1];
    const float* k = elements<float>(in[1]) + h * keys * depth;
    const float* v = elements<float>(in[2]) + h * keys * width;
    for (std::int64_t s = 0; s < queries; ++s) {
      const float* q = elements<float>(in[0]) + (h * queries + s) * depth;
      for (std::int64_t t = 0; t < keys; ++t) {
        double dot = 0;
        for (std::int64_t d = 0; d < depth; ++d) dot += static_cast<double>(q[d]) * k[t * depth + d];
        dot *= attrs.scale;
        if (masked) dot += mask[mask_head + s * mask_strides[2] + t * mask_strides[3]];
        if (attrs.causal && t > s) dot = -std::numeric_limits<double>::infinity();
        row[static_cast<std::size_t>(t)] = dot;
      }
      if (keys > 0) softmax_row(row);
      std::fill(sum.begin(), sum.end(), 0.0);
      for (std::int64_t t = 0; t < keys; ++t) {
        for (std::int64_t e = 0; e < width; ++e) {
          sum[static_cast<std::size_t>(e)] += row[static_cast<std::size_t>(t)] * v[t * width + e];
        }
      }
      for (std::int64_t e = 0; e < width; ++e) {
        to[(h * queries + s) * width + e] = static_cast<float>(sum[static_cast<std::size_t>(e)]);
      }
    }
  }
  return {y};
}

}  // namespace xinfer::reference
