#pragma once
// Transforms that change the values of pixels alone.

#include <vector>

#include "xtorch/transform.h"

namespace xt::transforms::general {

/// (pixel - mean) / std, one mean and one std a channel.
class Normalize : public Transform {
 public:
  /// Throws xinfer::Error when the lengths differ or are zero, a value is not finite, or a std is not positive.
  /// apply() throws it when the picture has another number of channels.
  Normalize(std::vector<float> mean, std::vector<float> std);
  void apply(ImageTensor& image) const override;
  xinfer::PreprocessStep describe() const override;

 private:
  std::vector<float> mean_;
  std::vector<float> std_;
};

/// Multiplies every pixel by `factor`; 255 gives networks that expect [0, 255] their range.
class Scale : public Transform {
 public:
  /// Throws xinfer::Error when `factor` is zero or not finite.
  explicit Scale(float factor);
  void apply(ImageTensor& image) const override;
  xinfer::PreprocessStep describe() const override;

 private:
  float factor_;
};

}  // namespace xt::transforms::general
