#pragma once
// The functions behind evaluate(), one for each OpType, grouped by the file that holds them.
//
// A function allocates its outputs itself. It computes f32 results even where the graph wants 8 bits, unless it follows
// the integer contract on its own: evaluate() quantizes f32 results whose value is quantized.

#include <span>
#include <vector>

#include "reference/reference.h"

namespace xinfer::reference {

using Tensors = std::vector<Tensor>;
using Inputs = std::span<const Tensor>;
using Function = Tensors (*)(const NodeView&, Inputs);

/// True when `value` holds 8-bit integers that stand for reals.
inline bool is_quantized(const ir::Value& value) { return value.quantization.has_value() && is_int8_like(value.dtype); }
/// The per-tensor scale of a quantized value with zero point 0: what the integer contract takes. Throws
/// UnsupportedError naming the value otherwise.
float plain_scale(const ir::Value& value);
/// The output's plain scale, or 1 when it is f32: what the contract divides by.
float output_scale(const ir::Value& value);

/// Throws UnsupportedError when a sum of `terms` products of two 8-bit numbers could leave int32.
void check_int32_bound(std::int64_t terms);
/// Elements of an f32, s8 or u8 tensor as float, scales left aside: what the contract adds as a residual.
std::vector<float> as_floats(const Tensor& tensor);

// conv.cpp
Tensors conv(const NodeView& view, Inputs in);
Tensors conv_transpose(const NodeView& view, Inputs in);
// matmul.cpp
Tensors linear(const NodeView& view, Inputs in);
Tensors matmul(const NodeView& view, Inputs in);
// attention.cpp
Tensors attention(const NodeView& view, Inputs in);
// unary.cpp
Tensors unary(const NodeView& view, Inputs in);
Tensors cast(const NodeView& view, Inputs in);
// binary.cpp
Tensors binary(const NodeView& view, Inputs in);
Tensors where(const NodeView& view, Inputs in);
// norm.cpp
Tensors batch_norm(const NodeView& view, Inputs in);
Tensors layer_norm(const NodeView& view, Inputs in);
Tensors group_norm(const NodeView& view, Inputs in);
Tensors softmax(const NodeView& view, Inputs in);
// pool.cpp
Tensors max_pool(const NodeView& view, Inputs in);
Tensors average_pool(const NodeView& view, Inputs in);
// reduce.cpp
Tensors reduce(const NodeView& view, Inputs in);
// select.cpp
Tensors arg_reduce(const NodeView& view, Inputs in);
Tensors top_k(const NodeView& view, Inputs in);
Tensors cum_sum(const NodeView& view, Inputs in);
// movement.cpp
Tensors concat(const NodeView& view, Inputs in);
Tensors split(const NodeView& view, Inputs in);
Tensors slice(const NodeView& view, Inputs in);
Tensors transpose(const NodeView& view, Inputs in);
Tensors reshape(const NodeView& view, Inputs in);
Tensors expand(const NodeView& view, Inputs in);
Tensors tile(const NodeView& view, Inputs in);
Tensors pad(const NodeView& view, Inputs in);
// gather.cpp
Tensors gather(const NodeView& view, Inputs in);
Tensors gather_elements(const NodeView& view, Inputs in);
Tensors gather_nd(const NodeView& view, Inputs in);
Tensors scatter_nd(const NodeView& view, Inputs in);
// resize.cpp
Tensors resize(const NodeView& view, Inputs in);
// quantize.cpp
Tensors quantize(const NodeView& view, Inputs in);
Tensors dequantize(const NodeView& view, Inputs in);

/// Integers to reals: (q - zero_point) * scale in float32, per tensor or per channel. s8, u8 and s32.
Tensor dequantize_tensor(const Tensor& q, const ir::Quantization& quantization);
/// Reals to integers: saturate(round_half_even(x / scale) + zero_point), float32 division; NaN becomes the zero point.
Tensor quantize_tensor(const Tensor& x, const ir::Quantization& quantization, DataType type);

}  // namespace xinfer::reference
