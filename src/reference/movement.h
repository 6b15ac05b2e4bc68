#pragma once
// The one loop behind Slice, Split, Tile, Pad and nearest Resize.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ir/ops.h"
#include "reference/loops.h"
#include "xinfer/core/tensor.h"

namespace xinfer::reference {

/// y[i, j, ...] = x[sources[0][i], sources[1][j], ...], one list for each axis of x. A source of -1 takes `fill`, one
/// element's bytes (zeros when empty).
Tensor select_along_axes(const Tensor& x, const std::vector<Sizes>& sources, std::span<const std::byte> fill = {});

/// Where element `i` of an axis of `size` elements comes from, when i may lie outside; -1 for Pad's constant.
std::int64_t padded_source(ir::PadMode mode, std::int64_t i, std::int64_t size);

}  // namespace xinfer::reference
