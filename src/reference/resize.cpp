// Resize: nearest moves elements of any type; linear and cubic are separable sums in double.
//
// Quantized linear and cubic: the weighted sum of integers in double, rounded once to float, times s_x / s_y (computed
// in double, rounded once), then saturate(round_half_even(.)).

#include <fmt/format.h>

#include "reference/functions.h"
#include "reference/loops.h"
#include "reference/movement.h"
#include "reference/requantize.h"
#include "reference/resize_taps.h"

namespace xinfer::reference {
namespace {

/// One axis of `x` (row-major, `shape`) replaced by its weighted sums; updates `shape`.
std::vector<double> resize_axis(const std::vector<double>& x, Sizes& shape, std::size_t axis,
                                const std::vector<AxisTaps>& taps) {
  const AxisView from = around_axis(shape, static_cast<std::int64_t>(axis));
  const auto out = static_cast<std::int64_t>(taps.size());
  std::vector<double> y(static_cast<std::size_t>(from.outer * out * from.inner), 0.0);
  for (std::int64_t outer = 0; outer < from.outer; ++outer) {
    for (std::int64_t i = 0; i < out; ++i) {
      const AxisTaps& here = taps[static_cast<std::size_t>(i)];
      double* to = y.data() + (outer * out + i) * from.inner;
      for (std::size_t t = 0; t < here.index.size(); ++t) {
        const double* row = x.data() + (outer * from.size + here.index[t]) * from.inner;
        for (std::int64_t k = 0; k < from.inner; ++k) to[k] += here.weight[t] * row[k];
      }
    }
  }
  shape[axis] = out;
  return y;
}

}  // namespace

Tensors resize(const NodeView& view, Inputs in) {
  const auto& attrs = view.node.as<ir::ResizeAttrs>();
  const Sizes out = view.output_shape(0);
  std::vector<std::vector<AxisTaps>> taps;
  for (std::size_t axis = 0; axis < out.size(); ++axis) {
    taps.push_back(resize_taps(attrs, axis, in[0].shape()[axis], out[axis]));
  }
  const ir::Value& from = view.input(0);
  const ir::Value& to = view.output(0);
  if (attrs.mode == ir::ResizeMode::kNearest) {
    if (from.quantization && to.quantization && *from.quantization != *to.quantization) {
      throw UnsupportedError("a nearest Resize only moves integers: its output carries the input's scale");
    }
    std::vector<Sizes> sources;
    for (const auto& axis : taps) {
      Sizes source;
      for (const AxisTaps& tap : axis) source.push_back(tap.index[0]);
      sources.push_back(std::move(source));
    }
    return {select_along_axes(in[0], sources)};
  }
  const bool quantized = is_quantized(from);
  if (!quantized) require_f32(in[0], "the input of a linear or cubic Resize");
  const std::vector<float> floats = as_floats(in[0]);
  std::vector<double> sums(floats.begin(), floats.end());
  Sizes shape = in[0].shape();
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const bool identity = shape[axis] == out[axis] && (attrs.scales.size() <= axis || attrs.scales[axis] == 1.0F);
    if (!identity) sums = resize_axis(sums, shape, axis, taps[axis]);
  }
  const float ratio = quantized ? static_cast<float>(static_cast<double>(plain_scale(from)) / output_scale(to)) : 1.0F;
  Tensor y(quantized ? to.dtype : DataType::kFloat32, out);
  with_number(y.dtype(), [&](auto tag) {
    using Y = decltype(tag);
    Y* target = elements<Y>(y);
    for (std::size_t i = 0; i < sums.size(); ++i) target[i] = round_to<Y>(static_cast<float>(sums[i]) * ratio);
  });
  return {y};
}

}  // namespace xinfer::reference
