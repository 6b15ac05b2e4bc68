// Images through the preprocessing that an engine stores.
#include "runtime/helpers.h"
#include "support/bmp.h"
#include "support/temp_dir.h"
#include "xtorch/xtorch.h"

namespace xinfer::runtime::testing {
namespace {

using ::testing::HasSubstr;

std::string fixture(const std::string& name) { return std::string(XINFER_SOURCE_DIR) + "/tests/data/fixtures/" + name; }

InferenceEngine engine_with(const Preprocessing& preprocessing) {
  engine::EngineFile file = classifier(4);
  file.preprocessing = preprocessing;
  return InferenceEngine(std::move(file));
}

xt::transforms::Compose eight_by_eight() {
  return xt::transforms::Compose({std::make_shared<xt::transforms::image::Resize>(std::vector<std::int64_t>{8, 8}),
                                  std::make_shared<xt::transforms::general::Normalize>(
                                      std::vector<float>{0.5F, 0.4F, 0.3F}, std::vector<float>{0.2F, 0.3F, 0.4F})});
}

TEST(LoadImages, RepeatsTheStoredPreprocessing) {
  const xt::transforms::Compose transforms = eight_by_eight();
  const InferenceEngine engine = engine_with(transforms.preprocessing());
  const std::vector<std::string> paths = {fixture("rgb.png"), fixture("progressive.jpg"), fixture("gray.png")};
  const Tensor batch = engine.load_images(paths);
  ASSERT_EQ(batch.shape(), (std::vector<std::int64_t>{3, 3, 8, 8}));
  for (std::int64_t i = 0; i < 3; ++i) {
    const Tensor alone = xt::load_image(paths[static_cast<std::size_t>(i)], transforms);
    EXPECT_EQ(values(batch.rows(i, i + 1)), values(alone)) << paths[static_cast<std::size_t>(i)];
  }
  EXPECT_EQ(engine.infer(batch).dim(0), 3);
}

TEST(LoadImages, NamesABadImage) {
  const InferenceEngine engine = engine_with(eight_by_eight().preprocessing());
  const std::string text = std::string(XINFER_SOURCE_DIR) + "/CMakeLists.txt";
  for (const std::string& bad : {std::string("/nowhere/cat.png"), text}) {
    try {
      engine.load_images({fixture("rgb.png"), bad});
      ADD_FAILURE() << bad;
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr(bad));
    }
  }
  EXPECT_THROW(engine.load_images({}), DataError);
}

TEST(LoadImages, RefusesPreprocessingThatOnlyTheUserKnows) {
  Preprocessing own = eight_by_eight().preprocessing();
  own.steps.push_back({PreprocessStep::Kind::kCustom, {}, {}, "my::Sharpen"});
  const InferenceEngine engine = engine_with(own);
  expect_engine_error([&] { engine.load_images({fixture("rgb.png")}); }, {"own code", "hint"});
}

TEST(LoadImages, RefusesImagesOfDifferentSizes) {
  const InferenceEngine engine = engine_with({});  // images keep their own sizes
  const testing_support::TempDir dir;
  const std::string other = dir / "other.bmp";  // as many pixels, another shape
  testing_support::write_bmp(other, 17, 23, [](int x, int y) { return x * 256 + y; });
  try {
    engine.load_images({fixture("rgb.png"), other});
    ADD_FAILURE() << other;
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr(other));
  }
}

}  // namespace
}  // namespace xinfer::runtime::testing
