#pragma once
// Transforms that change the size of a picture or its colours.

#include <cstdint>
#include <vector>

#include "xtorch/transform.h"

namespace xt::transforms::image {

/// Bilinear resize with antialiasing, as torchvision's Resize(antialias=True) and Pillow's Image.resize(BILINEAR)
/// compute it on floats: a triangle filter, widened by the factor of a reduction, its weights normalised at the
/// borders.
class Resize : public Transform {
 public:
  /// {height, width}, or {shorter side}: the longer side is then int(shorter * old_longer / old_shorter).
  /// Throws xinfer::Error when there are not one or two positive sizes.
  explicit Resize(std::vector<std::int64_t> size);
  void apply(ImageTensor& image) const override;
  xinfer::PreprocessStep describe() const override;

 private:
  std::vector<std::int64_t> size_;
};

/// Cuts {height, width} out of the middle (one number: a square). Where the picture is smaller, zeros surround it
/// first. The borders are torchvision's: halves round to even.
class CenterCrop : public Transform {
 public:
  /// Throws xinfer::Error when there are not one or two positive sizes.
  explicit CenterCrop(std::vector<std::int64_t> size);
  void apply(ImageTensor& image) const override;
  xinfer::PreprocessStep describe() const override;

 private:
  std::int64_t height_;
  std::int64_t width_;
};

/// Adds {left, top, right, bottom} pixels of value `fill` in all channels.
class Pad : public Transform {
 public:
  /// Throws xinfer::Error when there are not four sizes of zero or more, or `fill` is not finite.
  explicit Pad(std::vector<std::int64_t> border, float fill = 0.0F);
  void apply(ImageTensor& image) const override;
  xinfer::PreprocessStep describe() const override;

 private:
  std::vector<std::int64_t> border_;
  float fill_;
};

/// The gray of detectors' letterboxes: 114 of 255.
inline constexpr float kLetterboxFill = 114.0F / 255.0F;

/// Resizes so that the whole picture fits into {height, width}, aspect kept, and centres it between bars of `fill`.
/// With an odd number of rows or columns left over, the bottom or the right bar is the larger one.
class Letterbox : public Transform {
 public:
  /// Throws xinfer::Error when there are not one or two positive sizes (one: a square), or `fill` is not finite.
  explicit Letterbox(std::vector<std::int64_t> size, float fill = kLetterboxFill);
  void apply(ImageTensor& image) const override;
  xinfer::PreprocessStep describe() const override;

 private:
  std::int64_t height_;
  std::int64_t width_;
  float fill_;
};

/// RGB to luma, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), in one channel or repeated in three.
class ToGray : public Transform {
 public:
  /// Throws xinfer::Error unless `channels` is 1 or 3. apply() throws it unless the picture has three channels.
  explicit ToGray(std::int64_t channels = 1);
  void apply(ImageTensor& image) const override;
  xinfer::PreprocessStep describe() const override;

 private:
  std::int64_t channels_;
};

/// Swaps the first and the third channel, for networks trained on BGR. apply() throws xinfer::Error unless the picture
/// has three channels.
class ToBgr : public Transform {
 public:
  void apply(ImageTensor& image) const override;
  xinfer::PreprocessStep describe() const override;
};

}  // namespace xt::transforms::image
