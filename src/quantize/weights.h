#pragma once
// Weights in INT8: symmetric, one scale for each output channel.

#include <string>
#include <string_view>

#include "ir/graph.h"

namespace xinfer::quantize {

/// What quantize() appends to the name of weights.
inline constexpr std::string_view kWeightsEnding = ".s8";

struct QuantizedWeights {
  Tensor values;  ///< s8 in [-127, 127], the shape of the float weights
  ir::Quantization quantization;
};

/// Quantizes f32 `weights` with scale = max|w| / 127 for each index along `axis`, or one scale for all when `axis` is
/// -1: integer = round_half_even(w / scale), in double. A channel whose weights are all zero (or so small that the
/// scale would not be a normal number) gets scale 1 and zeros. Throws ModelError naming `where` when a weight is NaN or
/// infinite. Thread-safe.
QuantizedWeights quantize_weights(const Tensor& weights, int axis, const std::string& where);

/// Axis of the output channels in the weights of `node` (Conv and Linear 0, ConvTranspose 1), or -1 for MatMul.
int output_channel_axis(const ir::Node& node);

}  // namespace xinfer::quantize
