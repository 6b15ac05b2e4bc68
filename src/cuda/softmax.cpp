// Softmax along any axis.

#include <limits>

#include "cuda/implementations.h"
#include "cuda/rounding.h"

namespace xinfer::cuda {
namespace {

/// SoftmaxArgs of kernels/softmax.cu, member for member.
struct SoftmaxArgs {
  gpu::DevicePointer x = 0, y = 0;
  std::uint32_t rows = 0, columns = 0, in_pitch = 0, out_pitch = 0;
  float step = 1;
};

constexpr std::int64_t kWarpColumns = 1024;   // rows up to here have one warp each
constexpr std::int64_t kBlockColumns = 8192;  // and up to here stay in registers
constexpr int kWarpBlock = 128, kRowBlock = 256, kLongBlock = 512, kAxisBlock = 128;

class SoftmaxStep final : public Step {
 public:
  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    if (blocks == 0) return;
    gpu::Launch launch;
    launch.grid.x = blocks;
    launch.block.x = threads;
    launch.dependent = true;
    SoftmaxArgs a = args;
    a.x = frame.inputs[0];
    a.y = frame.outputs[0];
    launch.args.add(a);
    launches.push_back(std::move(launch));
  }

  SoftmaxArgs args;
  std::uint32_t blocks = 0, threads = kRowBlock;
};

std::size_t innermost_axis(Order order, std::size_t rank) { return order == Order::kChannelsLast ? 1 : rank - 1; }

}  // namespace

Creation create_softmax(const Request& request, const Tactic&) {
  const auto& attrs = request.node.as<ir::SoftmaxAttrs>();
  const auto rounding = Rounding::of(request);
  if (!rounding) return Refusal{"the output has no plain scale"};
  if (request.input(0).dtype != DataType::kFloat32) return Refusal{"the input is not f32"};
  const Dims dims = request.input_dims(0);
  if (dims.empty()) return Refusal{"a tensor without axes"};
  const auto axis = static_cast<std::size_t>(attrs.axis);

  auto step = std::make_unique<SoftmaxStep>();
  Format in = request.formats[0];
  const bool readable =
      in.order == Order::kRows || in.order == Order::kChannelsLast || in.order == Order::kHeadsSwapped;
  if (!readable || (in.element != Element::kF16 && in.element != Element::kF32)) {
    in = Format::padded_rows(request.real);
  }
  const bool inner = axis == innermost_axis(in.order, dims.size());
  const Format out{rounding->element, in.order, inner ? in.order != Order::kHeadsSwapped : in.padded};
  step->inputs = {in};
  step->outputs = {out};
  const Strides from = strides_of(dims, in), to = strides_of(dims, out);
  const std::int64_t columns = dims[axis];
  const std::int64_t in_pitch = inner ? from.pitch : from.stride[axis];
  const std::int64_t out_pitch = inner ? to.pitch : to.stride[axis];
  const std::int64_t along = inner ? from.pitch : columns * in_pitch;  // elements that one row or slab occupies
  const std::int64_t rows = along == 0 ? 0 : from.elements / along;

  gpu::KernelSource source{"softmax.cu", "softmax_axis", {}, ""};
  source.define("XI_IN_T", device_name_of(in.element));
  rounding->define(source);
  source.define("XI_LOG", attrs.log ? 1 : 0);
  int row_threads = 0;
  int width = 1;
  std::int64_t blocks = 0, vectors = 0;
  if (!inner) {
    step->threads = kAxisBlock;
    blocks = (rows * in_pitch + kAxisBlock - 1) / kAxisBlock;
    step->implementation = "softmax:axis";
  } else {
    const bool warp = out_pitch <= kWarpColumns, registers = out_pitch <= kBlockColumns;
    width = in_pitch % 8 == 0 && out_pitch % 8 == 0 ? 8 : 1;
    step->threads = warp ? kWarpBlock : registers ? kRowBlock : kLongBlock;
    row_threads = warp ? 32 : static_cast<int>(step->threads);
    const std::int64_t rows_of_block = step->threads / row_threads;
    blocks = (rows + rows_of_block - 1) / rows_of_block;
    source.entry = registers ? "softmax_rows" : "softmax_long";
    const std::int64_t at_once = std::int64_t{row_threads} * width;
    if (registers) vectors = (out_pitch + at_once - 1) / at_once;
    step->implementation = warp ? "softmax:warp" : registers ? "softmax:block" : "softmax:long";
  }
  constexpr std::int64_t kLimit = std::numeric_limits<std::int32_t>::max();
  if (rows > kLimit || blocks > kLimit || columns > kLimit - 2 * kPadding || in_pitch > kLimit) {
    return Refusal{"more rows or columns than 31 bits count"};
  }
  source.define("XI_WIDTH", width);
  source.define("XI_ROW_THREADS", row_threads);
  source.define("XI_THREADS", step->threads);
  if (vectors > 0) source.define("XI_VECTORS", vectors);
  step->kernels = {source};
  step->compute = request.real;
  step->blocks = static_cast<std::uint32_t>(blocks);
  step->args = {0,
                0,
                static_cast<std::uint32_t>(rows),
                static_cast<std::uint32_t>(columns),
                static_cast<std::uint32_t>(in_pitch),
                static_cast<std::uint32_t>(out_pitch),
                rounding->step};
  return step;
}

}  // namespace xinfer::cuda
