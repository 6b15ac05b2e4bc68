#include "builders/pixel_encoding.h"

#include <algorithm>
#include <utility>

namespace xinfer::builders {
namespace {

using Kind = PreprocessStep::Kind;

PixelEncoding plain(std::size_t channels, float scale) {
  return {false, std::vector<float>(channels, scale), std::vector<float>(channels, 0.0F)};
}

/// False when the step can't be undone.
bool append(PixelEncoding& encoding, const PreprocessStep& step) {
  const std::size_t channels = encoding.scale.size();
  switch (step.kind) {
    case Kind::kResize:
    case Kind::kCenterCrop:
    case Kind::kPad:
    case Kind::kLetterbox:
    case Kind::kToGray:
      return true;
    case Kind::kToBgr:
      encoding.swapped = !encoding.swapped;
      std::reverse(encoding.scale.begin(), encoding.scale.end());
      std::reverse(encoding.offset.begin(), encoding.offset.end());
      return channels == 3;
    case Kind::kScale:
      if (step.values.size() != 1) return false;
      for (float& x : encoding.scale) x *= step.values[0];
      for (float& x : encoding.offset) x *= step.values[0];
      return true;
    case Kind::kNormalize:
      if (step.values.size() != 2 * channels) return false;
      for (std::size_t c = 0; c < channels; ++c) {
        encoding.scale[c] /= step.values[channels + c];
        encoding.offset[c] = (encoding.offset[c] - step.values[c]) / step.values[channels + c];
      }
      return true;
    case Kind::kCustom:
      return false;
  }
  return false;
}

std::size_t source_channel(const PixelEncoding& encoding, std::size_t channel) {
  return encoding.swapped ? encoding.scale.size() - 1 - channel : channel;
}

}  // namespace

std::optional<PixelEncoding> encoding_of(const Preprocessing& preprocessing, std::int64_t channels) {
  PixelEncoding encoding = plain(static_cast<std::size_t>(channels), 1);
  for (const PreprocessStep& step : preprocessing.steps) {
    if (!append(encoding, step)) return std::nullopt;
  }
  return encoding;
}

std::optional<PixelEncoding> encoding_of(const Preprocessing& preprocessing, std::span<const Tensor> images) {
  if (images.empty()) return std::nullopt;
  if (!preprocessing.empty()) return encoding_of(preprocessing, images.front().dim(1));
  float least = 0;
  float most = 0;
  for (const Tensor& image : images) {
    const auto [low, high] = std::ranges::minmax(image.data<float>());
    least = std::min(least, low);
    most = std::max(most, high);
  }
  constexpr float kSlack = 1.0F / 255.0F;  // a resize with sharp filters oversteps a little
  const auto channels = static_cast<std::size_t>(images.front().dim(1));
  if (least < -kSlack || most > 255 + 255 * kSlack) return std::nullopt;
  return plain(channels, most <= 1 + kSlack ? 1.0F : 255.0F);
}

bool is_image(const Tensor& tensor) {
  return tensor.dtype() == DataType::kFloat32 && tensor.rank() == 4 && tensor.dim(0) == 1 &&
         (tensor.dim(1) == 1 || tensor.dim(1) == 3) && tensor.numel() > 0;
}

xt::transforms::ImageTensor decode_pixels(const Tensor& image, const PixelEncoding& encoding) {
  xt::transforms::ImageTensor result{image.dim(1), image.dim(2), image.dim(3), {}};
  result.values.resize(static_cast<std::size_t>(image.numel()));
  const auto plane = static_cast<std::size_t>(result.plane_size());
  const std::span<const float> values = image.data<float>();
  for (std::size_t c = 0; c < encoding.scale.size(); ++c) {
    float* to = result.values.data() + source_channel(encoding, c) * plane;
    for (std::size_t i = 0; i < plane; ++i) {
      to[i] = (values[c * plane + i] - encoding.offset[c]) / encoding.scale[c];
    }
  }
  return result;
}

Tensor encode_pixels(const xt::transforms::ImageTensor& image, const PixelEncoding& encoding) {
  Tensor result(DataType::kFloat32, {1, image.channels, image.height, image.width});
  const auto plane = static_cast<std::size_t>(image.plane_size());
  const std::span<float> values = result.data<float>();
  for (std::size_t c = 0; c < encoding.scale.size(); ++c) {
    const float* from = image.values.data() + source_channel(encoding, c) * plane;
    for (std::size_t i = 0; i < plane; ++i) {
      values[c * plane + i] = from[i] * encoding.scale[c] + encoding.offset[c];
    }
  }
  return result;
}

}  // namespace xinfer::builders
