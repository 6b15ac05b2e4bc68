#pragma once
// PixelEncoding: which numbers stand for the colours of an image in a network's input, so that they can be undone.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "xinfer/core/preprocessing.h"
#include "xinfer/core/tensor.h"
#include "xtorch/transform.h"

namespace xinfer::builders {

/// Channel c of the input is scale[c] * pixel + offset[c], the pixel being that of colour channel c, or of channel
/// size - 1 - c when `swapped`, in [0, 1].
struct PixelEncoding {
  bool swapped = false;
  std::vector<float> scale, offset;
};

/// The encoding that steps of preprocessing give to `channels` channels. Nothing when a step is the user's own code or
/// doesn't fit that number of channels.
std::optional<PixelEncoding> encoding_of(const Preprocessing& preprocessing, std::int64_t channels);

/// The same for images at hand: without any step, pixels in [0, 1] or [0, 255] are taken for what they look like, and
/// others are unknown. `images` as is_image() wants them, with equal numbers of channels.
std::optional<PixelEncoding> encoding_of(const Preprocessing& preprocessing, std::span<const Tensor> images);

/// True for one picture as a network takes it: float, [1, 1 or 3, height, width].
bool is_image(const Tensor& tensor);

/// Colours in [0, 1], and the way back; nothing is clipped. `image` as is_image() wants it.
xt::transforms::ImageTensor decode_pixels(const Tensor& image, const PixelEncoding& encoding);
Tensor encode_pixels(const xt::transforms::ImageTensor& image, const PixelEncoding& encoding);

}  // namespace xinfer::builders
