#pragma once
// Quantization parameters of ONNX nodes.

#include <cstdint>

#include "onnx/context.h"

namespace xinfer::onnx {

/// Scale, zero point and their axis, from the inputs at `scale_index` and `zero_index` (may be absent) of a tensor of
/// `rank` axes. Throws UnsupportedError when the model computes them, ModelError when they are not finite and positive,
/// or don't fit each other.
ir::Quantization read_quantization(NodeContext& c, std::size_t scale_index, std::size_t zero_index, std::size_t rank,
                                   std::int64_t axis);

/// The value whose integers stand for reals as `quantization` says: a new constant for a constant, else `x` itself.
/// Throws UnsupportedError when `x` is something else than a constant, a graph input, or was quantized in another way.
ir::ValueId with_quantization(NodeContext& c, ir::ValueId x, const ir::Quantization& quantization);

/// The f32 value of such integers.
ir::ValueId dequantized(NodeContext& c, ir::ValueId x, const ir::Quantization& quantization);

}  // namespace xinfer::onnx
