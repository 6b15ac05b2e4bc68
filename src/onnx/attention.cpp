// Attention of opset 23.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "onnx/converters.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::OpType;
using ir::ValueId;

/// (N, S, heads * D) as (N, heads, S, D).
ValueId by_heads(NodeContext& c, ValueId x, std::int64_t heads) {
  const ir::Shape shape = c.shape(x);
  const std::int64_t width = c.fixed_dim(x, 2);
  if (heads < 1 || width % heads != 0)
    throw ModelError(fmt::format("{} heads don't divide the width {}", heads, width));
  return c.transpose(c.reshape(x, {shape[0], shape[1], heads, width / heads}), {0, 2, 1, 3});
}

/// An additive mask; a boolean one says where to attend.
ValueId additive(NodeContext& c, ValueId mask) {
  if (c.dtype(mask) != DataType::kBool) return mask;
  return c.emit(OpType::kWhere, {mask, c.scalar(0), c.scalar(std::numeric_limits<float>::lowest())});
}

void attention(NodeContext& c) {
  c.expect_inputs(3, 6);
  c.expect_unused_from(1, "the keys and values of earlier tokens, or the scores");
  if (c.has(4) || c.has(5)) throw UnsupportedError("keys and values of earlier tokens are not supported");
  if (c.attributes().real("softcap", 0) != 0) throw UnsupportedError("softcap is not supported");
  ValueId q = c.input(0);
  ValueId k = c.input(1);
  ValueId v = c.input(2);
  const bool packed = c.rank(q) == 3;
  if (packed && (c.rank(k) != 3 || c.rank(v) != 3)) throw ModelError("its inputs have different ranks");
  if (packed) {
    const std::int64_t q_heads = c.attributes().required_integer("q_num_heads");
    const std::int64_t kv_heads = c.attributes().required_integer("kv_num_heads");
    q = by_heads(c, q, q_heads);
    k = by_heads(c, k, kv_heads);
    v = by_heads(c, v, kv_heads);
  }
  if (c.rank(q) != 4 || c.rank(k) != 4 || c.rank(v) != 4) throw ModelError("its inputs don't have rank 3 or 4");
  if (c.shape(q)[1] != c.shape(k)[1]) throw UnsupportedError("queries and keys have different numbers of heads");
  ir::AttentionAttrs attrs;
  attrs.causal = c.attributes().flag("is_causal", false);
  const auto depth = static_cast<float>(c.fixed_dim(q, 3));
  attrs.scale = c.attributes().real("scale", 1 / std::sqrt(depth));
  std::vector<ValueId> inputs = {q, k, v};
  if (c.has(3)) inputs.push_back(additive(c, c.input(3)));
  if (!packed) return c.finish(OpType::kAttention, inputs, attrs);
  const ValueId y = c.transpose(c.emit(OpType::kAttention, inputs, attrs), {0, 2, 1, 3});
  const ir::Shape shape = c.shape(y);
  c.finish(OpType::kReshape, {y}, ir::ShapeAttrs{{shape[0], shape[1], ir::multiply(shape[2], shape[3])}});
}

constexpr ConverterEntry kEntries[] = {{"Attention", attention}};

}  // namespace

std::span<const ConverterEntry> attention_converters() { return kEntries; }

}  // namespace xinfer::onnx
