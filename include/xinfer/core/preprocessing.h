#pragma once
// Preprocessing: how an image becomes a network input, as data. Stored in calibration caches and engines, so that
// calibration, validation and inference can't disagree.

#include <cstdint>
#include <string>
#include <vector>

namespace xinfer {

/// One step of preprocessing. Pixels start as RGB float in [0, 1], planar (channels, height, width).
struct PreprocessStep {
  enum class Kind : std::uint8_t {
    kResize,      ///< sizes = {height, width}, or {shorter side}: antialiased bilinear, as torchvision
    kCenterCrop,  ///< sizes = {height, width}; zero-padded where the image is smaller, as torchvision
    kPad,         ///< sizes = {left, top, right, bottom}; values = {fill}
    kLetterbox,   ///< sizes = {height, width}; values = {fill}: resize keeping the aspect, pad evenly
    kToGray,      ///< sizes = {1 or 3 output channels}: 0.299 R + 0.587 G + 0.114 B
    kToBgr,       ///< swaps the first and the third channel
    kScale,       ///< values = {factor}: multiplies every pixel (255 gives the range [0, 255])
    kNormalize,   ///< values = {mean..., std...}: (pixel - mean) / std, one of each a channel
    kCustom,      ///< code of the user's own: `name` identifies it; it can't be replayed from a description
  };
  Kind kind = Kind::kResize;
  std::vector<std::int64_t> sizes;
  std::vector<float> values;
  std::string name;  ///< of a kCustom step

  bool operator==(const PreprocessStep&) const = default;
};

/// Ordered steps from decoded image to network input.
struct Preprocessing {
  std::vector<PreprocessStep> steps;

  bool empty() const { return steps.empty(); }
  /// False when a step is the user's own code, which a stored description can't repeat.
  bool replayable() const;
  bool operator==(const Preprocessing&) const = default;
};

/// One line a person can read: "resize 224x224, normalize mean 0.485,0.456,0.406 std 0.229,0.224,0.225".
std::string to_string(const Preprocessing& preprocessing);

}  // namespace xinfer
