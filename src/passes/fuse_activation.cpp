#include "passes/match.h"
#include "passes/rewrites.h"

namespace xinfer::passes {
namespace {

using ir::BinaryKind;
using ir::UnaryKind;

bool is_activation(UnaryKind kind) {
  switch (kind) {
    case UnaryKind::kRelu:
    case UnaryKind::kClip:
    case UnaryKind::kLeakyRelu:
    case UnaryKind::kElu:
    case UnaryKind::kSigmoid:
    case UnaryKind::kHardSigmoid:
    case UnaryKind::kHardSwish:
    case UnaryKind::kSilu:
    case UnaryKind::kMish:
    case UnaryKind::kGelu:
    case UnaryKind::kGeluTanh:
    case UnaryKind::kTanh:
      return true;
    default:
      return false;
  }
}

ir::Epilogue* free_epilogue(Node& node) {
  ir::Epilogue* epilogue = nullptr;
  if (node.op == OpType::kConv || node.op == OpType::kConvTranspose) {
    epilogue = &node.as<ir::ConvAttrs>().epilogue;
  } else if (node.op == OpType::kLinear) {
    epilogue = &node.as<ir::LinearAttrs>().epilogue;
  } else if (node.op == OpType::kBinary) {
    auto& attrs = node.as<ir::BinaryAttrs>();
    const bool fits =
        attrs.kind == BinaryKind::kAdd || attrs.kind == BinaryKind::kSub || attrs.kind == BinaryKind::kMul;
    epilogue = fits ? &attrs.epilogue : nullptr;
  }
  return epilogue != nullptr && is_identity(*epilogue) ? epilogue : nullptr;
}

}  // namespace

//   x ── Conv | ConvTranspose | Linear | Add | Sub | Mul ── Relu | Clip | Silu | ... ── y      x ── same, activated ──
//   y
//
// The activation alone reads the layer's f32 output, and none is fused yet. Functions that are no activations (Exp,
// Sqrt, ...) stay.
bool fuse_activation(Graph& graph) {
  return for_each_node(graph, [](Graph& g, NodeId id) {
    if (g.node(id).op != OpType::kUnary) return false;
    const auto& attrs = g.node(id).as<ir::UnaryAttrs>();
    const ValueId x = g.node(id).inputs[0];
    const NodeId layer = producer_of(g, x);
    if (!is_activation(attrs.kind) || layer == kNone || g.sole_consumer(x) != id || !is_float(g, x)) return false;
    ir::Epilogue* epilogue = free_epilogue(g.node(layer));
    if (epilogue == nullptr) return false;
    *epilogue = {attrs.kind, attrs.alpha, attrs.beta};
    take_over(g, layer, id);
    return true;
  });
}

}  // namespace xinfer::passes
