#include <algorithm>
#include <cmath>

#include "quantize/ranges.h"

namespace xinfer::quantize {
namespace {

// Integral of (u - step * min(round(u / step), top))^2 over u from 0 to x. Whole steps add step^3 / 12 each; the rest,
// from the centre of its step, adds r^3 / 3, which beyond the last step is the integral of the clipping error.
double error_integral(double x, double step, double top) {
  const double level = std::min(std::floor(x / step + 0.5), top);
  const double rest = x - level * step;
  return level * (step * step * step) / 12.0 + rest * rest * rest / 3.0;
}

double side_error(std::span<const std::uint64_t> bins, double width, double step, double top) {
  double sum = 0.0;
  double before = 0.0;
  bool fresh = true;  // `before` is the integral up to this bin's lower edge
  for (std::size_t i = 0; i < bins.size(); ++i) {
    if (bins[i] == 0) {
      fresh = i == 0 && fresh;
      continue;
    }
    if (!fresh) before = error_integral(static_cast<double>(i) * width, step, top);
    const double after = error_integral(static_cast<double>(i + 1) * width, step, top);
    sum += static_cast<double>(bins[i]) * (after - before);
    before = after;
    fresh = true;
  }
  return sum / width;
}

}  // namespace

double expected_squared_error(const Histogram& histogram, Grid grid, double threshold) {
  const double step = threshold / levels_of(grid);
  const double positive = side_error(histogram.positive(), histogram.bin_width(), step, levels_of(grid));
  // s8 has one more integer below zero; u8 has none.
  const double lowest = grid == Grid::kSigned ? levels_of(grid) + 1 : 0;
  return positive + side_error(histogram.negative(), histogram.bin_width(), step, lowest);
}

float choose_mse(const Histogram& histogram, Grid grid) {
  const float largest = histogram.abs_max();
  if (largest == 0.0F) return 0.0F;
  double best = largest;
  double best_error = expected_squared_error(histogram, grid, best);
  const auto consider = [&](double threshold) {
    const double error = expected_squared_error(histogram, grid, threshold);
    if (error < best_error) {
      best = threshold;
      best_error = error;
    }
  };
  // Quarter octaves down to 1/4096 of the maximum, then a fine search around the best; larger thresholds come first
  // and win ties.
  for (int i = 1; i <= 48; ++i) consider(largest * std::exp2(-i / 4.0));
  const double centre = best;
  for (int i = -16; i <= 16; ++i) {
    const double threshold = centre * std::exp2(-i / 64.0);
    if (i != 0 && threshold <= largest) consider(threshold);
  }
  return static_cast<float>(best);
}

}  // namespace xinfer::quantize
