#pragma once
// Matrix products, shared by the converters that end in one.

#include <optional>

#include "onnx/context.h"

namespace xinfer::onnx {

/// The (O, K) weights of a Linear that multiplies by `w`, a constant matrix (or the dequantization of one) stored (O,
/// K) or, with `transposed`, (K, O). Nothing when `w` is computed by the model or is no matrix of reals.
std::optional<ir::ValueId> linear_weight(NodeContext& c, ir::ValueId w, bool transposed);

}  // namespace xinfer::onnx
