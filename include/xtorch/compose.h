#pragma once
// Compose: transforms in order, as one cheap value.

#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "xinfer/core/preprocessing.h"
#include "xinfer/core/tensor.h"
#include "xtorch/image.h"
#include "xtorch/transform.h"

namespace xt::transforms {

using TransformPtr = std::shared_ptr<const Transform>;

/// Applies transforms one after the other. Copies share the transforms. Thread-safe.
class Compose {
 public:
  /// No transforms: pictures stay RGB in [0, 1] at their own size.
  Compose() = default;
  /// Throws xinfer::Error when a pointer is null.
  Compose(std::initializer_list<TransformPtr> transforms);
  explicit Compose(std::vector<TransformPtr> transforms);

  const std::vector<TransformPtr>& transforms() const { return transforms_; }
  bool empty() const { return transforms_.empty(); }

  /// Runs every transform in place. Throws what they throw, and xinfer::Error when one leaves a picture whose number of
  /// values is not channels * height * width.
  void apply(ImageTensor& image) const;

  /// Float tensor [channels, height, width] of a decoded image.
  xinfer::Tensor operator()(const Image& image) const;

  /// The same steps as data.
  xinfer::Preprocessing preprocessing() const;

 private:
  std::vector<TransformPtr> transforms_;
};

/// Planar float copy of `image` with every pixel divided by 255. Throws xinfer::DataError when the pixel count is not
/// height * width * 3.
ImageTensor to_image_tensor(const Image& image);

/// Rebuilds the transforms that `preprocessing` describes: the inverse of Compose::preprocessing(). Throws
/// xinfer::Error on a kCustom step, which a description can't repeat, and on parameters that the transform's
/// constructor refuses.
Compose from_preprocessing(const xinfer::Preprocessing& preprocessing);

}  // namespace xt::transforms

namespace xt {

/// Reads one image file and transforms it: a float tensor [channels, height, width]. Throws xinfer::DataError naming
/// the file when it can't be decoded or transformed.
xinfer::Tensor load_image(const std::filesystem::path& path, const transforms::Compose& transforms);

}  // namespace xt
