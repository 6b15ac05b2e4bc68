#include "data/encode_png.h"

#include <fmt/format.h>
#include <png.h>

#include "xinfer/core/errors.h"

namespace xt {

std::string encode_png(const Image& image) {
  constexpr std::int64_t kMaxSide = 1000000;  // libpng's own limit
  if (image.height < 1 || image.width < 1 || image.height > kMaxSide || image.width > kMaxSide ||
      static_cast<std::int64_t>(image.pixels.size()) != image.height * image.width * 3) {
    throw xinfer::Error(fmt::format("{} bytes can't be written as a PNG picture of {} x {} pixels", image.pixels.size(),
                                    image.width, image.height));
  }
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = PNG_FORMAT_RGB;
  // Twice: first for the size alone.
  png_alloc_size_t size = 0;
  std::string bytes;
  bool good = png_image_write_to_memory(&header, nullptr, &size, 0, image.pixels.data(), 0, nullptr) != 0;
  if (good) {
    bytes.resize(size);
    good = png_image_write_to_memory(&header, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr) != 0;
  }
  const std::string message = static_cast<const char*>(header.message);
  png_image_free(&header);
  if (!good) throw xinfer::Error(fmt::format("libpng could not write a picture: {}", message));
  bytes.resize(size);
  return bytes;
}

}  // namespace xt
