#include "cpu/quant.h"

#include <algorithm>
#include <cmath>

namespace xinfer::cpu {

namespace {
bool has_zero_point(const ir::Quantization& q) {
  return std::any_of(q.zero_points.begin(), q.zero_points.end(), [](std::int32_t z) { return z != 0; });
}
}  // namespace

std::optional<float> plain_scale(const ir::Value& value) {
  if (!is_int8_like(value.dtype) || !value.quantization || value.quantization->scales.size() != 1) return std::nullopt;
  if (has_zero_point(*value.quantization)) return std::nullopt;
  return value.quantization->scale();
}

std::optional<float> output_scale(const ir::Value& value) {
  if (value.dtype == DataType::kFloat32) return 1.0F;
  return plain_scale(value);
}

std::optional<kernels::RowOutput> row_output(const ir::Value& value) {
  const auto scale = output_scale(value);
  if (!scale) return std::nullopt;
  return kernels::RowOutput{value.dtype, *scale};
}

std::optional<kernels::ActivationParams> kernel_activation(const ir::Epilogue& epilogue) {
  using K = ir::UnaryKind;
  using A = kernels::Activation;
  kernels::ActivationParams params;
  switch (epilogue.activation) {
    case K::kIdentity:
      return params;
    case K::kRelu:
      params.kind = A::kRelu;
      return params;
    case K::kClip:
      params.kind = A::kClip;
      params.clip_lo = epilogue.alpha;
      params.clip_hi = epilogue.beta;
      return params;
    case K::kLeakyRelu:
      params.kind = A::kLeakyRelu;
      params.alpha = epilogue.alpha;
      return params;
    case K::kHardSwish:
      params.kind = A::kHardSwish;
      return params;
    case K::kHardSigmoid:
      params.kind = A::kHardSigmoid;
      params.alpha = epilogue.alpha;
      params.beta = epilogue.beta;
      return params;
    case K::kSigmoid:
      params.kind = A::kSigmoid;
      return params;
    case K::kSilu:
      params.kind = A::kSilu;
      return params;
    case K::kTanh:
      params.kind = A::kTanh;
      return params;
    case K::kGelu:
      params.kind = A::kGelu;
      return params;
    case K::kGeluTanh:
      params.kind = A::kGeluTanh;
      return params;
    default:
      return std::nullopt;
  }
}

void IntegerLayer::expand(std::int64_t channels) {
  const auto count = static_cast<std::size_t>(channels);
  if (folded.multiplier.size() != count) folded.multiplier.assign(count, folded.multiplier.at(0));
  if (folded.bias.empty()) folded.bias.assign(count, 0.0F);
}

std::optional<kernels::RequantParams> IntegerLayer::requant() const {
  const auto activation = kernel_activation(folded.activation);
  if (!activation) return std::nullopt;
  kernels::RequantParams params;
  params.multiplier = folded.multiplier.data();
  params.bias = folded.bias.empty() ? nullptr : folded.bias.data();
  params.activation = *activation;
  params.out_scale = folded.output_scale;
  params.output_type = output_type;
  if (residual_type) {
    params.residual_type = *residual_type;
    params.residual_scale = folded.residual_scale;
  }
  return params;
}

bool representable(const reference::FoldedScales& folded) {
  for (std::size_t i = 0; i < folded.bias.size(); ++i) {
    const float m = folded.multiplier[folded.multiplier.size() == 1 ? 0 : i];
    if (!std::isfinite(folded.bias[i] / m)) return false;
  }
  return true;
}

std::variant<IntegerLayer, std::string> integer_layer(const Request& request, const ir::Epilogue& epilogue,
                                                      int weight_axis, std::int64_t out_channels) {
  const auto input = plain_scale(request.input(0));
  if (!input) return "the input is no 8-bit tensor with one scale and zero point 0";
  const ir::Value& weights = request.input(1);
  if (!weights.is_constant() || weights.dtype != DataType::kInt8 || !weights.quantization) {
    return "the weights are no constant s8";
  }
  const ir::Quantization& q = *weights.quantization;
  if (has_zero_point(q)) return "the weights have a zero point";
  if (q.per_channel() && (q.axis != weight_axis || static_cast<std::int64_t>(q.scales.size()) != out_channels)) {
    return "the weights' scales don't lie along the output channels";
  }
  const auto output = output_scale(request.output());
  if (!output) return "the output has no plain scale";
  reference::LayerScales scales;
  scales.input = *input;
  scales.weights = q.scales;
  scales.output = request.tail.empty() ? *output : 1.0F;
  if (request.has(2)) {
    const ir::Value& bias = request.input(2);
    if (!bias.is_constant() || !is_float(bias)) return "the bias is no constant f32";
    scales.bias = bias.constant->data<float>();
  }
  IntegerLayer layer;
  layer.output_type = request.output_type();
  layer.input_scale = *input;
  layer.tail_scale = *output;
  if (request.has(3)) {
    const ir::Value& residual = request.input(3);
    const auto scale = output_scale(residual);
    if (!scale) return "the residual has no plain scale";
    scales.residual = *scale;
    layer.residual_type = residual.dtype;
  }
  layer.folded = reference::fold(scales, epilogue);
  return layer;
}

}  // namespace xinfer::cpu
