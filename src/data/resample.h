#pragma once
// Separable antialiased bilinear resampling of float planes.

#include <cstdint>
#include <vector>

#include "xtorch/transform.h"

namespace xt::detail {

/// `image` at another size, with the triangle filter of Pillow (Resample.c, BILINEAR) and PyTorch (antialias=True,
/// align_corners=False). Sizes are positive. Throws xinfer::DataError when the result would exceed kMaxImagePixels.
transforms::ImageTensor resample(const transforms::ImageTensor& image, std::int64_t height, std::int64_t width);

}  // namespace xt::detail
