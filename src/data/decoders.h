#pragma once
// The decoders behind decode_image(), one a format. Each throws xinfer::DataError that begins with `name`.

#include <cstdint>
#include <span>
#include <string>

#include "xtorch/image.h"

namespace xt::detail {

using Bytes = std::span<const std::uint8_t>;

Image decode_jpeg(Bytes bytes, const std::string& name);
Image decode_png(Bytes bytes, const std::string& name);
Image decode_webp(Bytes bytes, const std::string& name);
Image decode_bmp(Bytes bytes, const std::string& name);

/// Throws the DataError of an image that can't be decoded.
[[noreturn]] void fail_decoding(const std::string& name, const std::string& reason, const std::string& hint = "");

/// Throws DataError when a side is not positive or kMaxImagePixels is exceeded.
void check_dimensions(std::int64_t height, std::int64_t width, const std::string& name);

/// An image of this size with its memory, after check_dimensions().
Image allocate_image(std::int64_t height, std::int64_t width, const std::string& name);

}  // namespace xt::detail
