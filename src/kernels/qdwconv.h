#pragma once
// INT8 depthwise convolution over NHWC activations.

#include <cstdint>

#include "kernels/aligned.h"
#include "kernels/conv_shape.h"
#include "kernels/isa.h"
#include "kernels/requant.h"
#include "xinfer/core/data_type.h"

namespace xinfer::kernels {

/// Depthwise weights, rearranged at load for one instruction set, one input type and one kernel geometry.
/// Immutable after construction; may be shared by threads.
class DwWeights {
 public:
  /// `weights` is int8 [channels, kernel_h, kernel_w], dense (ONNX's [C, 1, kh, kw]). Of `shape` only the channels, the
  /// kernel, the strides and the dilations matter here; groups, in_channels and out_channels must be equal.
  /// `input_type` is kInt8 or kUInt8. Throws Error otherwise.
  DwWeights(const std::int8_t* weights, const ConvShape& shape, DataType input_type, Isa isa = detect_isa());

  Isa isa() const { return isa_; }
  DataType input_type() const { return input_type_; }
  const ConvShape& shape() const { return shape_; }
  const std::int8_t* data() const { return packed_.data(); }
  /// Per channel, padded to whole blocks: what accumulators start from (cancels the +128 that s8 inputs get on VNNI).
  const std::int32_t* initial() const { return initial_.data(); }

 private:
  ConvShape shape_;
  DataType input_type_;
  Isa isa_;
  AlignedVector<std::int8_t> packed_;
  AlignedVector<std::int32_t> initial_;
};

/// Depthwise convolution. input: [N, H, W, C] of weights.input_type(); output (and residual): [N, OH, OW, C] of
/// params.output_type. Any kernel, stride, dilation and padding; batch, sizes and paddings may differ from those the
/// weights were packed with. Parallel over rows; thread-safe; the result doesn't depend on the number of threads.
/// Throws Error when shape and weights disagree.
void qdwconv(const ConvShape& shape, const void* input, const DwWeights& weights, const RequantParams& params,
             void* output);

}  // namespace xinfer::kernels
