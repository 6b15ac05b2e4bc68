// MaxPool on any number type, AveragePool in float and in integers.

#include <limits>

#include "reference/functions.h"
#include "reference/loops.h"
#include "reference/requantize.h"
#include "reference/window.h"

namespace xinfer::reference {
namespace {

Window window_of(const NodeView& view, const Tensor& x) {
  const auto& attrs = view.node.as<ir::PoolAttrs>();
  return make_window(spatial(x.shape()), spatial(view.output_shape(0)), attrs.kernel, attrs.strides, attrs.dilations,
                     attrs.pads);
}

/// Calls f(input plane, output plane, index, taps with padding, taps) for each output of each (n, c) plane.
template <class X, class Y, class F>
void for_each_plane(const Window& window, const Tensor& x, Tensor& y, F&& f) {
  const std::int64_t planes = x.dim(0) * x.dim(1);
  for_each_window(window, [&](std::int64_t at, std::int64_t count, const std::vector<std::int64_t>& taps) {
    for (std::int64_t p = 0; p < planes; ++p) {
      f(elements<X>(x) + p * window.in_count(), elements<Y>(y)[p * window.out_count() + at], count, taps);
    }
  });
}

}  // namespace

Tensors max_pool(const NodeView& view, Inputs in) {
  Tensor y(in[0].dtype(), view.output_shape(0));
  with_number(in[0].dtype(), [&](auto tag) {
    using T = decltype(tag);
    constexpr T kLowest =
        std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
    for_each_plane<T, T>(window_of(view, in[0]), in[0], y,
                         [&](const T* x, T& out, std::int64_t, const std::vector<std::int64_t>& taps) {
                           T best = kLowest;
                           for (const std::int64_t tap : taps) best = x[tap] < best ? best : x[tap];  // NaN wins
                           out = best;
                         });
  });
  return {y};
}

Tensors average_pool(const NodeView& view, Inputs in) {
  const bool padded = view.node.as<ir::PoolAttrs>().count_include_pad;
  const Window window = window_of(view, in[0]);
  if (!is_quantized(view.input(0))) {
    require_f32(in[0], "the input of AveragePool");
    Tensor y(DataType::kFloat32, view.output_shape(0));
    for_each_plane<float, float>(window, in[0], y, [&](const float* x, float& out, std::int64_t all, const auto& taps) {
      double sum = 0;
      for (const std::int64_t tap : taps) sum += x[tap];
      out = static_cast<float>(sum / static_cast<double>(padded ? all : static_cast<std::int64_t>(taps.size())));
    });
    return {y};
  }
  // multiplier = s_x / count / s_y in double, rounded once: it differs between windows where padding isn't counted.
  const double ratio = static_cast<double>(plain_scale(view.input(0))) / output_scale(view.output(0));
  Tensor y(view.output(0).dtype, view.output_shape(0));
  with_number(in[0].dtype(), [&](auto tag_x) {
    with_number(y.dtype(), [&](auto tag_y) {
      using X = decltype(tag_x);
      using Y = decltype(tag_y);
      for_each_plane<X, Y>(window, in[0], y, [&](const X* x, Y& out, std::int64_t all, const auto& taps) {
        std::int32_t sum = 0;
        for (const std::int64_t tap : taps) sum += static_cast<std::int32_t>(x[tap]);
        const auto count = static_cast<double>(padded ? all : static_cast<std::int64_t>(taps.size()));
        out = round_to<Y>(static_cast<float>(sum) * static_cast<float>(ratio / count));
      });
    });
  });
  return {y};
}

}  // namespace xinfer::reference
