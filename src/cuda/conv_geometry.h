#pragma once
// ConvGeometry: the sizes of a convolution (or of a Linear, as one with a single tap) at one batch size.

#include <cstdint>

#include "cuda/step.h"

namespace xinfer::cuda {

/// One spatial axis of a convolution.
struct ConvAxis {
  std::int64_t in = 1, out = 1;  ///< sizes of the input and of the output
  std::int64_t kernel = 1, stride = 1, dilation = 1;
  std::int64_t pad_begin = 0, pad_end = 0;

  /// One tap, and every input position is the output position.
  bool is_pointwise() const { return kernel == 1 && stride == 1 && pad_begin == 0 && pad_end == 0; }
};

/// Sizes of a Conv or ConvTranspose. Axes that the node lacks are trivial (size 1, one tap): a 1-D convolution has
/// only a width, a 2-D one height and width.
struct ConvGeometry {
  std::int64_t batch = 1;
  std::int64_t channels = 1;  ///< C of the input
  std::int64_t outputs = 1;   ///< O, channels of the output
  std::int64_t groups = 1;
  bool transposed = false;  ///< ConvTranspose: output position = input position * stride + tap * dilation - pad_begin
  ConvAxis depth, height, width;

  std::int64_t taps() const { return depth.kernel * height.kernel * width.kernel; }
  std::int64_t channels_per_group() const { return channels / groups; }
  std::int64_t outputs_per_group() const { return outputs / groups; }
  std::int64_t in_positions() const { return depth.in * height.in * width.in; }      ///< per image
  std::int64_t out_positions() const { return depth.out * height.out * width.out; }  ///< per image
  std::int64_t rows() const { return batch * out_positions(); }  ///< of the output seen as a matrix rows x outputs
  /// One tap, stride 1, no padding: a matrix product.
  bool is_pointwise() const {
    return !transposed && depth.is_pointwise() && height.is_pointwise() && width.is_pointwise();
  }
  bool is_depthwise() const { return groups > 1 && groups == channels && groups == outputs; }
};

/// Of a Conv or ConvTranspose node with one to three spatial axes.
ConvGeometry conv_geometry(const Request& request);

/// Of a Linear node: batch = rows (all axes of the input but the last), channels = K, everything else trivial.
ConvGeometry linear_geometry(const Request& request);

/// Up to a multiple of kPadding, as padded formats store channels.
constexpr std::int64_t padded(std::int64_t channels) { return (channels + kPadding - 1) / kPadding * kPadding; }

}  // namespace xinfer::cuda
