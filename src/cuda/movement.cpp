// Operators that move data along whole axes: Reshape, Transpose, Concat, Slice, Split, Expand. All are copies between
// two views of one loop; where both views are the same memory the step is an alias.

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "cuda/epilogue.h"
#include "cuda/implementations.h"
#include "cuda/map_step.h"

namespace xinfer::cuda {
namespace {

/// Operators that move integers must keep their meaning.
bool keeps_meaning(const ir::Value& from, const ir::Value& to) {
  if (from.dtype != to.dtype || from.quantization.has_value() != to.quantization.has_value()) return false;
  return !from.quantization || (from.quantization->scales == to.quantization->scales &&
                                from.quantization->zero_points == to.quantization->zero_points);
}
constexpr const char* kMeaningChanges = "input and output differ in type or scale";

std::unique_ptr<MapStep> move_step(const Request& request, const Format& in) {
  auto step = std::make_unique<MapStep>();
  step->compute = request.input_element(0);
  step->inputs.assign(request.node.inputs.size(), std::nullopt);
  step->inputs[0] = in;
  return step;
}

/// One input to one output over the output's axes.
Creation copy(const Request& request, const Format& in, const MapView& from, const Format& out) {
  const Dims dims = request.output_dims();
  auto step = move_step(request, in);
  step->outputs = {out};
  if (!step->add_copy(loop_dims(dims), from, in.element, 0, view_of(dims, out), out.element, 0)) {
    return Refusal{kMapTooLarge};
  }
  return step;
}

/// Formats in which a value may be given, the preferred order first.
std::vector<Format> candidates(Element element, std::size_t rank, Order preferred) {
  std::vector<Format> formats{Format::padded_rows(element), Format::rows(element)};
  if (fits(Format::nhwc(element), rank)) {
    formats.insert(preferred == Order::kChannelsLast ? formats.begin() : formats.end(), Format::nhwc(element));
  }
  if (fits(Format::swapped(element), rank)) formats.push_back(Format::swapped(element));
  return formats;
}

/// The common axes of two shapes of the same number of elements: axis i of the loop is an axis of `in` and one of
/// `out`, or a part of each. Empty when there are none (3 x 4 and 4 x 3).
struct CommonAxes {
  Dims dims;
  std::vector<std::size_t> in_axis, out_axis;
  Dims in_step, out_step;  ///< indices along those axes that one index of the loop is worth
};

std::optional<CommonAxes> common_axes(const Dims& in, const Dims& out) {
  CommonAxes common;
  std::size_t i = in.size(), o = out.size();
  std::int64_t in_rest = 1, out_rest = 1, in_step = 1, out_step = 1;
  while (true) {
    while (in_rest == 1 && i > 0) in_rest = in[--i], in_step = 1;
    while (out_rest == 1 && o > 0) out_rest = out[--o], out_step = 1;
    if (in_rest == 1 && out_rest == 1) break;
    const std::int64_t size = std::min(in_rest, out_rest);
    if (size == 1 || std::max(in_rest, out_rest) % size != 0) return std::nullopt;
    common.dims.insert(common.dims.begin(), size);
    common.in_axis.insert(common.in_axis.begin(), i);
    common.out_axis.insert(common.out_axis.begin(), o);
    common.in_step.insert(common.in_step.begin(), in_step);
    common.out_step.insert(common.out_step.begin(), out_step);
    in_rest /= size, out_rest /= size;
    in_step *= size, out_step *= size;
  }
  return common;
}

/// A tensor walked along common axes. Empty when its padding lies behind an axis that the loop takes in parts.
std::optional<MapView> along(const MapView& view, const Dims& dims, const Dims& loop,
                             const std::vector<std::size_t>& axis, const Dims& step) {
  MapView result = view;
  result.stride.clear();
  result.pad_axis = -1;
  for (std::size_t i = 0; i < loop.size(); ++i) {
    result.stride.push_back(view.stride[axis[i]] * step[i]);
    const bool whole = loop[i] == dims[axis[i]];
    if (view.pad_axis == static_cast<int>(axis[i]) && whole) result.pad_axis = static_cast<int>(i);
  }
  const bool padded = view.pad_axis >= 0 && view.pitch != loop_dims(dims)[static_cast<std::size_t>(view.pad_axis)];
  if (padded && result.pad_axis < 0) return std::nullopt;
  return result;
}

/// Appends an axis of one element behind which the output's padding lies, where its innermost axis has size 1.
void add_unit_axis(CommonAxes& common, const Dims& dims, const MapView& out) {
  if (out.pad_axis < 0 || dims[static_cast<std::size_t>(out.pad_axis)] != 1) return;
  common.dims.push_back(1);
  common.in_axis.push_back(0), common.in_step.push_back(1);
  common.out_axis.push_back(static_cast<std::size_t>(out.pad_axis)), common.out_step.push_back(1);
}

/// Without padding behind axes that the loop takes in parts: reads never touch it.
MapView read_along(MapView view, const CommonAxes& common, const Dims& dims) {
  const auto whole = along(view, dims, common.dims, common.in_axis, common.in_step);
  if (whole) return *whole;
  view.pad_axis = -1;
  return *along(view, dims, common.dims, common.in_axis, common.in_step);
}

/// How a Slice or Split moves: the part of the input that goes to output i.
struct Part {
  std::size_t output;
  MapView from;
};

/// A copy of a part of the input for each output, in the producer's order.
Creation copy_parts(const Request& request, const Format& in, Order order, const std::vector<Part>& parts) {
  auto step = move_step(request, in);
  for (const Part& part : parts) {
    const Format out = given_format(request, part.output, order);
    const Dims dims = request.output_dims(part.output);
    step->outputs.push_back(out);
    if (!step->add_copy(loop_dims(dims), part.from, in.element, 0, view_of(dims, out), out.element, part.output)) {
      return Refusal{kMapTooLarge};
    }
  }
  return step;
}

}  // namespace

Creation create_reshape(const Request& request, const Tactic&) {
  if (!keeps_meaning(request.input(0), request.output())) return Refusal{kMeaningChanges};
  const Format in = taken_format(request, 0, Order::kRows, 0);
  const Dims from = loop_dims(request.input_dims(0)), to = loop_dims(request.output_dims());
  const MapView from_view = view_of(from, in);
  const auto common = common_axes(from, to);
  if (common) {
    for (const Format& out : candidates(in.element, to.size(), in.order)) {
      CommonAxes axes = *common;
      const MapView view = view_of(to, out);
      add_unit_axis(axes, to, view);
      const auto written = along(view, to, axes.dims, axes.out_axis, axes.out_step);
      if (written && same_places(axes.dims, read_along(from_view, axes, from), *written)) {
        return std::make_unique<AliasStep>(in, out);
      }
    }
    // Channels last makes sense where there are channels to speak of.
    const bool channels = in.order == Order::kChannelsLast && to.size() >= 3 && to[1] >= kPadding;
    std::vector<Format> formats = candidates(request.output_element(), to.size(), Order::kRows);
    if (channels && fits(Format::nhwc(in.element), to.size())) {
      formats.insert(formats.begin(), Format::nhwc(request.output_element()));
    }
    const Format given = given_format(request, 0, in.order);
    if (request.graph.is_output(request.output_id(0))) formats.insert(formats.begin(), given);
    for (const Format& out : formats) {
      CommonAxes axes = *common;
      const MapView view = view_of(to, out);
      add_unit_axis(axes, to, view);
      const auto written = along(view, to, axes.dims, axes.out_axis, axes.out_step);
      if (!written) continue;
      auto step = move_step(request, in);
      step->outputs = {out};
      if (!step->add_copy(loop_dims(axes.dims), read_along(from_view, axes, from), in.element, 0, *written, out.element,
                          0)) {
        return Refusal{kMapTooLarge};
      }
      return step;
    }
  }
  // The shapes have no common axes, but rows without padding are the same memory.
  return std::make_unique<AliasStep>(Format::rows(in.element), Format::rows(in.element));
}

Creation create_transpose(const Request& request, const Tactic&) {
  if (!keeps_meaning(request.input(0), request.output())) return Refusal{kMeaningChanges};
  const auto& perm = request.node.as<ir::TransposeAttrs>().perm;
  const Dims dims = request.output_dims();
  const Format in = taken_format(request, 0, Order::kRows, 0);
  MapView from = view_of(request.input_dims(0), in);
  if (!perm.empty()) from = permute(from, perm);
  for (const Format& out : candidates(in.element, dims.size(), in.order)) {
    if (same_places(loop_dims(dims), from, view_of(dims, out))) return std::make_unique<AliasStep>(in, out);
  }
  // Written the way it is read where that is possible.
  Format out = given_format(request, 0, Order::kRows);
  const bool is_open = !(request.graph.is_output(request.output_id(0)) && request.output().consumers.empty());
  if (is_open && fits(Format::nhwc(out.element), dims.size()) && from.stride[1] == 1 && dims[1] >= kPadding) {
    out = Format::nhwc(out.element);
  }
  return copy(request, in, from, out);
}

Creation create_concat(const Request& request, const Tactic&) {
  const auto axis = static_cast<std::size_t>(request.node.as<ir::AxisAttrs>().axis);
  const ir::Value& y = request.output();
  const Dims dims = request.output_dims();
  const Order order = map_order(request);
  auto step = std::make_unique<MapStep>();
  step->outputs = {given_format(request, 0, order)};
  const Format& out = step->outputs[0];
  step->compute = request.output_element();
  const MapView whole = view_of(dims, out);
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < request.node.inputs.size(); ++i) {
    const ir::Value& x = request.input(i);
    float ratio = 1;
    if (x.dtype != y.dtype || x.quantization != y.quantization) {
      const auto from = plain_scale(x), to = plain_scale(y);
      if (!from || !to || x.dtype == DataType::kFloat32 || y.dtype == DataType::kFloat32) {
        return Refusal{"an operand has another type than the output, or a scale that is not one for the whole tensor"};
      }
      ratio = static_cast<float>(static_cast<double>(*from) / *to);
    }
    const Format in = taken_format(request, i, order, dims.size());
    const Dims part = request.input_dims(i);
    step->inputs.emplace_back(in);
    MapView to = slice(whole, axis, begin, 1, part[axis]);
    begin += part[axis];
    // Only the last part writes the padding behind it.
    if (to.pad_axis == static_cast<int>(axis) && begin < dims[axis]) to.pitch = part[axis];
    if (!step->add_copy(part, view_of(part, in), in.element, i, to, out.element, 0, ratio)) {
      return Refusal{kMapTooLarge};
    }
  }
  return step;
}

Creation create_slice(const Request& request, const Tactic&) {
  if (!keeps_meaning(request.input(0), request.output())) return Refusal{kMeaningChanges};
  const auto& attrs = request.node.as<ir::SliceAttrs>();
  const Dims from = request.input_dims(0);
  const Format in = taken_format(request, 0, Order::kRows, 0);
  if (from == request.output_dims() &&
      std::all_of(attrs.steps.begin(), attrs.steps.end(), [](std::int64_t step) { return step > 0; })) {
    return std::make_unique<AliasStep>(in, in);
  }
  MapView view = view_of(from, in);
  for (std::size_t i = 0; i < attrs.axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(attrs.axes[i]);
    const auto range = ir::slice_range(attrs.starts[i], attrs.ends[i], attrs.steps[i], from[axis]);
    view = slice(view, axis, range.start, range.step, range.count);
  }
  return copy_parts(request, in, map_order(request), {{0, view}});
}

Creation create_split(const Request& request, const Tactic&) {
  const auto& attrs = request.node.as<ir::SplitAttrs>();
  const Format in = taken_format(request, 0, Order::kRows, 0);
  const MapView whole = view_of(request.input_dims(0), in);
  std::vector<Part> parts;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < attrs.sizes.size(); ++i) {
    if (!keeps_meaning(request.input(0), request.output(i))) return Refusal{kMeaningChanges};
    parts.push_back({i, slice(whole, static_cast<std::size_t>(attrs.axis), begin, 1, attrs.sizes[i])});
    begin += attrs.sizes[i];
  }
  return copy_parts(request, in, map_order(request), parts);
}

Creation create_expand(const Request& request, const Tactic&) {
  if (!keeps_meaning(request.input(0), request.output())) return Refusal{kMeaningChanges};
  const Dims from = request.input_dims(0), to = request.output_dims();
  const Order order = map_order(request);
  const Format in = taken_format(request, 0, order, to.size());
  if (loop_dims(from) == loop_dims(to)) return std::make_unique<AliasStep>(in, in);
  return copy(request, in, broadcast(view_of(from, in), from, to), given_format(request, 0, order));
}

}  // namespace xinfer::cuda
