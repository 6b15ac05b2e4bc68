#pragma once
// How the ranges of tensors grow with the number of images, from the largest magnitude of each tensor in each image.

#include <cstdint>
#include <span>
#include <vector>

#include "xinfer/builders/quality.h"

namespace xinfer::builders {

/// One tensor: its largest magnitude in each image.
using TensorMaxima = std::vector<float>;

/// How much smaller the range of one tensor is on average over all choices of `count` of the images than over all of
/// them, as a share of the latter; `descending` holds the images' maxima, the largest first.
///
/// The largest of k numbers drawn without replacement from y_1 >= ... >= y_n is y_j with the probability
/// C(n-j, k-1) / C(n, k), so no order of the images has to be chosen.
double expected_shortfall(std::span<const float> descending, std::int64_t count);

struct RangeGrowth {
  std::vector<CurvePoint> curve;  ///< after 1, 2, 4, 8, 16, 25, 50, 100, 200, 400, ... images and after all
  /// The fewest images after which half of the ranges are within 5 % of the final ones, and 95 of 100 within 20 %. (The
  /// largest values of a few tensors always go on growing, by a few percent each time that the images double.)
  std::int64_t settled_after = 0;
  CurvePoint half;  ///< after half of the images
};

/// All tensors have the same images, at least one; tensors that are always zero don't count. Nothing remains: an empty
/// curve.
RangeGrowth range_growth(std::vector<TensorMaxima> tensors);

/// An image that stands out of the others in many tensors.
struct Stretching {
  std::size_t image = 0;
  std::int64_t tensors = 0;  ///< that it widens
  double most = 0;           ///< by how much at most: 2 is three times as wide
};

/// The images that widen at least a quarter of the tensors, each by at least 30 %, against the widest of the others,
/// which leave out the top 5 % of the images (so that several broken ones don't hide each other). The most tensors
/// first. Fewer than 8 images have no others to be measured by: nothing.
std::vector<Stretching> find_stretching(const std::vector<TensorMaxima>& tensors);

}  // namespace xinfer::builders
