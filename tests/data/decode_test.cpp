// Decoded pixels against those of Pillow.

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>

#include "data/helpers.h"
#include "xinfer/core/errors.h"

namespace {

using namespace data_test;

struct Case {
  const char* file;
  int tolerance;  // lossy formats may differ by a rounding between versions of their libraries
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.file; }

class DecodedPixels : public testing::TestWithParam<Case> {};

TEST_P(DecodedPixels, EqualPillow) {
  const xt::Image image = xt::read_image(fixture(GetParam().file));
  EXPECT_EQ(image.height, 17);
  EXPECT_EQ(image.width, 23);
  const Bytes expected = read_file(fixture(std::string(GetParam().file) + ".rgb"));
  ASSERT_EQ(image.pixels.size(), expected.size());
  int worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    worst = std::max(worst, std::abs(image.pixels[i] - expected[i]));
  }
  EXPECT_LE(worst, GetParam().tolerance);
}

INSTANTIATE_TEST_SUITE_P(Formats, DecodedPixels,
                         testing::Values(Case{"rgb_420.jpg", 1}, Case{"rgb_422.jpg", 1}, Case{"progressive.jpg", 1},
                                         Case{"gray.jpg", 1}, Case{"cmyk.jpg", 1}, Case{"rgb.png", 0},
                                         Case{"rgba.png", 0}, Case{"gray.png", 0}, Case{"gray_alpha.png", 0},
                                         Case{"one_bit.png", 0}, Case{"palette.png", 0},
                                         Case{"palette_transparent.png", 0}, Case{"gamma.png", 0}, Case{"rgb16.png", 0},
                                         Case{"interlaced.png", 0}, Case{"lossy.webp", 1},
                                         Case{"lossless_alpha.webp", 0}, Case{"rgb.bmp", 0}, Case{"palette.bmp", 0},
                                         Case{"one_bit.bmp", 0}));

TEST(Decode, YcckJpegIsConvertedThroughInvertedInks) {
  // One colour everywhere, so that the losses of JPEG are small. Adobe's inks are inverted: 255 is none.
  Bytes inks;
  for (int i = 0; i < 16 * 16; ++i) {
    inks.insert(inks.end(), {200, 100, 50, 128});
  }
  tjhandle handle = tjInitCompress();
  unsigned char* data = nullptr;
  unsigned long size = 0;
  ASSERT_EQ(tjCompress2(handle, inks.data(), 16, 0, 16, TJPF_CMYK, &data, &size, TJSAMP_444, 100, 0), 0);
  const xt::Image image = xt::decode_image({data, size}, "ycck");
  tjFree(data);
  tjDestroy(handle);
  const int expected[3] = {200 * 128 / 255, 100 * 128 / 255, 50 * 128 / 255};
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    ASSERT_NEAR(image.pixels[i], expected[i % 3], 3) << i;
  }
}

TEST(Decode, ContentDecidesNotTheExtension) {
  const TempDir dir;
  write_file(dir / "really_a_bmp.jpg", encode_bmp(pattern(5, 6)));
  EXPECT_EQ(xt::read_image(dir / "really_a_bmp.jpg").pixels, pattern(5, 6).pixels);
}

TEST(Decode, TopDownBmp) {
  Bytes bytes = encode_bmp(pattern(1, 6));
  for (std::size_t i = 22; i < 26; ++i) {
    bytes[i] = 0xff;  // height -1
  }
  EXPECT_EQ(xt::decode_image(bytes, "top-down").pixels, pattern(1, 6).pixels);
}

}  // namespace
