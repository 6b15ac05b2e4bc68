#include "quantize/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "xinfer/core/errors.h"

namespace xinfer::quantize {

QuantizedWeights quantize_weights(const Tensor& weights, int axis, const std::string& where) {
  const auto& shape = weights.shape();
  const std::size_t channels = axis < 0 ? 1 : static_cast<std::size_t>(weights.dim(axis));
  std::size_t inner = 1;  // elements between two indices of the axis
  for (std::size_t i = static_cast<std::size_t>(axis + 1); i < shape.size(); ++i) {
    inner *= static_cast<std::size_t>(shape[i]);
  }
  const std::span<const float> from = weights.data<float>();
  const auto channel_of = [&](std::size_t i) { return axis < 0 ? 0 : i / inner % channels; };

  std::vector<float> largest(channels, 0.0F);
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (!std::isfinite(from[i])) {
      throw ModelError(fmt::format("{}: weight {} is {}", where, i, from[i]),
                       "the model is damaged or was exported after a training run that diverged");
    }
    float& here = largest[channel_of(i)];
    here = std::max(here, std::fabs(from[i]));
  }
  QuantizedWeights result;
  result.quantization.axis = axis;
  for (const float m : largest) {
    const auto scale = static_cast<float>(m / 127.0);
    result.quantization.scales.push_back(scale < std::numeric_limits<float>::min() ? 1.0F : scale);
  }
  result.values = Tensor(DataType::kInt8, shape);
  const std::span<std::int8_t> to = result.values.data<std::int8_t>();
  for (std::size_t i = 0; i < from.size(); ++i) {
    const double scaled = static_cast<double>(from[i]) / result.quantization.scales[channel_of(i)];
    to[i] = static_cast<std::int8_t>(std::clamp(std::nearbyint(scaled), -127.0, 127.0));
  }
  return result;
}

int output_channel_axis(const ir::Node& node) {
  switch (node.op) {
    case ir::OpType::kConvTranspose:
      return 1;
    case ir::OpType::kMatMul:
      return -1;
    default:
      return 0;
  }
}

}  // namespace xinfer::quantize
