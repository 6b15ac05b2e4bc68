#include "cuda/epilogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/hash.h"
#include "reference/requantize.h"

namespace xinfer::cuda {
namespace {

constexpr std::size_t kTableGranularity = 256;  // what epilogue.cuh promises

std::vector<std::byte> table(const std::vector<float>& values, const std::vector<std::int64_t>& order) {
  const std::size_t count = (order.size() + kTableGranularity - 1) / kTableGranularity * kTableGranularity;
  std::vector<float> padded(count, 0.0F);
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (order[i] >= 0) padded[i] = values.at(static_cast<std::size_t>(order[i]));
  }
  std::vector<std::byte> bytes(count * sizeof(float));
  std::memcpy(bytes.data(), padded.data(), bytes.size());
  return bytes;
}

Resident resident_of(const std::vector<float>& values, const std::vector<std::int64_t>& order) {
  Hasher hasher;
  hasher.update(values.data(), values.size() * sizeof(float));
  hasher.update(order.data(), order.size() * sizeof(std::int64_t));
  return {fmt::format("channel table {}", hasher.hex()), [values, order] { return table(values, order); }};
}

/// Saturating to 8 bits bounds values too: an activation that bounds them no further is left out.
ir::Epilogue without_saturation(const ir::Epilogue& activation, Element output) {
  const bool is_signed = output == Element::kS8;
  if (!is_signed && output != Element::kU8) return activation;
  const float low = is_signed ? -128 : 0, high = is_signed ? 127 : 255;
  const bool relu = activation.activation == ir::UnaryKind::kRelu && !is_signed;
  const bool clip = activation.activation == ir::UnaryKind::kClip && activation.alpha <= low && activation.beta >= high;
  return relu || clip ? ir::Epilogue{} : activation;
}

}  // namespace

std::optional<float> plain_scale(const ir::Value& value) {
  if (value.dtype == DataType::kFloat32) return 1.0F;
  if (!is_int8_like(value.dtype) || !value.quantization || value.quantization->scales.size() != 1) return std::nullopt;
  const auto& zeros = value.quantization->zero_points;
  if (std::any_of(zeros.begin(), zeros.end(), [](std::int32_t z) { return z != 0; })) return std::nullopt;
  return value.quantization->scale();
}

std::string device_name_of(ir::UnaryKind kind) {
  using enum ir::UnaryKind;
  switch (kind) {
    case kIdentity:
      return "kIdentity";
    case kRelu:
      return "kRelu";
    case kClip:
      return "kClip";
    case kLeakyRelu:
      return "kLeakyRelu";
    case kElu:
      return "kElu";
    case kSelu:
      return "kSelu";
    case kCelu:
      return "kCelu";
    case kSigmoid:
      return "kSigmoid";
    case kHardSigmoid:
      return "kHardSigmoid";
    case kHardSwish:
      return "kHardSwish";
    case kSilu:
      return "kSilu";
    case kMish:
      return "kMish";
    case kGelu:
      return "kGelu";
    case kGeluTanh:
      return "kGeluTanh";
    case kTanh:
      return "kTanh";
    case kSoftplus:
      return "kSoftplus";
    case kSoftsign:
      return "kSoftsign";
    case kErf:
      return "kErf";
    case kExp:
      return "kExp";
    case kLog:
      return "kLog";
    case kSqrt:
      return "kSqrt";
    case kReciprocal:
      return "kReciprocal";
    case kNegate:
      return "kNegate";
    case kAbs:
      return "kAbs";
    case kSign:
      return "kSign";
    case kFloor:
      return "kFloor";
    case kCeil:
      return "kCeil";
    case kRound:
      return "kRound";
    case kSin:
      return "kSin";
    case kCos:
      return "kCos";
    case kTan:
      return "kTan";
    case kAsin:
      return "kAsin";
    case kAcos:
      return "kAcos";
    case kAtan:
      return "kAtan";
    case kSinh:
      return "kSinh";
    case kCosh:
      return "kCosh";
    case kAsinh:
      return "kAsinh";
    case kAcosh:
      return "kAcosh";
    case kAtanh:
      return "kAtanh";
    case kNot:
    case kIsNan:
      return "";
  }
  return "";
}

std::variant<Epilogue, std::string> Epilogue::of(const Request& request, const ir::Epilogue& activation,
                                                 int weight_axis, std::int64_t channels) {
  const auto input = plain_scale(request.input(0));
  if (!input) return "the input has no plain scale";
  const auto output = plain_scale(request.output());
  if (!output) return "the output has no plain scale";
  reference::LayerScales scales;
  std::vector<float> weight_scales;
  scales.input = *input;
  scales.output = *output;
  const ir::Value& second = request.input(1);
  if (second.is_constant() && second.quantization) {
    const ir::Quantization& q = *second.quantization;
    if (std::any_of(q.zero_points.begin(), q.zero_points.end(), [](std::int32_t z) { return z != 0; })) {
      return "the weights have a zero point";
    }
    weight_scales = q.scales;
    if (request.node.op == ir::OpType::kConvTranspose && q.per_channel()) {
      // Its weights have the output channels of one group; every group repeats the scales.
      const auto groups = static_cast<std::size_t>(request.node.as<ir::ConvAttrs>().groups);
      if (static_cast<std::int64_t>(q.scales.size() * groups) == channels) {
        for (std::size_t g = 1; g < groups; ++g) {
          weight_scales.insert(weight_scales.end(), q.scales.begin(), q.scales.end());
        }
      }
    }
    if (q.per_channel() && (q.axis != weight_axis || static_cast<std::int64_t>(weight_scales.size()) != channels)) {
      return "the weights' scales don't lie along the output channels";
    }
    scales.weights = weight_scales;
  } else {
    const auto scale = plain_scale(second);
    if (!scale) return "the second operand has no plain scale";
    scales.input *= *scale;
  }
  if (request.node.op == ir::OpType::kMatMul) scales.input *= request.node.as<ir::MatMulAttrs>().alpha;
  if (request.has(2)) {
    const ir::Value& bias = request.input(2);
    if (!bias.is_constant() || bias.dtype != DataType::kFloat32) return "the bias is no constant f32";
    scales.bias = bias.constant->data<float>();
  }
  Epilogue result;
  if (request.has(3)) {
    const auto scale = plain_scale(request.input(3));
    if (!scale) return "the residual has no plain scale";
    scales.residual = *scale;
    result.residual_ = request.input_element(3);
  }
  if (device_name_of(activation.activation).empty()) return "the activation is no float function";
  reference::FoldedScales folded = reference::fold(scales, activation);
  const auto count = static_cast<std::size_t>(channels);
  if (folded.multiplier.size() != count) folded.multiplier.assign(count, folded.multiplier.at(0));
  if (folded.bias.empty()) folded.bias.assign(count, 0.0F);
  result.multiplier_ = std::move(folded.multiplier);
  result.bias_ = std::move(folded.bias);
  result.residual_scale_ = folded.residual_scale;
  result.activation_ = folded.activation;
  result.output_step_ = folded.output_scale == 1.0F ? 1.0F : 1.0F / folded.output_scale;
  result.output_ = request.output_element();
  if (folded.output_scale == 1.0F) result.activation_ = without_saturation(result.activation_, result.output_);
  return result;
}

void Epilogue::define(gpu::KernelSource& source) const {
  source.define("XI_ACTIVATION", device_name_of(activation_.activation));
  source.define("XI_RESIDUAL", residual_ ? 1 : 0);
  if (residual_) source.define("XI_RESIDUAL_T", device_name_of(*residual_));
  source.define("XI_OUT_T", device_name_of(output_));
  source.define("XI_STEP", has_step() ? 1 : 0);
  const bool bytes = output_ == Element::kS8 || output_ == Element::kU8;
  if (output_ != Element::kF32) source.define("XI_ROUNDED", bytes ? 2 : 1);
}

void Epilogue::add_residents(Step& step) {
  std::vector<std::int64_t> order(multiplier_.size());
  std::iota(order.begin(), order.end(), 0);
  add_residents(step, order);
}

void Epilogue::add_residents(Step& step, const std::vector<std::int64_t>& order) {
  resident_ = step.residents.size();
  step.residents.push_back(resident_of(multiplier_, order));
  step.residents.push_back(resident_of(bias_, order));
}

EpilogueArgs Epilogue::args(const Frame& frame) const {
  EpilogueArgs args;
  args.multiplier = frame.resident[resident_];
  args.bias = frame.resident[resident_ + 1];
  args.residual = residual_ ? frame.inputs[3] : 0;
  args.residual_scale = residual_scale_;
  args.alpha = activation_.alpha;
  args.beta = activation_.beta;
  args.output_step = output_step_;
  return args;
}

}  // namespace xinfer::cuda
