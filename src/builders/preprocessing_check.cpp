#include "builders/preprocessing_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "builders/class_scores.h"
#include "builders/pixel_encoding.h"

namespace xinfer::builders {
namespace {

constexpr std::size_t kFewestSamples = 8;
constexpr double kMargin = 0.2;
constexpr double kFactor = 2;
constexpr double kMuch = 0.5;

/// A way to encode pixels, and how to ask for it.
struct Variant {
  std::string name;
  std::string remedy;
  PixelEncoding encoding;
};

PixelEncoding encoding_with(const PixelEncoding& given, float factor, std::vector<float> mean, std::vector<float> std) {
  const std::size_t channels = given.scale.size();
  mean.resize(channels, mean.back());
  std.resize(channels, std.back());
  PixelEncoding result{given.swapped, {}, {}};
  for (std::size_t c = 0; c < channels; ++c) {
    result.scale.push_back(factor / std[c]);
    result.offset.push_back(-mean[c] / std[c]);
  }
  return result;
}

bool alike(const PixelEncoding& a, const PixelEncoding& b) {
  const auto close = [](float x, float y) { return std::abs(x - y) <= 1e-3F * std::max(1.0F, std::abs(x)); };
  return a.swapped == b.swapped && std::ranges::equal(a.scale, b.scale, close) &&
         std::ranges::equal(a.offset, b.offset, close);
}

/// "--mean 0.5,0.5,0.5 --std 0.5,0.5,0.5".
std::string normalize_options(const PixelEncoding& given, const char* mean, const char* std) {
  const bool color = given.scale.size() == 3;
  const auto repeat = [&](const char* text) { return color ? fmt::format("{0},{0},{0}", text) : std::string(text); };
  return fmt::format("--mean {} --std {}", repeat(mean), repeat(std));
}

Variant swapped(const PixelEncoding& given) {
  Variant variant{given.swapped ? "RGB" : "BGR", given.swapped ? "leave out --bgr" : "add --bgr", given};
  variant.encoding.swapped = !given.swapped;
  return variant;
}

/// The one step that normalizes, where there is one.
const PreprocessStep* normalize_step(const Preprocessing& preprocessing) {
  const PreprocessStep* found = nullptr;
  for (const PreprocessStep& step : preprocessing.steps) {
    if (step.kind != PreprocessStep::Kind::kNormalize) continue;
    if (found != nullptr) return nullptr;
    found = &step;
  }
  return found;
}

std::vector<Variant> variants_of(const PixelEncoding& given, const Preprocessing& preprocessing) {
  const bool color = given.scale.size() == 3;
  std::vector<Variant> variants;
  if (color) variants.push_back(swapped(given));
  const auto add = [&](std::string name, std::string remedy, PixelEncoding encoding) {
    if (!alike(encoding, given)) variants.push_back({std::move(name), std::move(remedy), std::move(encoding)});
  };
  if (const PreprocessStep* step = normalize_step(preprocessing)) {
    const auto half = step->values.begin() + static_cast<std::ptrdiff_t>(step->values.size() / 2);
    const std::vector<float> mean(step->values.begin(), half);
    const std::vector<float> std(half, step->values.end());
    add("pixels in 0..1, with the given mean and std", "leave out --pixel-scale, and keep --mean and --std",
        encoding_with(given, 1, mean, std));
    add("pixels in 0..255, with the given mean and std", "use --pixel-scale 255, and keep --mean and --std",
        encoding_with(given, 255, mean, std));
  }
  add("pixels in 0..1", "leave out --pixel-scale, --mean and --std", encoding_with(given, 1, {0}, {1}));
  add("pixels in 0..255", "use --pixel-scale 255, without --mean and --std", encoding_with(given, 255, {0}, {1}));
  add("pixels in -1..1", fmt::format("use {} without --pixel-scale", normalize_options(given, "0.5", "0.5")),
      encoding_with(given, 1, {0.5F}, {0.5F}));
  if (color) {
    PixelEncoding imagenet = encoding_with(given, 1, {0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F});
    add("ImageNet's mean and std", "use --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 without --pixel-scale",
        std::move(imagenet));
  }
  return variants;
}

double entropy(const std::vector<double>& probabilities) {
  double sum = 0;
  for (const double p : probabilities) sum -= p > 0 ? p * std::log(p) : 0;
  return sum;
}

PreprocessingTrial try_out(const quantize::SampleRunner& runner, std::span<const quantize::Sample> samples,
                           const std::string& name) {
  PreprocessingTrial trial{name};
  const std::vector<std::vector<Tensor>> outputs = runner.run(samples);
  std::vector<double> mean(static_cast<std::size_t>(outputs.front().front().numel()), 0.0);
  const auto count = static_cast<double>(samples.size());
  double own_entropy = 0;
  for (const std::vector<Tensor>& output : outputs) {
    const std::vector<double> here = probabilities(output.front());
    trial.confidence += std::ranges::max(here) / count;
    own_entropy += entropy(here) / count;
    for (std::size_t c = 0; c < mean.size(); ++c) mean[c] += here[c] / count;
  }
  const double most = std::log(std::min(count, static_cast<double>(mean.size())));
  trial.information = std::clamp((entropy(mean) - own_entropy) / most, 0.0, 1.0);
  return trial;
}

bool fits_far_better(const PreprocessingTrial& other, const PreprocessingTrial& given) {
  return other.information >= given.information + kMargin && other.information >= kFactor * given.information &&
         (other.information >= kMuch || other.confidence > given.confidence);
}

bool is_image_classifier(const ir::Graph& graph, std::span<const quantize::Sample> samples) {
  if (graph.inputs().size() != 1 || graph.outputs().empty()) return false;
  const ir::Value& output = graph.value(graph.outputs().front());
  if (output.dtype != DataType::kFloat32 || !is_class_scores(Tensor(output.dtype, output.shape.at(1)))) return false;
  return std::ranges::all_of(samples, [](const quantize::Sample& sample) { return is_image(sample.inputs.front()); });
}

}  // namespace

std::vector<PreprocessingTrial> check_preprocessing(const quantize::SampleRunner& float_runner,
                                                    std::span<const quantize::Sample> samples,
                                                    const Preprocessing& preprocessing, std::vector<Finding>& findings,
                                                    std::size_t most) {
  samples = samples.first(std::min(samples.size(), most));
  if (samples.size() < kFewestSamples || !is_image_classifier(float_runner.graph(), samples)) return {};
  std::vector<Tensor> images;
  for (const quantize::Sample& sample : samples) images.push_back(sample.inputs.front());
  const auto channels = static_cast<std::size_t>(images.front().dim(1));
  const std::optional<PixelEncoding> known = encoding_of(preprocessing, images);
  const PixelEncoding given =
      known.value_or(PixelEncoding{false, std::vector<float>(channels, 1), std::vector<float>(channels, 0)});
  std::vector<Variant> variants;
  if (known) {
    variants = variants_of(given, preprocessing);
  } else if (channels == 3) {
    variants.push_back(swapped(given));
    variants.back().remedy = "swap red and blue";
  }

  std::vector<PreprocessingTrial> trials = {try_out(float_runner, samples, "as given")};
  const Variant* best = nullptr;
  double best_information = 0;
  for (const Variant& variant : variants) {
    std::vector<quantize::Sample> changed;
    for (const Tensor& image : images) {
      changed.push_back({{encode_pixels(decode_pixels(image, given), variant.encoding)}, ""});
    }
    trials.push_back(try_out(float_runner, changed, variant.name));
    if (!fits_far_better(trials.back(), trials.front()) || trials.back().information <= best_information) continue;
    best = &variant;
    best_information = trials.back().information;
  }
  if (best != nullptr) {
    findings.push_back({"preprocessing",
                        fmt::format("another one fits the model far better ({}): the answers tell the images apart to "
                                    "{:.0f} %, as given to {:.0f} %",
                                    best->name, 100 * best_information, 100 * trials.front().information),
                        best->remedy + ", if the model was trained so", ""});
  }
  return trials;
}

}  // namespace xinfer::builders
