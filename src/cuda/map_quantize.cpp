// Quantize and Dequantize: the border between reals and integers, and with it often the change to channels last. The
// only maps that honour zero points and scales for each channel.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/hash.h"
#include "cuda/epilogue.h"
#include "cuda/implementations.h"
#include "cuda/map_step.h"
#include "cuda/pixels.h"
#include "cuda/stem.h"
#include "ir/graph_queries.h"

namespace xinfer::cuda {
namespace {

/// Scales and zero points as tensors of a map: along their axis, or one for all.
struct ScaleTables {
  MapTerm scale, zero;
};

template <class T>
Resident table_of(const char* what, std::vector<T> values) {
  Hasher hasher;
  hasher.update(values.data(), values.size() * sizeof(T));
  return {fmt::format("{} {}", what, hasher.hex()), [values = std::move(values)] {
            std::vector<std::byte> bytes(values.size() * sizeof(T));
            std::memcpy(bytes.data(), values.data(), bytes.size());
            return bytes;
          }};
}

/// Nothing when the scales don't fit the axis.
std::optional<ScaleTables> add_tables(MapStep& step, const ir::Quantization& q, const Dims& dims) {
  const std::int64_t count = q.per_channel() ? dims.at(static_cast<std::size_t>(q.axis)) : 1;
  const auto zeros = static_cast<std::int64_t>(q.zero_points.size());
  if (static_cast<std::int64_t>(q.scales.size()) != count || (zeros > 1 && zeros != count)) return std::nullopt;
  const std::int64_t stored = (count + kPadding - 1) / kPadding * kPadding;
  std::vector<float> scales = q.scales;
  scales.resize(static_cast<std::size_t>(stored), 1.0F);
  std::vector<std::int32_t> points = q.zero_points;
  if (zeros <= 1) points.assign(static_cast<std::size_t>(count), zeros == 0 ? 0 : q.zero_points[0]);
  points.resize(static_cast<std::size_t>(stored), 0);

  MapView view;
  view.stride.assign(loop_dims(dims).size(), 0);
  view.bytes = sizeof(float);
  view.elements = stored;
  if (q.per_channel()) {
    view.stride[static_cast<std::size_t>(q.axis)] = 1;
    view.pad_axis = q.axis;
    view.pitch = stored;
  }
  ScaleTables tables{real_term(view, Element::kF32, step.residents.size()),
                     plain_term(view, Element::kS32, step.residents.size() + 1)};
  tables.scale.resident = tables.zero.resident = true;
  step.residents.push_back(table_of("scales", std::move(scales)));
  step.residents.push_back(table_of("zero points", std::move(points)));
  return tables;
}

bool is_plain(const ir::Quantization& q) {
  return !q.per_channel() && q.scales.size() == 1 &&
         std::all_of(q.zero_points.begin(), q.zero_points.end(), [](std::int32_t z) { return z == 0; });
}

constexpr const char* kScalesDontFit = "the scales or zero points don't fit the axis that they belong to";

}  // namespace

Creation create_quantize(const Request& request, const Tactic&) {
  const ir::Value& x = request.input(0);
  const ir::Value& y = request.output();
  if (x.dtype != DataType::kFloat32) return Refusal{"the input is not f32"};
  if (!is_int8_like(y.dtype) || !y.quantization) return Refusal{"the output is not 8-bit with a scale"};
  const ir::Quantization& q = *y.quantization;
  const Dims dims = request.input_dims(0);
  Order order = map_order(request);
  if (fits(Format::nhwc(Element::kS8), dims.size()) && ir::feeds_windows(request.graph, request.output_id(0))) {
    order = Order::kChannelsLast;
  }
  auto step = std::make_unique<MapStep>();
  step->inputs = {taken_format(request, 0, order, dims.size())};
  step->outputs = {given_format(request, 0, order)};
  if (feeds_stem(request, request.output_id(0))) {
    step->outputs[0] = Format::pixels(step->outputs[0].element);
    if (is_plain(q)) {
      if (auto pixels = create_pixels(dims, *step->inputs[0], step->outputs[0], q.scale())) return pixels;
    }
  }
  const Element from = step->inputs[0]->element, to = step->outputs[0].element;
  step->compute = to;
  const MapTerm in = real_term(view_of(dims, *step->inputs[0]), from, 0);
  const MapTerm out = real_term(view_of(dims, step->outputs[0]), to, 0);
  bool fitted;
  if (is_plain(q)) {
    MapFunction function;
    function.out_scale = q.scale();
    fitted = step->add({"unary_real", {{"XI_STEP", "1"}}}, loop_dims(dims), out, {in}, function);
  } else {
    const auto tables = add_tables(*step, q, dims);
    if (!tables) return Refusal{kScalesDontFit};
    fitted = step->add({"quantize_by", {}}, loop_dims(dims), out, {in, tables->scale, tables->zero}, {});
  }
  if (!fitted) return Refusal{kMapTooLarge};
  return step;
}

Creation create_dequantize(const Request& request, const Tactic&) {
  const ir::Value& x = request.input(0);
  if (!x.quantization) return Refusal{"the input has no scale"};
  if (request.output().dtype != DataType::kFloat32) return Refusal{"the output is not f32"};
  const ir::Quantization& q = *x.quantization;
  const Dims dims = request.input_dims(0);
  const Order order = map_order(request);
  auto step = std::make_unique<MapStep>();
  step->inputs = {taken_format(request, 0, order, dims.size())};
  step->outputs = {given_format(request, 0, order)};
  const Element from = step->inputs[0]->element, to = step->outputs[0].element;
  step->compute = from;
  const MapView in = view_of(dims, *step->inputs[0]);
  const MapTerm out = real_term(view_of(dims, step->outputs[0]), to, 0);
  bool fitted;
  if (is_plain(q) && is_int8_like(x.dtype)) {
    MapFunction function;
    function.a_scale = q.scale();
    fitted = step->add({"unary_real", {}}, loop_dims(dims), out, {real_term(in, from, 0)}, function);
  } else {
    const auto tables = add_tables(*step, q, dims);
    if (!tables) return Refusal{kScalesDontFit};
    fitted = step->add({"dequantize_by", {}}, loop_dims(dims), out,
                       {plain_term(in, from, 0), tables->scale, tables->zero}, {});
  }
  if (!fitted) return Refusal{kMapTooLarge};
  return step;
}

}  // namespace xinfer::cuda
