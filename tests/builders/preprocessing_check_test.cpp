// A trained network on images that were prepared rightly and wrongly.
#include "builders/preprocessing_check.h"

#include <filesystem>

#include "builders/data_doctor.h"
#include "builders/helpers.h"
#include "builders/sample_stream.h"
#include "onnx/reader.h"
#include "passes/pipeline.h"
#include "quantize/calibrate.h"
#include "xtorch/xtorch.h"

namespace xinfer::builders::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using xt::transforms::TransformPtr;

const std::string kModel = std::string(XINFER_SOURCE_DIR) + "/models/fashion_mobilenet_v2.onnx";
const std::string kImages = XINFER_FASHION_IMAGES;  // the CTest fixture fashion_mnist_images writes them

TransformPtr normalize() {
  return std::make_shared<xt::transforms::general::Normalize>(std::vector<float>(3, 0.2860F),
                                                              std::vector<float>(3, 0.3530F));
}
TransformPtr scale(float factor) { return std::make_shared<xt::transforms::general::Scale>(factor); }

class Fashion : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(std::filesystem::exists(kImages + "/calib"))
        << "run this through ctest, whose fixture writes " << kImages;
    auto graph = std::make_shared<ir::Graph>(onnx::read(kModel));
    passes::run_default(*graph);
    graph_ = graph;
  }

  static DataLoaderCalibrator calibrator(std::vector<TransformPtr> transforms, std::size_t images, bool shuffle = false,
                                         const std::string& folder = "/calib") {
    const auto data =
        xt::datasets::ImageFolder(kImages + folder, xt::transforms::Compose(std::move(transforms))).limit(images);
    return DataLoaderCalibrator(xt::dataloaders::ExtendedDataLoader(data, 25, shuffle));
  }

  std::vector<PreprocessingTrial> check(DataLoaderCalibrator data, const std::optional<Preprocessing>& said = {}) {
    findings_.clear();
    SampleStream stream(*graph_, data, true);
    quantize::SampleSet set(*graph_);
    while (const auto batch = stream.next()) set.add(*batch, stream.sample_names());
    const std::vector<quantize::Sample> samples = set.samples();
    return check_preprocessing(quantize::SampleRunner(graph_, 2), samples, said.value_or(data.preprocessing()),
                               findings_);
  }

  std::shared_ptr<const ir::Graph> graph_;
  std::vector<Finding> findings_;
};

TEST_F(Fashion, TheRightPreprocessingGivesNoAlarm) {
  const auto trials = check(calibrator({normalize()}, 100));
  EXPECT_THAT(findings_, IsEmpty());
  ASSERT_GE(trials.size(), 6U);
  EXPECT_EQ(trials.front().name, "as given");
  EXPECT_GT(trials.front().confidence, 0.9);
  EXPECT_GT(trials.front().information, 0.7);
}

TEST_F(Fashion, ImagesOfOneClassGiveNoFalseAlarm) {
  for (const char* name : {"0_tshirt", "2_pullover", "4_coat", "6_shirt", "8_bag", "9_boot"}) {
    check(calibrator({normalize()}, 100, false, std::string("/test/") + name));
    EXPECT_THAT(findings_, IsEmpty()) << name;
  }
}

TEST_F(Fashion, PixelsInTheWrongRangeAreNamed) {
  check(calibrator({scale(255), normalize()}, 100));
  ASSERT_EQ(findings_.size(), 1U);
  EXPECT_EQ(findings_[0].where, "preprocessing");
  EXPECT_THAT(findings_[0].cause, HasSubstr("pixels in 0..1, with the given mean and std"));
  EXPECT_THAT(findings_[0].remedy, HasSubstr("leave out --pixel-scale"));
}

TEST_F(Fashion, MissingMeanAndStdAreNamed) {
  check(calibrator({}, 100));
  ASSERT_EQ(findings_.size(), 1U);
  EXPECT_THAT(findings_[0].remedy, AllOf(HasSubstr("--mean"), HasSubstr("--std")));
}

TEST_F(Fashion, BytesWithoutADescriptionAreNamed) {
  check(calibrator({scale(255)}, 100), Preprocessing{});  // as arrays come
  ASSERT_EQ(findings_.size(), 1U);
  EXPECT_THAT(findings_[0].remedy, HasSubstr("--mean"));
}

TEST_F(Fashion, AnUnknownStepLeavesOnlyTheOrderOfChannelsToTry) {
  Preprocessing custom;
  custom.steps.push_back({.kind = PreprocessStep::Kind::kCustom, .sizes = {}, .values = {}, .name = "mine"});
  const auto trials = check(calibrator({scale(255)}, 100), custom);
  EXPECT_EQ(trials.size(), 2U);
  EXPECT_THAT(findings_, IsEmpty());
}

TEST_F(Fashion, AFewImagesProveNothing) { EXPECT_THAT(check(calibrator({scale(255)}, 7)), IsEmpty()); }

TEST_F(Fashion, RealImagesAreExamined) {
  std::string wanted;
  for (const bool shuffle : {false, true}) {
    DataLoaderCalibrator data = calibrator({normalize()}, 100, shuffle);
    SampleStream stream(*graph_, data, true);
    DataDoctor doctor(*graph_);
    quantize::CalibrateOptions options;
    options.image_maxima = [&](std::span<const Tensor> image, std::span<const float> maxima) {
      doctor.add_maxima(image, maxima);
    };
    quantize::calibrate(
        *graph_, quantize::cpu_runner(graph_, 1),
        [&] {
          auto batch = stream.next();
          if (batch) doctor.add(*batch, stream.sample_names());
          return batch;
        },
        options);
    std::vector<Finding> findings;
    const DataQuality quality = doctor.finish(findings);
    std::string text = std::to_string(quality.converged_after.value_or(-1));
    for (const CurvePoint& point : quality.curve) {
      text += "\n" + std::to_string(point.images) + ": worst " + std::to_string(point.worst_change) + ", median " +
              std::to_string(point.median_change);
    }
    for (const Finding& finding : findings) text += "\n" + finding.where + ": " + finding.cause;
    if (wanted.empty()) wanted = text;
    EXPECT_EQ(text, wanted);
    EXPECT_EQ(quality.images, 100);
    EXPECT_THAT(findings, IsEmpty());
    EXPECT_EQ(quality.curve.back().images, 100);
    EXPECT_LT(quality.curve[quality.curve.size() - 2].median_change, 0.05);
  }
}

}  // namespace
}  // namespace xinfer::builders::testing
