// What each operator can do with integers, seen alone.

#include <fmt/format.h>

#include <algorithm>

#include "quantize/placement.h"

namespace xinfer::quantize {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpType;
using ir::UnaryKind;

// A table lookup stands in for functions whose slope stays moderate; for the others a step of the 8-bit input is a
// large error of the output, or they need arguments that rounding to integers destroys.
bool table_friendly(UnaryKind kind) {
  switch (kind) {
    case UnaryKind::kRelu:
    case UnaryKind::kClip:
    case UnaryKind::kLeakyRelu:
    case UnaryKind::kElu:
    case UnaryKind::kSelu:
    case UnaryKind::kCelu:
    case UnaryKind::kSigmoid:
    case UnaryKind::kHardSigmoid:
    case UnaryKind::kHardSwish:
    case UnaryKind::kSilu:
    case UnaryKind::kMish:
    case UnaryKind::kGelu:
    case UnaryKind::kGeluTanh:
    case UnaryKind::kTanh:
    case UnaryKind::kSoftplus:
    case UnaryKind::kSoftsign:
    case UnaryKind::kErf:
    case UnaryKind::kAbs:
    case UnaryKind::kNegate:
      return true;
    default:
      return false;
  }
}

bool is_real(const Graph& graph, ir::ValueId id) {
  return id != ir::kNone && graph.value(id).dtype == DataType::kFloat32;
}

// (N, C, ...) times (N, C, 1, ...), in either order.
bool is_channel_broadcast(const ir::Shape& a, const ir::Shape& b) {
  if (a.rank() != b.rank() || a.rank() < 3 || a[0] != b[0] || a[1] != b[1]) return false;
  return std::all_of(b.begin() + 2, b.end(), [](const ir::Dim& d) { return d == ir::Dim(1); });
}

NodeKind binary_kind(const Graph& graph, const Node& node, std::string* reason) {
  const auto kind = node.as<ir::BinaryAttrs>().kind;
  if (kind != ir::BinaryKind::kAdd && kind != ir::BinaryKind::kMul) {
    *reason = fmt::format("{} runs in float", ir::name_of(kind));
    return NodeKind::kFloatOnly;
  }
  const ir::Value& a = graph.value(node.inputs[0]);
  const ir::Value& b = graph.value(node.inputs[1]);
  if (a.is_constant() || b.is_constant()) {
    *reason = "one operand is a constant";
    return NodeKind::kFloatOnly;
  }
  const bool same = a.shape == b.shape;
  const bool channels = is_channel_broadcast(a.shape, b.shape) || is_channel_broadcast(b.shape, a.shape);
  if (same || channels) return NodeKind::kLight;
  *reason = "its operands broadcast in a way that only float supports";
  return NodeKind::kFloatOnly;
}

// The mean over exactly the spatial axes of (N, C, spatial...).
bool is_spatial_mean(const Graph& graph, const Node& node) {
  const auto& attrs = node.as<ir::ReduceAttrs>();
  const std::size_t rank = graph.value(node.inputs[0]).shape.rank();
  if (attrs.kind != ir::ReduceKind::kMean || rank < 3 || attrs.axes.size() != rank - 2) return false;
  for (std::size_t i = 0; i < attrs.axes.size(); ++i) {
    if (attrs.axes[i] != static_cast<std::int64_t>(i + 2)) return false;
  }
  return true;
}

NodeKind anchor_kind(const Graph& graph, const Node& node, std::string* reason) {
  *reason = "its weights are not constant";
  if (!graph.value(node.inputs[1]).is_constant()) return NodeKind::kFloatOnly;
  if (node.has_input(2) && !graph.value(node.inputs[2]).is_constant()) {
    *reason = "its bias is not constant";
    return NodeKind::kFloatOnly;
  }
  reason->clear();
  return NodeKind::kAnchor;
}

}  // namespace

std::string_view name_of(Precision precision) {
  switch (precision) {
    case Precision::kInt8:
      return "int8";
    case Precision::kFloat:
      return "float";
    case Precision::kIndex:
      return "index";
  }
  return "unknown";
}

NodeKind kind_of(const Graph& graph, const Node& node, const PlanOptions& options, std::string* reason) {
  reason->clear();
  const bool reads_real =
      std::any_of(node.inputs.begin(), node.inputs.end(), [&](auto v) { return is_real(graph, v); });
  const bool writes_real =
      std::any_of(node.outputs.begin(), node.outputs.end(), [&](auto v) { return is_real(graph, v); });
  if (!reads_real && !writes_real) return NodeKind::kIndex;
  const auto float_only = [&](std::string why) {
    *reason = std::move(why);
    return NodeKind::kFloatOnly;
  };
  const std::string runs_in_float = fmt::format("{} runs in float", ir::name_of(node.op));
  if (node.inputs.empty() || !is_real(graph, node.inputs[0])) return float_only(runs_in_float);
  const bool constant_data = graph.value(node.inputs[0]).is_constant();

  switch (node.op) {
    case OpType::kConv:
    case OpType::kConvTranspose:
    case OpType::kLinear:
      if (constant_data) return float_only("its data is a constant");
      return anchor_kind(graph, node, reason);
    case OpType::kMatMul:
      if (!options.quantize_matmul) return float_only("MatMul of activations is not asked for in INT8");
      return constant_data ? float_only("its first operand is a constant") : NodeKind::kAnchor;
    case OpType::kBinary:
      return binary_kind(graph, node, reason);
    case OpType::kUnary: {
      const UnaryKind kind = node.as<ir::UnaryAttrs>().kind;
      if (kind == UnaryKind::kIdentity) return NodeKind::kMover;
      if (table_friendly(kind)) return NodeKind::kLight;
      return float_only(fmt::format("{} runs in float", ir::name_of(kind)));
    }
    case OpType::kAveragePool:
      return NodeKind::kLight;
    case OpType::kReduce:
      return is_spatial_mean(graph, node) ? NodeKind::kLight : float_only("only means over space have an integer form");
    case OpType::kConcat:
      for (const ir::ValueId input : node.inputs) {
        if (graph.value(input).is_constant()) return float_only("one operand is a constant");
      }
      return NodeKind::kLight;
    case OpType::kResize:
      // Nearest and linear results lie between the inputs, so the input's scale fits them; cubic ones overshoot.
      return node.as<ir::ResizeAttrs>().mode == ir::ResizeMode::kCubic ? float_only("cubic Resize runs in float")
                                                                       : NodeKind::kMover;
    case OpType::kPad: {
      const auto& attrs = node.as<ir::PadAttrs>();
      if (attrs.mode == ir::PadMode::kConstant && attrs.value != 0.0F) {
        return float_only("it pads with a value other than zero");
      }
      return NodeKind::kMover;
    }
    case OpType::kMaxPool:
    case OpType::kSplit:
    case OpType::kSlice:
    case OpType::kTranspose:
    case OpType::kReshape:
    case OpType::kExpand:
    case OpType::kTile:
    case OpType::kGather:
    case OpType::kGatherElements:
    case OpType::kGatherNd:
      return constant_data ? float_only("its data is a constant") : NodeKind::kMover;
    default:
      return float_only(runs_in_float);
  }
}

std::vector<std::size_t> data_inputs(const Graph& graph, const Node& node) {
  std::vector<std::size_t> result{0};
  switch (node.op) {
    case OpType::kConv:
    case OpType::kLinear:
      if (node.has_input(3)) result.push_back(3);
      break;
    case OpType::kMatMul:
    case OpType::kBinary:
      if (!graph.value(node.inputs[1]).is_constant()) result.push_back(1);
      break;
    case OpType::kConcat:
      for (std::size_t i = 1; i < node.inputs.size(); ++i) result.push_back(i);
      break;
    default:
      break;
  }
  return result;
}

bool can_write_float(NodeKind kind, const Node& node) {
  if (kind == NodeKind::kAnchor) return true;
  return kind == NodeKind::kLight && node.op != OpType::kUnary && node.op != OpType::kConcat;
}

}  // namespace xinfer::quantize
