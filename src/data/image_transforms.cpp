#include "xtorch/image_transforms.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "data/resample.h"
#include "xinfer/core/errors.h"
#include "xtorch/image.h"

namespace xt::transforms::image {
namespace {

using xinfer::PreprocessStep;

void check_sizes(const char* transform, const std::vector<std::int64_t>& sizes) {
  const bool positive = std::all_of(sizes.begin(), sizes.end(), [](std::int64_t size) { return size > 0; });
  if (sizes.empty() || sizes.size() > 2 || !positive) {
    throw xinfer::Error(fmt::format("{} was given the size {{{}}}", transform, fmt::join(sizes, ", ")),
                        "give {height, width} or one number, all positive");
  }
  if (sizes.front() > kMaxImagePixels / sizes.back()) {
    throw xinfer::Error(fmt::format("{} was given the size {{{}}}, more than the limit of {} pixels", transform,
                                    fmt::join(sizes, ", "), kMaxImagePixels));
  }
}

void check_fill(const char* transform, float fill) {
  if (!std::isfinite(fill)) {
    throw xinfer::Error(fmt::format("{}: the fill value {} is not finite", transform, fill));
  }
}

void check_rgb(const char* transform, const ImageTensor& image) {
  if (image.channels != 3) {
    throw xinfer::Error(fmt::format("{} needs three channels, but the picture has {}", transform, image.channels),
                        "put it before the step that changes the number of channels");
  }
}

// Lays `image` onto a canvas of `fill`, its first row at `top` and its first column at `left`; negative offsets and
// what sticks out are cut off.
ImageTensor place(const ImageTensor& image, std::int64_t height, std::int64_t width, std::int64_t top,
                  std::int64_t left, float fill) {
  if (height > kMaxImagePixels / width) {
    throw xinfer::DataError(fmt::format("{} x {} pixels exceed the limit of {}", width, height, kMaxImagePixels));
  }
  ImageTensor canvas{image.channels, height, width, {}};
  canvas.values.assign(static_cast<std::size_t>(image.channels * height * width), fill);
  const std::int64_t first_row = std::max<std::int64_t>(top, 0);
  const std::int64_t end_row = std::min(top + image.height, height);
  const std::int64_t first_column = std::max<std::int64_t>(left, 0);
  const std::int64_t end_column = std::min(left + image.width, width);
  for (std::int64_t c = 0; c < image.channels; ++c) {
    for (std::int64_t y = first_row; y < end_row; ++y) {
      const float* source = image.values.data() + (c * image.height + y - top) * image.width - left;
      std::copy(source + first_column, source + end_column,
                canvas.values.data() + (c * height + y) * width + first_column);
    }
  }
  return canvas;
}

// Where the crop begins, as torchvision computes it: padding splits to the smaller half first, cropping rounds the half
// of an odd difference to even.
std::int64_t center_offset(std::int64_t size, std::int64_t crop) {
  if (crop >= size) {
    return (crop - size) / 2;
  }
  const std::int64_t half = (size - crop) / 2;
  const bool odd = (size - crop) % 2 != 0;
  return -(half + (odd ? half % 2 : 0));
}

}  // namespace

Resize::Resize(std::vector<std::int64_t> size) : size_(std::move(size)) { check_sizes("Resize", size_); }

void Resize::apply(ImageTensor& image) const {
  std::int64_t height = size_.front();
  std::int64_t width = size_.back();
  if (size_.size() == 1) {
    const bool portrait = image.width <= image.height;
    (portrait ? height : width) =
        size_.front() * std::max(image.height, image.width) / std::min(image.height, image.width);
  }
  if (height != image.height || width != image.width) {
    image = detail::resample(image, height, width);
  }
}

PreprocessStep Resize::describe() const { return {PreprocessStep::Kind::kResize, size_, {}, ""}; }

CenterCrop::CenterCrop(std::vector<std::int64_t> size) {
  check_sizes("CenterCrop", size);
  height_ = size.front();
  width_ = size.back();
}

void CenterCrop::apply(ImageTensor& image) const {
  if (height_ != image.height || width_ != image.width) {
    image = place(image, height_, width_, center_offset(image.height, height_), center_offset(image.width, width_), 0);
  }
}

PreprocessStep CenterCrop::describe() const { return {PreprocessStep::Kind::kCenterCrop, {height_, width_}, {}, ""}; }

Pad::Pad(std::vector<std::int64_t> border, float fill) : border_(std::move(border)), fill_(fill) {
  const auto allowed = [](std::int64_t size) { return size >= 0 && size <= kMaxImagePixels; };
  if (border_.size() != 4 || !std::all_of(border_.begin(), border_.end(), allowed)) {
    throw xinfer::Error(fmt::format("Pad was given the border {{{}}}", fmt::join(border_, ", ")),
                        "give {left, top, right, bottom}, none negative");
  }
  check_fill("Pad", fill);
}

void Pad::apply(ImageTensor& image) const {
  image = place(image, image.height + border_[1] + border_[3], image.width + border_[0] + border_[2], border_[1],
                border_[0], fill_);
}

PreprocessStep Pad::describe() const { return {PreprocessStep::Kind::kPad, border_, {fill_}, ""}; }

Letterbox::Letterbox(std::vector<std::int64_t> size, float fill) : fill_(fill) {
  check_sizes("Letterbox", size);
  check_fill("Letterbox", fill);
  height_ = size.front();
  width_ = size.back();
}

void Letterbox::apply(ImageTensor& image) const {
  const double ratio = std::min(static_cast<double>(height_) / static_cast<double>(image.height),
                                static_cast<double>(width_) / static_cast<double>(image.width));
  const auto fitted = [ratio](std::int64_t size, std::int64_t room) {
    return std::clamp<std::int64_t>(std::llround(static_cast<double>(size) * ratio), 1, room);
  };
  const std::int64_t height = fitted(image.height, height_);
  const std::int64_t width = fitted(image.width, width_);
  if (height != image.height || width != image.width) {
    image = detail::resample(image, height, width);
  }
  if (height != height_ || width != width_) {
    image = place(image, height_, width_, (height_ - height) / 2, (width_ - width) / 2, fill_);
  }
}

PreprocessStep Letterbox::describe() const {
  return {PreprocessStep::Kind::kLetterbox, {height_, width_}, {fill_}, ""};
}

ToGray::ToGray(std::int64_t channels) : channels_(channels) {
  if (channels != 1 && channels != 3) {
    throw xinfer::Error(fmt::format("ToGray was asked for {} channels", channels), "ask for 1 or 3");
  }
}

void ToGray::apply(ImageTensor& image) const {
  check_rgb("ToGray", image);
  const std::int64_t pixels = image.plane_size();
  float* red = image.values.data();
  const float* green = red + pixels;
  const float* blue = green + pixels;
  for (std::int64_t i = 0; i < pixels; ++i) {
    red[i] = 0.299F * red[i] + 0.587F * green[i] + 0.114F * blue[i];
  }
  image.channels = channels_;
  image.values.resize(static_cast<std::size_t>(channels_ * pixels));
  for (std::int64_t c = 1; c < channels_; ++c) {
    std::copy_n(image.values.data(), pixels, image.values.data() + c * pixels);
  }
}

PreprocessStep ToGray::describe() const { return {PreprocessStep::Kind::kToGray, {channels_}, {}, ""}; }

void ToBgr::apply(ImageTensor& image) const {
  check_rgb("ToBgr", image);
  std::swap_ranges(image.values.begin(), image.values.begin() + image.plane_size(),
                   image.values.begin() + 2 * image.plane_size());
}

PreprocessStep ToBgr::describe() const { return {PreprocessStep::Kind::kToBgr, {}, {}, ""}; }

}  // namespace xt::transforms::image
