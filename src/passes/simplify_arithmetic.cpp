#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace xinfer::passes {
namespace {

using ir::BinaryKind;
using ir::UnaryKind;

ValueId mapped_constant(Graph& graph, ValueId constant, const char* suffix, float (*map)(float)) {
  Tensor result = std::as_const(*graph.value(constant).constant).clone();
  for (float& x : result.data<float>()) x = map(x);
  return graph.add_constant(graph.value(constant).name + suffix, std::move(result));
}

bool is_power_of_two(float x) {
  int exponent = 0;
  return std::isnormal(x) && std::isnormal(1 / x) && std::abs(std::frexp(x, &exponent)) == 0.5F;
}

bool has_exact_reciprocal(const Graph& graph, ValueId constant) {
  const auto numbers = std::as_const(*graph.value(constant).constant).data<float>();
  return std::all_of(numbers.begin(), numbers.end(), is_power_of_two);
}

bool simplify_power(Graph& graph, NodeId id, ValueId x, float exponent) {
  if (exponent == 2) {
    rewrite(graph, id, OpType::kBinary, {x, x}, ir::BinaryAttrs{BinaryKind::kMul, {}});
  } else if (exponent == 0.5F) {
    rewrite(graph, id, OpType::kUnary, {x}, ir::UnaryAttrs{UnaryKind::kSqrt});
  } else if (exponent == -1) {
    rewrite(graph, id, OpType::kUnary, {x}, ir::UnaryAttrs{UnaryKind::kReciprocal});
  } else {
    return false;
  }
  return true;
}

bool simplify(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (node.op != OpType::kBinary || !is_float(graph, node.outputs[0])) return false;
  const auto& attrs = node.as<ir::BinaryAttrs>();
  if (!is_identity(attrs.epilogue)) return false;
  const ValueId a = node.inputs[0];
  const ValueId b = node.inputs[1];
  const ValueId out = node.outputs[0];
  const bool a_constant = graph.value(a).is_constant();
  const bool b_constant = graph.value(b).is_constant();
  switch (attrs.kind) {
    case BinaryKind::kAdd:
    case BinaryKind::kMul:
    case BinaryKind::kMax:
    case BinaryKind::kMin:
      if (!a_constant || b_constant) return false;
      rewrite(graph, id, OpType::kBinary, {b, a}, ir::BinaryAttrs{attrs.kind, {}});
      return true;
    case BinaryKind::kSub: {
      if (!b_constant) return false;
      const ValueId negated = mapped_constant(graph, b, "_negated", [](float x) { return -x; });
      rewrite(graph, id, OpType::kBinary, {a, negated}, ir::BinaryAttrs{BinaryKind::kAdd, {}});
      return true;
    }
    case BinaryKind::kDiv:
      if (b_constant && has_exact_reciprocal(graph, b)) {
        const ValueId inverse = mapped_constant(graph, b, "_inverse", [](float x) { return 1 / x; });
        rewrite(graph, id, OpType::kBinary, {a, inverse}, ir::BinaryAttrs{BinaryKind::kMul, {}});
        return true;
      }
      if (scalar_constant(graph, a) == 1.F && graph.value(b).shape == graph.value(out).shape) {
        rewrite(graph, id, OpType::kUnary, {b}, ir::UnaryAttrs{UnaryKind::kReciprocal});
        return true;
      }
      return false;
    case BinaryKind::kPow: {
      const auto power = match_binary_scalar(graph, out, BinaryKind::kPow);
      return power && simplify_power(graph, id, power->operand, power->scalar);
    }
    case BinaryKind::kPrelu: {
      const auto slope = match_binary_scalar(graph, out, BinaryKind::kPrelu);
      if (!slope) return false;
      rewrite(graph, id, OpType::kUnary, {slope->operand}, ir::UnaryAttrs{UnaryKind::kLeakyRelu, slope->scalar});
      return true;
    }
    default:
      return false;
  }
}

// The interval to which a node limits its input.
struct Limits {
  ValueId input = kNone;
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
};

std::optional<Limits> limits_of(const Graph& graph, ValueId value) {
  Limits limits;
  if (const NodeId id = match_op(graph, value, OpType::kUnary); id != kNone && is_float(graph, value)) {
    const auto& attrs = graph.node(id).as<ir::UnaryAttrs>();
    limits.input = graph.node(id).inputs[0];
    if (attrs.kind == UnaryKind::kRelu) {
      limits.low = 0;
      return limits;
    }
    if (attrs.kind == UnaryKind::kClip) {
      limits.low = attrs.alpha;
      limits.high = attrs.beta;
      return limits;
    }
    return std::nullopt;
  }
  if (const auto max = match_binary_scalar(graph, value, BinaryKind::kMax)) {
    limits.input = max->operand;
    limits.low = max->scalar;
    return limits;
  }
  if (const auto min = match_binary_scalar(graph, value, BinaryKind::kMin)) {
    limits.input = min->operand;
    limits.high = min->scalar;
    return limits;
  }
  return std::nullopt;
}

ir::UnaryAttrs clip_of(float low, float high) {
  if (low == 0 && high >= std::numeric_limits<float>::max()) return {UnaryKind::kRelu, 0, 0};
  return {UnaryKind::kClip, low, high};
}

bool merge_clip(Graph& graph, NodeId id) {
  const ValueId out = graph.node(id).outputs[0];
  const auto outer = limits_of(graph, out);
  if (!outer || !(outer->low <= outer->high)) return false;
  Limits merged = *outer;
  if (graph.sole_consumer(outer->input) == id) {
    const auto inner = limits_of(graph, outer->input);
    if (inner && inner->low <= inner->high) {
      merged = {inner->input, std::clamp(inner->low, outer->low, outer->high),
                std::clamp(inner->high, outer->low, outer->high)};
    }
  }
  const ir::UnaryAttrs attrs = clip_of(merged.low, merged.high);
  const Node& node = graph.node(id);
  if (node.op == OpType::kUnary && node.inputs[0] == merged.input) {
    const auto& now = node.as<ir::UnaryAttrs>();
    if (now == attrs || (now.kind == UnaryKind::kRelu && attrs.kind == UnaryKind::kRelu)) return false;
  }
  rewrite(graph, id, OpType::kUnary, {merged.input}, attrs);
  return true;
}

}  // namespace

//   c + x, c * x, max(c, x), min(c, x)          x + c, x * c, ...
//   x - c                                       x + (-c)
//   x / c                                       x * (1 / c)
//   1 / x                                       Reciprocal(x)
//   x ^ 2, x ^ 0.5, x ^ -1                      x * x, Sqrt(x), Reciprocal(x)
//   PRelu(x, c)                                 LeakyRelu(x, c)
//
// f32 only; c is a constant (one slope in PRelu). A quotient becomes a product only when every 1 / c is exact (powers
// of two).
bool simplify_arithmetic(Graph& graph) { return for_each_node(graph, simplify); }

//   max(x, c), min(x, c)                Clip(x, c, inf), Clip(x, -inf, c)
//   Clip(Clip(x, a, b), c, d)           Clip(x, clamp(a, c, d), clamp(b, c, d))
//   Clip(x, 0, inf)                     Relu(x)
//
// c is a scalar that does not broadcast x. The inner one has no other reader: else a conv before it could no longer
// take it as its activation.
bool merge_clips(Graph& graph) { return for_each_node(graph, merge_clip); }

}  // namespace xinfer::passes
