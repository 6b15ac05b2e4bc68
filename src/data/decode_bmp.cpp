// BMP through stb_image, which knows no end of file in this format (missing bytes read as zero): the sizes that the
// headers declare are checked against the file first.

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#include <stb/stb_image.h>

#include "data/decoders.h"

namespace xt::detail {
namespace {

struct FreePixels {
  void operator()(stbi_uc* pixels) const { stbi_image_free(pixels); }
};

constexpr std::size_t kFileHeaderBytes = 14;
constexpr std::uint32_t kCoreHeaderBytes = 12;  // OS/2: 16-bit sizes
constexpr std::uint32_t kInfoHeaderBytes = 40;

std::uint32_t read_u16(Bytes bytes, std::size_t at) { return bytes[at] | (std::uint32_t{bytes[at + 1]} << 8); }
std::uint32_t read_u32(Bytes bytes, std::size_t at) { return read_u16(bytes, at) | (read_u16(bytes, at + 2) << 16); }

struct Layout {
  std::int64_t width;
  std::int64_t height;
  std::uint64_t pixels_at;
  std::uint64_t row_bytes;
};

Layout read_layout(Bytes bytes, const std::string& name) {
  if (bytes.size() < kFileHeaderBytes + 4) {
    fail_decoding(name, "the BMP file ends within its header");
  }
  const std::uint32_t header_bytes = read_u32(bytes, kFileHeaderBytes);
  const bool core = header_bytes == kCoreHeaderBytes;
  if (!core && header_bytes < kInfoHeaderBytes) {
    fail_decoding(name, fmt::format("its BMP header of {} bytes is of an unknown kind", header_bytes));
  }
  if (bytes.size() < kFileHeaderBytes + std::uint64_t{header_bytes}) {
    fail_decoding(name, "the BMP file ends within its header");
  }
  Layout layout{};
  const std::size_t sizes_at = kFileHeaderBytes + 4;
  std::uint32_t bits = 0;
  if (core) {
    layout.width = read_u16(bytes, sizes_at);
    layout.height = read_u16(bytes, sizes_at + 2);
    bits = read_u16(bytes, sizes_at + 6);
  } else {
    // A negative height means that the first row is the top one.
    layout.width = static_cast<std::int32_t>(read_u32(bytes, sizes_at));
    layout.height = std::abs(std::int64_t{static_cast<std::int32_t>(read_u32(bytes, sizes_at + 4))});
    bits = read_u16(bytes, sizes_at + 10);
  }
  layout.pixels_at = read_u32(bytes, 10);
  if (layout.width > 0) {
    layout.row_bytes = (static_cast<std::uint64_t>(layout.width) * bits + 31) / 32 * 4;
  }
  return layout;
}

}  // namespace

Image decode_bmp(Bytes bytes, const std::string& name) {
  const Layout layout = read_layout(bytes, name);
  check_dimensions(layout.height, layout.width, name);
  // The last row's padding is often left out.
  const std::uint64_t needed = layout.pixels_at + layout.row_bytes * static_cast<std::uint64_t>(layout.height);
  if (needed > bytes.size() + std::uint64_t{3}) {
    fail_decoding(name, fmt::format("the BMP file is truncated: {} bytes of at least {}", bytes.size(), needed));
  }
  int width = 0;
  int height = 0;
  int channels = 0;
  const std::unique_ptr<stbi_uc, FreePixels> pixels(
      stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &channels, STBI_rgb));
  if (pixels == nullptr) {
    fail_decoding(name, fmt::format("its BMP data is damaged or of an unsupported kind: {}", stbi_failure_reason()));
  }
  if (width != layout.width || height != layout.height) {
    fail_decoding(name, "its BMP headers contradict themselves");
  }
  Image image = allocate_image(height, width, name);
  std::memcpy(image.pixels.data(), pixels.get(), image.pixels.size());
  return image;
}

}  // namespace xt::detail
