#include "xtorch/general_transforms.h"

#include <fmt/format.h>

#include <cmath>

#include "xinfer/core/errors.h"

namespace xt::transforms::general {

using xinfer::PreprocessStep;

Normalize::Normalize(std::vector<float> mean, std::vector<float> std) : mean_(std::move(mean)), std_(std::move(std)) {
  if (mean_.empty() || mean_.size() != std_.size()) {
    throw xinfer::Error(fmt::format("Normalize was given {} means and {} stds", mean_.size(), std_.size()),
                        "give one mean and one std a channel");
  }
  for (std::size_t c = 0; c < mean_.size(); ++c) {
    if (!std::isfinite(mean_[c])) {
      throw xinfer::Error(fmt::format("Normalize: the mean of channel {} is {}", c, mean_[c]));
    }
    if (!std::isfinite(std_[c]) || std_[c] <= 0.0F) {
      throw xinfer::Error(fmt::format("Normalize: the std of channel {} is {}; it must be positive", c, std_[c]));
    }
  }
}

void Normalize::apply(ImageTensor& image) const {
  if (image.channels != static_cast<std::int64_t>(mean_.size())) {
    throw xinfer::Error(
        fmt::format("Normalize has {} means and stds, but the picture has {} channels", mean_.size(), image.channels),
        "give one mean and one std for each channel that the steps before leave");
  }
  for (std::size_t c = 0; c < mean_.size(); ++c) {
    const float mean = mean_[c];
    const float std = std_[c];
    float* plane = image.values.data() + static_cast<std::int64_t>(c) * image.plane_size();
    for (std::int64_t i = 0; i < image.plane_size(); ++i) {
      plane[i] = (plane[i] - mean) / std;
    }
  }
}

PreprocessStep Normalize::describe() const {
  std::vector<float> values = mean_;
  values.insert(values.end(), std_.begin(), std_.end());
  return {PreprocessStep::Kind::kNormalize, {}, std::move(values), ""};
}

Scale::Scale(float factor) : factor_(factor) {
  if (!std::isfinite(factor) || factor == 0.0F) {
    throw xinfer::Error(fmt::format("Scale: the factor {} must be finite and not zero", factor));
  }
}

void Scale::apply(ImageTensor& image) const {
  for (float& value : image.values) {
    value *= factor_;
  }
}

PreprocessStep Scale::describe() const { return {PreprocessStep::Kind::kScale, {}, {factor_}, ""}; }

}  // namespace xt::transforms::general
