#include "xtorch/compose.h"

#include <fmt/format.h>

#include <array>

#include "xinfer/core/errors.h"
#include "xtorch/general_transforms.h"
#include "xtorch/image_transforms.h"

namespace xt {
namespace transforms {
namespace {

using xinfer::PreprocessStep;
using Kind = PreprocessStep::Kind;

// value / 255, looked up: three divisions a pixel would cost more than the resize after them.
constexpr std::array<float, 256> kUnitRange = [] {
  std::array<float, 256> table{};
  for (std::size_t value = 0; value < table.size(); ++value) {
    table[value] = static_cast<float>(value) / 255.0F;
  }
  return table;
}();

xinfer::Tensor to_tensor(const ImageTensor& image) {
  return xinfer::Tensor::from<float>({image.channels, image.height, image.width}, image.values);
}

// Stored descriptions may be damaged; constructors check the numbers, and this their count.
void check_counts(const PreprocessStep& step, std::size_t sizes, std::size_t values) {
  if (step.sizes.size() != sizes || step.values.size() != values) {
    throw xinfer::Error(fmt::format("the preprocessing step '{}' has {} sizes and {} values instead of {} and {}",
                                    to_string(xinfer::Preprocessing{{step}}), step.sizes.size(), step.values.size(),
                                    sizes, values));
  }
}

TransformPtr rebuild(const PreprocessStep& step) {
  switch (step.kind) {
    case Kind::kResize:
      return std::make_shared<image::Resize>(step.sizes);
    case Kind::kCenterCrop:
      return std::make_shared<image::CenterCrop>(step.sizes);
    case Kind::kPad:
      check_counts(step, 4, 1);
      return std::make_shared<image::Pad>(step.sizes, step.values[0]);
    case Kind::kLetterbox:
      check_counts(step, 2, 1);
      return std::make_shared<image::Letterbox>(step.sizes, step.values[0]);
    case Kind::kToGray:
      check_counts(step, 1, 0);
      return std::make_shared<image::ToGray>(step.sizes[0]);
    case Kind::kToBgr:
      return std::make_shared<image::ToBgr>();
    case Kind::kScale:
      check_counts(step, 0, 1);
      return std::make_shared<general::Scale>(step.values[0]);
    case Kind::kNormalize: {
      const std::size_t half = step.values.size() / 2;
      check_counts(step, 0, 2 * half);
      const auto middle = step.values.begin() + static_cast<std::ptrdiff_t>(half);
      return std::make_shared<general::Normalize>(std::vector<float>(step.values.begin(), middle),
                                                  std::vector<float>(middle, step.values.end()));
    }
    case Kind::kCustom:
      throw xinfer::Error(
          fmt::format("the preprocessing step '{}' is the user's own code, which no description can repeat", step.name),
          "apply the same transforms in your program and pass it ready tensors");
  }
  throw xinfer::Error(fmt::format("unknown kind {} of preprocessing step", static_cast<int>(step.kind)));
}

}  // namespace

Compose::Compose(std::initializer_list<TransformPtr> transforms) : Compose(std::vector<TransformPtr>(transforms)) {}

Compose::Compose(std::vector<TransformPtr> transforms) : transforms_(std::move(transforms)) {
  for (std::size_t i = 0; i < transforms_.size(); ++i) {
    if (transforms_[i] == nullptr) {
      throw xinfer::Error(fmt::format("transform {} of Compose is a null pointer", i));
    }
  }
}

void Compose::apply(ImageTensor& image) const {
  for (const TransformPtr& transform : transforms_) {
    transform->apply(image);
    if (image.channels <= 0 || image.height <= 0 || image.width <= 0 ||
        static_cast<std::int64_t>(image.values.size()) != image.channels * image.height * image.width) {
      throw xinfer::Error(fmt::format("the transform '{}' left {} values for a picture of {} x {} x {}",
                                      to_string(xinfer::Preprocessing{{transform->describe()}}), image.values.size(),
                                      image.channels, image.height, image.width));
    }
  }
}

xinfer::Tensor Compose::operator()(const Image& image) const {
  ImageTensor tensor = to_image_tensor(image);
  apply(tensor);
  return to_tensor(tensor);
}

xinfer::Preprocessing Compose::preprocessing() const {
  xinfer::Preprocessing preprocessing;
  for (const TransformPtr& transform : transforms_) {
    preprocessing.steps.push_back(transform->describe());
  }
  return preprocessing;
}

ImageTensor to_image_tensor(const Image& image) {
  const std::int64_t pixels = image.height * image.width;
  if (image.height <= 0 || image.width <= 0 || static_cast<std::int64_t>(image.pixels.size()) != 3 * pixels) {
    throw xinfer::DataError(fmt::format("an image of {} x {} pixels has {} bytes instead of three a pixel", image.width,
                                        image.height, image.pixels.size()));
  }
  ImageTensor tensor{3, image.height, image.width, std::vector<float>(image.pixels.size())};
  float* red = tensor.values.data();
  float* green = red + pixels;
  float* blue = green + pixels;
  const std::uint8_t* source = image.pixels.data();
  for (std::int64_t i = 0; i < pixels; ++i) {
    red[i] = kUnitRange[source[3 * i]];
    green[i] = kUnitRange[source[3 * i + 1]];
    blue[i] = kUnitRange[source[3 * i + 2]];
  }
  return tensor;
}

Compose from_preprocessing(const xinfer::Preprocessing& preprocessing) {
  std::vector<TransformPtr> transforms;
  transforms.reserve(preprocessing.steps.size());
  for (const PreprocessStep& step : preprocessing.steps) {
    transforms.push_back(rebuild(step));
  }
  return Compose(std::move(transforms));
}

}  // namespace transforms

xinfer::Tensor load_image(const std::filesystem::path& path, const transforms::Compose& transforms) {
  const Image image = read_image(path);
  try {
    return transforms(image);
  } catch (const xinfer::DataError& error) {
    throw xinfer::DataError(fmt::format("can't transform image '{}': {}", path.string(), error.what()));
  }
}

}  // namespace xt
