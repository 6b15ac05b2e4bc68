// Shape rules of operators that move data without looking at it.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "ir/infer.h"
#include "xinfer/core/errors.h"

namespace xinfer::ir::rules {

void concat(Graph& graph, Node& node) {
  const Value& first = input(graph, node, 0);
  const std::size_t axis = fix_axis(node.as<AxisAttrs>().axis, first.shape.rank());
  Shape shape = first.shape;
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    const Value& next = input(graph, node, i);
    Shape fitted = next.shape;
    if (fitted.rank() == shape.rank()) fitted[axis] = first.shape[axis];
    if (fitted != first.shape || real_type(next) != real_type(first)) {
      throw ModelError(fmt::format("can't join {} and {} along axis {}", describe(first), describe(next), axis));
    }
    shape[axis] = add(shape[axis], next.shape[axis]);
  }
  set_output(graph, node, 0, real_type(first), std::move(shape));
}

void split(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  auto& attrs = node.as<SplitAttrs>();
  const std::size_t axis = fix_axis(attrs.axis, x.shape.rank());
  const std::int64_t size = fixed_dim(x, axis, "split");
  if (attrs.sizes.size() != node.outputs.size()) {
    throw ModelError(fmt::format("{} sizes are given for {} outputs", attrs.sizes.size(), node.outputs.size()));
  }
  Dim sum = 0;
  for (const std::int64_t part : attrs.sizes) {
    if (part < 0) throw ModelError(fmt::format("a part has the negative size {}", part));
    sum = add(sum, part);
  }
  if (sum != Dim(size)) {
    throw ModelError(
        fmt::format("the parts add up to {}, but axis {} of {} has {} elements", sum.value, axis, describe(x), size));
  }
  for (std::size_t i = 0; i < attrs.sizes.size(); ++i) {
    Shape shape = x.shape;
    shape[axis] = attrs.sizes[i];
    set_moved(graph, node, i, x, std::move(shape));
  }
}

void slice(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  auto& attrs = node.as<SliceAttrs>();
  const std::size_t count = attrs.starts.size();
  if (attrs.axes.empty()) {
    for (std::size_t i = 0; i < count; ++i) attrs.axes.push_back(static_cast<std::int64_t>(i));
  }
  if (attrs.steps.empty()) attrs.steps.assign(count, 1);
  if (attrs.ends.size() != count || attrs.axes.size() != count || attrs.steps.size() != count) {
    throw ModelError(fmt::format("starts, ends, axes and steps have {}, {}, {} and {} entries", count,
                                 attrs.ends.size(), attrs.axes.size(), attrs.steps.size()));
  }
  Shape shape = x.shape;
  std::vector<bool> seen(x.shape.rank(), false);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t axis = fix_axis(attrs.axes[i], x.shape.rank());
    if (seen[axis]) throw ModelError(fmt::format("axis {} is sliced twice", axis));
    seen[axis] = true;
    // Exporters write "to the end" as the largest s64 or s32; no batch is longer than that.
    constexpr std::int64_t kEnd = std::numeric_limits<std::int32_t>::max();
    const bool whole = attrs.starts[i] == 0 && attrs.ends[i] >= kEnd && attrs.steps[i] == 1;
    if (whole && !x.shape[axis].is_constant()) continue;
    const std::int64_t size = fixed_dim(x, axis, "slice");
    shape[axis] = slice_range(attrs.starts[i], attrs.ends[i], attrs.steps[i], size).count;
  }
  set_moved(graph, node, 0, x, std::move(shape));
}

void transpose(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  auto& perm = node.as<TransposeAttrs>().perm;
  const std::size_t rank = x.shape.rank();
  if (perm.empty()) {
    for (std::size_t i = rank; i-- > 0;) perm.push_back(static_cast<std::int64_t>(i));
  }
  std::vector<bool> seen(rank, false);
  std::vector<Dim> dims;
  int quantized_axis = -1;
  for (const std::int64_t from : perm) {
    if (from < 0 || from >= static_cast<std::int64_t>(rank) || seen[static_cast<std::size_t>(from)]) break;
    seen[static_cast<std::size_t>(from)] = true;
    if (x.quantization && x.quantization->axis == from) quantized_axis = static_cast<int>(dims.size());
    dims.push_back(x.shape[static_cast<std::size_t>(from)]);
  }
  if (dims.size() != rank || perm.size() != rank) {
    throw ModelError(fmt::format("perm {} is no permutation of the axes of {}", xinfer::to_string(perm), describe(x)));
  }
  set_moved(graph, node, 0, x, Shape(std::move(dims)), quantized_axis);
}

void reshape(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  const Shape& target = node.as<ShapeAttrs>().shape;
  for (const Dim& dim : target) {
    if (dim.value < 0) throw ModelError(fmt::format("the shape {} has a negative dimension", to_string(target)));
  }
  if (x.shape.element_count() != target.element_count()) {
    throw ModelError(fmt::format("{} can't be reshaped to {}: {} elements are not {}", describe(x), to_string(target),
                                 to_string(x.shape.element_count()), to_string(target.element_count())));
  }
  set_moved(graph, node, 0, x, target);
}

void expand(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  Shape& target = node.as<ShapeAttrs>().shape;
  for (const Dim& dim : target) {
    if (dim.value < 0) throw ModelError(fmt::format("the shape {} has a negative dimension", to_string(target)));
  }
  target = broadcast(x.shape, target);
  set_moved(graph, node, 0, x, target);
}

void tile(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  auto& repeats = node.as<TileAttrs>().repeats;
  fill(repeats, x.shape.rank(), 1, 0, "repeats");
  Shape shape = x.shape;
  for (std::size_t i = 0; i < repeats.size(); ++i) shape[i] = multiply(shape[i], repeats[i]);
  set_moved(graph, node, 0, x, std::move(shape));
}

void pad(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  auto& attrs = node.as<PadAttrs>();
  const std::size_t rank = x.shape.rank();
  fill(attrs.pads, 2 * rank, 0, -std::numeric_limits<std::int32_t>::max(), "pads");
  Shape shape = x.shape;
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t begin = attrs.pads[i];
    const std::int64_t end = attrs.pads[i + rank];
    if (begin == 0 && end == 0) continue;
    const std::int64_t size = fixed_dim(x, i, "pad");
    shape[i] = add(add(size, begin), end);
    const std::int64_t widest = std::max(begin, end);
    // A reflection leaves out the border itself; the other two need something to repeat.
    const bool too_wide = (attrs.mode == PadMode::kReflect && widest >= size) ||
                          (attrs.mode == PadMode::kWrap && widest > size) ||
                          (attrs.mode == PadMode::kEdge && widest > 0 && size == 0);
    if (shape[i].value < 0 || too_wide) {
      throw ModelError(fmt::format("pads {} and {} don't fit axis {} of {} (mode {})", begin, end, i, describe(x),
                                   name_of(attrs.mode)));
    }
  }
  set_moved(graph, node, 0, x, std::move(shape));
}

}  // namespace xinfer::ir::rules
