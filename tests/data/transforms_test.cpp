#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "data/helpers.h"
#include "xinfer/core/errors.h"
#include "xtorch/xtorch.h"

namespace {

using namespace data_test;
using namespace xt::transforms;
using testing::ElementsAre;
using testing::HasSubstr;
using xinfer::PreprocessStep;

ImageTensor ramp(std::int64_t channels, std::int64_t height, std::int64_t width) {
  ImageTensor image{channels, height, width, {}};
  for (std::int64_t i = 0; i < channels * height * width; ++i) {
    image.values.push_back(static_cast<float>(i));
  }
  return image;
}

TEST(ToImageTensor, MakesPlanesInUnitRange) {
  const ImageTensor image = to_image_tensor({1, 2, {0, 51, 255, 102, 153, 204}});
  EXPECT_THAT(image.values, ElementsAre(0.0F, 0.4F, 0.2F, 0.6F, 1.0F, 0.8F));
  EXPECT_THROW(to_image_tensor({2, 2, {1, 2, 3}}), xinfer::DataError);
}

TEST(CenterCrop, CutsTheMiddle) {
  ImageTensor image = ramp(1, 4, 5);
  image::CenterCrop({2, 3}).apply(image);
  EXPECT_THAT(image.values, ElementsAre(6, 7, 8, 11, 12, 13));
}

TEST(CenterCrop, RoundsHalfOffsetsToEven) {
  ImageTensor first = ramp(1, 1, 4);  // offset 0.5: 0
  image::CenterCrop({1, 3}).apply(first);
  EXPECT_THAT(first.values, ElementsAre(0, 1, 2));
  ImageTensor second = ramp(1, 1, 6);  // offset 1.5: 2
  image::CenterCrop({1, 3}).apply(second);
  EXPECT_THAT(second.values, ElementsAre(2, 3, 4));
}

TEST(CenterCrop, PadsSmallPicturesWithZeros) {
  ImageTensor image{1, 1, 2, {5, 6}};
  image::CenterCrop({2, 5}).apply(image);  // one column left, two right; no row above, one below
  EXPECT_THAT(image.values, ElementsAre(0, 5, 6, 0, 0, 0, 0, 0, 0, 0));
  ImageTensor mixed = ramp(1, 1, 4);
  image::CenterCrop({3, 2}).apply(mixed);
  EXPECT_THAT(mixed.values, ElementsAre(0, 0, 1, 2, 0, 0));
}

TEST(Pad, AddsBordersInAllChannels) {
  ImageTensor image{2, 1, 1, {1, 2}};
  image::Pad({1, 0, 0, 1}, 9.0F).apply(image);
  EXPECT_EQ(image.height, 2);
  EXPECT_EQ(image.width, 2);
  EXPECT_THAT(image.values, ElementsAre(9, 1, 9, 9, 9, 2, 9, 9));
}

TEST(Letterbox, KeepsTheAspectAndCentres) {
  ImageTensor image{1, 2, 4, std::vector<float>(8, 1.0F)};
  image::Letterbox({5, 4}, 0.25F).apply(image);
  EXPECT_EQ(image.height, 5);
  EXPECT_THAT(std::vector<float>(image.values.begin(), image.values.begin() + 4), testing::Each(0.25F));
  EXPECT_THAT(std::vector<float>(image.values.begin() + 4, image.values.begin() + 12), testing::Each(1.0F));
  EXPECT_THAT(std::vector<float>(image.values.begin() + 12, image.values.end()), testing::Each(0.25F));
}

TEST(Letterbox, ShrinksToTheTighterSide) {
  ImageTensor image = to_image_tensor(pattern(100, 50));
  image::Letterbox({20, 20}, 7.0F).apply(image);
  EXPECT_EQ(image.width, 20);
  EXPECT_EQ(image.values[4], 7.0F);  // 10 columns of picture between 5 and 5 of bars
  EXPECT_LE(image.values[5], 1.0F);
  EXPECT_LE(image.values[14], 1.0F);
  EXPECT_EQ(image.values[15], 7.0F);
}

TEST(ToGray, WeighsTheChannels) {
  ImageTensor one{3, 1, 1, {1.0F, 0.5F, 0.25F}};
  ImageTensor three = one;
  const float expected = 0.299F + 0.587F * 0.5F + 0.114F * 0.25F;
  image::ToGray(1).apply(one);
  EXPECT_THAT(one.values, ElementsAre(testing::FloatNear(expected, 1e-6F)));
  image::ToGray(3).apply(three);
  EXPECT_EQ(three.channels, 3);
  EXPECT_THAT(three.values, ElementsAre(one.values[0], one.values[0], one.values[0]));
}

TEST(ToBgr, SwapsPlanes) {
  ImageTensor image = ramp(3, 1, 2);
  image::ToBgr().apply(image);
  EXPECT_THAT(image.values, ElementsAre(4, 5, 2, 3, 0, 1));
}

TEST(Normalize, SubtractsAndDivides) {
  ImageTensor image{2, 1, 2, {1, 2, 3, 4}};
  general::Normalize({1, 2}, {0.5F, 4}).apply(image);
  EXPECT_THAT(image.values, ElementsAre(0, 2, 0.25F, 0.5F));
}

TEST(Scale, Multiplies) {
  ImageTensor image{1, 1, 2, {0.5F, 1}};
  general::Scale(255).apply(image);
  EXPECT_THAT(image.values, ElementsAre(127.5F, 255));
}

TEST(Transforms, RefuseBadParameters) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(image::CenterCrop({0}), xinfer::Error);
  EXPECT_THROW(image::Pad({1, 2, 3}), xinfer::Error);
  EXPECT_THROW(image::Pad({1, 2, 3, -1}), xinfer::Error);
  EXPECT_THROW(image::Pad({1, 2, 3, 4}, nan), xinfer::Error);
  EXPECT_THROW(image::Letterbox({0, 1}), xinfer::Error);
  EXPECT_THROW(image::ToGray(2), xinfer::Error);
  EXPECT_THROW(general::Normalize({0, 0, 0}, {1, 1}), xinfer::Error);
  EXPECT_THROW(general::Normalize({}, {}), xinfer::Error);
  EXPECT_THROW(general::Normalize({0}, {0}), xinfer::Error);
  EXPECT_THROW(general::Normalize({0}, {-1}), xinfer::Error);
  EXPECT_THROW(general::Normalize({nan}, {1}), xinfer::Error);
  EXPECT_THROW(general::Scale(0), xinfer::Error);
  EXPECT_THROW(general::Scale{nan}, xinfer::Error);
}

TEST(Transforms, RefuseAWrongNumberOfChannels) {
  ImageTensor gray{1, 1, 1, {1}};
  EXPECT_THROW(general::Normalize({0, 0, 0}, {1, 1, 1}).apply(gray), xinfer::Error);
  EXPECT_THROW(image::ToGray().apply(gray), xinfer::Error);
  EXPECT_THROW(image::ToBgr().apply(gray), xinfer::Error);
}

class Invert : public Transform {
 public:
  void apply(ImageTensor& image) const override {
    for (float& value : image.values) {
      value = 1.0F - value;
    }
  }
};

class Broken : public Transform {
 public:
  void apply(ImageTensor& image) const override { image.values.pop_back(); }
};

Compose every_transform() {
  return Compose({std::make_shared<image::Resize>(std::vector<std::int64_t>{20}),
                  std::make_shared<image::Resize>(std::vector<std::int64_t>{18, 19}),
                  std::make_shared<image::CenterCrop>(std::vector<std::int64_t>{17, 15}),
                  std::make_shared<image::Pad>(std::vector<std::int64_t>{1, 2, 3, 4}, 0.5F),
                  std::make_shared<image::Letterbox>(std::vector<std::int64_t>{16, 24}),
                  std::make_shared<image::ToBgr>(), std::make_shared<image::ToGray>(3),
                  std::make_shared<general::Scale>(255.0F),
                  std::make_shared<general::Normalize>(std::vector<float>{1, 2, 3}, std::vector<float>{4, 5, 6})});
}

TEST(Compose, RoundTripsThroughPreprocessing) {
  const Compose original = every_transform();
  const Compose rebuilt = from_preprocessing(original.preprocessing());
  EXPECT_EQ(rebuilt.preprocessing(), original.preprocessing());
  EXPECT_EQ(rebuilt.transforms().size(), 9U);
  const xt::Image picture = pattern(31, 23);
  const xinfer::Tensor a = original(picture);
  const xinfer::Tensor b = rebuilt(picture);
  EXPECT_THAT(a.shape(), ElementsAre(3, 16, 24));
  EXPECT_TRUE(std::equal(a.data<float>().begin(), a.data<float>().end(), b.data<float>().begin()));
}

TEST(Compose, EmptyLeavesThePicture) {
  const xinfer::Tensor tensor = Compose()(pattern(2, 3));
  EXPECT_THAT(tensor.shape(), ElementsAre(3, 2, 3));
  EXPECT_EQ(tensor.data<float>()[0], 0.0F);
  EXPECT_TRUE(Compose().preprocessing().empty());
}

TEST(Compose, AUsersTransformIsCustomAndCannotBeReplayed) {
  const Compose compose({std::make_shared<Invert>()});
  const xinfer::Preprocessing description = compose.preprocessing();
  ASSERT_EQ(description.steps.size(), 1U);
  EXPECT_EQ(description.steps[0].kind, PreprocessStep::Kind::kCustom);
  EXPECT_THAT(description.steps[0].name, HasSubstr("Invert"));
  EXPECT_FALSE(description.replayable());
  EXPECT_THROW(from_preprocessing(description), xinfer::Error);
  EXPECT_FLOAT_EQ(compose({1, 1, {255, 0, 0}}).data<float>()[0], 0.0F);
}

TEST(Compose, RefusesNullAndTransformsThatBreakThePicture) {
  EXPECT_THROW(Compose({TransformPtr()}), xinfer::Error);
  EXPECT_THROW(Compose({std::make_shared<Broken>()})(pattern(2, 2)), xinfer::Error);
}

TEST(Compose, RefusesDamagedDescriptions) {
  using Kind = PreprocessStep::Kind;
  for (const PreprocessStep& step :
       {PreprocessStep{Kind::kResize, {}, {}, ""}, PreprocessStep{Kind::kPad, {1, 2, 3, 4}, {}, ""},
        PreprocessStep{Kind::kLetterbox, {4}, {1}, ""}, PreprocessStep{Kind::kToGray, {}, {}, ""},
        PreprocessStep{Kind::kScale, {}, {}, ""}, PreprocessStep{Kind::kNormalize, {}, {1, 2, 3}, ""},
        PreprocessStep{Kind::kNormalize, {}, {}, ""}, PreprocessStep{static_cast<Kind>(99), {}, {}, ""}}) {
    EXPECT_THROW(from_preprocessing({{step}}), xinfer::Error) << static_cast<int>(step.kind);
  }
}

TEST(LoadImage, DecodesAndTransforms) {
  const TempDir dir;
  write_file(dir / "a.bmp", encode_bmp(pattern(4, 4)));
  const xinfer::Tensor tensor = xt::load_image(dir / "a.bmp", Compose({std::make_shared<general::Scale>(255.0F)}));
  EXPECT_THAT(tensor.shape(), ElementsAre(3, 4, 4));
  EXPECT_FLOAT_EQ(tensor.data<float>()[1], pattern(4, 4).pixels[3]);
  EXPECT_THROW(xt::load_image(dir / "b.bmp", Compose()), xinfer::DataError);
}

}  // namespace
