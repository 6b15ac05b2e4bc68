// Functions of one tensor, with and without parameters.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "onnx/converters.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::BinaryKind;
using ir::OpType;
using ir::UnaryKind;
using ir::ValueId;

template <UnaryKind kind>
void plain(NodeContext& c) {
  c.expect_inputs(1, 1);
  c.finish(OpType::kUnary, {c.input(0)}, ir::UnaryAttrs{kind, 0, 0});
}

void with_alpha(NodeContext& c, UnaryKind kind, float otherwise) {
  c.expect_inputs(1, 1);
  c.finish(OpType::kUnary, {c.input(0)}, ir::UnaryAttrs{kind, c.attributes().real("alpha", otherwise), 0});
}
void leaky_relu(NodeContext& c) { with_alpha(c, UnaryKind::kLeakyRelu, 0.01F); }
void elu(NodeContext& c) { with_alpha(c, UnaryKind::kElu, 1); }
void celu(NodeContext& c) { with_alpha(c, UnaryKind::kCelu, 1); }

void selu(NodeContext& c) {
  c.expect_inputs(1, 1);
  const float alpha = c.attributes().real("alpha", 1.67326319217681884765625F);
  const float gamma = c.attributes().real("gamma", 1.05070102214813232421875F);
  c.finish(OpType::kUnary, {c.input(0)}, ir::UnaryAttrs{UnaryKind::kSelu, alpha, gamma});
}

void hard_sigmoid(NodeContext& c) {
  c.expect_inputs(1, 1);
  const float alpha = c.attributes().real("alpha", 0.2F);
  const float beta = c.attributes().real("beta", 0.5F);
  c.finish(OpType::kUnary, {c.input(0)}, ir::UnaryAttrs{UnaryKind::kHardSigmoid, alpha, beta});
}

void gelu(NodeContext& c) {
  c.expect_inputs(1, 1);
  const std::string form = c.attributes().text("approximate", "none");
  if (form != "none" && form != "tanh") throw ModelError(fmt::format("approximate '{}' is unknown", form));
  c.finish(OpType::kUnary, {c.input(0)},
           ir::UnaryAttrs{form == "tanh" ? UnaryKind::kGeluTanh : UnaryKind::kGelu, 0, 0});
}

void swish(NodeContext& c) {
  c.expect_inputs(1, 1);
  const ValueId x = c.input(0);
  const float alpha = c.attributes().real("alpha", 1);
  if (alpha == 1) return c.finish(OpType::kUnary, {x}, ir::UnaryAttrs{UnaryKind::kSilu, 0, 0});
  const ValueId gate = c.unary(UnaryKind::kSigmoid, c.binary(BinaryKind::kMul, x, c.scalar(alpha)));
  c.finish(OpType::kBinary, {x, gate}, ir::BinaryAttrs{BinaryKind::kMul, {}});
}

void prelu(NodeContext& c) {
  c.expect_inputs(2, 2);
  c.finish(OpType::kBinary, {c.input(0), c.input(1)}, ir::BinaryAttrs{BinaryKind::kPrelu, {}});
}

void thresholded_relu(NodeContext& c) {
  c.expect_inputs(1, 1);
  const ValueId x = c.input(0);
  const ValueId above = c.binary(BinaryKind::kGreater, x, c.scalar(c.attributes().real("alpha", 1)));
  c.finish(OpType::kWhere, {above, x, c.scalar(0)});
}

/// x + bias below -lambd, x - bias above lambd, 0 between.
void shrink(NodeContext& c) {
  c.expect_inputs(1, 1);
  const ValueId x = c.input(0);
  const float bias = c.attributes().real("bias", 0);
  const float lambd = c.attributes().real("lambd", 0.5F);
  const ValueId below = c.binary(BinaryKind::kLess, x, c.scalar(-lambd));
  const ValueId above = c.binary(BinaryKind::kGreater, x, c.scalar(lambd));
  const ValueId lifted = c.binary(BinaryKind::kAdd, x, c.scalar(bias));
  const ValueId lowered = c.binary(BinaryKind::kSub, x, c.scalar(bias));
  c.finish(OpType::kWhere, {below, lifted, c.emit(OpType::kWhere, {above, lowered, c.scalar(0)})});
}

/// Clip whose bounds are integers, or are computed by the model.
void clip_by_bounds(NodeContext& c) {
  ValueId x = c.input(0);
  if (c.has(1)) x = c.binary(BinaryKind::kMax, x, c.input(1));
  if (c.has(2)) x = c.binary(BinaryKind::kMin, x, c.input(2));
  c.alias(0, x);
}

void clip(NodeContext& c) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  float low = -kLargest;
  float high = kLargest;
  const ValueId x = c.input(0);
  if (c.opset() < 11) {
    c.expect_inputs(1, 1);
    low = c.attributes().real("min", low);
    high = c.attributes().real("max", high);
  } else {
    c.expect_inputs(1, 3);
    const bool known = (!c.has(1) || c.is_constant(c.input(1))) && (!c.has(2) || c.is_constant(c.input(2)));
    if (!known || c.dtype(x) != DataType::kFloat32) return clip_by_bounds(c);
    if (c.has(1)) low = c.real(1, "minimum");
    if (c.has(2)) high = c.real(2, "maximum");
  }
  if (std::isnan(low) || std::isnan(high)) throw ModelError("a bound is not a number");
  if (low == -std::numeric_limits<float>::infinity()) low = -kLargest;
  if (high == std::numeric_limits<float>::infinity()) high = kLargest;
  const bool is_relu = low == 0 && high == kLargest;
  c.finish(OpType::kUnary, {x},
           is_relu ? ir::UnaryAttrs{UnaryKind::kRelu, 0, 0} : ir::UnaryAttrs{UnaryKind::kClip, low, high});
}

constexpr ConverterEntry kEntries[] = {
    {"Relu", plain<UnaryKind::kRelu>},
    {"Sigmoid", plain<UnaryKind::kSigmoid>},
    {"HardSwish", plain<UnaryKind::kHardSwish>},
    {"Mish", plain<UnaryKind::kMish>},
    {"Tanh", plain<UnaryKind::kTanh>},
    {"Softplus", plain<UnaryKind::kSoftplus>},
    {"Softsign", plain<UnaryKind::kSoftsign>},
    {"Erf", plain<UnaryKind::kErf>},
    {"Exp", plain<UnaryKind::kExp>},
    {"Log", plain<UnaryKind::kLog>},
    {"Sqrt", plain<UnaryKind::kSqrt>},
    {"Reciprocal", plain<UnaryKind::kReciprocal>},
    {"Neg", plain<UnaryKind::kNegate>},
    {"Abs", plain<UnaryKind::kAbs>},
    {"Sign", plain<UnaryKind::kSign>},
    {"Floor", plain<UnaryKind::kFloor>},
    {"Ceil", plain<UnaryKind::kCeil>},
    {"Round", plain<UnaryKind::kRound>},
    {"Sin", plain<UnaryKind::kSin>},
    {"Cos", plain<UnaryKind::kCos>},
    {"Tan", plain<UnaryKind::kTan>},
    {"Asin", plain<UnaryKind::kAsin>},
    {"Acos", plain<UnaryKind::kAcos>},
    {"Atan", plain<UnaryKind::kAtan>},
    {"Sinh", plain<UnaryKind::kSinh>},
    {"Cosh", plain<UnaryKind::kCosh>},
    {"Asinh", plain<UnaryKind::kAsinh>},
    {"Acosh", plain<UnaryKind::kAcosh>},
    {"Atanh", plain<UnaryKind::kAtanh>},
    {"Not", plain<UnaryKind::kNot>},
    {"IsNaN", plain<UnaryKind::kIsNan>},
    {"LeakyRelu", leaky_relu},
    {"Elu", elu},
    {"Celu", celu},
    {"Selu", selu},
    {"HardSigmoid", hard_sigmoid},
    {"Gelu", gelu},
    {"Swish", swish},
    {"PRelu", prelu},
    {"ThresholdedRelu", thresholded_relu},
    {"Shrink", shrink},
    {"Clip", clip},
};

}  // namespace

std::span<const ConverterEntry> activation_converters() { return kEntries; }

}  // namespace xinfer::onnx
