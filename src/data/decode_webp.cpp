// WebP through libwebp.

#include <fmt/format.h>
#include <webp/decode.h>

#include "data/decoders.h"

namespace xt::detail {
namespace {

const char* reason_of(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OK:
      return "no error";
    case VP8_STATUS_OUT_OF_MEMORY:
      return "not enough memory";
    case VP8_STATUS_INVALID_PARAM:
      return "invalid parameter";
    case VP8_STATUS_BITSTREAM_ERROR:
      return "the bit stream is damaged";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "it uses a feature that libwebp lacks";
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return "the file ends too early";
    case VP8_STATUS_USER_ABORT:
      return "decoding was stopped";
  }
  return "unknown error";
}

}  // namespace

Image decode_webp(Bytes bytes, const std::string& name) {
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) {
    fail_decoding(name, "libwebp is of another version than the one that xInfer was built with");
  }
  VP8StatusCode status = WebPGetFeatures(bytes.data(), bytes.size(), &config.input);
  if (status != VP8_STATUS_OK) {
    fail_decoding(name, fmt::format("its WebP header is damaged: {}", reason_of(status)));
  }
  if (config.input.has_animation != 0) {
    fail_decoding(name, "animated WebP is not supported", "save the frames as single images");
  }
  Image image = allocate_image(config.input.height, config.input.width, name);
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = image.pixels.data();
  config.output.u.RGBA.stride = static_cast<int>(image.width * 3);
  config.output.u.RGBA.size = image.pixels.size();
  status = WebPDecode(bytes.data(), bytes.size(), &config);
  WebPFreeDecBuffer(&config.output);
  if (status != VP8_STATUS_OK) {
    fail_decoding(name, fmt::format("its WebP data is damaged: {}", reason_of(status)));
  }
  return image;
}

}  // namespace xt::detail
