// The samples that quantization hurt most, and their pictures.
#include "builders/worst_samples.h"

#include <algorithm>
#include <cmath>

#include "builders/helpers.h"
#include "builders/pixel_encoding.h"
#include "xtorch/image.h"
#include "xtorch/xtorch.h"

namespace xinfer::builders::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Tensor scores(const std::vector<float>& values) {
  return Tensor::from<float>({1, static_cast<std::int64_t>(values.size())}, values);
}

std::vector<std::string> names_of(const std::vector<WorstSample>& worst) {
  std::vector<std::string> names;
  for (const WorstSample& sample : worst) names.push_back(sample.image);
  return names;
}

struct Data {
  std::vector<quantize::Sample> samples;
  std::vector<std::vector<Tensor>> wanted, got;

  void add(const std::string& name, const std::vector<float>& a, const std::vector<float>& b) {
    samples.push_back({{Tensor::from<float>({1, 2}, {1, 2})}, name});
    wanted.push_back({scores(a)});
    got.push_back({scores(b)});
  }
};

TEST(WorstSamples, OtherAnswersFirstThenTheLowestSqnr) {
  Data data;
  data.add("exact", {1, 2, 3}, {1, 2, 3});
  data.add("good", {0, 0, 9}, {0, 0.1F, 9});
  data.add("flipped", {0, 5, 5.1F}, {0, 5.2F, 5.1F});
  data.add("bad", {0, 0, 9}, {0, 3, 9});
  data.add("flipped badly", {0, 5, 5.1F}, {0, 6, 1});
  const auto worst = worst_samples(data.samples, data.wanted, data.got, {.labels = {"cat", "dog"}});
  EXPECT_THAT(names_of(worst), ElementsAre("flipped badly", "flipped", "bad", "good"));
  EXPECT_THAT(worst[1].float_answer, HasSubstr("class 2 (52."));
  EXPECT_THAT(worst[1].int8_answer, HasSubstr("dog (52."));
  EXPECT_NEAR(worst[2].sqnr_db, 10 * std::log10(81.0 / 9.0), 1e-6);
  EXPECT_EQ(worst[0].thumbnail, "");
  EXPECT_THAT(names_of(worst_samples(data.samples, data.wanted, data.got, {.count = 1})), ElementsAre("flipped badly"));
}

TEST(WorstSamples, ProbabilitiesAreTakenAsTheyAre) {
  Data data;
  data.add("", {0.25F, 0.75F}, {0.5F, 0.5F});
  const auto worst = worst_samples(data.samples, data.wanted, data.got);
  ASSERT_EQ(worst.size(), 1U);
  EXPECT_EQ(worst[0].image, "sample 0");
  EXPECT_EQ(worst[0].float_answer, "class 1 (75.0 %)");
  EXPECT_EQ(worst[0].int8_answer, "class 0 (50.0 %)");
}

TEST(WorstSamples, WithoutClassesThereAreNoAnswers) {
  std::vector<quantize::Sample> samples(2);
  const std::vector<std::vector<Tensor>> wanted = {{random_tensor({1, 4, 4}, 1), random_tensor({1, 3}, 2)},
                                                   {random_tensor({1, 4, 4}, 3), random_tensor({1, 3}, 4)}};
  std::vector<std::vector<Tensor>> got = wanted;
  got[1][1] = random_tensor({1, 3}, 5);  // the second output counts as well
  const auto worst = worst_samples(samples, wanted, got);
  EXPECT_THAT(names_of(worst), ElementsAre("sample 1"));
  EXPECT_EQ(worst[0].float_answer, "");
  EXPECT_THROW(worst_samples(samples, wanted, {}), Error);
}

xt::Image decode(const std::string& bytes) {
  return xt::decode_image({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "thumbnail");
}

/// A picture whose pixel at (y, x) is (y, x, 100), in bytes.
xt::transforms::ImageTensor ramp(std::int64_t height, std::int64_t width) {
  xt::transforms::ImageTensor image{3, height, width, {}};
  for (int c = 0; c < 3; ++c) {
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        image.values.push_back(static_cast<float>(c == 0 ? y : c == 1 ? x : 100) / 255.0F);
      }
    }
  }
  return image;
}

Tensor to_tensor(const xt::transforms::ImageTensor& image) {
  return Tensor::from<float>({1, image.channels, image.height, image.width}, image.values);
}

xt::transforms::Compose usual_transforms() {
  return xt::transforms::Compose({std::make_shared<xt::transforms::image::ToBgr>(),
                                  std::make_shared<xt::transforms::general::Scale>(255.0F),
                                  std::make_shared<xt::transforms::general::Normalize>(
                                      std::vector<float>{103, 116, 123}, std::vector<float>{57, 58, 59})});
}

TEST(Thumbnail, UndoesThePreprocessing) {
  xt::transforms::ImageTensor image = ramp(20, 10);
  const auto transforms = usual_transforms();
  xt::transforms::image::ToBgr().apply(image);
  xt::transforms::general::Scale(255.0F).apply(image);
  xt::transforms::general::Normalize({103, 116, 123}, {57, 58, 59}).apply(image);
  const xt::Image shown = decode(thumbnail(to_tensor(image), transforms.preprocessing()));
  ASSERT_EQ(shown.height, 20);
  ASSERT_EQ(shown.width, 10);
  for (std::size_t y = 0; y < 20; ++y) {
    for (std::size_t x = 0; x < 10; ++x) {
      EXPECT_EQ(shown.pixels[(y * 10 + x) * 3], y);
      EXPECT_EQ(shown.pixels[(y * 10 + x) * 3 + 1], x);
      EXPECT_EQ(shown.pixels[(y * 10 + x) * 3 + 2], 100);
    }
  }
}

TEST(Thumbnail, HasAtMost96PixelsASide) {
  const xt::Image shown = decode(thumbnail(to_tensor(ramp(224, 112)), {}));
  EXPECT_EQ(shown.height, 96);
  EXPECT_EQ(shown.width, 48);
  EXPECT_NEAR(shown.pixels[2], 100, 1);
}

TEST(Thumbnail, GrayAndUnknownPictures) {
  Preprocessing custom;
  custom.steps.push_back({.kind = PreprocessStep::Kind::kCustom, .sizes = {}, .values = {}, .name = "mine"});
  const Tensor gray = Tensor::from<float>({1, 1, 1, 3}, {-4, 0, 4});
  EXPECT_THAT(decode(thumbnail(gray, custom)).pixels, ElementsAre(0, 0, 0, 128, 128, 128, 255, 255, 255));
  EXPECT_EQ(thumbnail(random_tensor({1, 5}, 1), {}), "");
  EXPECT_EQ(thumbnail(random_tensor({1, 4, 8, 8}, 1), {}), "");
}

TEST(PixelEncoding, IsUndoneExactlyEnough) {
  const Preprocessing steps = usual_transforms().preprocessing();
  const auto encoding = encoding_of(steps, 3);
  ASSERT_TRUE(encoding.has_value());
  EXPECT_TRUE(encoding->swapped);
  const Tensor input = random_tensor({1, 3, 4, 4}, 9);
  const Tensor again = encode_pixels(decode_pixels(input, *encoding), *encoding);
  for (std::size_t i = 0; i < 48; ++i) EXPECT_NEAR(again.data<float>()[i], input.data<float>()[i], 1e-4);
  EXPECT_FALSE(encoding_of(steps, 1).has_value());
}

TEST(PixelEncoding, WithoutStepsPixelsShowIt) {
  const auto scale_of = [](const std::vector<float>& values) {
    const std::vector<Tensor> images = {Tensor::from<float>({1, 1, 1, 3}, values)};
    const auto encoding = encoding_of(Preprocessing{}, images);
    return encoding ? encoding->scale.at(0) : 0.0F;
  };
  EXPECT_EQ(scale_of({0, 0.5F, 1}), 1);
  EXPECT_EQ(scale_of({0, 17, 255}), 255);
  EXPECT_EQ(scale_of({-1, 0, 1}), 0);
  EXPECT_EQ(scale_of({0, 0, 1000}), 0);
}

}  // namespace
}  // namespace xinfer::builders::testing
