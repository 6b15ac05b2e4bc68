#pragma once
// Transform: one step between a decoded image and a network input.

#include <cstdint>
#include <vector>

#include "xinfer/core/preprocessing.h"

namespace xt::transforms {

/// A picture on its way to the network: float, planar, values[(channel * height + y) * width + x].
/// It starts as RGB in [0, 1].
struct ImageTensor {
  std::int64_t channels = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::vector<float> values;

  std::int64_t plane_size() const { return height * width; }
};

/// One step of preprocessing. Derive from it to add a step of your own; only apply() has to be written.
///
/// A transform is immutable once built: loaders call apply() from several threads at once.
class Transform {
 public:
  virtual ~Transform() = default;

  /// Changes `image` in place. When it changes the size, `values` must hold channels * height * width floats
  /// afterwards. Throws xinfer::DataError when this image can't be processed, xinfer::Error when no image could be.
  virtual void apply(ImageTensor& image) const = 0;

  /// The step as data, stored in calibration caches and engines. The default is a kCustom step that bears the name of
  /// the derived class: honest, but such an engine can't repeat its preprocessing by itself.
  virtual xinfer::PreprocessStep describe() const;

 protected:
  Transform() = default;
  Transform(const Transform&) = default;
  Transform& operator=(const Transform&) = default;
};

}  // namespace xt::transforms
