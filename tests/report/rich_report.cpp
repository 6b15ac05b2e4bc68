#include "report/rich_report.h"

#include <cmath>
#include <limits>
#include <random>

#include "data/encode_png.h"
#include "xtorch/image.h"

namespace xinfer::testing_support {
namespace {

using builders::BuildReport;
using builders::Quality;

/// A soft blob on a gradient, in colours of its own for each `seed`.
std::string picture(int seed) {
  constexpr int kSide = 96;
  xt::Image image;
  image.width = kSide;
  image.height = kSide;
  image.pixels.resize(std::size_t{kSide} * kSide * 3);
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      const double dx = x - 30 - seed * 7 % 40, dy = y - 40 - seed * 11 % 25;
      const double blob = std::exp(-(dx * dx + dy * dy) / (180 + 60 * (seed % 4)));
      for (int c = 0; c < 3; ++c) {
        const double base = 60 + 90.0 * (y + (c * seed * 13) % 50) / kSide;
        const double value = base + blob * (90 - 60 * ((c + seed) % 3));
        image.pixels[static_cast<std::size_t>((y * kSide + x) * 3 + c)] = static_cast<std::uint8_t>(value);
      }
    }
  }
  return xt::encode_png(image);
}

std::string layer_name(int i) {
  return "/features/features." + std::to_string(i / 4) + "/conv/conv." + std::to_string(i % 4) + "/Conv";
}

/// A bell, one-sided after a ReLU, with a far outlier in some.
std::vector<double> histogram(bool one_sided, bool outlier, double& min, double& max) {
  constexpr int kBins = 256;
  min = one_sided ? 0 : -3.1;
  max = outlier ? 48 : 3.4;
  std::vector<double> bins(kBins);
  double sum = 0;
  for (int i = 0; i < kBins; ++i) {
    const double value = min + (max - min) * (i + 0.5) / kBins;
    bins[static_cast<std::size_t>(i)] = std::abs(value) < 5 ? std::exp(-value * value * 1.2) : 0;
    if (std::abs(value) < 5) sum += bins[static_cast<std::size_t>(i)];
  }
  for (double& share : bins) share /= sum;
  if (outlier) bins.back() = 2e-5;
  return bins;
}

void add_layers(BuildReport& report) {
  report.quality.outputs = {{kHostile, 31.2, 0.9991, 0.9876, 0.0042}, {"features", 28, 0.998, 0.97, {}}};
  std::mt19937 random(7);
  std::uniform_real_distribution<double> uniform(0, 1);
  Quality& quality = report.quality;
  for (int i = 0; i < 200; ++i) {
    const bool in_float = i % 29 == 11;
    const std::string name = i == 5 ? kHostile : layer_name(i);
    const std::string op = i % 3 == 2 ? "Add" : "Conv";
    report.nodes.push_back({name, op, in_float ? "fp32" : "int8",
                            !in_float      ? ""
                            : i % 58 == 11 ? "INT8 here costs more than the budget allows"
                                           : "asked for by --precision"});
    report.int8_nodes += in_float ? 0 : 1;
    builders::LayerQuality layer{name, op, in_float ? "fp32" : "int8", {}, {}, {}, {}, {}};
    const double sqnr = 44 - 30 * std::pow(uniform(random), 3) - i * 0.02;
    if (!in_float) layer.sqnr_db = i == 17 ? 8.4 : i == 31 ? std::numeric_limits<double>::infinity() : sqnr;
    if (i % 7 != 3) layer.sensitivity_db = sqnr + 9 + 6 * uniform(random);
    layer.float_ms = 0.02 + 0.3 * uniform(random);
    layer.int8_ms = *layer.float_ms * (in_float ? 1 : 0.3 + 0.4 * uniform(random));
    if (!in_float) layer.scale = 0.004 + 0.06 * uniform(random);
    quality.layers.push_back(layer);

    builders::TensorQuality tensor;
    tensor.tensor = i == 5 ? kHostile : name + "_output_0";
    tensor.type = i % 2 == 0 ? "u8" : "s8";
    tensor.method = i % 3 == 0 ? "mse" : "percentile";
    const bool outlier = i % 10 == 7;
    tensor.histogram = histogram(i % 2 == 0, outlier, tensor.min, tensor.max);
    tensor.threshold = outlier ? 4.2 + uniform(random) : i % 5 == 0 ? 5.5 : 2.6 + 0.5 * uniform(random);
    tensor.scale = tensor.threshold / (tensor.type == "u8" ? 255 : 127);
    tensor.zero_share = i % 2 == 0 ? 0.41 : 0;
    tensor.clipped_share = outlier ? 2e-5 : i % 5 == 0 ? 0 : 0.0031 * uniform(random);
    tensor.sqnr_db = layer.sqnr_db ? layer.sqnr_db : sqnr;
    quality.tensors.push_back(std::move(tensor));
  }
}

void add_data(Quality& quality) {
  auto& data = quality.data;
  data.images = 500;
  data.converged_after = 128;
  const double worst[] = {1.9, 0.92, 0.61, 0.34, 0.2, 0.11, 0.07, 0.031, 0.012, 0};
  const double median[] = {0.42, 0.2, 0.12, 0.08, 0.05, 0.021, 0.011, 0.006, 0.002, 0};
  for (int i = 0; i < 10; ++i) data.curve.push_back({i == 9 ? 500 : 1 << i, worst[i], median[i]});
  data.preprocessing = {{"as given", 0.912}, {"BGR", 0.744}, {"pixels in 0..255", 0.113}, {kHostile, 0.391}};
  data.stretching = {{"images/n01440764/ILSVRC2012_val_00012031.JPEG", "widens the range of 41 tensors, by up to 38 %"},
                     {kHostile, "widens the range of 6 tensors, by up to 12 %"}};
  for (int i = 0; i < 9; ++i) {
    data.duplicates.push_back(
        {"images/n02102040/copy_" + std::to_string(i) + ".jpg", "the same as images/n02102040/first.jpg"});
  }
  data.constant = {{"images/blank.png", "all pixels are 255"}};
}

void add_plans(Quality& quality) {
  quality.metric = "top-1";
  quality.float_score = 71.88;
  quality.int8_score = 71.55;
  quality.budget = 0.5;
  std::vector<std::string> floats;
  const double drops[] = {3.4, 1.1, 0.72, 0.33, 0.21, 0.18, 0.02}, ms[] = {5.1, 5.3, 5.42, 5.6, 6.3, 7.4, 11.9};
  for (int i = 0; i < 7; ++i) {
    for (int k = 0; k < (i == 6 ? 9 : 1) && i > 0; ++k)
      floats.push_back(layer_name(17 + 3 * static_cast<int>(floats.size())));
    quality.pareto.push_back({drops[i], ms[i], floats, i == 3});
  }
}

}  // namespace

BuildReport rich_report() {
  BuildReport report;
  report.model = "/home/user/networks/efficientnet_lite0.onnx";
  report.model_hash = "8f14e45fceea167a5a36dedd4bea2543";
  report.precision = "int8";
  report.max_batch = 32;
  report.calibration_samples = 500;
  report.range_method = "auto";
  report.accuracy = {128, 17.84, 0.953};
  report.speed = {{1, 11.94, 5.6}, {32, 352.1, 149.7}};
  report.remarks = {"3 files of the folder are not images and were left out"};
  report.read_seconds = 0.41;
  report.calibrate_seconds = 38.2;
  report.quantize_seconds = 71.9;
  report.check_seconds = 4.2;
  report.target = "cpu-x86_64";
  report.engine = "/home/user/engines/efficientnet_lite0.engine";
  report.engine_bytes = 5'214'880;
  add_layers(report);
  Quality& quality = report.quality;
  quality.findings = {
      {layer_name(17), "one channel's range is 480 times the median", "equalization brought SQNR from 6.1 to 31.4 dB",
       "none"},
      {layer_name(40), "its output loses 11 dB in INT8", "kept in float", "0.12 ms"},
      {"images/n01440764/ILSVRC2012_val_00012031.JPEG", "this image alone widens the range of 41 tensors",
       "take it out of the calibration images if it is not typical", ""},
      {kHostile, "9 images are duplicates", "remove them to save time", ""}};
  add_data(quality);
  add_plans(quality);
  for (int i = 0; i < 8; ++i) {
    quality.worst.push_back(
        {i == 2 ? kHostile : "images/n0144/ILSVRC2012_val_000" + std::to_string(12031 + 17 * i) + ".JPEG",
         "tabby cat 0.6" + std::to_string(i), i < 3 ? "tiger cat 0.41" : "tabby cat 0.6" + std::to_string(i),
         3.1 + 1.3 * i, i == 6 ? "" : picture(i)});
  }
  quality.worst[1].int8_answer = kHostile;
  quality.environment = {"0.1.0",
                         "Intel Xeon Platinum 8488C, AVX-512 VNNI",
                         "",
                         "Debian GNU/Linux 12, Linux 6.1",
                         2,
                         "2026-01-31T12:00:00Z",
                         "c9f0f895fb98ab9159f51fd0297e236d"};
  return report;
}

BuildReport bare_report() {
  BuildReport report;
  report.model = "tiny.onnx";
  report.precision = "int8";
  report.range_method = "minmax";
  report.calibration_samples = 3;
  return report;
}

}  // namespace xinfer::testing_support
