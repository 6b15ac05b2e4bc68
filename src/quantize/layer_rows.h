#pragma once
// LayerRows: what a convolution or linear layer reads for one output element, as rows of a matrix.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ir/graph.h"

namespace xinfer::quantize {

/// A layer as matrix products: for group g, outputs = rows[:, g * k .. (g + 1) * k] x weights[g * m .. (g + 1) * m]^T.
struct LayerShape {
  std::int64_t groups = 1;
  std::int64_t k = 0;          ///< products in a sum: input channels of a group times the kernel's elements
  std::int64_t m = 0;          ///< output channels of a group
  std::int64_t positions = 0;  ///< output elements of one channel for one image
  std::int64_t columns() const { return groups * k; }
  std::int64_t channels() const { return groups * m; }
};

/// The shape of a Conv or Linear with constant weights, or nothing for other nodes.
std::optional<LayerShape> layer_shape(const ir::Graph& graph, const ir::Node& node);

/// `count` of `positions` output elements, one of each of `count` equal parts; which one depends on `seed` alone. All
/// of them, in order, when there are no more.
std::vector<std::int64_t> pick_positions(std::int64_t positions, std::int64_t count, std::uint64_t seed);

/// Writes the rows of these output elements of `node` for input `x` (N = 1, f32 or integers, which are multiplied by
/// `scale`) to `rows`, (positions.size(), columns) row-major. Columns are ordered as the weights are: channel, then
/// kernel position; padding reads as zero. Thread-safe.
void gather_rows(const ir::Graph& graph, const ir::Node& node, const Tensor& x, float scale,
                 std::span<const std::int64_t> positions, std::span<float> rows);

}  // namespace xinfer::quantize
