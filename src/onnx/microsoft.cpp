// ONNX Runtime's own operators that optimized exports contain.
#include <fmt/format.h>

#include "onnx/converters.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::BinaryKind;
using ir::OpType;
using ir::UnaryKind;
using ir::ValueId;

void gelu(NodeContext& c) {
  c.expect_inputs(1, 1);
  c.finish(OpType::kUnary, {c.input(0)}, ir::UnaryAttrs{UnaryKind::kGelu, 0, 0});
}

void biased(NodeContext& c, UnaryKind kind) {
  c.expect_inputs(1, 2);
  const ValueId x = c.has(1) ? c.binary(BinaryKind::kAdd, c.input(0), c.input(1)) : c.input(0);
  c.finish(OpType::kUnary, {x}, ir::UnaryAttrs{kind, 0, 0});
}
void bias_gelu(NodeContext& c) { biased(c, UnaryKind::kGelu); }
void fast_gelu(NodeContext& c) { biased(c, UnaryKind::kGeluTanh); }

void quick_gelu(NodeContext& c) {
  c.expect_inputs(1, 1);
  const ValueId x = c.input(0);
  const ValueId scaled = c.binary(BinaryKind::kMul, x, c.scalar(c.attributes().real("alpha", 1.702F)));
  c.finish(OpType::kBinary, {x, c.unary(UnaryKind::kSigmoid, scaled)}, ir::BinaryAttrs{BinaryKind::kMul, {}});
}

void fused_matmul(NodeContext& c) {
  c.expect_inputs(2, 2);
  if (c.attributes().flag("transBatchA", false) || c.attributes().flag("transBatchB", false)) {
    throw UnsupportedError("transBatchA and transBatchB are not supported");
  }
  const ir::MatMulAttrs attrs{c.attributes().flag("transA", false), c.attributes().flag("transB", false),
                              c.attributes().real("alpha", 1)};
  c.finish(OpType::kMatMul, {c.input(0), c.input(1)}, attrs);
}

/// Layer normalisation of input + skip (+ bias); output 3 is that sum.
void skip_layer_normalization(NodeContext& c) {
  c.expect_inputs(3, 5);
  if (c.output_used(1) || c.output_used(2)) throw UnsupportedError("its mean or deviation is used");
  ValueId sum = c.binary(BinaryKind::kAdd, c.input(0), c.input(1));
  if (c.has(4)) sum = c.binary(BinaryKind::kAdd, sum, c.input(4));
  ir::NormAttrs attrs;
  attrs.epsilon = c.attributes().real("epsilon", 1e-12F);
  std::vector<ValueId> inputs = {sum, c.input(2)};
  if (c.has(3)) inputs.push_back(c.input(3));
  c.finish(OpType::kLayerNorm, inputs, attrs);
  c.alias(3, sum);
}

constexpr ConverterEntry kEntries[] = {
    {"Gelu", gelu},
    {"BiasGelu", bias_gelu},
    {"FastGelu", fast_gelu},
    {"QuickGelu", quick_gelu},
    {"FusedMatMul", fused_matmul},
    {"SkipLayerNormalization", skip_layer_normalization},
};

}  // namespace

std::span<const ConverterEntry> microsoft_converters() { return kEntries; }

}  // namespace xinfer::onnx
