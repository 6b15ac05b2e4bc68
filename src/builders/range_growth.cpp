#include "builders/range_growth.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace xinfer::builders {
namespace {

constexpr double kTypicalShortfall = 0.05;
constexpr double kRareShortfall = 0.2;
constexpr std::size_t kFewestImages = 8;
constexpr double kWidening = 0.3;

std::int64_t live_tensors(const std::vector<TensorMaxima>& tensors) {
  return std::ranges::count_if(tensors, [](const TensorMaxima& tensor) { return std::ranges::max(tensor) > 0; });
}

/// Counts of images at which the curve is drawn.
std::vector<std::int64_t> curve_counts(std::int64_t images) {
  std::vector<std::int64_t> counts;
  for (const std::int64_t count : {1, 2, 4, 8, 16, 25, 50}) counts.push_back(count);
  for (std::int64_t count = 100; count < images; count *= 2) counts.push_back(count);
  std::erase_if(counts, [&](std::int64_t count) { return count >= images; });
  counts.push_back(images);
  return counts;
}

}  // namespace

double expected_shortfall(std::span<const float> descending, std::int64_t count) {
  const auto images = static_cast<std::int64_t>(descending.size());
  const double widest = descending.front();
  if (widest <= 0) return 0;
  double shortfall = 0;
  double probability = static_cast<double>(count) / static_cast<double>(images);  // that the widest image is chosen
  for (std::int64_t j = 0; j + count <= images; ++j) {
    shortfall += probability * (widest - descending[static_cast<std::size_t>(j)]);
    if (j + 1 < images) probability *= static_cast<double>(images - j - count) / static_cast<double>(images - j - 1);
  }
  return shortfall / widest;
}

RangeGrowth range_growth(std::vector<TensorMaxima> tensors) {
  RangeGrowth growth;
  std::erase_if(tensors, [](const TensorMaxima& tensor) { return std::ranges::max(tensor) <= 0; });
  if (tensors.empty()) return growth;
  for (TensorMaxima& tensor : tensors) std::ranges::sort(tensor, std::greater<>());
  const auto images = static_cast<std::int64_t>(tensors.front().size());
  const auto shortfalls = [&](std::int64_t count) {
    std::vector<double> result;
    for (const TensorMaxima& tensor : tensors) result.push_back(expected_shortfall(tensor, count));
    std::ranges::sort(result);
    return result;
  };
  const auto settled = [&](std::int64_t count) {
    const std::vector<double> sorted = shortfalls(count);
    return sorted[sorted.size() / 2] <= kTypicalShortfall && sorted[(sorted.size() - 1) * 95 / 100] <= kRareShortfall;
  };
  const auto point = [&](std::int64_t count) {
    const std::vector<double> sorted = shortfalls(count);
    return CurvePoint{count, sorted.back(), sorted[sorted.size() / 2]};
  };
  for (const std::int64_t count : curve_counts(images)) growth.curve.push_back(point(count));
  // A range never shrinks with more images, so the point can be searched by halving.
  std::int64_t low = 1;
  std::int64_t high = images;
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    if (settled(middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  growth.settled_after = low;
  growth.half = point(std::max<std::int64_t>(1, images / 2));
  return growth;
}

std::vector<Stretching> find_stretching(const std::vector<TensorMaxima>& tensors) {
  if (tensors.empty() || tensors.front().size() < kFewestImages) return {};
  const std::size_t images = tensors.front().size();
  const std::size_t left_out = std::max<std::size_t>(1, images / 20);
  std::vector<Stretching> found(images);
  for (std::size_t i = 0; i < images; ++i) found[i].image = i;
  for (const TensorMaxima& tensor : tensors) {
    TensorMaxima sorted = tensor;
    const auto reference = sorted.begin() + static_cast<std::ptrdiff_t>(left_out);
    std::ranges::nth_element(sorted, reference, std::greater<>());
    if (*reference <= 0) continue;
    for (std::size_t i = 0; i < images; ++i) {
      const double widening = static_cast<double>(tensor[i]) / *reference - 1;
      if (widening <= kWidening) continue;
      ++found[i].tensors;
      found[i].most = std::max(found[i].most, widening);
    }
  }
  const std::int64_t live = live_tensors(tensors);
  std::erase_if(found, [&](const Stretching& entry) { return entry.tensors == 0 || 4 * entry.tensors < live; });
  std::ranges::stable_sort(found, [](const Stretching& a, const Stretching& b) { return a.tensors > b.tensors; });
  return found;
}

}  // namespace xinfer::builders
