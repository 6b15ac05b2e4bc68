// The table OpType -> function, and what all functions share: borders between reals and integers, and checks.

#include "reference/reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>

#include "reference/functions.h"
#include "reference/loops.h"

namespace xinfer::reference {
namespace {

/// What happens around a function when its operands are quantized.
enum class Border : std::uint8_t {
  kOwn,    ///< the function follows the integer contract, or refuses
  kMove,   ///< integers pass through: quantized operands must carry the output's scale
  kFloat,  ///< quantized operands are dequantized before
  kPlain,  ///< quantized operands are refused
};

struct Entry {
  ir::OpType op;
  Function function;
  Border border;
};

using O = ir::OpType;
constexpr std::array<Entry, ir::kOpTypeCount> kTable = {{
    {O::kConv, conv, Border::kOwn},
    {O::kConvTranspose, conv_transpose, Border::kOwn},
    {O::kLinear, linear, Border::kOwn},
    {O::kMatMul, matmul, Border::kOwn},
    {O::kAttention, attention, Border::kFloat},
    {O::kUnary, unary, Border::kFloat},
    {O::kBinary, binary, Border::kOwn},
    {O::kWhere, where, Border::kFloat},
    {O::kCast, cast, Border::kPlain},
    {O::kBatchNorm, batch_norm, Border::kFloat},
    {O::kLayerNorm, layer_norm, Border::kFloat},
    {O::kGroupNorm, group_norm, Border::kFloat},
    {O::kSoftmax, softmax, Border::kFloat},
    {O::kMaxPool, max_pool, Border::kMove},
    {O::kAveragePool, average_pool, Border::kOwn},
    {O::kReduce, reduce, Border::kOwn},
    {O::kArgReduce, arg_reduce, Border::kFloat},
    {O::kTopK, top_k, Border::kFloat},
    {O::kCumSum, cum_sum, Border::kPlain},
    {O::kConcat, concat, Border::kOwn},
    {O::kSplit, split, Border::kMove},
    {O::kSlice, slice, Border::kMove},
    {O::kTranspose, transpose, Border::kMove},
    {O::kReshape, reshape, Border::kMove},
    {O::kExpand, expand, Border::kMove},
    {O::kTile, tile, Border::kMove},
    {O::kPad, pad, Border::kMove},
    {O::kGather, gather, Border::kMove},
    {O::kGatherElements, gather_elements, Border::kMove},
    {O::kGatherNd, gather_nd, Border::kMove},
    {O::kScatterNd, scatter_nd, Border::kPlain},
    {O::kResize, resize, Border::kOwn},
    {O::kQuantize, quantize, Border::kPlain},
    {O::kDequantize, dequantize, Border::kOwn},
}};

// A missing last row would have the first operator. (Comparing a function with null is no constant under UBSan.)
constexpr bool table_is_in_order() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<std::size_t>(kTable[i].op) != i) return false;
  }
  return true;
}
static_assert(table_is_in_order(), "every OpType needs a reference, in the order of the enum");

/// Per-channel scales may sit on another axis after a move.
bool same_scales(const ir::Value& a, const ir::Value& b) {
  return a.dtype == b.dtype && a.quantization->scales == b.quantization->scales &&
         a.quantization->zero_points == b.quantization->zero_points &&
         a.quantization->per_channel() == b.quantization->per_channel();
}

void check_moves(const NodeView& view) {
  const ir::Value& from = view.input(0);
  for (std::size_t o = 0; o < view.node.outputs.size(); ++o) {
    const ir::Value& to = view.output(o);
    if (from.quantization.has_value() != to.quantization.has_value() ||
        (from.quantization.has_value() && !same_scales(from, to))) {
      throw UnsupportedError(
          fmt::format("it only moves integers, but '{}' and '{}' have different scales", from.name, to.name));
    }
  }
}

/// The operands as the function takes them.
Tensors at_the_border(const NodeView& view, Border border, Inputs inputs) {
  Tensors operands(inputs.begin(), inputs.end());
  if (border == Border::kOwn) return operands;
  if (border == Border::kMove) {
    check_moves(view);
    return operands;
  }
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (!view.node.has_input(i) || !is_quantized(view.input(i))) continue;
    if (border == Border::kPlain) {
      throw UnsupportedError(fmt::format("it has no meaning on the quantized tensor '{}'", view.input(i).name),
                             "dequantize it first");
    }
    operands[i] = dequantize_tensor(operands[i], *view.input(i).quantization);
  }
  return operands;
}

Tensors evaluate_unnamed(const NodeView& view, Inputs inputs) {
  if (inputs.size() != view.node.inputs.size()) {
    throw ModelError(fmt::format("{} tensors for {} inputs", inputs.size(), view.node.inputs.size()));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (view.node.has_input(i) && inputs[i].empty()) {
      throw ModelError(fmt::format("no tensor for input '{}'", view.input(i).name));
    }
    if (view.node.has_input(i) && inputs[i].dtype() != view.input(i).dtype) {
      throw ModelError(fmt::format("input '{}' is {}, but {} was given", view.input(i).name,
                                   name_of(view.input(i).dtype), name_of(inputs[i].dtype())));
    }
  }
  const Entry& entry = kTable[static_cast<std::size_t>(view.node.op)];
  const Tensors operands = at_the_border(view, entry.border, inputs);
  Tensors outputs = entry.function(view, operands);
  for (std::size_t i = 0; i < view.node.outputs.size(); ++i) {
    const ir::Value& value = view.output(i);
    Tensor& result = outputs.at(i);
    if (result.dtype() == DataType::kFloat32 && is_quantized(value)) {
      result = quantize_tensor(result, *value.quantization, value.dtype);
    }
    if (result.dtype() != value.dtype) {
      throw UnsupportedError(
          fmt::format("it gives {}, but '{}' is {}", name_of(result.dtype()), value.name, name_of(value.dtype)));
    }
    if (result.shape() != view.output_shape(i)) {
      throw ModelError(fmt::format("it gives shape {}, but '{}' has shape {}", to_string(result.shape()), value.name,
                                   to_string(view.output_shape(i))));
    }
  }
  outputs.resize(view.node.outputs.size());
  return outputs;
}

}  // namespace

float plain_scale(const ir::Value& value) {
  const bool known = is_quantized(value) && !value.quantization->scales.empty();
  if (!known || value.quantization->per_channel()) {
    throw UnsupportedError(fmt::format("tensor '{}' should be quantized with one scale", value.name));
  }
  const auto& zeros = value.quantization->zero_points;
  if (std::any_of(zeros.begin(), zeros.end(), [](std::int32_t z) { return z != 0; })) {
    throw UnsupportedError(fmt::format("tensor '{}' has a zero point, which integer operators don't take", value.name),
                           "dequantize it first");
  }
  return value.quantization->scale();
}

float output_scale(const ir::Value& value) {
  if (value.dtype == DataType::kFloat32) return 1.0F;
  return plain_scale(value);
}

void check_int32_bound(std::int64_t terms) {
  constexpr std::int64_t kLargestProduct = 255 * 128;
  if (terms > std::numeric_limits<std::int32_t>::max() / kLargestProduct) {
    throw UnsupportedError(fmt::format("a sum of {} products may exceed 32 bits", terms), "keep this layer in float");
  }
}

std::vector<float> as_floats(const Tensor& tensor) {
  std::vector<float> floats(static_cast<std::size_t>(tensor.numel()));
  with_number(tensor.dtype(), [&](auto tag) {
    const auto* from = elements<decltype(tag)>(tensor);
    for (std::size_t i = 0; i < floats.size(); ++i) floats[i] = static_cast<float>(from[i]);
  });
  return floats;
}

std::vector<Tensor> evaluate(const NodeView& view, std::span<const Tensor> inputs) {
  const auto where = [&](const Error& error) {
    return fmt::format("node '{}' ({}): {}", view.node.name, name_of(view.node.op), error.what());
  };
  try {
    return evaluate_unnamed(view, inputs);
  } catch (const UnsupportedError& error) {
    throw UnsupportedError(where(error));
  } catch (const Error& error) {
    throw ModelError(where(error));
  }
}

}  // namespace xinfer::reference
