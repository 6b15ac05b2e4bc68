#include "xtorch/image.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>

#include "data/decoders.h"
#include "xinfer/core/errors.h"

namespace xt {
namespace {

using detail::Bytes;

// Decoders take sizes as int, and no image that passes kMaxImagePixels needs more.
constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{1} << 30;

struct Format {
  std::string_view name;
  std::size_t offset;
  std::string_view magic;
  Image (*decode)(Bytes, const std::string&);  // null: recognised, so that the message can name it, but not supported
};

using namespace std::string_view_literals;
constexpr std::array kFormats = {
    Format{"JPEG", 0, "\xff\xd8\xff"sv, detail::decode_jpeg},
    Format{"PNG", 0, "\x89PNG\r\n\x1a\n"sv, detail::decode_png},
    Format{"WebP", 8, "WEBP"sv, detail::decode_webp},
    Format{"BMP", 0, "BM"sv, detail::decode_bmp},
    Format{"GIF", 0, "GIF8"sv, nullptr},
    Format{"TIFF", 0, "II*\0"sv, nullptr},
    Format{"TIFF", 0, "MM\0*"sv, nullptr},
    Format{"HEIF, AVIF or MP4", 4, "ftyp"sv, nullptr},
};

bool matches(const Format& format, Bytes bytes) {
  return bytes.size() >= format.offset + format.magic.size() &&
         std::memcmp(bytes.data() + format.offset, format.magic.data(), format.magic.size()) == 0;
}

std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path) {
  const std::string name = path.string();
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    detail::fail_decoding(name, "there is no such file");
  }
  if (!std::filesystem::status_known(status)) {
    detail::fail_decoding(name, error.message());
  }
  if (!std::filesystem::is_regular_file(status)) {
    detail::fail_decoding(name, std::filesystem::is_directory(status) ? "it is a folder" : "it is not a regular file");
  }
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) {
    detail::fail_decoding(name, error.message());
  }
  if (size > kMaxFileBytes) {
    detail::fail_decoding(name, fmt::format("the file has {} bytes, more than the limit of {}", size, kMaxFileBytes));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    detail::fail_decoding(name, std::strerror(errno));
  }
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  if (!bytes.empty() && !file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size))) {
    detail::fail_decoding(name, "reading it failed half way");
  }
  return bytes;
}

}  // namespace

namespace detail {

void fail_decoding(const std::string& name, const std::string& reason, const std::string& hint) {
  throw xinfer::DataError(fmt::format("can't read image '{}': {}", name, reason), hint);
}

void check_dimensions(std::int64_t height, std::int64_t width, const std::string& name) {
  if (height <= 0 || width <= 0) {
    fail_decoding(name, fmt::format("its header declares {} x {} pixels", width, height));
  }
  if (height > kMaxImagePixels / width) {
    fail_decoding(name, fmt::format("its header declares {} x {} pixels, more than the limit of {}", width, height,
                                    kMaxImagePixels));
  }
}

Image allocate_image(std::int64_t height, std::int64_t width, const std::string& name) {
  check_dimensions(height, width, name);
  return {height, width, std::vector<std::uint8_t>(static_cast<std::size_t>(height * width * 3))};
}

}  // namespace detail

Image decode_image(Bytes bytes, const std::string& name) {
  if (bytes.empty()) {
    detail::fail_decoding(name, "the file is empty");
  }
  const auto format =
      std::find_if(kFormats.begin(), kFormats.end(), [&](const Format& f) { return matches(f, bytes); });
  if (format == kFormats.end()) {
    detail::fail_decoding(name, "its content is not an image of a known format",
                          "use JPEG, PNG, WebP or BMP; the content counts, not the file's extension");
  }
  if (format->decode == nullptr) {
    detail::fail_decoding(name, fmt::format("{} is not supported", format->name),
                          "convert it to JPEG, PNG, WebP or BMP");
  }
  return format->decode(bytes, name);
}

Image read_image(const std::filesystem::path& path) { return decode_image(read_bytes(path), path.string()); }

}  // namespace xt
