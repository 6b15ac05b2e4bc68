// Resize and Upsample.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "onnx/converters.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::CoordinateMode;
using ir::NearestMode;
using ir::OpType;
using ir::ResizeMode;
using ir::ValueId;

ResizeMode resize_mode(const std::string& name) {
  if (name == "nearest") return ResizeMode::kNearest;
  if (name == "linear" || name == "bilinear") return ResizeMode::kLinear;
  if (name == "cubic") return ResizeMode::kCubic;
  throw ModelError(fmt::format("mode '{}' is unknown", name));
}

CoordinateMode coordinate_mode(const std::string& name) {
  if (name == "half_pixel") return CoordinateMode::kHalfPixel;
  if (name == "pytorch_half_pixel") return CoordinateMode::kPytorchHalfPixel;
  if (name == "asymmetric") return CoordinateMode::kAsymmetric;
  if (name == "align_corners") return CoordinateMode::kAlignCorners;
  if (name == "half_pixel_symmetric") return CoordinateMode::kHalfPixelSymmetric;
  throw UnsupportedError(fmt::format("coordinate_transformation_mode '{}' is not supported", name));
}

NearestMode nearest_mode(const std::string& name) {
  if (name == "round_prefer_floor") return NearestMode::kRoundPreferFloor;
  if (name == "round_prefer_ceil") return NearestMode::kRoundPreferCeil;
  if (name == "floor") return NearestMode::kFloor;
  if (name == "ceil") return NearestMode::kCeil;
  throw ModelError(fmt::format("nearest_mode '{}' is unknown", name));
}

/// Scales or sizes of some axes, spread over all axes.
template <class T>
std::vector<T> spread(const std::vector<T>& some, const std::vector<std::int64_t>& axes, std::vector<T> all) {
  if (some.size() != axes.size()) {
    throw ModelError(fmt::format("{} scales or sizes are given for {} axes", some.size(), axes.size()));
  }
  for (std::size_t i = 0; i < axes.size(); ++i) all[static_cast<std::size_t>(axes[i])] = some[i];
  return all;
}

void set_scales(NodeContext& c, ValueId x, const std::vector<float>& scales, ir::ResizeAttrs& attrs) {
  const std::size_t rank = c.rank(x);
  if (scales[0] != 1 || scales[1] != 1) throw UnsupportedError("it scales the batch or the channels");
  attrs.scales = scales;
  for (std::size_t i = 2; i < rank; ++i) {
    const double size = std::floor(static_cast<double>(c.fixed_dim(x, i)) * static_cast<double>(scales[i]));
    if (!(scales[i] > 0) || !(size >= 1) || size > static_cast<double>(kMaxSize)) {
      throw ModelError(fmt::format("the scale {} of axis {} is not usable", scales[i], i));
    }
    attrs.sizes.push_back(static_cast<std::int64_t>(size));
  }
}

/// keep_aspect_ratio_policy: one scale for all resized axes, the smallest or the largest that the sizes ask for.
void keep_aspect(NodeContext& c, ValueId x, const std::string& policy, const std::vector<std::int64_t>& axes,
                 std::vector<ir::Dim>& sizes) {
  if (policy == "stretch") return;
  if (policy != "not_larger" && policy != "not_smaller") {
    throw ModelError(fmt::format("keep_aspect_ratio_policy '{}' is unknown", policy));
  }
  double scale = 0;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(axes[i]);
    const double ratio = static_cast<double>(sizes[axis].value) / static_cast<double>(c.fixed_dim(x, axis));
    const bool takes = policy == "not_larger" ? ratio < scale : ratio > scale;
    if (i == 0 || takes) scale = ratio;
  }
  for (const std::int64_t a : axes) {
    const auto axis = static_cast<std::size_t>(a);
    sizes[axis] = std::llround(scale * static_cast<double>(c.fixed_dim(x, axis)));
  }
}

void set_sizes(NodeContext& c, ValueId x, const std::vector<ir::Dim>& sizes, ir::ResizeAttrs& attrs) {
  const bool promoted_batch = c.promoted() && sizes[0] == ir::Dim(1);
  if ((sizes[0] != c.shape(x)[0] && !promoted_batch) || sizes[1] != c.shape(x)[1]) {
    throw UnsupportedError("it resizes the batch or the channels");
  }
  attrs.scales = {1, 1};
  for (std::size_t i = 2; i < c.rank(x); ++i) {
    const std::int64_t in = c.fixed_dim(x, i);
    if (sizes[i].batch || sizes[i].value < 1 || sizes[i].value > kMaxSize || in < 1) {
      throw ModelError(fmt::format("axis {} of size {} is resized to {}", i, in, ir::to_string(sizes[i])));
    }
    attrs.sizes.push_back(sizes[i].value);
    attrs.scales.push_back(static_cast<float>(static_cast<double>(sizes[i].value) / static_cast<double>(in)));
  }
}

void expect_image(NodeContext& c, ValueId x) {
  if (c.rank(x) < 3) throw ModelError(fmt::format("its input has rank {}; (N, C, spatial...) is needed", c.rank(x)));
}

/// The operators before opset 11: asymmetric coordinates; nearest rounds down (up when it shrinks the image).
void legacy(NodeContext& c, const std::vector<float>& scales) {
  const ValueId x = c.input(0);
  if (scales.size() != c.rank(x))
    throw ModelError(fmt::format("{} scales are given for rank {}", scales.size(), c.rank(x)));
  ir::ResizeAttrs attrs;
  attrs.mode = resize_mode(c.attributes().text("mode", "nearest"));
  attrs.coordinates = CoordinateMode::kAsymmetric;
  const bool shrinks = std::any_of(scales.begin(), scales.end(), [](float s) { return s < 1; });
  const bool grows = std::any_of(scales.begin(), scales.end(), [](float s) { return s > 1; });
  if (shrinks && grows && attrs.mode == ResizeMode::kNearest)
    throw UnsupportedError("it grows one axis and shrinks another");
  attrs.nearest = shrinks ? NearestMode::kCeil : NearestMode::kFloor;
  set_scales(c, x, scales, attrs);
  c.finish(OpType::kResize, {x}, attrs);
}

void upsample(NodeContext& c) {
  expect_image(c, c.input(0));
  if (c.opset() >= 9) {
    c.expect_inputs(2, 2);
    return legacy(c, c.reals(1, "scales"));
  }
  const auto scales = c.attributes().reals("scales");
  if (!scales) throw ModelError("attribute 'scales' is missing");
  legacy(c, *scales);
}

void resize(NodeContext& c) {
  const ValueId x = c.input(0);
  expect_image(c, x);
  if (c.opset() < 11) {
    c.expect_inputs(2, 2);
    return legacy(c, c.reals(1, "scales"));
  }
  c.expect_inputs(2, 4);
  const AttributeReader& a = c.attributes();
  const std::size_t rank = c.rank(x);
  ir::ResizeAttrs attrs;
  attrs.mode = resize_mode(a.text("mode", "nearest"));
  attrs.coordinates = coordinate_mode(a.text("coordinate_transformation_mode", "half_pixel"));
  attrs.nearest = nearest_mode(a.text("nearest_mode", "round_prefer_floor"));
  attrs.cubic_coeff = a.real("cubic_coeff_a", -0.75F);
  attrs.exclude_outside = a.flag("exclude_outside", false);
  attrs.antialias = a.flag("antialias", false);
  std::vector<std::int64_t> axes;
  for (std::size_t i = 0; i < rank; ++i) axes.push_back(static_cast<std::int64_t>(i));
  if (const auto given = a.integers("axes")) {
    c.axes(*given, rank);  // refuses repeats
    axes.clear();
    for (const std::int64_t axis : *given) axes.push_back(static_cast<std::int64_t>(c.axis(axis, rank)));
  }
  // An absent input may also be an empty tensor.
  const bool by_sizes = c.has(3) && c.shape(c.input(3)) != ir::Shape{0};
  const bool by_scales = c.has(2) && c.shape(c.input(2)) != ir::Shape{0};
  if (by_sizes == by_scales) throw ModelError("exactly one of scales and sizes is needed");
  if (by_scales) {
    set_scales(c, x, spread(c.reals(2, "scales"), axes, std::vector<float>(rank, 1)), attrs);
  } else {
    std::vector<ir::Dim> sizes = spread(c.dims(3, "sizes"), axes, c.shape(x).dims());
    std::vector<std::int64_t> spatial;
    std::copy_if(axes.begin(), axes.end(), std::back_inserter(spatial), [](std::int64_t axis) { return axis >= 2; });
    keep_aspect(c, x, a.text("keep_aspect_ratio_policy", "stretch"), spatial, sizes);
    set_sizes(c, x, sizes, attrs);
  }
  c.finish(OpType::kResize, {x}, attrs);
}

constexpr ConverterEntry kEntries[] = {{"Resize", resize}, {"Upsample", upsample}};

}  // namespace

std::span<const ConverterEntry> resize_converters() { return kEntries; }

}  // namespace xinfer::onnx
