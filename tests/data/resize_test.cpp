// Resize against PyTorch's antialiased bilinear interpolation.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "data/helpers.h"
#include "xinfer/core/errors.h"
#include "xtorch/xtorch.h"

namespace {

using namespace data_test;
using xt::transforms::ImageTensor;
using xt::transforms::image::Resize;

struct Case {
  int height, width, out_height, out_width;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.height << 'x' << c.width << " to " << c.out_height << 'x' << c.out_width;
}

class ResizeFixture : public testing::TestWithParam<Case> {};

TEST_P(ResizeFixture, EqualsPyTorch) {
  const Case c = GetParam();
  const std::string name = "resize_" + std::to_string(c.height) + "x" + std::to_string(c.width) + "_to_" +
                           std::to_string(c.out_height) + "x" + std::to_string(c.out_width) + ".f32";
  const Bytes bytes = read_file(fixture(name));
  std::vector<float> expected(bytes.size() / sizeof(float));
  std::memcpy(expected.data(), bytes.data(), bytes.size());

  ImageTensor image = xt::transforms::to_image_tensor(pattern(c.height, c.width));
  Resize({c.out_height, c.out_width}).apply(image);
  EXPECT_EQ(image.height, c.out_height);
  EXPECT_EQ(image.width, c.out_width);
  ASSERT_EQ(image.values.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(image.values[i], expected[i], 2e-6) << "value " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, ResizeFixture,
                         testing::Values(Case{13, 17, 7, 5}, Case{9, 7, 21, 16}, Case{37, 23, 16, 16},
                                         Case{5, 40, 11, 9}, Case{64, 48, 3, 2}, Case{8, 8, 8, 3}, Case{1, 1, 4, 5}));

std::pair<std::int64_t, std::int64_t> shorter_side(std::int64_t height, std::int64_t width, std::int64_t size) {
  ImageTensor image = xt::transforms::to_image_tensor(pattern(height, width));
  Resize({size}).apply(image);
  return {image.height, image.width};
}

TEST(Resize, OneNumberIsTheShorterSide) {
  EXPECT_EQ(shorter_side(375, 500, 256), std::pair(std::int64_t{256}, std::int64_t{341}));  // 341.33
  EXPECT_EQ(shorter_side(500, 333, 256), std::pair(std::int64_t{384}, std::int64_t{256}));  // 384.38
  EXPECT_EQ(shorter_side(10, 10, 7), std::pair(std::int64_t{7}, std::int64_t{7}));
}

TEST(Resize, SameSizeChangesNothing) {
  ImageTensor image = xt::transforms::to_image_tensor(pattern(9, 11));
  const std::vector<float> before = image.values;
  Resize({9, 11}).apply(image);
  EXPECT_EQ(image.values, before);
}

TEST(Resize, KeepsAConstantPicture) {
  ImageTensor image{2, 31, 57, std::vector<float>(2 * 31 * 57, 0.7F)};
  Resize({13, 80}).apply(image);
  for (const float value : image.values) {
    ASSERT_NEAR(value, 0.7F, 1e-6);
  }
}

TEST(Resize, RefusesBadSizesAndResultsTooLarge) {
  EXPECT_THROW(Resize({0, 5}), xinfer::Error);
  EXPECT_THROW(Resize({5, -1}), xinfer::Error);
  EXPECT_THROW(Resize(std::vector<std::int64_t>{}), xinfer::Error);
  EXPECT_THROW(Resize({1, 2, 3}), xinfer::Error);
  EXPECT_THROW(Resize({std::int64_t{1} << 40, std::int64_t{1} << 40}), xinfer::Error);
  ImageTensor thin{1, 1, 100000, std::vector<float>(100000)};
  EXPECT_THROW(Resize({1000}).apply(thin), xinfer::DataError);
}

}  // namespace
