// Gather, Pad and Tile: elements at places that lists of indices say. The lists of Pad and Tile are made here, one for
// each axis that isn't taken as it is; Gather's is an operand.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "core/hash.h"
#include "cuda/half.h"
#include "cuda/implementations.h"
#include "cuda/map_step.h"
#include "reference/movement.h"

namespace xinfer::cuda {
namespace {

constexpr std::size_t kLists = kMapTensors - 2;

// The structs of kernels/pick.cu, member for member.
struct PickArgs {
  std::uint64_t fill = 0;
  std::int64_t size = 0;
  std::array<std::int64_t, kLists> stride{};
};
struct PickOperands {
  MapOperand data;
  std::array<MapOperand, kLists> list{};
};

class PickStep final : public Step {
 public:
  PickStep(const Request& request, const Format& in, const Format& out) {
    implementation = "pick";
    compute = in.element;
    inputs.assign(request.node.inputs.size(), std::nullopt);
    inputs[0] = in;
    outputs = {out};
  }

  /// Lists are inputs from 1 on, or residents from 0 on. False when the loop is too large for a kernel.
  [[nodiscard]] bool plan(const Dims& dims, const MapView& data, const std::vector<MapView>& lists, Element list,
                          bool lists_are_inputs, const PickArgs& args) {
    std::vector<MapView> operands{data};
    operands.insert(operands.end(), lists.begin(), lists.end());
    const auto plan = plan_map(loop_dims(dims), view_of(dims, outputs[0]), operands);
    if (!plan) return false;
    plan_ = *plan;
    lists_ = lists.size();
    lists_are_inputs_ = lists_are_inputs;
    args_ = args;
    gpu::KernelSource source{"pick.cu", "pick_elements", {}, {}};
    source.define("XI_V", plan_.vector).define("XI_OPERANDS", static_cast<long long>(operands.size()));
    source.define("XI_T", moved_type(outputs[0].element)).define("XI_LISTS", static_cast<long long>(lists_));
    source.define("XI_LIST_T", name_of(list)).define("XI_WRAP", lists_are_inputs ? 1 : 0);
    kernels = {source};
    return true;
  }

  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    gpu::Launch launch;
    launch.grid = plan_.grid();
    launch.block = {static_cast<std::uint32_t>(kMapThreads), 1, 1};
    launch.dependent = true;
    PickOperands operands;
    operands.data = plan_.operand(1, frame.inputs[0]);
    for (std::size_t i = 0; i < lists_; ++i) {
      operands.list[i] = plan_.operand(i + 2, lists_are_inputs_ ? frame.inputs[i + 1] : frame.resident[i]);
    }
    launch.args.add(plan_.space).add(plan_.operand(0, frame.outputs[0])).add(operands).add(args_);
    launches.push_back(std::move(launch));
  }

 private:
  MapPlan plan_;
  std::size_t lists_ = 0;
  bool lists_are_inputs_ = false;
  PickArgs args_;
};

/// The element that stands for one value. Empty when the scales are not plain.
std::optional<std::uint64_t> bits_of(const ir::Value& value, Element element, float real) {
  const auto bits = [](auto x) {
    std::uint64_t result = 0;
    std::memcpy(&result, &x, sizeof(x));
    return result;
  };
  if (value.quantization && is_int8_like(value.dtype)) {
    const ir::Quantization& q = *value.quantization;
    if (q.per_channel()) return std::nullopt;
    const float steps = real / q.scale();
    const int zero = q.zero_points.empty() ? 0 : q.zero_points[0];
    const double rounded = (std::isnan(steps) ? 0.0 : std::nearbyint(steps)) + zero;
    if (element == Element::kS8) return bits(static_cast<std::int8_t>(std::clamp(rounded, -128.0, 127.0)));
    return bits(static_cast<std::uint8_t>(std::clamp(rounded, 0.0, 255.0)));
  }
  switch (element) {
    case Element::kF32:
      return bits(real);
    case Element::kF16:
      return bits(half_bits(real));
    case Element::kS8:
      return bits(static_cast<std::int8_t>(real));
    case Element::kU8:
      return bits(static_cast<std::uint8_t>(real));
    case Element::kS32:
      return bits(static_cast<std::int32_t>(real));
    case Element::kS64:
      return bits(static_cast<std::int64_t>(real));
    case Element::kBool:
      return bits(static_cast<std::uint8_t>(real != 0));
  }
  return std::nullopt;
}

Resident list_of(std::vector<std::int32_t> places) {
  places.resize((places.size() + kPadding - 1) / kPadding * kPadding, 0);
  Hasher hasher;
  hasher.update(places.data(), places.size() * sizeof(std::int32_t));
  return {fmt::format("places {}", hasher.hex()), [places = std::move(places)] {
            std::vector<std::byte> bytes(places.size() * sizeof(std::int32_t));
            std::memcpy(bytes.data(), places.data(), bytes.size());
            return bytes;
          }};
}

/// places[i] is the list for axis i, empty where the axis is taken as it is.
Creation pick_along_axes(const Request& request, const std::vector<std::vector<std::int32_t>>& places,
                         std::uint64_t fill, const Format& in, const Format& out) {
  const Dims dims = request.output_dims();
  const Dims from = request.input_dims(0);
  auto step = std::make_unique<PickStep>(request, in, out);
  MapView data = view_of(from, in);
  PickArgs args;
  args.fill = fill;
  std::vector<MapView> lists;
  for (std::size_t axis = 0; axis < places.size(); ++axis) {
    if (places[axis].empty()) continue;
    if (lists.size() == kLists) return Refusal{fmt::format("more than {} axes are picked from", kLists)};
    args.stride[lists.size()] = data.stride[axis];
    data.unit = std::gcd(data.unit, data.stride[axis]);
    data.stride[axis] = 0;
    MapView list;
    list.stride.assign(dims.size(), 0);
    list.stride[axis] = 1;
    list.bytes = sizeof(std::int32_t);
    list.pad_axis = static_cast<int>(axis);
    list.pitch = (static_cast<std::int64_t>(places[axis].size()) + kPadding - 1) / kPadding * kPadding;
    lists.push_back(std::move(list));
    step->residents.push_back(list_of(places[axis]));
  }
  if (!step->plan(dims, data, lists, Element::kS32, false, args)) return Refusal{kMapTooLarge};
  return step;
}

bool keeps_meaning(const ir::Value& from, const ir::Value& to) {
  return from.dtype == to.dtype && from.quantization == to.quantization;
}
constexpr const char* kMeaningChanges = "input and output differ in type or scale";

Format data_format(const Request& request) {
  return taken_format(request, 0, map_order(request), request.output_dims().size());
}

/// The output as usual, but with the very elements of the input.
Format output_format(const Request& request, const Format& in, Order order) {
  Format out = given_format(request, 0, order);
  out.element = in.element;
  return out;
}

}  // namespace

Creation create_pad(const Request& request, const Tactic&) {
  const ir::Value& x = request.input(0);
  if (!keeps_meaning(x, request.output())) return Refusal{kMeaningChanges};
  const auto& attrs = request.node.as<ir::PadAttrs>();
  const Dims from = request.input_dims(0);
  const Format in = data_format(request);
  if (std::all_of(attrs.pads.begin(), attrs.pads.end(), [](std::int64_t pad) { return pad == 0; })) {
    return std::make_unique<AliasStep>(in, in);
  }
  std::vector<std::vector<std::int32_t>> places(from.size());
  for (std::size_t axis = 0; axis < from.size(); ++axis) {
    const std::int64_t begin = attrs.pads.at(axis), end = attrs.pads.at(from.size() + axis);
    if (begin == 0 && end == 0) continue;
    // Negative pads crop first; the mode then works on what is left.
    const std::int64_t cropped = std::max<std::int64_t>(-begin, 0);
    const std::int64_t size = from[axis] - cropped - std::max<std::int64_t>(-end, 0);
    const std::int64_t before = std::max<std::int64_t>(begin, 0), after = std::max<std::int64_t>(end, 0);
    if (size < 0 || (size == 0 && attrs.mode != ir::PadMode::kConstant)) {
      return Refusal{fmt::format("axis {} of size {} can't be padded by {} and {}", axis, from[axis], begin, end)};
    }
    for (std::int64_t i = -before; i < size + after; ++i) {
      const std::int64_t at = reference::padded_source(attrs.mode, i, size);
      places[axis].push_back(static_cast<std::int32_t>(at < 0 ? -1 : at + cropped));
    }
  }
  const Format out = output_format(request, in, map_order(request));
  const auto fill = bits_of(x, out.element, attrs.value);
  if (!fill) return Refusal{"the input has a scale for each channel"};
  return pick_along_axes(request, places, *fill, in, out);
}

Creation create_tile(const Request& request, const Tactic&) {
  if (!keeps_meaning(request.input(0), request.output())) return Refusal{kMeaningChanges};
  const auto& repeats = request.node.as<ir::TileAttrs>().repeats;
  const Dims from = request.input_dims(0), to = request.output_dims();
  const Format in = data_format(request);
  if (from == to) return std::make_unique<AliasStep>(in, in);
  std::vector<std::vector<std::int32_t>> places(from.size());
  for (std::size_t axis = 0; axis < from.size(); ++axis) {
    if (repeats.at(axis) == 1) continue;
    for (std::int64_t i = 0; i < to[axis]; ++i) places[axis].push_back(static_cast<std::int32_t>(i % from[axis]));
  }
  return pick_along_axes(request, places, 0, in, output_format(request, in, map_order(request)));
}

Creation create_gather(const Request& request, const Tactic&) {
  const ir::Value& x = request.input(0);
  const ir::Value& y = request.output();
  const bool per_channel = x.quantization && x.quantization->per_channel();
  if (per_channel || !keeps_meaning(x, y)) return Refusal{kMeaningChanges};
  const Element list = request.input_element(1);
  if (list != Element::kS64 && list != Element::kS32) return Refusal{"the indices are neither s64 nor s32"};
  const auto axis = static_cast<std::size_t>(request.node.as<ir::AxisAttrs>().axis);
  const Dims data_dims = request.input_dims(0), list_dims = request.input_dims(1), dims = request.output_dims();
  // Rows: the axes behind the one that is indexed stay together.
  Format in = data_format(request);
  if (in.order != Order::kRows) in = Format::padded_rows(in.element);
  const Format indices = request.input(1).is_constant() || request.formats[1].order != Order::kRows
                             ? Format::rows(list)
                             : request.formats[1];
  const MapView data = view_of(data_dims, in);
  const MapView places = view_of(list_dims, indices);
  const std::size_t out_rank = std::max<std::size_t>(dims.size(), 1);
  MapView data_view = data;
  data_view.stride.assign(out_rank, 0);
  data_view.pad_axis = -1;
  data_view.unit = data.stride[axis];
  MapView list_view = places;
  list_view.stride.assign(out_rank, 0);
  list_view.pad_axis = -1;
  for (std::size_t i = 0; i < data_dims.size(); ++i) {
    if (i == axis) continue;
    const std::size_t place = i < axis ? i : i - 1 + list_dims.size();
    data_view.stride[place] = data.stride[i];
    if (data.pad_axis == static_cast<int>(i)) data_view.pad_axis = static_cast<int>(place);
  }
  for (std::size_t i = 0; i < list_dims.size(); ++i) {
    list_view.stride[axis + i] = places.stride[i];
    if (places.pad_axis == static_cast<int>(i)) list_view.pad_axis = static_cast<int>(axis + i);
  }
  auto step = std::make_unique<PickStep>(request, in, output_format(request, in, Order::kRows));
  step->inputs[1] = indices;
  PickArgs args;
  args.size = data_dims[axis];
  args.stride[0] = data.stride[axis];
  if (!step->plan(dims, data_view, {list_view}, list, true, args)) return Refusal{kMapTooLarge};
  return step;
}

}  // namespace xinfer::cuda
