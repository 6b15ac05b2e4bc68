#pragma once
// Pads of sliding windows, from ONNX's attributes.

#include <cstdint>
#include <vector>

#include "onnx/context.h"

namespace xinfer::onnx {

struct Window {
  std::vector<std::int64_t> kernel, strides, dilations, pads;  ///< pads: all begins, then all ends
};

/// Reads strides, dilations, pads and auto_pad of a convolution or pooling over the spatial axes of `x` (those from 2
/// on). SAME and VALID are turned into pads, which needs spatial axes that don't depend on the batch.
Window read_window(NodeContext& c, ir::ValueId x, std::vector<std::int64_t> kernel);

}  // namespace xinfer::onnx
