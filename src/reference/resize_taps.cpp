#include "reference/resize_taps.h"

#include <algorithm>
#include <cmath>

namespace xinfer::reference {
namespace {

/// A scale in double. One that is just the float of out / in stands for that exact ratio: with the float, a position
/// that should hit a pixel could fall short of it.
double exact_scale(const ir::ResizeAttrs& attrs, std::size_t axis, std::int64_t in, std::int64_t out) {
  const double ratio = static_cast<double>(out) / static_cast<double>(in);
  if (axis >= attrs.scales.size() || attrs.scales[axis] == static_cast<float>(ratio)) return ratio;
  return attrs.scales[axis];
}

double source_position(ir::CoordinateMode mode, std::int64_t x, std::int64_t in, std::int64_t out, double scale) {
  const auto at = static_cast<double>(x);
  const auto size = static_cast<double>(in);
  switch (mode) {
    case ir::CoordinateMode::kHalfPixel:
      return (at + 0.5) / scale - 0.5;
    case ir::CoordinateMode::kPytorchHalfPixel:
      return out > 1 ? (at + 0.5) / scale - 0.5 : 0.0;
    case ir::CoordinateMode::kAsymmetric:
      return at / scale;
    case ir::CoordinateMode::kAlignCorners: {
      // By the standard the output's length is in * scale, before it is cut to an integer.
      const double length = scale * size;
      return length == 1 ? 0.0 : at * (size - 1) / (length - 1);
    }
    case ir::CoordinateMode::kHalfPixelSymmetric: {
      const double adjustment = static_cast<double>(out) / (scale * size);
      return size / 2 * (1 - adjustment) + (at + 0.5) / scale - 0.5;
    }
  }
  return at;
}

std::int64_t nearest(ir::NearestMode mode, double position) {
  switch (mode) {
    case ir::NearestMode::kRoundPreferFloor:
      return static_cast<std::int64_t>(std::ceil(position - 0.5));
    case ir::NearestMode::kRoundPreferCeil:
      return static_cast<std::int64_t>(std::floor(position + 0.5));
    case ir::NearestMode::kFloor:
      return static_cast<std::int64_t>(std::floor(position));
    case ir::NearestMode::kCeil:
      return static_cast<std::int64_t>(std::ceil(position));
  }
  return 0;
}

double kernel_value(const ir::ResizeAttrs& attrs, double distance) {
  const double x = std::abs(distance);
  if (attrs.mode == ir::ResizeMode::kLinear) return std::max(0.0, 1 - x);
  // Keys, "Cubic convolution interpolation for digital image processing", 1981, with a free coefficient.
  const double a = attrs.cubic_coeff;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

AxisTaps interpolate(const ir::ResizeAttrs& attrs, double position, std::int64_t in, double scale) {
  // Antialiasing stretches the kernel over the inputs that one output covers when the image shrinks.
  const double shrink = attrs.antialias ? std::min(scale, 1.0) : 1.0;
  const double radius = (attrs.mode == ir::ResizeMode::kLinear ? 1.0 : 2.0) / shrink;
  const auto begin = static_cast<std::int64_t>(std::floor(position - radius)) + 1;
  const auto end = static_cast<std::int64_t>(std::ceil(position + radius));
  AxisTaps taps;
  double sum = 0;
  for (std::int64_t i = begin; i < std::max(end, begin + 1); ++i) {
    double weight = kernel_value(attrs, (static_cast<double>(i) - position) * shrink);
    if (attrs.exclude_outside && (i < 0 || i >= in)) weight = 0;
    taps.index.push_back(std::clamp<std::int64_t>(i, 0, in - 1));
    taps.weight.push_back(weight);
    sum += weight;
  }
  if (attrs.exclude_outside || attrs.antialias) {
    for (double& weight : taps.weight) weight /= sum;
  }
  return taps;
}

}  // namespace

std::vector<AxisTaps> resize_taps(const ir::ResizeAttrs& attrs, std::size_t axis, std::int64_t in, std::int64_t out) {
  const double scale = exact_scale(attrs, axis, in, out);
  std::vector<AxisTaps> taps(static_cast<std::size_t>(out));
  for (std::int64_t x = 0; x < out; ++x) {
    AxisTaps& here = taps[static_cast<std::size_t>(x)];
    if (in == out && scale == 1) {
      here = {{x}, {1.0}};
      continue;
    }
    const double position = source_position(attrs.coordinates, x, in, out, scale);
    if (attrs.mode == ir::ResizeMode::kNearest) {
      here = {{std::clamp<std::int64_t>(nearest(attrs.nearest, position), 0, in - 1)}, {1.0}};
    } else {
      here = interpolate(attrs, position, in, scale);
    }
  }
  return taps;
}

}  // namespace xinfer::reference
