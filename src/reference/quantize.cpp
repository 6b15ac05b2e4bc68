// Quantize and Dequantize: the border between reals and integers. The only operators that honour zero points.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/functions.h"
#include "reference/loops.h"

namespace xinfer::reference {
namespace {

/// Calls f(element, scale, zero_point) for every element.
template <class F>
void for_each_scaled(const Sizes& shape, const ir::Quantization& q, F&& f) {
  const auto zero = [&](std::size_t i) {
    return q.zero_points.empty() ? 0 : q.zero_points[q.zero_points.size() == 1 ? 0 : i];
  };
  if (!q.per_channel()) {
    const std::int64_t count = element_count(shape);
    for (std::int64_t i = 0; i < count; ++i) f(i, q.scale(), zero(0));
    return;
  }
  const AxisView axis = around_axis(shape, q.axis);
  if (static_cast<std::int64_t>(q.scales.size()) != axis.size) {
    throw ModelError(fmt::format("{} scales for an axis of size {}", q.scales.size(), axis.size));
  }
  std::int64_t i = 0;
  for (std::int64_t outer = 0; outer < axis.outer; ++outer) {
    for (std::size_t c = 0; c < q.scales.size(); ++c) {
      for (std::int64_t inner = 0; inner < axis.inner; ++inner) f(i++, q.scales[c], zero(c));
    }
  }
}

const ir::Quantization& quantization_of(const ir::Value& value) {
  if (!value.quantization) throw ModelError(fmt::format("tensor '{}' has no scale", value.name));
  return *value.quantization;
}

}  // namespace

Tensor dequantize_tensor(const Tensor& q, const ir::Quantization& quantization) {
  Tensor x(DataType::kFloat32, q.shape());
  auto* to = elements<float>(x);
  with_number(q.dtype(), [&](auto tag) {
    const auto* from = elements<decltype(tag)>(q);
    for_each_scaled(q.shape(), quantization, [&](std::int64_t i, float scale, std::int32_t zero) {
      to[i] = static_cast<float>(static_cast<std::int64_t>(from[i]) - zero) * scale;
    });
  });
  return x;
}

Tensor quantize_tensor(const Tensor& x, const ir::Quantization& quantization, DataType type) {
  if (!is_int8_like(type)) throw UnsupportedError(fmt::format("quantizing to {}", name_of(type)));
  Tensor q(type, x.shape());
  const float* from = x.data<float>().data();
  with_number(type, [&](auto tag) {
    using T = decltype(tag);
    T* to = elements<T>(q);
    for_each_scaled(x.shape(), quantization, [&](std::int64_t i, float scale, std::int32_t zero) {
      const float steps = from[i] / scale;
      const double rounded = std::isnan(steps) ? 0.0 : std::nearbyint(steps);
      to[i] = static_cast<T>(std::clamp(rounded + zero, static_cast<double>(std::numeric_limits<T>::min()),
                                        static_cast<double>(std::numeric_limits<T>::max())));
    });
  });
  return q;
}

Tensors quantize(const NodeView& view, Inputs in) {
  require_f32(in[0], "the input of Quantize");
  return {quantize_tensor(in[0], quantization_of(view.output(0)), view.output(0).dtype)};
}

Tensors dequantize(const NodeView& view, Inputs in) {
  return {dequantize_tensor(in[0], quantization_of(view.input(0)))};
}

}  // namespace xinfer::reference
