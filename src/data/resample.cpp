#include "data/resample.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "xinfer/core/errors.h"
#include "xtorch/image.h"

namespace xt::detail {
namespace {

using transforms::ImageTensor;

// Rows that the horizontal pass takes at once, so that its innermost loop runs over them and vectorises.
constexpr std::int64_t kRowBlock = 16;

// Which inputs make an output along one axis, and with what weights.
struct Taps {
  struct Window {
    std::int64_t first = 0;
    std::int64_t count = 0;
  };
  std::vector<Window> windows;  // one an output
  std::vector<float> weights;   // `stride` an output
  std::int64_t stride = 0;

  const float* weights_of(std::int64_t output) const { return weights.data() + output * stride; }
};

Taps make_taps(std::int64_t in_size, std::int64_t out_size) {
  const double scale = static_cast<double>(in_size) / static_cast<double>(out_size);
  const double filter_scale = std::max(scale, 1.0);
  const double support = filter_scale;  // the triangle's half width is one
  Taps taps;
  taps.stride = static_cast<std::int64_t>(std::ceil(support)) * 2 + 1;
  taps.windows.resize(static_cast<std::size_t>(out_size));
  taps.weights.resize(static_cast<std::size_t>(out_size * taps.stride));
  std::vector<double> exact(static_cast<std::size_t>(taps.stride));
  for (std::int64_t out = 0; out < out_size; ++out) {
    const double center = (static_cast<double>(out) + 0.5) * scale;
    const std::int64_t first = std::max<std::int64_t>(static_cast<std::int64_t>(center - support + 0.5), 0);
    const std::int64_t end = std::min<std::int64_t>(static_cast<std::int64_t>(center + support + 0.5), in_size);
    const std::int64_t count = std::min(end - first, taps.stride);
    double sum = 0.0;
    for (std::int64_t k = 0; k < count; ++k) {
      const double distance = std::abs((static_cast<double>(first + k) - center + 0.5) / filter_scale);
      exact[static_cast<std::size_t>(k)] = std::max(1.0 - distance, 0.0);
      sum += exact[static_cast<std::size_t>(k)];
    }
    for (std::int64_t k = 0; k < count; ++k) {
      taps.weights[static_cast<std::size_t>(out * taps.stride + k)] =
          static_cast<float>(exact[static_cast<std::size_t>(k)] / sum);
    }
    taps.windows[static_cast<std::size_t>(out)] = {first, count};
  }
  return taps;
}

// One output row is a weighted sum of whole input rows.
void resample_rows(const float* in, std::int64_t width, const Taps& taps, float* out) {
  for (std::size_t y = 0; y < taps.windows.size(); ++y) {
    const Taps::Window window = taps.windows[y];
    const float* weights = taps.weights_of(static_cast<std::int64_t>(y));
    float* row = out + static_cast<std::int64_t>(y) * width;
    std::fill_n(row, width, 0.0F);
    for (std::int64_t k = 0; k < window.count; ++k) {
      const float* source = in + (window.first + k) * width;
      const float weight = weights[k];
      for (std::int64_t x = 0; x < width; ++x) {
        row[x] += weight * source[x];
      }
    }
  }
}

// Works on kRowBlock rows, interleaved in `block` so that the rows are the innermost axis.
void resample_columns(const float* in, std::int64_t height, std::int64_t width, const Taps& taps, float* out,
                      std::vector<float>& block) {
  const auto out_width = static_cast<std::int64_t>(taps.windows.size());
  block.resize(static_cast<std::size_t>(width * kRowBlock));
  for (std::int64_t y0 = 0; y0 < height; y0 += kRowBlock) {
    const std::int64_t rows = std::min(kRowBlock, height - y0);
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* source = in + (y0 + r) * width;
      for (std::int64_t x = 0; x < width; ++x) {
        block[static_cast<std::size_t>(x * kRowBlock + r)] = source[x];
      }
    }
    for (std::int64_t x = 0; x < out_width; ++x) {
      const Taps::Window window = taps.windows[static_cast<std::size_t>(x)];
      const float* weights = taps.weights_of(x);
      const float* source = block.data() + window.first * kRowBlock;
      float sums[kRowBlock] = {};
      for (std::int64_t k = 0; k < window.count; ++k) {
        const float weight = weights[k];
        for (std::int64_t r = 0; r < kRowBlock; ++r) {
          sums[r] += weight * source[k * kRowBlock + r];
        }
      }
      for (std::int64_t r = 0; r < rows; ++r) {
        out[(y0 + r) * out_width + x] = sums[r];
      }
    }
  }
}

void check_size(std::int64_t height, std::int64_t width) {
  if (height > kMaxImagePixels / width) {
    throw xinfer::DataError(
        fmt::format("resizing to {} x {} pixels exceeds the limit of {}", width, height, kMaxImagePixels));
  }
}

}  // namespace

ImageTensor resample(const ImageTensor& image, std::int64_t height, std::int64_t width) {
  check_size(height, width);
  check_size(height, image.width);
  const Taps vertical = make_taps(image.height, height);
  const Taps horizontal = make_taps(image.width, width);
  ImageTensor result{image.channels, height, width, {}};
  result.values.resize(static_cast<std::size_t>(image.channels * height * width));
  std::vector<float> tall(static_cast<std::size_t>(height * image.width));
  std::vector<float> block;
  for (std::int64_t c = 0; c < image.channels; ++c) {
    const float* plane = image.values.data() + c * image.plane_size();
    resample_rows(plane, image.width, vertical, tall.data());
    resample_columns(tall.data(), height, image.width, horizontal, result.values.data() + c * height * width, block);
  }
  return result;
}

}  // namespace xt::detail
