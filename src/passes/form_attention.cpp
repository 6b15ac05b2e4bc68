#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace xinfer::passes {
namespace {

using ir::BinaryKind;
using ir::UnaryKind;

// The parts of scale * q k^T + mask, and the nodes that vanish.
struct Scores {
  ValueId q = kNone, k = kNone, mask = kNone;
  double scale = 1;
  bool k_is_transposed = false;  // k is (N, H, D, T)
  std::vector<NodeId> nodes;
};

// Takes * c and / c off `value`; the nodes go to `nodes` when given, else only values used once are taken.
ValueId strip_scale(const Graph& graph, ValueId value, double& scale, std::vector<NodeId>* nodes) {
  while (nodes != nullptr || graph.sole_consumer(value) != kNone) {
    if (const auto product = match_binary_scalar(graph, value, BinaryKind::kMul)) {
      scale *= product->scalar;
      value = product->operand;
      if (nodes != nullptr) nodes->push_back(product->node);
    } else if (const auto quotient = match_binary_scalar(graph, value, BinaryKind::kDiv)) {
      scale /= quotient->scalar;
      value = quotient->operand;
      if (nodes != nullptr) nodes->push_back(quotient->node);
    } else {
      break;
    }
  }
  return value;
}

// value == scale * q k^T
bool match_product(const Graph& graph, ValueId value, Scores& scores) {
  double scale = 1;
  std::vector<NodeId> nodes;
  const NodeId id = match_op(graph, strip_scale(graph, value, scale, &nodes), OpType::kMatMul);
  if (id == kNone) return false;
  const Node& node = graph.node(id);
  const auto& attrs = node.as<ir::MatMulAttrs>();
  if (attrs.transpose_a || !is_float(graph, node.outputs[0])) return false;
  nodes.push_back(id);
  scores.scale = scale * attrs.alpha;
  scores.q = strip_scale(graph, node.inputs[0], scores.scale, nullptr);
  scores.k = strip_scale(graph, node.inputs[1], scores.scale, nullptr);
  scores.k_is_transposed = !attrs.transpose_b;
  scores.nodes.insert(scores.nodes.end(), nodes.begin(), nodes.end());
  return true;
}

// value == scale * q k^T [+ mask]
bool match_scores(const Graph& graph, ValueId value, Scores& scores) {
  if (match_product(graph, value, scores)) return true;
  const NodeId add = match_binary(graph, value, BinaryKind::kAdd);
  if (add == kNone) return false;
  for (const std::size_t side : {0U, 1U}) {
    const ValueId product = graph.node(add).inputs[side];
    if (graph.value(product).shape != graph.value(value).shape || !match_product(graph, product, scores)) continue;
    scores.mask = graph.node(add).inputs[1 - side];
    scores.nodes.push_back(add);
    return true;
  }
  return false;
}

// Newer exporters guard the softmax: Where(IsNan(p), 0, p). Without a mask, or with a finite constant one, no row can
// be empty and the guard does nothing. Returns p.
ValueId strip_nan_guard(const Graph& graph, ValueId value, std::vector<NodeId>& nodes, bool& guarded) {
  const NodeId where = match_op(graph, value, OpType::kWhere);
  if (where == kNone) return value;
  const ValueId p = graph.node(where).inputs[2];
  const NodeId test = match_unary(graph, graph.node(where).inputs[0], UnaryKind::kIsNan);
  if (test == kNone || graph.node(test).inputs[0] != p) return value;
  if (!scalar_constant(graph, graph.node(where).inputs[1])) return value;
  nodes.insert(nodes.end(), {where, test});
  guarded = true;
  return p;
}

bool is_finite_constant(const Graph& graph, ValueId value) {
  if (!is_float(graph, value) || !graph.value(value).is_constant()) return false;
  const auto numbers = std::as_const(*graph.value(value).constant).data<float>();
  return std::all_of(numbers.begin(), numbers.end(), [](float x) { return std::isfinite(x); });
}

// (..., A, B) -> (..., B, A), through an existing Transpose where there is one. `scale` takes what is stripped below
// it.
ValueId swap_last_axes(Graph& graph, ValueId value, const std::string& name, double& scale) {
  const std::size_t rank = graph.value(value).shape.rank();
  std::vector<std::int64_t> perm(rank);
  std::iota(perm.begin(), perm.end(), 0);
  ValueId source = value;
  if (const NodeId id = match_op(graph, value, OpType::kTranspose); id != kNone) {
    perm = graph.node(id).as<ir::TransposeAttrs>().perm;
    source = graph.node(id).inputs[0];
    if (graph.sole_consumer(value) != kNone) source = strip_scale(graph, source, scale, nullptr);
  }
  std::swap(perm[rank - 1], perm[rank - 2]);
  if (is_identity_permutation(perm)) return source;
  return graph.add(OpType::kTranspose, name, {source}, ir::TransposeAttrs{perm});
}

// (B, S, D) -> (B, 1, S, D)
ValueId with_head_axis(Graph& graph, ValueId value, const std::string& name) {
  ir::Shape shape = graph.value(value).shape;
  if (shape.rank() != 3) return value;
  shape.dims().insert(shape.dims().begin() + 1, ir::Dim(1));
  return graph.add(OpType::kReshape, name, {value}, ir::ShapeAttrs{shape});
}

// q (..., S, D), k (..., T, D) or (..., D, T), v (..., T, E) with the same leading axes.
bool shapes_fit(const Graph& graph, const Scores& scores, ValueId v) {
  const ir::Shape& q = graph.value(scores.q).shape;
  const ir::Shape& k = graph.value(scores.k).shape;
  const ir::Shape& values = graph.value(v).shape;
  const std::size_t rank = q.rank();
  if ((rank != 3 && rank != 4) || k.rank() != rank || values.rank() != rank) return false;
  for (std::size_t i = 0; i + 2 < rank; ++i) {
    if (q[i] != k[i] || q[i] != values[i]) return false;
  }
  return true;
}

bool mask_fits(const Graph& graph, const Scores& scores, const ir::Shape& shape) {
  if (scores.mask == kNone) return true;
  return is_float(graph, scores.mask) && ir::broadcast(graph.value(scores.mask).shape, shape) == shape;
}

bool form(Graph& graph, NodeId id) {
  if (graph.node(id).op != OpType::kMatMul) return false;
  const auto matmul = graph.node(id).as<ir::MatMulAttrs>();
  if (matmul.transpose_a || matmul.transpose_b || matmul.alpha != 1) return false;
  Scores scores;
  bool guarded = false;
  const ValueId weights = strip_nan_guard(graph, graph.node(id).inputs[0], scores.nodes, guarded);
  const NodeId softmax = match_op(graph, weights, OpType::kSoftmax);
  if (softmax == kNone) return false;
  const auto& attrs = graph.node(softmax).as<ir::SoftmaxAttrs>();
  const ir::Shape score_shape = graph.value(weights).shape;
  if (attrs.log || ir::normalize_axis(attrs.axis, score_shape.rank()) + 1 != score_shape.rank()) return false;
  scores.nodes.push_back(softmax);
  if (!match_scores(graph, graph.node(softmax).inputs[0], scores)) return false;
  const ValueId v = graph.node(id).inputs[1];
  if (!shapes_fit(graph, scores, v) || !mask_fits(graph, scores, score_shape)) return false;
  if (guarded && scores.mask != kNone && !is_finite_constant(graph, scores.mask)) return false;
  if (!is_private(graph, scores.nodes, id)) return false;

  const std::string name = graph.node(id).name;
  const bool has_heads = score_shape.rank() == 4;
  if (scores.k_is_transposed) scores.k = swap_last_axes(graph, scores.k, name + ".k", scores.scale);
  std::vector<ValueId> inputs{scores.q, scores.k, v};
  if (scores.mask != kNone) inputs.push_back(scores.mask);
  const ir::AttentionAttrs attention{static_cast<float>(scores.scale), false};
  if (has_heads) {
    rewrite(graph, id, OpType::kAttention, inputs, attention);
    return true;
  }
  for (ValueId& input : inputs) input = with_head_axis(graph, input, name + ".heads");
  const ir::Shape out = graph.value(graph.node(id).outputs[0]).shape;
  const ValueId result = graph.add(OpType::kAttention, name + ".attention", inputs, attention);
  rewrite(graph, id, OpType::kReshape, {result}, ir::ShapeAttrs{out});
  return true;
}

}  // namespace

//   MatMul(Softmax(scale * MatMul(q, k^T) + mask), v)          Attention(q, k, v, mask)
//
// q, k, v with the same leading axes: (N, H, ..), or (N H, ..), which gets a head axis of 1. k^T by a flag or by a
// Transpose, which then only moves heads (or is added). The scale, a scalar as * or /, stands before the mask, on q, on
// k, or on several of them. The softmax runs over the last axis; the mask is additive f32 and does not widen the
// scores. No value inside is used elsewhere (attention weights as an output keep it from forming). A guard against NaN,
// Where(IsNan(p), 0, p), goes when the mask is absent or constant and finite.
// Vaswani et al., "Attention Is All You Need", 2017.
bool form_attention(Graph& graph) { return for_each_node(graph, form); }

}  // namespace xinfer::passes
