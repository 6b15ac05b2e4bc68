#pragma once
// Writes a picture as a PNG file in memory.

#include <string>

#include "xtorch/image.h"

namespace xt {

/// The bytes of a PNG file (8-bit RGB), the same for the same picture. Throws xinfer::Error when a side is not
/// positive, the pixels don't fit the sides, or libpng fails. Thread-safe.
std::string encode_png(const Image& image);

}  // namespace xt
