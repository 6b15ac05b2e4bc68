// Normalisations and Softmax: f32 in and out, computed in double and rounded once.

#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/functions.h"
#include "reference/loops.h"

namespace xinfer::reference {
namespace {

struct Moments {
  double mean, inverse_deviation;
};
Moments moments_of(const float* x, std::int64_t count, double epsilon) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += x[i];
  const double mean = sum / static_cast<double>(count);
  double squares = 0;
  for (std::int64_t i = 0; i < count; ++i) squares += (x[i] - mean) * (x[i] - mean);
  return {mean, 1.0 / std::sqrt(squares / static_cast<double>(count) + epsilon)};
}

void require_floats(Inputs in) {
  for (const Tensor& input : in) {
    if (!input.empty()) require_f32(input, "every input of a normalisation");
  }
}

}  // namespace

Tensors batch_norm(const NodeView& view, Inputs in) {
  require_floats(in);
  const double epsilon = view.node.as<ir::NormAttrs>().epsilon;
  const AxisView axis = around_axis(in[0].shape(), 1);
  const auto scale = in[1].data<float>(), bias = in[2].data<float>();
  const auto mean = in[3].data<float>(), variance = in[4].data<float>();
  Tensor y(DataType::kFloat32, in[0].shape());
  const float* x = elements<float>(in[0]);
  auto* to = elements<float>(y);
  for (std::int64_t n = 0; n < axis.outer; ++n) {
    for (std::int64_t c = 0; c < axis.size; ++c) {
      const auto channel = static_cast<std::size_t>(c);
      const double factor = scale[channel] / std::sqrt(variance[channel] + epsilon);
      const std::int64_t begin = (n * axis.size + c) * axis.inner;
      for (std::int64_t i = begin; i < begin + axis.inner; ++i) {
        to[i] = static_cast<float>((x[i] - static_cast<double>(mean[channel])) * factor + bias[channel]);
      }
    }
  }
  return {y};
}

Tensors layer_norm(const NodeView& view, Inputs in) {
  require_floats(in);
  const auto& attrs = view.node.as<ir::NormAttrs>();
  const AxisView axis = around_axis(in[0].shape(), attrs.axis);
  const std::int64_t count = axis.size * axis.inner;
  const float* scale = view.node.has_input(1) ? elements<float>(in[1]) : nullptr;
  const float* bias = view.node.has_input(2) ? elements<float>(in[2]) : nullptr;
  Tensor y(DataType::kFloat32, in[0].shape());
  for (std::int64_t row = 0; row < axis.outer && count > 0; ++row) {
    const float* x = elements<float>(in[0]) + row * count;
    float* to = elements<float>(y) + row * count;
    const Moments m = moments_of(x, count, attrs.epsilon);
    for (std::int64_t i = 0; i < count; ++i) {
      const double normal = (x[i] - m.mean) * m.inverse_deviation;
      to[i] = static_cast<float>(normal * (scale != nullptr ? scale[i] : 1.0F) + (bias != nullptr ? bias[i] : 0.0F));
    }
  }
  return {y};
}

Tensors group_norm(const NodeView& view, Inputs in) {
  require_floats(in);
  const auto& attrs = view.node.as<ir::NormAttrs>();
  const AxisView axis = around_axis(in[0].shape(), 1);
  const std::int64_t channels = axis.size / attrs.groups;
  if (channels * attrs.groups != axis.size) throw ModelError("the groups don't divide the channels");
  const auto scale = in[1].data<float>(), bias = in[2].data<float>();
  Tensor y(DataType::kFloat32, in[0].shape());
  for (std::int64_t row = 0; row < axis.outer * attrs.groups; ++row) {
    const std::int64_t begin = row * channels * axis.inner;
    const float* x = elements<float>(in[0]) + begin;
    float* to = elements<float>(y) + begin;
    const Moments m = moments_of(x, channels * axis.inner, attrs.epsilon);
    for (std::int64_t i = 0; i < channels * axis.inner; ++i) {
      const auto c = static_cast<std::size_t>(row % attrs.groups * channels + i / axis.inner);
      to[i] = static_cast<float>((x[i] - m.mean) * m.inverse_deviation * scale[c] + bias[c]);
    }
  }
  return {y};
}

Tensors softmax(const NodeView& view, Inputs in) {
  require_floats(in);
  const auto& attrs = view.node.as<ir::SoftmaxAttrs>();
  const AxisView axis = around_axis(in[0].shape(), attrs.axis);
  Tensor y(DataType::kFloat32, in[0].shape());
  for (std::int64_t outer = 0; outer < axis.outer; ++outer) {
    for (std::int64_t inner = 0; inner < axis.inner; ++inner) {
      const std::int64_t begin = outer * axis.size * axis.inner + inner;
      const float* x = elements<float>(in[0]) + begin;
      float* to = elements<float>(y) + begin;
      double highest = -std::numeric_limits<double>::infinity();
      for (std::int64_t i = 0; i < axis.size; ++i) highest = std::max(highest, static_cast<double>(x[i * axis.inner]));
      double sum = 0;
      for (std::int64_t i = 0; i < axis.size; ++i) sum += std::exp(x[i * axis.inner] - highest);
      for (std::int64_t i = 0; i < axis.size; ++i) {
        const double shifted = x[i * axis.inner] - highest;
        to[i * axis.inner] = static_cast<float>(attrs.log ? shifted - std::log(sum) : std::exp(shifted) / sum);
      }
    }
  }
  return {y};
}

}  // namespace xinfer::reference
