// What calibration tells of single images.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "quantize/calibrate.h"
#include "quantize/graphs.h"

namespace xinfer::quantize::testing {
namespace {

Net small_net() {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 3, 8, 8});
  net.done({net.conv("b", net.conv("a", x, 4, 3, ir::UnaryKind::kRelu), 5)});
  return net;
}

using Maxima = std::vector<std::vector<float>>;

Maxima maxima_of(const ir::Graph& graph, const Tensor& images, std::map<std::string, Histogram>* histograms = nullptr) {
  Maxima maxima;
  CalibrateOptions options;
  options.image_maxima = [&](std::span<const Tensor> image, std::span<const float> values) {
    EXPECT_EQ(image[0].dim(0), 1);
    maxima.emplace_back(values.begin(), values.end());
  };
  Calibrator calibrator(graph, cpu_runner(std::make_shared<ir::Graph>(graph), 1), options);
  calibrator.add(std::vector<Tensor>{images});
  if (histograms != nullptr) *histograms = calibrator.histograms();
  return maxima;
}

TEST(ImageMaxima, AreThoseOfEachImageAlone) {
  const Net net = small_net();
  const Tensor images = random_tensor({5, 3, 8, 8}, 1);
  std::map<std::string, Histogram> histograms;
  const Maxima all = maxima_of(net.graph, images, &histograms);
  ASSERT_EQ(all.size(), 5U);
  std::vector<float> largest(all[0].size(), 0.0F);
  for (std::int64_t i = 0; i < 5; ++i) {
    std::map<std::string, Histogram> own;
    const Maxima single = maxima_of(net.graph, images.rows(i, i + 1), &own);
    EXPECT_EQ(single.at(0), all[static_cast<std::size_t>(i)]);
    std::vector<float> wanted;
    for (const auto& [name, histogram] : own) wanted.push_back(histogram.abs_max());
    EXPECT_THAT(single.at(0), ::testing::UnorderedElementsAreArray(wanted));
    for (std::size_t t = 0; t < largest.size(); ++t) largest[t] = std::max(largest[t], single[0][t]);
  }
  std::vector<float> wanted;
  for (const auto& [name, histogram] : histograms) wanted.push_back(histogram.abs_max());
  EXPECT_THAT(largest, ::testing::UnorderedElementsAreArray(wanted));
}

TEST(ImageMaxima, LeaveTheHistogramsAsTheyAre) {
  const Net net = small_net();
  const Tensor images = random_tensor({5, 3, 8, 8}, 1);
  std::map<std::string, Histogram> watched;
  maxima_of(net.graph, images, &watched);
  Calibrator plain(net.graph, cpu_runner(std::make_shared<ir::Graph>(net.graph), 1));
  plain.add(std::vector<Tensor>{images});
  EXPECT_EQ(plain.histograms(), watched);
}

/// Counts nothing of single images, as a GPU.
class BlindRunner final : public Runner {
 public:
  explicit BlindRunner(const ir::Graph& graph) : inner_(cpu_runner(std::make_shared<ir::Graph>(graph), 1)) {}
  std::int64_t max_images() const override { return 1; }
  void run(std::span<const Tensor> inputs, std::int64_t images, std::span<Histogram* const> histograms) override {
    inner_->run(inputs, images, histograms);
  }

 private:
  std::shared_ptr<Runner> inner_;
};

TEST(ImageMaxima, AreNotInventedForRunnersThatCountBatches) {
  const Net net = small_net();
  int calls = 0;
  CalibrateOptions options;
  options.image_maxima = [&](std::span<const Tensor>, std::span<const float>) { ++calls; };
  Calibrator calibrator(net.graph, std::make_shared<BlindRunner>(net.graph), options);
  calibrator.add(std::vector<Tensor>{random_tensor({3, 3, 8, 8}, 1)});
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(calibrator.images(), 3);
  EXPECT_GT(calibrator.histograms().begin()->second.count(), 0U);
}

}  // namespace
}  // namespace xinfer::quantize::testing
