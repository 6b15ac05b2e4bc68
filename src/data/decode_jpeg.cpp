// JPEG through libjpeg-turbo's TurboJPEG API.

#include <fmt/format.h>
#include <turbojpeg.h>

#include <memory>
#include <type_traits>

#include "data/decoders.h"

namespace xt::detail {
namespace {

struct DestroyHandle {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Handle = std::unique_ptr<void, DestroyHandle>;

// The accurate inverse DCT and smooth chroma upsampling are what Pillow and torchvision use. Hostile progressive files
// with thousands of scans are cut off.
constexpr int kFlags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS;

// a * b / 255, rounded, in the integer form that Pillow uses.
std::uint8_t scaled(int a, int b) {
  const int product = a * b + 128;
  return static_cast<std::uint8_t>((product + (product >> 8)) >> 8);
}

// Adobe stores CMYK inverted, so 255 means no ink, and in practice every CMYK JPEG is Adobe's.
void inverted_cmyk_to_rgb(const std::vector<std::uint8_t>& cmyk, std::vector<std::uint8_t>& rgb) {
  for (std::size_t i = 0; i * 4 < cmyk.size(); ++i) {
    const int light = cmyk[i * 4 + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      rgb[i * 3 + c] = static_cast<std::uint8_t>(light - scaled(255 - cmyk[i * 4 + c], light));
    }
  }
}

}  // namespace

Image decode_jpeg(Bytes bytes, const std::string& name) {
  const Handle handle(tjInitDecompress());
  if (handle == nullptr) {
    fail_decoding(name, fmt::format("libjpeg-turbo could not start: {}", tjGetErrorStr2(nullptr)));
  }
  int width = 0;
  int height = 0;
  int subsampling = 0;
  int colorspace = 0;
  const auto size = static_cast<unsigned long>(bytes.size());
  if (tjDecompressHeader3(handle.get(), bytes.data(), size, &width, &height, &subsampling, &colorspace) != 0) {
    fail_decoding(name, fmt::format("its JPEG header is damaged: {}", tjGetErrorStr2(handle.get())));
  }
  Image image = allocate_image(height, width, name);
  const bool cmyk = colorspace == TJCS_CMYK || colorspace == TJCS_YCCK;
  std::vector<std::uint8_t> inks(cmyk ? static_cast<std::size_t>(height) * width * 4 : 0);
  std::uint8_t* target = cmyk ? inks.data() : image.pixels.data();
  // A warning fails as an error does: it stands for missing or damaged data, of which the decoder makes gray areas.
  if (tjDecompress2(handle.get(), bytes.data(), size, target, width, /*pitch=*/0, height, cmyk ? TJPF_CMYK : TJPF_RGB,
                    kFlags) != 0) {
    fail_decoding(name, fmt::format("its JPEG data is truncated or damaged: {}", tjGetErrorStr2(handle.get())));
  }
  if (cmyk) {
    inverted_cmyk_to_rgb(inks, image.pixels);
  }
  return image;
}

}  // namespace xt::detail
