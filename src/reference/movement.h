#pragma once
// The one loop behind Slice, Split, Tile, Pad and nearest Resize.

#include <cstddef>
#include <span>
#include <vector>

#include "reference/loops.h"
#include "xinfer/core/tensor.h"

namespace xinfer::reference {

/// y[i, j, ...] = x[sources[0][i], sources[1][j], ...], one list for each axis of x. A source of -1 takes `fill`, one
/// element's bytes (zeros when empty).
Tensor select_along_axes(const Tensor& x, const std::vector<Sizes>& sources, std::span<const std::byte> fill = {});

}  // namespace xinfer::reference
