#pragma once
// The geometry of a 2-D convolution or pooling over NHWC activations.

#include <cstdint>

namespace xinfer::kernels {

/// Sizes of a 2-D window operator. Padding is filled with the integer 0 (convolutions) or left out (pooling).
struct ConvShape {
  std::int64_t batch = 1;
  std::int64_t in_h = 1, in_w = 1;
  std::int64_t in_channels = 1, out_channels = 1;
  std::int64_t groups = 1;
  std::int64_t kernel_h = 1, kernel_w = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;

  std::int64_t out_h() const { return (in_h + pad_top + pad_bottom - dilation_h * (kernel_h - 1) - 1) / stride_h + 1; }
  std::int64_t out_w() const { return (in_w + pad_left + pad_right - dilation_w * (kernel_w - 1) - 1) / stride_w + 1; }
};

/// Throws Error when a size is not positive, a padding is negative, channels don't divide by groups, or the output
/// would be empty. `what` names the kernel in the message.
void check_shape(const ConvShape& shape, const char* what);

}  // namespace xinfer::kernels
