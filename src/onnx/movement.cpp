// Operators that move data: Concat, Split, Slice, Transpose, Tile, Pad, and blocks between space and depth.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "onnx/converters.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::Dim;
using ir::OpType;
using ir::ValueId;

constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();

void concat(NodeContext& c) {
  if (c.input_count() == 0) throw ModelError("it has no input");
  const std::size_t axis = c.axis(c.attributes().required_integer("axis"), c.rank(c.input(0)));
  std::vector<ValueId> inputs;
  bool batched = false;
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    inputs.push_back(c.input(i));
    batched = batched || (axis != 0 && c.rank(inputs.back()) > 0 && c.shape(inputs.back())[0] == Dim::n());
  }
  for (ValueId& input : inputs) {
    // A constant row (a class token) that stood beside one image stands beside each image of the batch.
    if (!c.promoted() || !batched || c.rank(input) == 0 || c.shape(input)[0] != Dim(1)) continue;
    ir::Shape target = c.shape(input);
    target[0] = Dim::n();
    input = c.emit(OpType::kExpand, {input}, ir::ShapeAttrs{target});
  }
  if (inputs.size() == 1) return c.alias(0, inputs.front());
  c.finish(OpType::kConcat, inputs, ir::AxisAttrs{static_cast<std::int64_t>(axis)});
}

std::vector<std::int64_t> split_sizes(NodeContext& c, std::size_t axis) {
  if (c.opset() < 13 && c.attributes().has("split")) return *c.attributes().integers("split");
  if (c.opset() >= 13 && c.has(1)) return c.integers(1, "sizes of the parts");
  const std::int64_t size = c.fixed_dim(c.input(0), axis);
  const auto parts = static_cast<std::int64_t>(c.output_count());
  if (c.opset() >= 18 && c.attributes().integer("num_outputs", parts) != parts) {
    throw ModelError(
        fmt::format("num_outputs is {}, but it has {} outputs", c.attributes().integer("num_outputs", parts), parts));
  }
  if (c.opset() < 18 && size % parts != 0)
    throw ModelError(fmt::format("{} can't be parted into {} equal parts", size, parts));
  const std::int64_t part = (size + parts - 1) / parts;
  std::vector<std::int64_t> sizes;
  for (std::int64_t i = 0; i < parts; ++i) sizes.push_back(std::clamp<std::int64_t>(size - i * part, 0, part));
  return sizes;
}

void split(NodeContext& c) {
  c.expect_inputs(1, 2);
  const ValueId x = c.input(0);
  if (c.output_count() == 0) throw ModelError("it has no output");
  const std::size_t axis = c.axis(c.attributes().integer("axis", 0), c.rank(x));
  const std::vector<std::int64_t> sizes = split_sizes(c, axis);
  const std::vector<Dim> contents = c.graph().value(x).symbolic;
  if (contents.empty() || c.rank(x) != 1) {
    return c.finish(OpType::kSplit, {x}, ir::SplitAttrs{static_cast<std::int64_t>(axis), sizes}, sizes.size());
  }
  auto next = contents.begin();
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < 0 || sizes[i] > contents.end() - next) throw ModelError("its parts are larger than its input");
    c.finish_contents(i, {next, next + sizes[i]});
    next += sizes[i];
  }
}

void slice(NodeContext& c) {
  const ValueId x = c.input(0);
  const bool by_attributes = c.opset() < 10;
  c.expect_inputs(by_attributes ? 1 : 3, by_attributes ? 1 : 5);
  const auto as_dims = [](const std::vector<std::int64_t>& list) { return std::vector<Dim>(list.begin(), list.end()); };
  const auto attribute = [&](const char* name) {
    const auto list = c.attributes().integers(name);
    if (!list) throw ModelError(fmt::format("attribute '{}' is missing", name));
    return as_dims(*list);
  };
  const std::vector<Dim> starts = by_attributes ? attribute("starts") : c.dims(1, "starts");
  const std::vector<Dim> ends = by_attributes ? attribute("ends") : c.dims(2, "ends");
  const auto axes = by_attributes ? c.attributes().integers("axes")
                    : c.has(3)    ? std::optional(c.integers(3, "axes"))
                                  : std::nullopt;
  const std::size_t count = starts.size();
  const auto steps = !by_attributes && c.has(4) ? c.integers(4, "steps") : std::vector<std::int64_t>(count, 1);
  if (ends.size() != count || steps.size() != count || (axes && axes->size() != count) ||
      (!axes && count > c.rank(x))) {
    throw ModelError("starts, ends, axes and steps don't have equal lengths");
  }
  ir::SliceAttrs attrs;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t axis = axes ? c.axis((*axes)[i], c.rank(x)) : i;
    const Dim& size = c.shape(x)[axis];
    const bool to_end =
        ends[i] == size || (ends[i].is_constant() && ends[i].value >= std::numeric_limits<std::int32_t>::max());
    if (starts[i] == Dim(0) && to_end && steps[i] == 1) continue;  // the whole axis
    if (starts[i].batch || (ends[i].batch && !to_end)) {
      throw UnsupportedError(fmt::format("the bounds of axis {} depend on the batch", axis));
    }
    attrs.starts.push_back(starts[i].value);
    attrs.ends.push_back(to_end && steps[i] > 0 ? kEnd : ends[i].value);
    attrs.axes.push_back(static_cast<std::int64_t>(axis));
    attrs.steps.push_back(steps[i]);
  }
  if (attrs.axes.empty()) return c.alias(0, x);
  c.finish(OpType::kSlice, {x}, attrs);
}

void transpose(NodeContext& c) {
  c.expect_inputs(1, 1);
  const ValueId x = c.input(0);
  std::vector<std::int64_t> perm;
  for (std::size_t i = c.rank(x); i-- > 0;) perm.push_back(static_cast<std::int64_t>(i));
  perm = c.attributes().integers("perm").value_or(perm);
  c.finish(OpType::kTranspose, {x}, ir::TransposeAttrs{perm});
}

/// Repeats that depend on the batch are possible along an axis of size 1: that is an Expand.
void tile(NodeContext& c) {
  c.expect_inputs(2, 2);
  ValueId x = c.input(0);
  const std::vector<Dim> given = c.dims(1, "repeats");
  if (given.size() != c.rank(x)) {
    throw ModelError(fmt::format("{} repeats are given for rank {}", given.size(), c.rank(x)));
  }
  ir::Shape target = c.shape(x);
  std::vector<std::int64_t> repeats;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i].value < 0) throw ModelError(fmt::format("axis {} is repeated {} times", i, ir::to_string(given[i])));
    if (given[i].batch && target[i] != Dim(1)) {
      throw UnsupportedError(
          fmt::format("axis {} of size {} is repeated {} times", i, ir::to_string(target[i]), ir::to_string(given[i])));
    }
    repeats.push_back(given[i].batch ? 1 : given[i].value);
    if (given[i].batch) target[i] = given[i];
  }
  const bool plain = std::all_of(repeats.begin(), repeats.end(), [](std::int64_t r) { return r == 1; });
  if (target != c.shape(x)) x = c.emit(OpType::kExpand, {x}, ir::ShapeAttrs{target});
  if (plain) return c.alias(0, x);
  c.finish(OpType::kTile, {x}, ir::TileAttrs{repeats});
}

ir::PadMode pad_mode(const std::string& name) {
  if (name == "constant") return ir::PadMode::kConstant;
  if (name == "reflect") return ir::PadMode::kReflect;
  if (name == "edge") return ir::PadMode::kEdge;
  if (name == "wrap") return ir::PadMode::kWrap;
  throw ModelError(fmt::format("mode '{}' is unknown", name));
}

void pad(NodeContext& c) {
  const ValueId x = c.input(0);
  const std::size_t rank = c.rank(x);
  const bool by_attributes = c.opset() < 11;
  c.expect_inputs(by_attributes ? 1 : 2, by_attributes ? 1 : 4);
  ir::PadAttrs attrs;
  attrs.mode = pad_mode(c.attributes().text("mode", "constant"));
  if (by_attributes) {
    attrs.value = c.attributes().real("value", 0);
  } else if (c.has(2) && attrs.mode == ir::PadMode::kConstant) {
    attrs.value = c.real(2, "padding value");
  }
  const auto pads = by_attributes ? c.attributes().sizes("pads", 2 * rank, 0, -kMaxSize) : c.integers(1, "pads");
  std::vector<std::int64_t> axes(rank);
  for (std::size_t i = 0; i < rank; ++i) axes[i] = static_cast<std::int64_t>(i);
  if (c.opset() >= 18 && c.has(3)) axes = c.integers(3, "axes");
  if (pads.size() != 2 * axes.size()) {
    throw ModelError(fmt::format("{} pads are given for {} axes", pads.size(), axes.size()));
  }
  attrs.pads.assign(2 * rank, 0);
  c.axes(axes, rank);  // refuses repeats
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::size_t axis = c.axis(axes[i], rank);
    attrs.pads[axis] = pads[i];
    attrs.pads[axis + rank] = pads[i + axes.size()];
  }
  const bool none = std::all_of(attrs.pads.begin(), attrs.pads.end(), [](std::int64_t p) { return p == 0; });
  if (none) return c.alias(0, x);
  c.finish(OpType::kPad, {x}, attrs);
}

struct Image {
  Dim batch;
  std::int64_t channels, height, width, block;
};

Image blocks_of(NodeContext& c) {
  c.expect_inputs(1, 1);
  const ValueId x = c.input(0);
  if (c.rank(x) != 4) throw ModelError(fmt::format("its input has rank {} instead of 4", c.rank(x)));
  const std::int64_t block = c.attributes().required_integer("blocksize");
  if (block < 1 || block > kMaxSize) throw ModelError(fmt::format("blocksize is {}", block));
  return {c.shape(x)[0], c.fixed_dim(x, 1), c.fixed_dim(x, 2), c.fixed_dim(x, 3), block};
}

void depth_to_space(NodeContext& c) {
  const Image in = blocks_of(c);
  const std::int64_t b = in.block;
  const std::string mode = c.attributes().text("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") throw ModelError(fmt::format("mode '{}' is unknown", mode));
  if (in.channels % (b * b) != 0)
    throw ModelError(fmt::format("{} channels are no multiple of {}", in.channels, b * b));
  const std::int64_t depth = in.channels / (b * b);
  const bool depth_first = mode == "DCR";
  const ir::Shape parts = depth_first ? ir::Shape{in.batch, b, b, depth, in.height, in.width}
                                      : ir::Shape{in.batch, depth, b, b, in.height, in.width};
  const std::vector<std::int64_t> perm =
      depth_first ? std::vector<std::int64_t>{0, 3, 4, 1, 5, 2} : std::vector<std::int64_t>{0, 1, 4, 2, 5, 3};
  const ValueId moved = c.transpose(c.reshape(c.input(0), parts), perm);
  c.finish(OpType::kReshape, {moved}, ir::ShapeAttrs{{in.batch, depth, in.height * b, in.width * b}});
}

void space_to_depth(NodeContext& c) {
  const Image in = blocks_of(c);
  const std::int64_t b = in.block;
  if (in.height % b != 0 || in.width % b != 0) {
    throw ModelError(fmt::format("an image of {}x{} has no whole number of blocks of {}", in.height, in.width, b));
  }
  const ir::Shape parts = {in.batch, in.channels, in.height / b, b, in.width / b, b};
  const ValueId moved = c.transpose(c.reshape(c.input(0), parts), {0, 3, 5, 1, 2, 4});
  c.finish(OpType::kReshape, {moved}, ir::ShapeAttrs{{in.batch, in.channels * b * b, in.height / b, in.width / b}});
}

constexpr ConverterEntry kEntries[] = {
    {"Concat", concat},
    {"Split", split},
    {"Slice", slice},
    {"Transpose", transpose},
    {"Tile", tile},
    {"Pad", pad},
    {"DepthToSpace", depth_to_space},
    {"SpaceToDepth", space_to_depth},
};

}  // namespace

std::span<const ConverterEntry> movement_converters() { return kEntries; }

}  // namespace xinfer::onnx
