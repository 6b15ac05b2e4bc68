// A trained network on its data: the accuracy that the whole pipeline keeps.
#include <algorithm>
#include <filesystem>

#include "builders/helpers.h"
#include "xtorch/xtorch.h"

namespace xinfer::builders::testing {
namespace {

namespace fs = std::filesystem;

const std::string kModel = std::string(XINFER_SOURCE_DIR) + "/models/fashion_mobilenet_v2.onnx";
const std::string kImages = XINFER_FASHION_IMAGES;  // the CTest fixture fashion_mnist_images writes them
constexpr std::int64_t kBatch = 50;

xt::transforms::Compose transforms() {
  return xt::transforms::Compose({std::make_shared<xt::transforms::general::Normalize>(
      std::vector<float>(3, 0.2860F), std::vector<float>(3, 0.3530F))});
}

std::shared_ptr<DataLoaderCalibrator> calibrator(std::size_t images, std::int64_t batch, bool shuffle) {
  const auto folder = xt::datasets::ImageFolder(kImages + "/calib", transforms()).limit(images);
  return std::make_shared<DataLoaderCalibrator>(xt::dataloaders::ExtendedDataLoader(folder, batch, shuffle));
}

struct Labelled {
  std::vector<std::string> paths;
  std::vector<std::int64_t> labels;
};

/// The first `count` test images of the data set; their files are numbered.
Labelled first_test_images(int count) {
  const xt::datasets::ImageFolder folder(kImages + "/test");
  Labelled result;
  for (std::size_t i = 0; i < folder.size(); ++i) {
    const fs::path& path = folder.files()[i];
    if (std::stoi(path.stem().string()) >= count) continue;
    result.paths.push_back(path.string());
    result.labels.push_back(folder.label(i));
  }
  return result;
}

/// Top-1 in percent.
double accuracy(const runtime::InferenceEngine& engine, const Labelled& images) {
  std::int64_t right = 0;
  for (std::size_t begin = 0; begin < images.paths.size(); begin += kBatch) {
    const std::size_t end = std::min(images.paths.size(), begin + kBatch);
    const auto at = [&](std::size_t i) { return images.paths.begin() + static_cast<std::ptrdiff_t>(i); };
    const Tensor scores = engine.infer(engine.load_images({at(begin), at(end)}));
    for (std::size_t i = begin; i < end; ++i) {
      const auto row = scores.data<float>().subspan((i - begin) * 10, 10);
      right += std::max_element(row.begin(), row.end()) - row.begin() == images.labels[i] ? 1 : 0;
    }
  }
  return 100.0 * static_cast<double>(right) / static_cast<double>(images.paths.size());
}

class FashionMnist : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fs::exists(kImages + "/test")) << "run this through ctest, whose fixture writes " << kImages;
  }
};

TEST_F(FashionMnist, Int8KeepsTheAccuracyOfFloat) {
  const Labelled images = first_test_images(2000);
  ASSERT_EQ(images.paths.size(), 2000U);
  EngineBuilder plain;
  plain.from_onnx(kModel).with_max_batch_size(kBatch).with_preprocessing(transforms().preprocessing());
  EngineBuilder quantized;
  quantized.from_onnx(kModel).with_max_batch_size(kBatch).with_int8(calibrator(200, 32, false)).with_accuracy_check(20);
  const double fp32 = accuracy(plain.build(), images);
  const double int8 = accuracy(quantized.build(), images);
  RecordProperty("fp32_top1", std::to_string(fp32));
  RecordProperty("int8_top1", std::to_string(int8));
  std::cout << "top-1 of 2,000: FP32 " << fp32 << " %, INT8 " << int8 << " %\n" << quantized.report().to_text();
  EXPECT_GE(fp32, 93.5);
  EXPECT_NEAR(int8, fp32, 0.5);
  EXPECT_GT(quantized.report().accuracy->sqnr_db, 15);
  EXPECT_GE(quantized.report().accuracy->top1_agreement.value(), 0.9);
  for (const NodeReport& node : quantized.report().nodes) {
    if (node.op == "Conv" || node.op == "Linear") {
      EXPECT_EQ(node.precision, "int8") << node.node << ": " << node.reason;
    }
  }
}

TEST_F(FashionMnist, TheOrderOfTheImagesDoesNotShow) {
  const TempDir dir;
  const auto build = [&](const std::string& name, std::int64_t batch, bool shuffle) {
    EngineBuilder builder;
    builder.from_onnx(kModel).with_max_batch_size(8).with_int8(calibrator(40, batch, shuffle)).with_accuracy_check(0);
    builder.build_and_save(dir / name);
    return read_file(dir / name);
  };
  const std::string bytes = build("a", 32, false);
  EXPECT_TRUE(bytes == build("b", 7, true));
}

TEST_F(FashionMnist, ImagesOfAnotherSizeAreRefused) {
  const auto folder = xt::datasets::ImageFolder(
      kImages + "/calib",
      xt::transforms::Compose({std::make_shared<xt::transforms::image::Resize>(std::vector<std::int64_t>{40, 32})}));
  EngineBuilder builder;
  builder.from_onnx(kModel).with_int8(
      std::make_shared<DataLoaderCalibrator>(xt::dataloaders::ExtendedDataLoader(folder, 4)));
  expect_error<CalibrationError>([&] { builder.build(); }, {"'input'", "40, 32]", "[N, 3, 32, 32]", "--resize"});
}

}  // namespace
}  // namespace xinfer::builders::testing
