#include "kernels/conv_shape.h"

#include <fmt/format.h>

#include <algorithm>

#include "xinfer/core/errors.h"

namespace xinfer::kernels {

void check_shape(const ConvShape& s, const char* what) {
  const std::int64_t positive[] = {s.batch,    s.in_h,     s.in_w,     s.in_channels, s.out_channels, s.groups,
                                   s.kernel_h, s.kernel_w, s.stride_h, s.stride_w,    s.dilation_h,   s.dilation_w};
  if (std::ranges::any_of(positive, [](std::int64_t v) { return v < 1; })) {
    throw Error(fmt::format("{}: a size, stride or dilation is not positive", what));
  }
  if (std::min({s.pad_top, s.pad_left, s.pad_bottom, s.pad_right}) < 0) {
    throw Error(fmt::format("{}: a padding is negative", what));
  }
  if (s.in_channels % s.groups != 0 || s.out_channels % s.groups != 0) {
    throw Error(fmt::format("{}: {} input and {} output channels don't divide into {} groups", what, s.in_channels,
                            s.out_channels, s.groups));
  }
  if (s.in_h + s.pad_top + s.pad_bottom <= s.dilation_h * (s.kernel_h - 1) ||
      s.in_w + s.pad_left + s.pad_right <= s.dilation_w * (s.kernel_w - 1)) {
    throw Error(fmt::format("{}: a {}x{} window doesn't fit into a {}x{} input with its padding", what,
                            s.dilation_h * (s.kernel_h - 1) + 1, s.dilation_w * (s.kernel_w - 1) + 1, s.in_h, s.in_w));
  }
}

}  // namespace xinfer::kernels
