// Layer normalisation along rows.

#include <limits>
#include <numeric>

#include "cuda/implementations.h"
#include "cuda/rounding.h"

namespace xinfer::cuda {
namespace {

/// LayerNormArgs of kernels/layer_norm.cu, member for member.
struct LayerNormArgs {
  gpu::DevicePointer x = 0, y = 0, scale = 0, bias = 0;
  std::uint32_t rows = 0, columns = 0, in_pitch = 0, out_pitch = 0;
  float epsilon = 0;
  float step = 1;
};

constexpr std::int64_t kWarpColumns = 1024;      // rows up to here have one warp each
constexpr std::int64_t kTogetherRows = 8192;     // from here on a warp may take several: there are enough for all warps
constexpr std::int64_t kTogetherColumns = 3072;  // of all rows of a warp; each of its threads keeps a 32nd of them
constexpr std::int64_t kBlockColumns = 8192;     // and up to here stay in registers
constexpr int kWarpBlock = 128, kRowBlock = 256, kLongBlock = 512;

std::int64_t product(const Dims& dims, std::size_t begin, std::size_t end) {
  return std::accumulate(dims.begin() + static_cast<std::ptrdiff_t>(begin),
                         dims.begin() + static_cast<std::ptrdiff_t>(end), std::int64_t{1}, std::multiplies<>());
}

bool fits_together(int rows, std::int64_t columns) {
  return rows == 1 || (rows > 1 && columns <= kWarpColumns && rows * columns <= kTogetherColumns);
}

class LayerNormStep final : public Step {
 public:
  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    if (args.rows == 0 || args.columns == 0) return;
    gpu::Launch launch;
    launch.grid.x = (args.rows + rows_of_block - 1) / rows_of_block;
    launch.block.x = threads;
    launch.dependent = true;
    LayerNormArgs a = args;
    a.x = frame.inputs[0];
    a.y = frame.outputs[0];
    const auto parameter = [&](std::size_t input, int resident) -> gpu::DevicePointer {
      if (resident >= 0) return frame.resident[static_cast<std::size_t>(resident)];
      return input < inputs.size() && inputs[input] ? frame.inputs[input] : 0;
    };
    a.scale = parameter(1, resident_scale);
    a.bias = parameter(2, resident_bias);
    launch.args.add(a);
    launches.push_back(std::move(launch));
  }

  LayerNormArgs args;
  std::uint32_t rows_of_block = 1, threads = kRowBlock;
  int resident_scale = -1, resident_bias = -1;
};

/// Sets the formats of the input and of the output: as the producer wrote it where rows can be read so.
void choose_formats(LayerNormStep& step, const Request& request, std::size_t axis, Element out) {
  const Format& given = request.formats[0];
  const bool one_axis = axis + 1 == request.input_dims(0).size();
  const bool readable = (given.element == Element::kF16 || given.element == Element::kF32) &&
                        (given.order == Order::kRows || given.order == Order::kHeadsSwapped);
  Format in{readable ? given.element : request.real, Order::kRows, one_axis};
  if (readable && one_axis) in = given;
  step.inputs.assign(request.node.inputs.size(), std::nullopt);
  step.inputs[0] = in;
  step.outputs = {{out, in.order, one_axis && in.order == Order::kRows}};
}

}  // namespace

std::vector<Tactic> layer_norm_tactics(const Request& request) {
  const Dims dims = request.input_dims(0);
  const auto axis = static_cast<std::size_t>(request.node.as<ir::NormAttrs>().axis);
  const std::int64_t rows = product(dims, 0, axis), columns = product(dims, axis, dims.size());
  std::vector<Tactic> tactics{{{1}}, {{2}}, {{4}}};
  if (rows >= kTogetherRows) std::swap(tactics[0], tactics[1]);
  std::erase_if(tactics, [&](const Tactic& t) { return !fits_together(t.values[0], columns); });
  return tactics;
}

Creation create_layer_norm(const Request& request, const Tactic& tactic) {
  const auto& attrs = request.node.as<ir::NormAttrs>();
  const auto rounding = Rounding::of(request);
  if (!rounding) return Refusal{"the output has no plain scale"};
  if (request.input(0).dtype != DataType::kFloat32) return Refusal{"the input is not f32"};
  const Dims dims = request.input_dims(0);
  const auto axis = static_cast<std::size_t>(attrs.axis);
  const std::int64_t rows = product(dims, 0, axis), columns = product(dims, axis, dims.size());
  constexpr std::int64_t kLimit = std::numeric_limits<std::int32_t>::max();
  if (rows > kLimit || columns > kLimit - 2 * kPadding) return Refusal{"more rows or columns than 31 bits count"};

  auto step = std::make_unique<LayerNormStep>();
  choose_formats(*step, request, axis, rounding->element);
  const bool one_axis = axis + 1 == dims.size();
  const std::int64_t in_pitch = one_axis ? strides_of(dims, *step->inputs[0]).pitch : columns;
  const std::int64_t out_pitch = one_axis ? strides_of(dims, step->outputs[0]).pitch : columns;
  const int width = in_pitch % 8 == 0 && out_pitch % 8 == 0 ? 8 : 1;

  const bool resident = (!request.has(1) || constant_floats(request, 1) != nullptr) &&
                        (!request.has(2) || constant_floats(request, 2) != nullptr);
  for (const std::size_t i : {1U, 2U}) {
    if (!request.has(i)) continue;
    if (!resident) {
      step->inputs[i] = Format{request.real, Order::kRows, request.input_dims(i).size() == 1};
      continue;
    }
    const auto values = constant_floats(request, i)->data<float>();
    (i == 1 ? step->resident_scale : step->resident_bias) = static_cast<int>(step->residents.size());
    step->residents.push_back(resident_floats({values.begin(), values.end()}));
  }

  gpu::KernelSource source{"layer_norm.cu", "layer_norm", {}, ""};
  source.define("XI_IN_T", device_name_of(step->inputs[0]->element));
  rounding->define(source);
  source.define("XI_PARAM_T", device_name_of(resident ? Element::kF32 : request.real));
  source.define("XI_SCALE", request.has(1) ? 1 : 0);
  source.define("XI_BIAS", request.has(2) ? 1 : 0);
  source.define("XI_WIDTH", width);
  const bool warp = out_pitch <= kWarpColumns, registers = out_pitch <= kBlockColumns;
  const int together = tactic.values.empty() ? layer_norm_tactics(request).front().values[0] : tactic.values.at(0);
  if (!fits_together(together, columns) || (together > 1 && !warp)) {
    return Refusal{"so many rows together don't fit into a warp's registers"};
  }
  step->threads = warp ? kWarpBlock : registers ? kRowBlock : kLongBlock;
  const int row_threads = warp ? 32 : static_cast<int>(step->threads);
  step->rows_of_block = step->threads / static_cast<std::uint32_t>(row_threads) * static_cast<std::uint32_t>(together);
  source.define("XI_ROW_THREADS", row_threads);
  source.define("XI_THREADS", step->threads);
  if (registers) {
    const std::int64_t at_once = std::int64_t{row_threads} * width;
    source.define("XI_VECTORS", (out_pitch + at_once - 1) / at_once);
    source.define("XI_ROWS", together);
    source.define("XI_FULL", columns == out_pitch && columns % at_once == 0 ? 1 : 0);
  } else {
    source.entry = "layer_norm_long";
    source.define("XI_FULL", 0);
  }
  step->kernels = {source};
  step->implementation = warp        ? "layer_norm:warp" + std::to_string(together)
                         : registers ? "layer_norm:block"
                                     : "layer_norm:long";
  step->compute = request.real;
  step->args = {0,
                0,
                0,
                0,
                static_cast<std::uint32_t>(rows),
                static_cast<std::uint32_t>(columns),
                static_cast<std::uint32_t>(in_pitch),
                static_cast<std::uint32_t>(out_pitch),
                attrs.epsilon,
                rounding->step};
  return step;
}

}  // namespace xinfer::cuda
