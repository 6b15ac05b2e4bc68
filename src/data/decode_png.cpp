// PNG through libpng. The low-level interface, since the simplified one applies gamma and blends alpha, and Pillow
// does neither.

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "data/decoders.h"

namespace xt::detail {
namespace {

constexpr png_uint_32 kMaxSide = 1000000;
// The best that deflate can do, a byte of the file for so many of the picture.
constexpr std::uint64_t kMaxDeflateRatio = 1032;
constexpr png_alloc_size_t kMaxChunkBytes = png_alloc_size_t{64} << 20;

struct Source {
  Bytes rest;
  std::array<char, 256> error{};
};

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  auto* source = static_cast<Source*>(png_get_error_ptr(png));
  std::snprintf(source->error.data(), source->error.size(), "%s", message);
  png_longjmp(png, 1);
}

// Warnings are about chunks that hold no pixels.
void on_warning(png_structp, png_const_charp) {}

void read_from_source(png_structp png, png_bytep out, std::size_t size) {
  auto* source = static_cast<Source*>(png_get_io_ptr(png));
  if (size > source->rest.size()) {
    png_error(png, "the file ends too early");
  }
  std::memcpy(out, source->rest.data(), size);
  source->rest = source->rest.subspan(size);
}

// Owns libpng's two structures.
class Reader {
 public:
  explicit Reader(Source& source)
      : png_(png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, on_error, on_warning)),
        info_(png_ == nullptr ? nullptr : png_create_info_struct(png_)) {}
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  bool valid() const { return info_ != nullptr; }
  png_structp png() { return png_; }
  png_infop info() { return info_; }

 private:
  png_structp png_;
  png_infop info_;
};

// The functions that call setjmp hold no object with a destructor, since longjmp would jump over it. False: see
// Source::error.
bool read_header(Reader& reader, Source& source) {
  if (setjmp(png_jmpbuf(reader.png())) != 0) {
    return false;
  }
  png_set_read_fn(reader.png(), &source, read_from_source);
  png_set_user_limits(reader.png(), kMaxSide, kMaxSide);
  png_set_chunk_malloc_max(reader.png(), kMaxChunkBytes);
  png_read_info(reader.png(), reader.info());
  return true;
}

bool prepare_rgb8(Reader& reader) {
  if (setjmp(png_jmpbuf(reader.png())) != 0) {
    return false;
  }
  png_set_expand(reader.png());
  png_set_strip_16(reader.png());
  png_set_gray_to_rgb(reader.png());
  png_set_strip_alpha(reader.png());
  png_set_interlace_handling(reader.png());
  png_read_update_info(reader.png(), reader.info());
  return true;
}

bool read_rows(Reader& reader, png_bytepp rows) {
  if (setjmp(png_jmpbuf(reader.png())) != 0) {
    return false;
  }
  png_read_image(reader.png(), rows);
  png_read_end(reader.png(), nullptr);
  return true;
}

}  // namespace

Image decode_png(Bytes bytes, const std::string& name) {
  Source source{.rest = bytes};
  Reader reader(source);
  if (!reader.valid()) {
    fail_decoding(name, "libpng could not start");
  }
  const auto fail = [&] { fail_decoding(name, fmt::format("its PNG data is damaged: {}", source.error.data())); };
  if (!read_header(reader, source)) {
    fail();
  }
  const png_uint_32 width = png_get_image_width(reader.png(), reader.info());
  const png_uint_32 height = png_get_image_height(reader.png(), reader.info());
  check_dimensions(height, width, name);
  // Before anything is allocated: a few bytes must not cost gigabytes.
  if (png_get_rowbytes(reader.png(), reader.info()) * std::uint64_t{height} / kMaxDeflateRatio > bytes.size()) {
    fail_decoding(name,
                  fmt::format("the PNG file of {} bytes is too short for {} x {} pixels", bytes.size(), width, height));
  }
  Image image = allocate_image(height, width, name);
  if (!prepare_rgb8(reader)) {
    fail();
  }
  const std::size_t row_bytes = static_cast<std::size_t>(width) * 3;
  if (png_get_rowbytes(reader.png(), reader.info()) != row_bytes) {
    fail_decoding(name, "libpng could not convert its PNG pixels to RGB");
  }
  std::vector<png_bytep> rows(height);
  for (std::size_t y = 0; y < rows.size(); ++y) {
    rows[y] = image.pixels.data() + y * row_bytes;
  }
  if (!read_rows(reader, rows.data())) {
    fail();
  }
  return image;
}

}  // namespace xt::detail
