// Arithmetic, comparison and logic on several tensors, selection, and type conversion.
#include <fmt/format.h>

#include "onnx/converters.h"
#include "onnx/tensor_proto.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::BinaryKind;
using ir::OpType;
using ir::ValueId;

/// The reader holds narrow integers as s32 or s64, so two operands that ONNX gives one type may differ: s64 holds both.
void widen(NodeContext& c, ValueId& a, ValueId& b) {
  const auto is_wide = [&](ValueId id) { return c.dtype(id) == DataType::kInt32 || c.dtype(id) == DataType::kInt64; };
  if (c.dtype(a) == c.dtype(b) || !is_wide(a) || !is_wide(b)) return;
  a = c.cast(a, DataType::kInt64);
  b = c.cast(b, DataType::kInt64);
}

template <BinaryKind kind>
void binary(NodeContext& c) {
  c.expect_inputs(2, 2);
  ValueId a = c.input(0);
  ValueId b = c.input(1);
  if (kind == BinaryKind::kPow) {
    b = c.cast(b,
               c.dtype(a));  // ONNX lets the exponent have another type than the base, and the result follows the base
  } else {
    widen(c, a, b);
  }
  c.finish(OpType::kBinary, {a, b}, ir::BinaryAttrs{kind, {}});
}

void mod(NodeContext& c) {
  c.expect_inputs(2, 2);
  ValueId a = c.input(0);
  ValueId b = c.input(1);
  widen(c, a, b);
  const bool like_c = c.attributes().flag("fmod", false);
  c.finish(OpType::kBinary, {a, b}, ir::BinaryAttrs{like_c ? BinaryKind::kFmod : BinaryKind::kMod, {}});
}

/// Sum, Max, Min of one or more tensors: a chain.
template <BinaryKind kind>
void variadic(NodeContext& c) {
  if (c.input_count() == 0) throw ModelError("it has no input");
  if (c.input_count() == 1) return c.alias(0, c.input(0));
  ValueId total = c.input(0);
  for (std::size_t i = 1; i + 1 < c.input_count(); ++i) {
    ValueId next = c.input(i);
    widen(c, total, next);
    total = c.binary(kind, total, next);
  }
  ValueId last = c.input(c.input_count() - 1);
  widen(c, total, last);
  c.finish(OpType::kBinary, {total, last}, ir::BinaryAttrs{kind, {}});
}

void mean(NodeContext& c) {
  if (c.input_count() == 0) throw ModelError("it has no input");
  ValueId total = c.input(0);
  for (std::size_t i = 1; i < c.input_count(); ++i) total = c.binary(BinaryKind::kAdd, total, c.input(i));
  const ValueId count = c.scalar(static_cast<float>(c.input_count()));
  c.finish(OpType::kBinary, {total, count}, ir::BinaryAttrs{BinaryKind::kDiv, {}});
}

void where(NodeContext& c) {
  c.expect_inputs(3, 3);
  ValueId a = c.input(1);
  ValueId b = c.input(2);
  widen(c, a, b);
  c.finish(OpType::kWhere, {c.input(0), a, b});
}

void cast_to(NodeContext& c, DataType to) {
  const ValueId x = c.input(0);
  // A shape that depends on the batch stays s64, whatever the model casts it to: only its value counts.
  const bool is_shape = !c.graph().value(x).symbolic.empty() && to == DataType::kInt32;
  if (c.dtype(x) == to || is_shape) return c.alias(0, x);
  if (c.graph().value(x).quantization) throw UnsupportedError("a quantized tensor is cast without DequantizeLinear");
  c.finish(OpType::kCast, {x}, ir::CastAttrs{to});
}

void cast(NodeContext& c) {
  c.expect_inputs(1, 1);
  const auto to = static_cast<int>(c.attributes().required_integer("to"));
  switch (to) {
    case TensorProto::INT16:
    case TensorProto::UINT16:
    case TensorProto::UINT32:
    case TensorProto::UINT64:
      // These wrap around, which s64 would not.
      throw UnsupportedError(fmt::format("casting to {} is not supported", type_name(to)));
    default:
      return cast_to(c, ir_type(to));
  }
}

void cast_like(NodeContext& c) {
  c.expect_inputs(2, 2);
  cast_to(c, c.dtype(c.input(1)));
}

void identity(NodeContext& c) {
  c.expect_inputs(1, 1);
  c.alias(0, c.input(0));
}

/// Inference mode only: the input passes through.
void dropout(NodeContext& c) {
  c.expect_inputs(1, 3);
  c.expect_unused_from(1, "mask");
  if (c.opset() >= 12 && c.has(2)) {
    const Tensor training = c.constant(2, "training_mode");
    if (training.dtype() == DataType::kBool && training.numel() == 1 && training.data<bool>()[0]) {
      throw UnsupportedError("it is in training mode; export the model with model.eval()");
    }
  }
  c.alias(0, c.input(0));
}

constexpr ConverterEntry kEntries[] = {
    {"Add", binary<BinaryKind::kAdd>},
    {"Sub", binary<BinaryKind::kSub>},
    {"Mul", binary<BinaryKind::kMul>},
    {"Div", binary<BinaryKind::kDiv>},
    {"Pow", binary<BinaryKind::kPow>},
    {"Mod", mod},
    {"Equal", binary<BinaryKind::kEqual>},
    {"Less", binary<BinaryKind::kLess>},
    {"LessOrEqual", binary<BinaryKind::kLessEqual>},
    {"Greater", binary<BinaryKind::kGreater>},
    {"GreaterOrEqual", binary<BinaryKind::kGreaterEqual>},
    {"And", binary<BinaryKind::kAnd>},
    {"Or", binary<BinaryKind::kOr>},
    {"Xor", binary<BinaryKind::kXor>},
    {"Max", variadic<BinaryKind::kMax>},
    {"Min", variadic<BinaryKind::kMin>},
    {"Sum", variadic<BinaryKind::kAdd>},
    {"Mean", mean},
    {"Where", where},
    {"Cast", cast},
    {"CastLike", cast_like},
    {"Identity", identity},
    {"Dropout", dropout},
};

}  // namespace

std::span<const ConverterEntry> elementwise_converters() { return kEntries; }

}  // namespace xinfer::onnx
