#include "builders/worst_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>
#include <utility>

#include "builders/class_scores.h"
#include "builders/pixel_encoding.h"
#include "data/encode_png.h"
#include "data/resample.h"
#include "xinfer/core/errors.h"

namespace xinfer::builders {
namespace {

constexpr std::int64_t kThumbnailSide = 96;

struct Answer {
  std::size_t chosen = 0;
  std::string text;
};

Answer answer_of(const std::vector<Tensor>& outputs, const std::vector<std::string>& labels) {
  if (outputs.empty() || !is_class_scores(outputs.front())) return {};
  const std::vector<double> shares = probabilities(outputs.front());
  Answer answer;
  answer.chosen = static_cast<std::size_t>(std::ranges::max_element(shares) - shares.begin());
  const std::string name =
      answer.chosen < labels.size() ? labels[answer.chosen] : fmt::format("class {}", answer.chosen);
  answer.text = fmt::format("{} ({:.1f} %)", name, 100 * shares[answer.chosen]);
  return answer;
}

/// Signal and noise over all float outputs.
std::pair<double, double> powers(const std::vector<Tensor>& wanted, const std::vector<Tensor>& got) {
  double signal = 0;
  double noise = 0;
  for (std::size_t o = 0; o < wanted.size(); ++o) {
    if (wanted[o].dtype() != DataType::kFloat32) continue;
    const std::span<const float> a = wanted[o].data<float>();
    const std::span<const float> b = got[o].data<float>();
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double difference = static_cast<double>(a[i]) - b[i];
      signal += static_cast<double>(a[i]) * a[i];
      noise += difference * difference;
    }
  }
  return {signal, noise};
}

/// Colours as far as they are known.
xt::transforms::ImageTensor colours(const Tensor& input, const Preprocessing& preprocessing) {
  const std::array<Tensor, 1> images = {input};
  if (const auto encoding = encoding_of(preprocessing, images)) return decode_pixels(input, *encoding);
  const auto [low, high] = std::ranges::minmax(input.data<float>());
  const auto channels = static_cast<std::size_t>(input.dim(1));
  const float span = high > low ? high - low : 1;
  return decode_pixels(input, {false, std::vector<float>(channels, span), std::vector<float>(channels, low)});
}

}  // namespace

std::string thumbnail(const Tensor& input, const Preprocessing& preprocessing) {
  if (!is_image(input)) return {};
  xt::transforms::ImageTensor picture = colours(input, preprocessing);
  const std::int64_t longer = std::max(picture.height, picture.width);
  if (longer > kThumbnailSide) {
    const auto shrink = [&](std::int64_t side) { return std::max<std::int64_t>(1, side * kThumbnailSide / longer); };
    picture = xt::detail::resample(picture, shrink(picture.height), shrink(picture.width));
  }
  xt::Image image{picture.height, picture.width, {}};
  const auto plane = static_cast<std::size_t>(picture.plane_size());
  for (std::size_t i = 0; i < plane; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      const float value = picture.values[(picture.channels == 3 ? c : 0) * plane + i];
      const float byte = std::isfinite(value) ? std::clamp(255 * value, 0.0F, 255.0F) : 0.0F;
      image.pixels.push_back(static_cast<std::uint8_t>(std::lround(byte)));
    }
  }
  return xt::encode_png(image);
}

std::vector<WorstSample> worst_samples(std::span<const quantize::Sample> samples,
                                       std::span<const std::vector<Tensor>> float_outputs,
                                       std::span<const std::vector<Tensor>> int8_outputs, const WorstOptions& options) {
  if (float_outputs.size() != samples.size() || int8_outputs.size() != samples.size()) {
    throw Error(fmt::format("{} samples, but outputs for {} in float and {} in INT8", samples.size(),
                            float_outputs.size(), int8_outputs.size()));
  }
  struct Candidate {
    std::size_t index;
    double sqnr_db;
    Answer wanted, got;
  };
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto [signal, noise] = powers(float_outputs[i], int8_outputs[i]);
    if (noise == 0) continue;
    candidates.push_back({i, 10 * std::log10(signal / noise), answer_of(float_outputs[i], options.labels),
                          answer_of(int8_outputs[i], options.labels)});
  }
  std::ranges::sort(candidates, {}, [&](const Candidate& candidate) {
    return std::tuple(candidate.wanted.chosen == candidate.got.chosen, candidate.sqnr_db,
                      std::string_view(samples[candidate.index].name), candidate.index);
  });
  if (candidates.size() > options.count) candidates.resize(options.count);
  std::vector<WorstSample> result;
  for (Candidate& candidate : candidates) {
    const quantize::Sample& sample = samples[candidate.index];
    const bool has_input = !sample.inputs.empty();
    result.push_back({.image = sample.name.empty() ? fmt::format("sample {}", candidate.index) : sample.name,
                      .float_answer = std::move(candidate.wanted.text),
                      .int8_answer = std::move(candidate.got.text),
                      .sqnr_db = candidate.sqnr_db,
                      .thumbnail = has_input ? thumbnail(sample.inputs.front(), options.preprocessing) : ""});
  }
  return result;
}

}  // namespace xinfer::builders
