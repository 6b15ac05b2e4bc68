#include <fmt/format.h>

#include <utility>

#include "passes/match.h"
#include "passes/rewrites.h"
#include "passes/weights.h"

namespace xinfer::passes {
namespace {

// Rows [begin, end) of a constant, in memory of their own.
Tensor rows_of(const Graph& graph, ValueId constant, std::int64_t begin, std::int64_t end) {
  return std::as_const(*graph.value(constant).constant).rows(begin, end).clone();
}

// The layer's output features [begin, end) as a layer of their own.
ValueId part_of(Graph& graph, NodeId layer, std::int64_t begin, std::int64_t end, const std::string& suffix) {
  const Node whole = graph.node(layer);
  const std::string name = whole.name + suffix;
  std::vector<ValueId> inputs{whole.inputs[0],
                              graph.add_constant(name + ".weight", rows_of(graph, whole.inputs[1], begin, end))};
  if (whole.has_input(2)) {
    inputs.push_back(graph.add_constant(name + ".bias", rows_of(graph, whole.inputs[2], begin, end)));
  }
  return graph.add(OpType::kLinear, name, inputs, whole.attrs);
}

// The axis of `shape` at which the last `features` elements begin: [..., parts, ...]; nothing when there is none.
std::optional<std::size_t> packed_axis(const ir::Shape& shape, std::int64_t features) {
  std::int64_t product = 1;
  for (std::size_t axis = shape.rank(); axis-- > 0;) {
    if (!shape[axis].is_constant()) return std::nullopt;
    product *= shape[axis].value;
    if (product == features && shape[axis].value > 1) return axis;
    if (product >= features) return std::nullopt;
  }
  return std::nullopt;
}

// A value that holds part `index` of the packed ones.
struct Part {
  ValueId value = kNone;
  std::int64_t index = 0;
};

std::optional<std::int64_t> constant_index(const Graph& graph, ValueId value) {
  const ir::Value& v = graph.value(value);
  if (!v.is_constant() || v.dtype != DataType::kInt64 || v.constant->numel() != 1) return std::nullopt;
  return std::as_const(*v.constant).data<std::int64_t>()[0];
}

// All readers of `packed` when each takes single parts along axis 0; else empty.
std::vector<Part> parts_along_first_axis(const Graph& graph, ValueId packed, std::int64_t count) {
  std::vector<Part> parts;
  if (graph.is_output(packed)) return {};
  for (const NodeId user : graph.value(packed).consumers) {
    const Node& node = graph.node(user);
    if (node.op == OpType::kGather && node.inputs[0] == packed && node.as<ir::AxisAttrs>().axis == 0) {
      const auto index = constant_index(graph, node.inputs[1]);
      if (!index || *index < -count || *index >= count) return {};
      parts.push_back({node.outputs[0], *index < 0 ? *index + count : *index});
    } else if (node.op == OpType::kSplit && node.as<ir::SplitAttrs>().axis == 0 &&
               static_cast<std::int64_t>(node.outputs.size()) == count) {
      for (std::int64_t i = 0; i < count; ++i) parts.push_back({node.outputs[static_cast<std::size_t>(i)], i});
    } else {
      return {};
    }
  }
  return parts;
}

void replace_part(Graph& graph, ValueId part, ValueId by) {
  const ir::Shape shape = graph.value(part).shape;
  const std::string name = graph.value(part).name;
  graph.replace_uses(part, graph.add(OpType::kReshape, name, {by}, ir::ShapeAttrs{shape}));
  sweep(graph, part);
}

// Linear ── Reshape (.., parts, ..) ── Transpose, parts first ── [Reshape] ── Gather | Split
bool split_transposed(Graph& graph, NodeId layer, NodeId reshape) {
  const std::int64_t features = output_channels(graph, graph.node(layer));
  const ir::Shape shape = graph.value(graph.node(reshape).outputs[0]).shape;
  const auto axis = packed_axis(shape, features);
  const NodeId transpose = graph.sole_consumer(graph.node(reshape).outputs[0]);
  if (!axis || transpose == kNone || graph.node(transpose).op != OpType::kTranspose) return false;
  std::vector<std::int64_t> perm = graph.node(transpose).as<ir::TransposeAttrs>().perm;
  if (perm.front() != static_cast<std::int64_t>(*axis)) return false;
  ValueId packed = graph.node(transpose).outputs[0];
  const std::int64_t count = shape[*axis].value;
  const NodeId again = graph.sole_consumer(packed);
  if (again != kNone && graph.node(again).op == OpType::kReshape) {
    packed = graph.node(again).outputs[0];
    const ir::Shape& reshaped = graph.value(packed).shape;
    if (reshaped.rank() == 0 || reshaped[0] != ir::Dim(count)) return false;
  }
  const std::vector<Part> parts = parts_along_first_axis(graph, packed, count);
  if (parts.empty()) return false;

  std::vector<ir::Dim> dims = shape.dims();
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(*axis));
  perm.erase(perm.begin());
  for (std::int64_t& p : perm) p -= p > static_cast<std::int64_t>(*axis) ? 1 : 0;
  const std::int64_t size = features / count;
  const std::string name = graph.node(layer).name;
  std::vector<ValueId> layers(static_cast<std::size_t>(count), kNone);
  for (const Part& part : parts) {
    ValueId& made = layers[static_cast<std::size_t>(part.index)];
    const std::string suffix = fmt::format(".{}", part.index);
    if (made == kNone) made = part_of(graph, layer, part.index * size, (part.index + 1) * size, suffix);
    const ValueId split = graph.add(OpType::kReshape, name + suffix, {made}, ir::ShapeAttrs{ir::Shape(dims)});
    replace_part(graph, part.value, graph.add(OpType::kTranspose, name + suffix, {split}, ir::TransposeAttrs{perm}));
  }
  return true;
}

// Linear ── Split along the features
bool split_directly(Graph& graph, NodeId layer, NodeId split) {
  const auto attrs = graph.node(split).as<ir::SplitAttrs>();
  const std::vector<ValueId> outputs = graph.node(split).outputs;
  if (attrs.axis != static_cast<std::int64_t>(channel_axis(graph, graph.node(layer)))) return false;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const ValueId part = part_of(graph, layer, begin, begin + attrs.sizes[i], fmt::format(".{}", i));
    graph.replace_uses(outputs[i], part);
    begin += attrs.sizes[i];
  }
  sweep(graph, outputs[0]);
  return true;
}

}  // namespace

//   x ── Linear (3 O) ── Reshape (.., 3, H, D) ── Transpose (3, ..) ── Gather 0, 1, 2 | Split
//   x ── Linear (3 O) ── Split along the features
//                                                     x ─┬─ Linear (O) ── Reshape (.., H, D) ── Transpose ── q
//                                                        ├─ Linear (O) ── Reshape (.., H, D) ── Transpose ── k
//                                                        └─ Linear (O) ── Reshape (.., H, D) ── Transpose ── v
//
// Packed projections become one layer a part, the form in which other exporters write them: each part then has its own
// range, and nothing is copied apart. A backend may run layers of one input as one product. Weights and bias are
// constants, no residual is fused, and every reader on the way takes whole parts.
bool split_packed_linear(Graph& graph) {
  return for_each_node(graph, [](Graph& g, NodeId id) {
    const Node& node = g.node(id);
    if (node.op != OpType::kLinear || node.has_input(3) || !has_constant_weights(g, node)) return false;
    const NodeId next = g.sole_consumer(node.outputs[0]);
    if (next == kNone) return false;
    if (g.node(next).op == OpType::kReshape) return split_transposed(g, id, next);
    return g.node(next).op == OpType::kSplit && split_directly(g, id, next);
  });
}

}  // namespace xinfer::passes
