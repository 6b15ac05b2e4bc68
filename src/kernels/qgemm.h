#pragma once
// Exact INT8 convolution and matrix product for NHWC activations: through int16 products where there is no VNNI,
// so that no intermediate saturates, and through VNNI where there is.

#include <cstdint>

#include "kernels/aligned.h"
#include "kernels/conv_shape.h"
#include "kernels/isa.h"
#include "kernels/requant.h"
#include "xinfer/core/data_type.h"

namespace xinfer::kernels {

/// Convolution weights, rearranged at load for one instruction set and one input type.
/// Immutable after construction; may be shared by threads.
class ConvWeights {
 public:
  /// `weights` is int8 [out_channels, in_channels / groups, kernel_h, kernel_w], dense (OIHW); a GEMM's [N, K] is the
  /// same with a 1x1 kernel. `input_type` is kInt8 or kUInt8. Throws Error on other types or impossible shapes.
  ConvWeights(const std::int8_t* weights, const ConvShape& shape, DataType input_type, Isa isa = detect_isa());

  Isa isa() const { return isa_; }
  DataType input_type() const { return input_type_; }
  const ConvShape& shape() const { return shape_; }
  const void* data() const { return packed_.data(); }
  /// Per group and padded output channel: what accumulators start from.
  const std::int32_t* initial() const { return initial_.data(); }

 private:
  ConvShape shape_;
  DataType input_type_;
  Isa isa_;
  AlignedVector<std::int8_t> packed_;
  AlignedVector<std::int32_t> initial_;
};

/// Convolution. input: [N, H, W, C] of weights.input_type(); output (and residual): [N, OH, OW, O] of
/// params.output_type. Accumulates exactly in int32 (the caller keeps K * 255 * 127 below 2^31). Parallel over output
/// pixels; thread-safe; the result doesn't depend on the number of threads. Throws Error when shape and weights
/// disagree.
void qconv(const ConvShape& shape, const void* input, const ConvWeights& weights, const RequantParams& params,
           void* output);

/// output[m, n] = requantize(sum_k input[m, k] * weights[n, k]); weights packed from [N, K] with a 1x1 kernel.
void qgemm(std::int64_t m, const void* input, const ConvWeights& weights, const RequantParams& params, void* output);

}  // namespace xinfer::kernels
