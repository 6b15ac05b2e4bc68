// Operators that read shapes and change them without touching the data.
#include <fmt/format.h>

#include <algorithm>

#include "onnx/converters.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::Dim;
using ir::OpType;
using ir::ValueId;

void shape(NodeContext& c) {
  c.expect_inputs(1, 1);
  const ir::Shape& dims = c.shape(c.input(0));
  const auto rank = static_cast<std::int64_t>(dims.rank());
  const auto clamp = [rank](std::int64_t place) {
    return std::clamp<std::int64_t>(place < 0 ? place + rank : place, 0, rank);
  };
  const std::int64_t start = clamp(c.opset() < 15 ? 0 : c.attributes().integer("start", 0));
  const std::int64_t end = clamp(c.opset() < 15 ? rank : c.attributes().integer("end", rank));
  if (start >= end) return c.finish_contents(0, {});
  c.finish_contents(0, {dims.begin() + start, dims.begin() + end});
}

void size(NodeContext& c) {
  c.expect_inputs(1, 1);
  c.finish_contents(0, {c.shape(c.input(0)).element_count()}, 0);
}

/// Nothing is emitted where the shape stays the same.
void finish_reshape(NodeContext& c, ir::Shape target) {
  const ValueId x = c.input(0);
  if (c.shape(x) == target) return c.alias(0, x);
  c.finish(OpType::kReshape, {x}, ir::ShapeAttrs{std::move(target)});
}

/// Fills in the dimension given as -1, from the number of elements of the input.
void infer_dimension(const ir::Shape& from, std::vector<Dim>& target, std::size_t unknown) {
  Dim known = 1;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (i != unknown) known = ir::multiply(known, target[i]);
  }
  const Dim total = from.element_count();
  if (known == Dim(0)) throw ModelError("the dimension given as -1 can't be found, since another one is 0");
  target[unknown] = ir::divide(total, known);
  if (ir::multiply(target[unknown], known) != total) {
    throw ModelError(fmt::format("{} elements can't be reshaped: they are no multiple of {}", ir::to_string(total),
                                 ir::to_string(known)));
  }
}

void reshape(NodeContext& c) {
  c.expect_inputs(2, 2);
  const ir::Shape& from = c.shape(c.input(0));
  std::vector<Dim> target = c.dims(1, "target shape");
  const bool zero_is_size = c.opset() >= 14 && c.attributes().flag("allowzero", false);
  std::size_t unknown = target.size();
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target[i] == Dim(0) && !zero_is_size) {
      if (i >= from.rank()) throw ModelError(fmt::format("dimension {} is to be copied, but the input has no such", i));
      target[i] = from[i];
    } else if (target[i] == Dim(-1)) {
      if (unknown != target.size()) throw ModelError("the target shape has two dimensions of -1");
      unknown = i;
    } else if (target[i].value < 0) {
      throw ModelError(fmt::format("the target shape has the dimension {}", ir::to_string(target[i])));
    } else if (i == 0 && c.promoted() && target[i].is_constant() && from.rank() > 0 && from[0].batch) {
      // A constant target written for one image: the batch stays the outermost part of the first axis.
      target[i] = Dim::n(target[i].value);
    }
  }
  if (unknown != target.size()) infer_dimension(from, target, unknown);
  finish_reshape(c, ir::Shape(std::move(target)));
}

void flatten(NodeContext& c) {
  c.expect_inputs(1, 1);
  const ir::Shape& from = c.shape(c.input(0));
  const auto rank = static_cast<std::int64_t>(from.rank());
  std::int64_t axis = c.attributes().integer("axis", 1);
  if (axis < -rank || axis > rank) throw ModelError(fmt::format("axis {} is out of range for rank {}", axis, rank));
  if (axis < 0) axis += rank;
  Dim rows = 1;
  Dim columns = 1;
  for (std::int64_t i = 0; i < rank; ++i) {
    Dim& part = i < axis ? rows : columns;
    part = ir::multiply(part, from[static_cast<std::size_t>(i)]);
  }
  finish_reshape(c, {rows, columns});
}

void squeeze(NodeContext& c) {
  c.expect_inputs(1, 2);
  const ir::Shape& from = c.shape(c.input(0));
  const auto given = c.axes_argument(13, 1);
  std::vector<std::int64_t> axes;
  if (given && !given->empty()) axes = c.axes(*given, from.rank());
  std::vector<Dim> dims;
  for (std::size_t i = 0; i < from.rank(); ++i) {
    const bool named = std::binary_search(axes.begin(), axes.end(), static_cast<std::int64_t>(i));
    if (named && from[i] != Dim(1)) {
      throw ModelError(fmt::format("axis {} of {} is not 1", i, ir::to_string(from)));
    }
    if (!named && (!axes.empty() || from[i] != Dim(1))) dims.push_back(from[i]);
  }
  finish_reshape(c, ir::Shape(std::move(dims)));
}

void unsqueeze(NodeContext& c) {
  c.expect_inputs(c.opset() < 13 ? 1 : 2, c.opset() < 13 ? 1 : 2);
  const ir::Shape& from = c.shape(c.input(0));
  const auto given = c.axes_argument(13, 1);
  if (!given) throw ModelError("axes are missing");
  if (given->size() > 16) throw ModelError(fmt::format("{} axes are too many", given->size()));
  const auto axes = c.axes(*given, from.rank() + given->size());
  std::vector<Dim> dims = from.dims();
  for (const std::int64_t axis : axes) dims.insert(dims.begin() + axis, Dim(1));
  finish_reshape(c, ir::Shape(std::move(dims)));
}

void expand(NodeContext& c) {
  c.expect_inputs(2, 2);
  const ir::Shape target(c.dims(1, "target shape"));
  if (ir::broadcast(c.shape(c.input(0)), target) == c.shape(c.input(0))) return c.alias(0, c.input(0));
  c.finish(OpType::kExpand, {c.input(0)}, ir::ShapeAttrs{target});
}

constexpr ConverterEntry kEntries[] = {
    {"Shape", shape},     {"Size", size},           {"Reshape", reshape}, {"Flatten", flatten},
    {"Squeeze", squeeze}, {"Unsqueeze", unsqueeze}, {"Expand", expand},
};

}  // namespace

std::span<const ConverterEntry> shape_converters() { return kEntries; }

}  // namespace xinfer::onnx
