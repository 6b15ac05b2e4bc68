#pragma once
// Decoded images: JPEG, PNG, WebP and BMP to 8-bit RGB.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace xt {

/// 8-bit RGB pixels, interleaved and without row padding: pixels[(y * width + x) * 3 + channel].
struct Image {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::vector<std::uint8_t> pixels;
};

/// Images that declare more pixels than this are refused before any memory is taken for them.
inline constexpr std::int64_t kMaxImagePixels = std::int64_t{1} << 28;

/// Decodes a JPEG, PNG, WebP or BMP file held in memory. The first bytes decide the format, never a file name.
///
/// The pixels are those of Pillow's `Image.open(...).convert("RGB")`: gray is repeated, alpha is dropped (not blended),
/// CMYK is converted without a colour profile, an EXIF orientation is not applied, gamma and colour profiles are
/// ignored. Of 16-bit PNG samples the high byte is kept.
///
/// Throws xinfer::DataError, which begins with `name`, when the data is of another format, truncated, damaged in any
/// way that the decoder notices, or larger than kMaxImagePixels. Thread-safe.
Image decode_image(std::span<const std::uint8_t> bytes, const std::string& name);

/// decode_image() of a file. Throws xinfer::DataError also when the file is missing, unreadable, empty or not a file.
Image read_image(const std::filesystem::path& path);

}  // namespace xt
