// PNG files written in memory.
#include "data/encode_png.h"

#include <gtest/gtest.h>

#include <random>

#include "xinfer/core/errors.h"

namespace xt {
namespace {

Image random_image(std::int64_t height, std::int64_t width) {
  std::mt19937 random(7);
  Image image{height, width, {}};
  for (std::int64_t i = 0; i < height * width * 3; ++i) image.pixels.push_back(static_cast<std::uint8_t>(random()));
  return image;
}

Image decode(const std::string& bytes) {
  return decode_image({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "written");
}

TEST(EncodePng, DecodesToTheSamePixels) {
  for (const auto& [height, width] : {std::pair{1, 1}, {5, 3}, {96, 71}}) {
    const Image image = random_image(height, width);
    const Image read = decode(encode_png(image));
    EXPECT_EQ(read.height, height);
    EXPECT_EQ(read.width, width);
    EXPECT_EQ(read.pixels, image.pixels);
  }
}

TEST(EncodePng, GivesTheSameBytesAgain) {
  EXPECT_EQ(encode_png(random_image(20, 30)), encode_png(random_image(20, 30)));
}

TEST(EncodePng, RefusesPixelsThatDoNotFit) {
  Image image = random_image(4, 4);
  image.pixels.pop_back();
  EXPECT_THROW(encode_png(image), xinfer::Error);
  EXPECT_THROW(encode_png(Image{}), xinfer::Error);
  EXPECT_THROW(encode_png(Image{-1, -1, {0, 0, 0}}), xinfer::Error);
}

}  // namespace
}  // namespace xt
