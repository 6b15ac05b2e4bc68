// Gemm and MatMul: Linear where the right side is a constant matrix, else MatMul.
#include "onnx/matmul.h"

#include <fmt/format.h>

#include <cstring>

#include "ir/quantize_nodes.h"
#include "onnx/converters.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::BinaryKind;
using ir::OpType;
using ir::ValueId;

/// The matrix with rows and columns swapped, in blocks that stay in cache.
Tensor transposed_matrix(const Tensor& matrix) {
  const std::int64_t rows = matrix.dim(0);
  const std::int64_t columns = matrix.dim(1);
  const std::size_t size = size_of(matrix.dtype());
  Tensor result(matrix.dtype(), {columns, rows});
  const auto* from = static_cast<const std::byte*>(matrix.raw());
  auto* to = static_cast<std::byte*>(result.raw());
  constexpr std::int64_t kBlock = 32;
  for (std::int64_t r0 = 0; r0 < rows; r0 += kBlock) {
    for (std::int64_t c0 = 0; c0 < columns; c0 += kBlock) {
      for (std::int64_t r = r0; r < std::min(rows, r0 + kBlock); ++r) {
        for (std::int64_t col = c0; col < std::min(columns, c0 + kBlock); ++col) {
          std::memcpy(to + static_cast<std::size_t>(col * rows + r) * size,
                      from + static_cast<std::size_t>(r * columns + col) * size, size);
        }
      }
    }
  }
  return result;
}

/// A constant bias of `count` elements from one that broadcasts to it; nothing when it is no vector along columns.
std::optional<ValueId> as_bias(NodeContext& c, ValueId bias, std::int64_t count) {
  if (c.shape(bias) == ir::Shape{count}) return bias;
  if (!c.is_constant(bias) || c.rank(bias) > 2 || (c.rank(bias) == 2 && c.shape(bias)[0] != ir::Dim(1))) {
    return std::nullopt;
  }
  const std::int64_t elements = c.graph().value(bias).constant->numel();
  if (elements == count) return c.reshape(bias, {count});
  if (elements != 1) return std::nullopt;
  return c.emit(OpType::kExpand, {c.reshape(bias, {std::int64_t{1}})}, ir::ShapeAttrs{{count}});
}

void gemm(NodeContext& c) {
  c.expect_inputs(2, 3);
  const float alpha = c.attributes().real("alpha", 1);
  const float beta = c.attributes().real("beta", 1);
  const bool transpose_a = c.attributes().flag("transA", false);
  const bool transpose_b = c.attributes().flag("transB", false);
  ValueId a = c.input(0);
  const ValueId b = c.input(1);
  ValueId bias = c.optional_input(2);
  if (c.rank(a) != 2 || c.rank(b) != 2) {
    throw ModelError(fmt::format("its inputs have ranks {} and {} instead of 2", c.rank(a), c.rank(b)));
  }
  c.expect_finite(b);
  if (bias != ir::kNone) {
    c.expect_finite(bias);
    if (beta == 0) bias = ir::kNone;
  }
  if (bias != ir::kNone && beta != 1) bias = c.binary(BinaryKind::kMul, bias, c.scalar(beta));
  auto weight = linear_weight(c, b, !transpose_b);
  if (!weight) {
    const ir::MatMulAttrs attrs{transpose_a, transpose_b, alpha};
    if (bias == ir::kNone) return c.finish(OpType::kMatMul, {a, b}, attrs);
    const ValueId product = c.emit(OpType::kMatMul, {a, b}, attrs);
    return c.finish(OpType::kBinary, {product, bias}, ir::BinaryAttrs{BinaryKind::kAdd, {}});
  }
  if (alpha != 1) weight = c.binary(BinaryKind::kMul, *weight, c.scalar(alpha));
  if (transpose_a) a = c.transpose(a, {1, 0});
  if (bias == ir::kNone) return c.finish(OpType::kLinear, {a, *weight}, ir::LinearAttrs{});
  if (const auto vector = as_bias(c, bias, c.fixed_dim(*weight, 0))) {
    return c.finish(OpType::kLinear, {a, *weight, *vector}, ir::LinearAttrs{});
  }
  const ValueId product = c.emit(OpType::kLinear, {a, *weight}, ir::LinearAttrs{});
  c.finish(OpType::kBinary, {product, bias}, ir::BinaryAttrs{BinaryKind::kAdd, {}});
}

ir::Shape without_axis(const ir::Shape& shape, std::size_t axis) {
  std::vector<ir::Dim> dims = shape.dims();
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  return ir::Shape(std::move(dims));
}

void matmul(NodeContext& c) {
  c.expect_inputs(2, 2);
  ValueId a = c.input(0);
  ValueId b = c.input(1);
  const bool vector_a = c.rank(a) == 1;
  const bool vector_b = c.rank(b) == 1;
  if (c.rank(a) == 0 || c.rank(b) == 0) throw ModelError("an input is a scalar");
  c.expect_finite(a);
  c.expect_finite(b);
  // A vector counts as a matrix of one row (left) or one column (right), which the result loses again.
  if (vector_a) a = c.reshape(a, {1, c.shape(a)[0]});
  if (vector_b) b = c.reshape(b, {c.shape(b)[0], 1});
  const auto weight = linear_weight(c, b, true);
  const OpType op = weight ? OpType::kLinear : OpType::kMatMul;
  const ir::Attributes attrs = weight ? ir::Attributes(ir::LinearAttrs{}) : ir::Attributes(ir::MatMulAttrs{});
  const std::vector<ValueId> inputs = {a, weight.value_or(b)};
  if (!vector_a && !vector_b) return c.finish(op, inputs, attrs);
  const ValueId product = c.emit(op, inputs, attrs);
  ir::Shape shape = c.shape(product);
  if (vector_b) shape = without_axis(shape, shape.rank() - 1);
  if (vector_a) shape = without_axis(shape, shape.rank() - (vector_b ? 1 : 2));
  c.finish(OpType::kReshape, {product}, ir::ShapeAttrs{shape});
}

constexpr ConverterEntry kEntries[] = {{"Gemm", gemm}, {"MatMul", matmul}};

}  // namespace

std::span<const ConverterEntry> matmul_converters() { return kEntries; }

std::optional<ValueId> linear_weight(NodeContext& c, ValueId w, bool transposed) {
  ir::Graph& graph = c.graph();
  if (c.rank(w) != 2 || c.dtype(w) != DataType::kFloat32) return std::nullopt;
  if (c.is_constant(w)) {
    if (!transposed) return w;
    const Tensor swapped = transposed_matrix(*graph.value(w).constant);
    return graph.add_constant(graph.value(w).name, swapped);
  }
  const ir::NodeId producer = graph.value(w).producer;
  if (producer == ir::kNone || graph.node(producer).op != OpType::kDequantize) return std::nullopt;
  const ValueId stored = graph.node(producer).inputs.front();
  if (!c.is_constant(stored)) return std::nullopt;
  if (!transposed) return w;
  ir::Quantization quantization = *graph.value(stored).quantization;
  if (quantization.per_channel()) quantization.axis = 1 - quantization.axis;
  const Tensor swapped = transposed_matrix(*graph.value(stored).constant);
  const ValueId integers = graph.add_constant(graph.value(stored).name, swapped, quantization);
  return ir::add_dequantize(graph, graph.node(producer).name, integers);
}

}  // namespace xinfer::onnx
