#include "quantize/balance_flow.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace xinfer::quantize {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::OpType;
using ir::Shape;
using ir::UnaryKind;
using ir::ValueId;

constexpr double kClipHeadroom = 1.25;

class Flow {
 public:
  Flow(const Graph& graph, const ChannelRanges& ranges, const FlowOptions& options)
      : graph_(graph), ranges_(ranges), options_(options) {
    flow_.values.resize(graph.value_count());
  }

  ChannelFlow run() {
    for (const NodeId id : graph_.order()) visit(id);
    for (const ValueId id : graph_.outputs()) freeze(id);
    for (Channels& channels : flow_.values) {
      for (Factor& factor : channels.factors) factor = flow_.factors.find(factor);
    }
    return std::move(flow_);
  }

 private:
  Channels& of(ValueId value) { return flow_.values[static_cast<std::size_t>(value)]; }
  const Shape& shape(ValueId value) const { return graph_.value(value).shape; }
  bool scaled(ValueId value) { return value != ir::kNone && of(value).scaled(); }
  bool is_parameter(ValueId value) const {
    return graph_.value(value).is_constant() && graph_.value(value).dtype == DataType::kFloat32;
  }

  void freeze(ValueId value) {
    if (value == ir::kNone) return;
    for (const Factor factor : of(value).factors) flow_.factors.freeze(factor);
  }
  void freeze_inputs(const Node& node) {
    for (const ValueId input : node.inputs) freeze(input);
  }

  void visit(NodeId id) {
    const Node& node = graph_.node(id);
    switch (node.op) {
      case OpType::kConv:
      case OpType::kConvTranspose:
        return layer(id, node.as<ir::ConvAttrs>().epilogue);
      case OpType::kLinear:
        return layer(id, node.as<ir::LinearAttrs>().epilogue);
      case OpType::kLayerNorm:
      case OpType::kGroupNorm:
        return norm(id);
      case OpType::kUnary: {
        const auto& attrs = node.as<ir::UnaryAttrs>();
        return pass(node, of(node.inputs[0]), {attrs.kind, attrs.alpha, attrs.beta});
      }
      case OpType::kBinary:
        return options_.points.contains(id) ? point(id) : binary(node);
      case OpType::kAttention:
        return attention(node);
      default:
        return move(node);
    }
  }

  // The output is scaled as `channels` says if the function behind allows it.
  void pass(const Node& node, const Channels& channels, const ir::Epilogue& end = {}) {
    if (!channels.scaled()) return freeze_inputs(node);
    of(node.outputs[0]) = channels;
    if (commutes(end, node.outputs[0])) return;
    freeze_inputs(node);
    of(node.outputs[0]) = {};
  }

  bool commutes(const ir::Epilogue& end, ValueId output) {
    switch (end.activation) {
      case UnaryKind::kIdentity:
      case UnaryKind::kRelu:
      case UnaryKind::kLeakyRelu:
      case UnaryKind::kAbs:
      case UnaryKind::kNegate:
        return true;
      case UnaryKind::kClip:
        return end.alpha <= 0 && end.beta >= 0 && limit_by_clip(end, output);
      default:
        return false;
    }
  }

  bool limit_by_clip(const ir::Epilogue& end, ValueId output) {
    const double bound = end.alpha < 0 ? std::min(-end.alpha, end.beta) : end.beta;
    for (const OpType layout : {OpType::kConv, OpType::kLinear}) {
      const std::size_t axis = channel_axis(layout, shape(output).rank());
      const auto stats = ranges_.find({output, axis});
      const auto factors = factors_along(shape(output), of(output), axis);
      if (stats == ranges_.end() || !factors) continue;
      for (std::size_t c = 0; c < factors->size(); ++c) {
        const double largest = stats->second.largest[c];
        if (!(largest < bound)) {
          flow_.factors.freeze((*factors)[c]);
        } else if (largest > 0 && std::isfinite(bound)) {
          flow_.factors.limit((*factors)[c], std::max(0, std::ilogb(bound / (largest * kClipHeadroom))));
        }
      }
      return true;
    }
    return false;
  }

  void start(NodeId id, ValueId output, std::size_t axis, bool allowed) {
    if (axis >= shape(output).rank() || !shape(output)[axis].is_constant()) return;
    std::vector<Factor> factors(static_cast<std::size_t>(shape(output)[axis].value));
    for (Factor& factor : factors) factor = flow_.factors.add(id);
    if (factors.empty()) return;
    of(output) = along(shape(output), axis, std::move(factors));
    if (!allowed) freeze(output);
  }

  void layer(NodeId id, const ir::Epilogue& end) {
    const Node& node = graph_.node(id);
    const ValueId x = node.inputs[0], y = node.outputs[0];
    const bool own = is_parameter(node.inputs[1]) && (!node.has_input(2) || is_parameter(node.inputs[2])) &&
                     !(node.op == OpType::kConvTranspose && node.as<ir::ConvAttrs>().groups != 1);
    if (!own) return freeze_inputs(node);
    if (scaled(x)) {
      const std::size_t axis = channel_axis(node.op, shape(x).rank());
      const auto stats = ranges_.find({x, axis});
      if (factors_along(shape(x), of(x), axis) && stats != ranges_.end()) {
        flow_.readers.push_back(id);
        if (!stats->second.finite()) freeze(x);
      } else {
        freeze(x);
      }
    }
    start(id, y, channel_axis(node.op, shape(y).rank()), options_.equalize);
    if (node.has_input(3) && !unite(y, node.inputs[3])) of(y) = {};
    if (!commutes(end, y)) {
      if (node.has_input(3)) freeze(node.inputs[3]);
      of(y) = {};
    }
    if (scaled(y)) flow_.writers.push_back(id);
  }

  void norm(NodeId id) {
    const Node& node = graph_.node(id);
    freeze_inputs(node);
    if (!node.has_input(1) || !is_parameter(node.inputs[1])) return;
    if (node.has_input(2) && !is_parameter(node.inputs[2])) return;
    const ValueId y = node.outputs[0];
    const std::size_t axis = channel_axis(node.op, shape(y).rank());
    const bool one_axis = node.op != OpType::kLayerNorm ||
                          node.as<ir::NormAttrs>().axis + 1 == static_cast<std::int64_t>(shape(y).rank());
    if (!one_axis) return;
    start(id, y, axis, options_.migrate);
    if (scaled(y)) flow_.writers.push_back(id);
  }

  void point(NodeId id) {
    const Node& node = graph_.node(id);
    freeze_inputs(node);
    const ValueId y = node.outputs[0];
    start(id, y, shape(y).rank() - 1, options_.migrate);
    if (scaled(y)) flow_.writers.push_back(id);
  }

  // Both get the same factors; when that is impossible they are frozen.
  bool unite(ValueId a, ValueId b) {
    if (scaled(a) && scaled(b) && of(a).kept == of(b).kept && of(a).factors.size() == of(b).factors.size()) {
      for (std::size_t i = 0; i < of(a).factors.size(); ++i) flow_.factors.unite(of(a).factors[i], of(b).factors[i]);
      return true;
    }
    freeze(a);
    freeze(b);
    return false;
  }

  void binary(const Node& node) {
    const auto& attrs = node.as<ir::BinaryAttrs>();
    const ValueId a = node.inputs[0], b = node.inputs[1];
    const Shape& to = shape(node.outputs[0]);
    switch (attrs.kind) {
      case ir::BinaryKind::kAdd:
      case ir::BinaryKind::kSub:
      case ir::BinaryKind::kMax:
      case ir::BinaryKind::kMin: {
        if (!(shape(a) == shape(b)) || !unite(a, b)) return freeze_inputs(node);
        return pass(node, of(a), attrs.epilogue);
      }
      case ir::BinaryKind::kMul:
      case ir::BinaryKind::kDiv:
      case ir::BinaryKind::kPrelu: {
        const ValueId x = attrs.kind == ir::BinaryKind::kMul && !scaled(a) ? b : a;
        if (scaled(x == a ? b : a) || x == (x == a ? b : a)) return freeze_inputs(node);
        const auto channels = broadcast_to(shape(x), of(x), to);
        return channels ? pass(node, *channels, attrs.epilogue) : freeze_inputs(node);
      }
      default:
        return freeze_inputs(node);
    }
  }

  void attention(const Node& node) {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (i != 2) freeze(node.inputs[i]);
    }
    const Channels& v = of(node.inputs[2]);
    if (!v.scaled()) return;
    if (v.kept[0] || v.kept[2] || !options_.migrate) return freeze(node.inputs[2]);
    of(node.outputs[0]) = v;
  }

  // Operators that move, select or average.
  void move(const Node& node) {
    if (node.op == OpType::kConcat) return concat(node);
    if (node.inputs.empty() || !scaled(node.inputs[0])) return freeze_inputs(node);
    const Channels x = of(node.inputs[0]);
    const Shape& from = shape(node.inputs[0]);
    const auto varies_from = [&](std::size_t first_axis) {
      return std::any_of(x.kept.begin() + static_cast<std::ptrdiff_t>(first_axis), x.kept.end(),
                         [](bool k) { return k; });
    };
    switch (node.op) {
      case OpType::kMaxPool:
      case OpType::kAveragePool:
      case OpType::kResize:
        return varies_from(2) ? freeze_inputs(node) : pass(node, x);
      case OpType::kReduce:
        return reduce(node, x);
      case OpType::kPad:
        return pad(node, x);
      case OpType::kTranspose:
        return pass(node, permute(from, x, node.as<ir::TransposeAttrs>().perm));
      case OpType::kReshape: {
        const auto channels = reshape(from, x, shape(node.outputs[0]));
        return channels ? pass(node, *channels) : freeze_inputs(node);
      }
      case OpType::kSplit:
        return split(node, x);
      case OpType::kSlice:
        return slice(node, x);
      case OpType::kGather:
        return gather(node, x);
      default:
        return freeze_inputs(node);
    }
  }

  void concat(const Node& node) {
    const auto axis = static_cast<std::size_t>(node.as<ir::AxisAttrs>().axis);
    std::vector<const Shape*> shapes;
    std::vector<const Channels*> parts;
    bool along_axis = false;
    for (const ValueId input : node.inputs) {
      shapes.push_back(&shape(input));
      parts.push_back(&of(input));
      along_axis = along_axis || (scaled(input) && of(input).kept[axis]);
    }
    if (!along_axis) {
      const ValueId first = node.inputs[0];
      const bool same =
          std::all_of(node.inputs.begin() + 1, node.inputs.end(), [&](ValueId v) { return unite(first, v); });
      return same && scaled(first) ? pass(node, Channels(of(first))) : freeze_inputs(node);
    }
    const Factor fixed = flow_.factors.add(ir::kNone);
    flow_.factors.freeze(fixed);
    const auto channels = join(shapes, parts, axis, fixed);
    return channels ? pass(node, *channels) : freeze_inputs(node);
  }

  void reduce(const Node& node, const Channels& x) {
    const auto& attrs = node.as<ir::ReduceAttrs>();
    switch (attrs.kind) {
      case ir::ReduceKind::kMean:
      case ir::ReduceKind::kSum:
      case ir::ReduceKind::kMax:
      case ir::ReduceKind::kMin:
      case ir::ReduceKind::kL1:
      case ir::ReduceKind::kL2:
        break;
      default:
        return freeze_inputs(node);
    }
    Channels channels{{}, x.factors};
    for (std::size_t i = 0; i < x.kept.size(); ++i) {
      const bool reduced = std::count(attrs.axes.begin(), attrs.axes.end(), static_cast<std::int64_t>(i)) != 0;
      if (reduced && x.kept[i]) return freeze_inputs(node);
      if (!reduced || attrs.keepdims) channels.kept.push_back(x.kept[i]);
    }
    pass(node, channels);
  }

  void pad(const Node& node, const Channels& x) {
    const auto& attrs = node.as<ir::PadAttrs>();
    bool fits = attrs.mode != ir::PadMode::kConstant || attrs.value == 0;
    for (std::size_t i = 0; i < x.kept.size(); ++i) {
      fits = fits && (!x.kept[i] || (attrs.pads[i] == 0 && attrs.pads[i + x.kept.size()] == 0));
    }
    return fits ? pass(node, x) : freeze_inputs(node);
  }

  void split(const Node& node, const Channels& x) {
    const auto& attrs = node.as<ir::SplitAttrs>();
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      std::vector<std::int64_t> indices(static_cast<std::size_t>(attrs.sizes[i]));
      std::iota(indices.begin(), indices.end(), begin);
      begin += attrs.sizes[i];
      of(node.outputs[i]) = take(shape(node.inputs[0]), x, static_cast<std::size_t>(attrs.axis), indices);
    }
  }

  void slice(const Node& node, const Channels& x) {
    const auto& attrs = node.as<ir::SliceAttrs>();
    Shape from = shape(node.inputs[0]);
    Channels channels = x;
    for (std::size_t i = 0; i < attrs.axes.size(); ++i) {
      const auto axis = static_cast<std::size_t>(attrs.axes[i]);
      if (!channels.kept[axis]) continue;
      const ir::SliceRange range = ir::slice_range(attrs.starts[i], attrs.ends[i], attrs.steps[i], from[axis].value);
      std::vector<std::int64_t> indices;
      for (std::int64_t n = 0; n < range.count; ++n) indices.push_back(range.start + n * range.step);
      channels = take(from, channels, axis, indices);
      from[axis] = ir::Dim(range.count);
    }
    pass(node, channels);
  }

  void gather(const Node& node, const Channels& x) {
    const auto axis = static_cast<std::size_t>(node.as<ir::AxisAttrs>().axis);
    if (x.kept[axis]) return freeze_inputs(node);
    Channels channels = x;
    const auto at = channels.kept.begin() + static_cast<std::ptrdiff_t>(axis);
    channels.kept.insert(channels.kept.erase(at), shape(node.inputs[1]).rank(), false);
    pass(node, channels);
  }

  const Graph& graph_;
  const ChannelRanges& ranges_;
  const FlowOptions options_;
  ChannelFlow flow_;
};

}  // namespace

ChannelFlow follow_channels(const Graph& graph, const ChannelRanges& ranges, const FlowOptions& options) {
  return Flow(graph, ranges, options).run();
}

}  // namespace xinfer::quantize
