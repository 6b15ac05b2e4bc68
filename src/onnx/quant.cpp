// QuantizeLinear, DequantizeLinear, and the operators on integers that are both around a float operator.
#include "onnx/quant.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "onnx/converters.h"
#include "onnx/matmul.h"
#include "onnx/tensor_proto.h"
#include "onnx/window.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::OpType;
using ir::Quantization;
using ir::ValueId;

/// The integers of a constant: saturate(round_half_even(x / scale) + zero point).
template <class T>
Tensor quantize_constant(const Tensor& x, const Quantization& q) {
  Tensor result(DataTypeOf<T>::value, x.shape());
  const auto in = x.data<float>();
  auto out = result.data<T>();
  std::int64_t inner = 1;  // elements between two neighbours along the axis
  for (std::size_t i = x.rank(); q.per_channel() && i-- > static_cast<std::size_t>(q.axis) + 1;) inner *= x.shape()[i];
  for (std::size_t i = 0; i < in.size(); ++i) {
    const std::size_t channel = (i / static_cast<std::size_t>(inner)) % q.scales.size();
    const float zero = q.zero_points.empty() ? 0.0F : static_cast<float>(q.zero_points[channel]);
    const float value = std::nearbyint(in[i] / q.scales[channel]) + zero;
    out[i] = static_cast<T>(std::clamp(value, static_cast<float>(std::numeric_limits<T>::min()),
                                       static_cast<float>(std::numeric_limits<T>::max())));
  }
  return result;
}

/// Type of the integers that a QuantizeLinear makes.
DataType quantized_type(NodeContext& c) {
  const auto wanted = static_cast<int>(c.opset() < 21 ? 0 : c.attributes().integer("output_dtype", 0));
  const DataType type = c.has(2) ? c.dtype(c.input(2)) : wanted > 0 ? ir_type(wanted) : DataType::kUInt8;
  if (!is_int8_like(type)) throw UnsupportedError("only 8-bit integers are supported");
  return type;
}

void refuse_blocks(NodeContext& c) {
  if (c.opset() >= 21 && c.attributes().integer("block_size", 0) != 0) {
    throw UnsupportedError("scales of blocks (block_size) are not supported");
  }
}

/// Makes output 0 the integers of `x`.
void finish_quantize(NodeContext& c, ValueId x, DataType type, const Quantization& q) {
  if (c.dtype(x) != DataType::kFloat32) throw UnsupportedError("only floats can be quantized");
  if (c.is_constant(x)) {
    c.expect_finite(x);
    const Tensor& floats = *c.graph().value(x).constant;
    const Tensor integers = type == DataType::kInt8 ? quantize_constant<std::int8_t>(floats, q)
                                                    : quantize_constant<std::uint8_t>(floats, q);
    return c.alias(0, c.graph().add_constant(c.name(), integers, q));
  }
  c.finish(OpType::kQuantize, {x});
  ir::Value& out = c.graph().value(c.results().front());
  out.dtype = type;
  out.quantization = q;
}

void quantize_linear(NodeContext& c) {
  c.expect_inputs(2, 3);
  refuse_blocks(c);
  const ValueId x = c.input(0);
  const DataType type = quantized_type(c);
  finish_quantize(c, x, type, read_quantization(c, 1, 2, c.rank(x), c.attributes().integer("axis", 1)));
}

void dequantize_linear(NodeContext& c) {
  c.expect_inputs(2, 3);
  refuse_blocks(c);
  const ValueId x = c.input(0);
  const Quantization q = read_quantization(c, 1, 2, c.rank(x), c.attributes().integer("axis", 1));
  c.finish(OpType::kDequantize, {with_quantization(c, x, q)});
}

/// Scale of the convolution's int32 bias: that of the input times that of the weights.
Quantization bias_quantization(const Quantization& x, const Quantization& w) {
  Quantization q;
  for (const float scale : w.scales) q.scales.push_back(scale * x.scale());
  if (q.scales.size() > 1) q.axis = 0;
  return q;
}

DataType output_type(NodeContext& c, std::size_t zero_index) {
  const DataType type = c.has(zero_index) ? c.dtype(c.input(zero_index)) : DataType::kUInt8;
  if (!is_int8_like(type)) throw UnsupportedError("only 8-bit integers are supported");
  return type;
}

void qlinear_conv(NodeContext& c) {
  c.expect_inputs(8, 9);
  const ValueId x = c.input(0);
  const ValueId w = c.input(3);
  if (c.rank(x) < 3 || c.rank(w) != c.rank(x))
    throw ModelError("its input and weights don't have one rank of 3 or more");
  const Quantization x_scale = read_quantization(c, 1, 2, 0, 0);
  const Quantization w_scale = read_quantization(c, 4, 5, c.rank(w), 0);
  const Quantization y_scale = read_quantization(c, 6, 7, 0, 0);
  std::vector<std::int64_t> kernel;
  for (std::size_t i = 2; i < c.rank(w); ++i) kernel.push_back(c.fixed_dim(w, i));
  const Window window = read_window(c, x, kernel);
  ir::ConvAttrs attrs;
  attrs.strides = window.strides;
  attrs.dilations = window.dilations;
  attrs.pads = window.pads;
  attrs.groups = c.attributes().integer("group", 1);
  std::vector<ValueId> inputs = {dequantized(c, x, x_scale), dequantized(c, w, w_scale)};
  if (c.has(8)) inputs.push_back(dequantized(c, c.input(8), bias_quantization(x_scale, w_scale)));
  finish_quantize(c, c.emit(OpType::kConv, inputs, attrs), output_type(c, 7), y_scale);
}

void qlinear_matmul(NodeContext& c) {
  c.expect_inputs(8, 8);
  if (c.rank(c.input(0)) < 2 || c.rank(c.input(3)) < 2) throw UnsupportedError("an input is a vector");
  const ValueId a = dequantized(c, c.input(0), read_quantization(c, 1, 2, 0, 0));
  const std::size_t rank = c.rank(c.input(3));
  const ValueId b = dequantized(c, c.input(3), read_quantization(c, 4, 5, rank, static_cast<std::int64_t>(rank) - 1));
  const Quantization y_scale = read_quantization(c, 6, 7, 0, 0);
  const auto weight = linear_weight(c, b, true);
  const ValueId y = weight ? c.emit(OpType::kLinear, {a, *weight}, ir::LinearAttrs{})
                           : c.emit(OpType::kMatMul, {a, b}, ir::MatMulAttrs{});
  finish_quantize(c, y, output_type(c, 7), y_scale);
}

constexpr ConverterEntry kEntries[] = {{"QuantizeLinear", quantize_linear},
                                       {"DequantizeLinear", dequantize_linear},
                                       {"QLinearConv", qlinear_conv},
                                       {"QLinearMatMul", qlinear_matmul}};

}  // namespace

std::span<const ConverterEntry> quant_converters() { return kEntries; }

Quantization read_quantization(NodeContext& c, std::size_t scale_index, std::size_t zero_index, std::size_t rank,
                               std::int64_t axis) {
  Quantization q;
  q.scales = c.reals(scale_index, "scale");
  if (q.scales.empty()) throw ModelError("the scale is empty");
  for (const float scale : q.scales) {
    if (!(scale > 0) || std::isinf(scale))
      throw ModelError(fmt::format("the scale {} is not finite and positive", scale));
  }
  if (q.scales.size() > 1) q.axis = static_cast<int>(c.axis(axis, rank));
  if (!c.has(zero_index)) return q;
  const auto zeros = c.integers(zero_index, "zero point");
  if (zeros.size() != q.scales.size()) {
    throw ModelError(fmt::format("{} scales have {} zero points", q.scales.size(), zeros.size()));
  }
  const bool symmetric = std::all_of(zeros.begin(), zeros.end(), [](std::int64_t z) { return z == 0; });
  if (!symmetric) q.zero_points.assign(zeros.begin(), zeros.end());
  return q;
}

ValueId with_quantization(NodeContext& c, ValueId x, const Quantization& q) {
  ir::Value& value = c.graph().value(x);
  const bool fits = is_int8_like(value.dtype) || (value.dtype == DataType::kInt32 && value.is_constant());
  if (!fits)
    throw UnsupportedError(fmt::format("integers of type {} can't be dequantized", xinfer::name_of(value.dtype)));
  if (q.per_channel()) {
    const auto axis = static_cast<std::size_t>(q.axis);
    if (axis >= value.shape.rank() || value.shape[axis] != ir::Dim(static_cast<std::int64_t>(q.scales.size()))) {
      throw ModelError(
          fmt::format("{} scales don't fit axis {} of {}", q.scales.size(), axis, ir::to_string(value.shape)));
    }
  }
  if (value.quantization && *value.quantization == q) return x;
  if (value.is_constant() && !value.quantization) {
    const std::string name = value.name;
    const Tensor integers = *value.constant;
    return c.graph().add_constant(name, integers, q);
  }
  if (value.quantization) throw UnsupportedError("it is dequantized with another scale than it was quantized with");
  if (value.producer != ir::kNone) throw UnsupportedError("it dequantizes integers that no QuantizeLinear made");
  value.quantization = q;
  return x;
}

ValueId dequantized(NodeContext& c, ValueId x, const Quantization& q) {
  return c.emit(OpType::kDequantize, {with_quantization(c, x, q)});
}

}  // namespace xinfer::onnx
