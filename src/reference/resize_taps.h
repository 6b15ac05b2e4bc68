#pragma once
// Where each output of a Resize reads along one axis. Backends with a resize of their own take their tables from here,
// so that coordinate conventions are written down once.

#include <cstdint>
#include <vector>

#include "ir/ops.h"

namespace xinfer::reference {

/// The inputs of one output position, indices clamped to the axis. Weights add up to 1.
struct AxisTaps {
  std::vector<std::int64_t> index;
  std::vector<double> weight;
};

/// Taps of every output along axis `axis` of `rank`, for an axis resized from `in` to `out` (ONNX Resize, opset 19:
/// coordinate transformation, nearest modes, cubic and antialias kernels as in its reference implementation). A nearest
/// mode gives one tap of weight 1. An axis that isn't resized gives the identity.
std::vector<AxisTaps> resize_taps(const ir::ResizeAttrs& attrs, std::size_t axis, std::int64_t in, std::int64_t out);

}  // namespace xinfer::reference
