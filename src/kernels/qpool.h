#pragma once
// INT8 pooling over NHWC activations. Of the ConvShape the batch, input sizes, in_channels, kernel, strides, dilations
// and paddings are used. Parallel over rows; thread-safe. All throw Error on unknown types.

#include <cstdint>

#include "kernels/conv_shape.h"
#include "kernels/isa.h"
#include "xinfer/core/data_type.h"

namespace xinfer::kernels {

/// Output size that rounds up (ONNX ceil_mode), for `out_h` / `out_w` below; windows that would start in the right or
/// bottom padding are dropped.
std::int64_t ceil_mode_size(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t dilation,
                            std::int64_t pad_begin, std::int64_t pad_end);

/// Maximum over each window; padding never wins. The scale is unchanged, so output has the input's type.
/// out_h and out_w: 0 takes the shape's own (floor) sizes.
void qmax_pool(const ConvShape& shape, DataType type, const void* input, void* output, std::int64_t out_h = 0,
               std::int64_t out_w = 0, Isa isa = detect_isa());

/// What an average becomes: out = saturate(round_half_even(float(sum) * float(in_scale / out_scale / count))), the
/// factor computed in double and rounded once; f32 output uses out_scale = 1.
struct AveragePoolParams {
  DataType input_type = DataType::kInt8;
  DataType output_type = DataType::kInt8;  ///< kInt8, kUInt8 or kFloat32
  double in_scale = 1.0;
  double out_scale = 1.0;
  bool count_include_pad = false;
};

/// Average over each window, from an exact int32 sum.
void qaverage_pool(const ConvShape& shape, const AveragePoolParams& params, const void* input, void* output,
                   std::int64_t out_h = 0, std::int64_t out_w = 0, Isa isa = detect_isa());

/// Average over all pixels: [batch, pixels, channels] to [batch, channels].
void qglobal_average_pool(std::int64_t batch, std::int64_t pixels, std::int64_t channels,
                          const AveragePoolParams& params, const void* input, void* output, Isa isa = detect_isa());

}  // namespace xinfer::kernels
