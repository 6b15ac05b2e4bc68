#include "quantize/scales.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::OpType;
using ir::UnaryKind;
using ir::ValueId;

enum class Sign : std::uint8_t { kNonNegative, kOfInput, kAny };

Sign sign_of(UnaryKind kind, float low) {
  switch (kind) {
    case UnaryKind::kRelu:
    case UnaryKind::kSigmoid:
    case UnaryKind::kHardSigmoid:
    case UnaryKind::kSoftplus:
    case UnaryKind::kAbs:
    case UnaryKind::kExp:
    case UnaryKind::kSqrt:
      return Sign::kNonNegative;
    case UnaryKind::kClip:
      return low >= 0 ? Sign::kNonNegative : Sign::kOfInput;
    case UnaryKind::kIdentity:
    case UnaryKind::kLeakyRelu:
    case UnaryKind::kElu:
    case UnaryKind::kSelu:
    case UnaryKind::kCelu:
    case UnaryKind::kHardSwish:
    case UnaryKind::kSilu:
    case UnaryKind::kMish:
    case UnaryKind::kGelu:
    case UnaryKind::kGeluTanh:
    case UnaryKind::kTanh:
    case UnaryKind::kSoftsign:
    case UnaryKind::kErf:
      return Sign::kOfInput;
    default:
      return Sign::kAny;
  }
}

bool node_never_negative(const Graph& graph, const Node& node, const std::vector<bool>& known) {
  const auto input_is = [&](ValueId v) { return known[static_cast<std::size_t>(v)]; };
  const auto all_inputs = [&] {
    const auto data = data_inputs(graph, node);
    return std::all_of(data.begin(), data.end(), [&](std::size_t i) { return input_is(node.inputs[i]); });
  };
  switch (node.op) {
    case OpType::kConv:
    case OpType::kConvTranspose: {
      const ir::Epilogue& end = node.as<ir::ConvAttrs>().epilogue;
      return sign_of(end.activation, end.alpha) == Sign::kNonNegative;
    }
    case OpType::kLinear: {
      const ir::Epilogue& end = node.as<ir::LinearAttrs>().epilogue;
      return sign_of(end.activation, end.alpha) == Sign::kNonNegative;
    }
    case OpType::kUnary: {
      const auto& attrs = node.as<ir::UnaryAttrs>();
      const Sign sign = sign_of(attrs.kind, attrs.alpha);
      return sign == Sign::kNonNegative || (sign == Sign::kOfInput && all_inputs());
    }
    case OpType::kBinary: {
      const auto& attrs = node.as<ir::BinaryAttrs>();
      const Sign end = sign_of(attrs.epilogue.activation, attrs.epilogue.alpha);
      if (end == Sign::kNonNegative) return true;
      const bool keeps = attrs.kind == ir::BinaryKind::kAdd || attrs.kind == ir::BinaryKind::kMul;
      return end == Sign::kOfInput && keeps && input_is(node.inputs[0]) && input_is(node.inputs[1]);
    }
    case OpType::kSoftmax:
      return !node.as<ir::SoftmaxAttrs>().log;
    case OpType::kReduce: {
      const ir::ReduceKind kind = node.as<ir::ReduceAttrs>().kind;
      return (kind == ir::ReduceKind::kMean || kind == ir::ReduceKind::kMax || kind == ir::ReduceKind::kSum) &&
             all_inputs();
    }
    case OpType::kPad: {
      const auto& attrs = node.as<ir::PadAttrs>();
      return all_inputs() && (attrs.mode != ir::PadMode::kConstant || attrs.value >= 0);
    }
    case OpType::kResize:
      return node.as<ir::ResizeAttrs>().mode != ir::ResizeMode::kCubic && all_inputs();
    case OpType::kMaxPool:
    case OpType::kAveragePool:
    case OpType::kConcat:
    case OpType::kSplit:
    case OpType::kSlice:
    case OpType::kTranspose:
    case OpType::kReshape:
    case OpType::kExpand:
    case OpType::kTile:
    case OpType::kGather:
    case OpType::kGatherElements:
    case OpType::kGatherNd:
      return all_inputs();
    default:
      return false;
  }
}

class Forms {
 public:
  Forms(const Graph& graph, const Placement& placement, const Ranges& ranges, const PlanOptions& options)
      : graph_(graph), placement_(placement), ranges_(ranges), options_(options), order_(graph.order()) {}

  IntegerForms choose() {
    find_signed_operands();
    const std::vector<bool> unsigned_fits = never_negative(graph_);
    forms_.resize(graph_.value_count());
    for (std::size_t i = 0; i < forms_.size(); ++i) {
      const auto id = static_cast<ValueId>(i);
      if (!has_form(id) || written_by_mover(id)) continue;
      forms_[i] = own_form(id, unsigned_fits[i] && !must_be_signed_[i]);
    }
    for (auto id = order_.rbegin(); id != order_.rend(); ++id) {
      const Node& node = graph_.node(*id);
      if (node.op != OpType::kConcat || !in_int8(*id)) continue;
      for (const ValueId input : node.inputs) unify(input, form(node.outputs[0]));
    }
    for (const NodeId id : order_) {
      if (!in_int8(id) || kind(id) != NodeKind::kMover) continue;
      const Node& node = graph_.node(id);
      for (const ValueId out : node.outputs) forms_[static_cast<std::size_t>(out)] = form(node.inputs[0]);
    }
    return std::move(forms_);
  }

 private:
  bool in_int8(NodeId id) const { return placement_[static_cast<std::size_t>(id)].precision == Precision::kInt8; }
  NodeKind kind(NodeId id) const { return placement_[static_cast<std::size_t>(id)].kind; }
  const IntegerForm& form(ValueId id) const {
    const auto& found = forms_[static_cast<std::size_t>(id)];
    if (!found) throw std::logic_error("plan: '" + graph_.value(id).name + "' has no integer form");
    return *found;
  }
  bool written_by_mover(ValueId id) const {
    const NodeId producer = graph_.value(id).producer;
    return producer != ir::kNone && in_int8(producer) && kind(producer) == NodeKind::kMover;
  }
  bool has_form(ValueId id) const {
    if (graph_.value(id).is_constant()) return false;
    return written_as_integers(graph_, placement_, options_, id) || users_of(graph_, placement_, options_, id).int8;
  }

  // Second operands of integer matrix products are signed, on every back end.
  void find_signed_operands() {
    must_be_signed_.assign(graph_.value_count(), options_.symmetric_s8_only);
    for (const NodeId id : order_) {
      if (graph_.node(id).op != OpType::kMatMul || !in_int8(id)) continue;
      ValueId value = graph_.node(id).inputs[1];
      while (written_by_mover(value)) value = graph_.node(graph_.value(value).producer).inputs[0];
      must_be_signed_[static_cast<std::size_t>(value)] = true;
    }
  }

  IntegerForm own_form(ValueId id, bool unsigned_fits) const {
    const Range* range = range_of(graph_, ranges_, id);
    if (range == nullptr) throw std::logic_error("plan: '" + graph_.value(id).name + "' has no range");
    const Grid grid = unsigned_fits && range->non_negative ? Grid::kUnsigned : Grid::kSigned;
    const float threshold = grid == Grid::kUnsigned ? range->unsigned_threshold : range->threshold;
    const auto scale = static_cast<float>(static_cast<double>(threshold) / levels_of(grid));
    if (!(scale >= std::numeric_limits<float>::min() && scale <= std::numeric_limits<float>::max())) {
      throw CalibrationError(
          fmt::format("the range of '{}' is {}, which gives no usable scale", graph_.value(id).name, threshold),
          "keep the nodes around it in float");
    }
    return {grid == Grid::kUnsigned ? DataType::kUInt8 : DataType::kInt8, scale};
  }

  // Gives `value` the form of the concat that alone reads it.
  void unify(ValueId value, const IntegerForm& wanted) {
    if (graph_.sole_consumer(value) == ir::kNone ||
        must_be_signed_[static_cast<std::size_t>(value)] != options_.symmetric_s8_only) {
      return;
    }
    if (written_by_mover(value)) {
      const Node& mover = graph_.node(graph_.value(value).producer);
      if (mover.outputs.size() == 1) unify(mover.inputs[0], wanted);
      return;
    }
    forms_[static_cast<std::size_t>(value)] = wanted;
  }

  const Graph& graph_;
  const Placement& placement_;
  const Ranges& ranges_;
  const PlanOptions& options_;
  const std::vector<NodeId> order_;
  std::vector<bool> must_be_signed_;
  IntegerForms forms_;
};

}  // namespace

bool written_as_integers(const Graph& graph, const Placement& placement, const PlanOptions& options, ValueId value) {
  const NodeId producer = graph.value(value).producer;
  if (producer == ir::kNone) return false;
  const NodeChoice& choice = placement[static_cast<std::size_t>(producer)];
  if (choice.precision != Precision::kInt8) return false;
  return !can_write_float(choice.kind, graph.node(producer)) || users_of(graph, placement, options, value).int8;
}

std::vector<bool> never_negative(const Graph& graph) {
  std::vector<bool> known(graph.value_count(), false);
  for (const ValueId id : graph.inputs()) known[static_cast<std::size_t>(id)] = true;
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    if (node.inputs.empty()) continue;
    for (const ValueId out : node.outputs) {
      known[static_cast<std::size_t>(out)] = node_never_negative(graph, node, known);
    }
  }
  return known;
}

IntegerForms choose_forms(const Graph& graph, const Placement& placement, const Ranges& ranges,
                          const PlanOptions& options) {
  return Forms(graph, placement, ranges, options).choose();
}

}  // namespace xinfer::quantize
