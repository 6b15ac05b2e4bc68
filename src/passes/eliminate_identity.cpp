#include <algorithm>
#include <cmath>
#include <limits>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace xinfer::passes {
namespace {

bool all_are(const std::vector<std::int64_t>& numbers, std::int64_t wanted) {
  return std::all_of(numbers.begin(), numbers.end(), [&](std::int64_t x) { return x == wanted; });
}

bool is_neutral_unary(const ir::UnaryAttrs& attrs) {
  constexpr float kMax = std::numeric_limits<float>::max();
  switch (attrs.kind) {
    case ir::UnaryKind::kIdentity:
      return true;
    case ir::UnaryKind::kClip:
      return attrs.alpha <= -kMax && attrs.beta >= kMax;
    case ir::UnaryKind::kLeakyRelu:
      return attrs.alpha == 1;
    default:
      return false;
  }
}

// x + 0, 0 + x, x - 0, x * 1, 1 * x, x / 1, x ^ 1: the operand that comes out, or kNone.
ValueId neutral_operand(const Graph& graph, ValueId out) {
  using ir::BinaryKind;
  constexpr std::pair<BinaryKind, float> kNeutral[] = {{BinaryKind::kAdd, 0.F},
                                                       {BinaryKind::kSub, 0.F},
                                                       {BinaryKind::kMul, 1.F},
                                                       {BinaryKind::kDiv, 1.F},
                                                       {BinaryKind::kPow, 1.F}};
  for (const auto& [kind, number] : kNeutral) {
    const auto match = match_binary_scalar(graph, out, kind);
    if (match && match->scalar == number) return match->operand;
  }
  return kNone;
}

// The input that the node's only output repeats, or kNone.
ValueId repeated_input(const Graph& graph, const Node& node) {
  if (node.outputs.size() != 1 || node.inputs.empty() || node.inputs[0] == kNone) return kNone;
  const ValueId x = node.inputs[0];
  const ir::Shape& from = graph.value(x).shape;
  const ir::Shape& to = graph.value(node.outputs[0]).shape;
  bool neutral = false;
  switch (node.op) {
    case OpType::kUnary:
      neutral = is_neutral_unary(node.as<ir::UnaryAttrs>());
      break;
    case OpType::kBinary:
      return neutral_operand(graph, node.outputs[0]);
    case OpType::kCast:
      neutral = graph.value(x).dtype == node.as<ir::CastAttrs>().to;
      break;
    case OpType::kReshape:
    case OpType::kExpand:
      neutral = from == to;
      break;
    case OpType::kTile:
      neutral = all_are(node.as<ir::TileAttrs>().repeats, 1);
      break;
    case OpType::kTranspose:
      neutral = is_identity_permutation(node.as<ir::TransposeAttrs>().perm);
      break;
    case OpType::kPad:
      neutral = all_are(node.as<ir::PadAttrs>().pads, 0);
      break;
    case OpType::kSlice:
      neutral = from == to && all_are(node.as<ir::SliceAttrs>().steps, 1);
      break;
    case OpType::kConcat:
      neutral = node.inputs.size() == 1;
      break;
    case OpType::kSplit:
      neutral = true;  // into one part
      break;
    case OpType::kResize: {
      const auto& scales = node.as<ir::ResizeAttrs>().scales;
      neutral = from == to && std::all_of(scales.begin(), scales.end(), [](float s) { return s == 1; });
      break;
    }
    case OpType::kMaxPool:
    case OpType::kAveragePool: {
      const auto& attrs = node.as<ir::PoolAttrs>();
      neutral = all_are(attrs.kernel, 1) && all_are(attrs.strides, 1) && all_are(attrs.pads, 0) && from == to;
      break;
    }
    default:
      break;
  }
  return neutral ? x : kNone;
}

bool eliminate(Graph& graph, NodeId id) {
  const ValueId x = repeated_input(graph, graph.node(id));
  if (x == kNone) return false;
  const ValueId y = graph.node(id).outputs.front();
  if (graph.value(x).dtype != graph.value(y).dtype || graph.value(x).quantization != graph.value(y).quantization) {
    return false;
  }
  const NodeId producer = producer_of(graph, x);
  if (producer != kNone && graph.sole_consumer(x) == id && graph.node(producer).outputs.size() == 1) {
    take_over(graph, producer, id);
    return true;
  }
  // A graph output needs a node of its own when its value is an input, a constant or another output already.
  if (graph.is_output(y) && (producer == kNone || graph.is_output(x))) return false;
  graph.replace_uses(y, x);
  graph.remove_node(id);
  return true;
}

}  // namespace

//   x ── Identity | Cast to its type | Reshape, Expand, Slice, Resize to its shape | Tile by 1 | Transpose in order
//      | Pad by 0 | Concat or Split of one | 1x1 pool | Clip(-inf, inf) | + 0, - 0, * 1, / 1, ^ 1 ── y          x = y
//
// The output has the input's type, shape and scale. When the node is the input's only reader the output's name
// survives, else the input's. Stays where a graph output would become a graph input, a constant or a second name of an
// output.
bool eliminate_identity(Graph& graph) { return for_each_node(graph, eliminate); }

}  // namespace xinfer::passes
