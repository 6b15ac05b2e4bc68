// Normalisations of channels: group (and instance) normalisation, and batch normalisation. Channels last.

#include <algorithm>
#include <cmath>
#include <limits>

#include "cuda/implementations.h"
#include "cuda/rounding.h"

namespace xinfer::cuda {
namespace {

/// ChannelGrid of kernels/group_norm.cu, member for member.
struct ChannelGrid {
  std::uint32_t pixels = 0, channels = 0, pitch = 0, lanes = 1, chunk = 1, chunks = 1;

  std::uint32_t tiles() const { return (pitch / 8 + lanes - 1) / lanes; }
};

constexpr std::uint32_t kThreads = 256;
constexpr std::uint32_t kMostLanes = 64;         // vectors of 8 channels that lie beside each other in a block
constexpr std::uint32_t kPixelsOfThread = 8;     // where nothing else decides
constexpr std::uint32_t kBlocksOfProcessor = 8;  // that a small tensor is parted into

ChannelGrid grid_of(std::int64_t pixels, std::int64_t channels, std::int64_t pitch) {
  ChannelGrid grid;
  grid.pixels = static_cast<std::uint32_t>(pixels);
  grid.channels = static_cast<std::uint32_t>(channels);
  grid.pitch = static_cast<std::uint32_t>(pitch);
  grid.lanes = std::min(grid.pitch / 8, kMostLanes);
  return grid;
}
void set_chunk(ChannelGrid& grid, std::uint32_t chunk) {
  grid.chunk = std::max(chunk, 1U);
  grid.chunks = (grid.pixels + grid.chunk - 1) / grid.chunk;
}
/// Chunks for the scaling: a few pixels for each thread, fewer where that leaves processors idle.
void set_small_chunk(ChannelGrid& grid, std::int64_t samples, int sm_count) {
  const std::uint32_t rows = kThreads / grid.lanes;
  const std::int64_t wanted = std::int64_t{sm_count} * kBlocksOfProcessor;
  const std::int64_t chunks = std::max<std::int64_t>(1, wanted / (samples * grid.tiles()));
  const auto even = static_cast<std::uint32_t>((grid.pixels + chunks - 1) / chunks);
  set_chunk(grid, std::clamp(even, rows, rows * kPixelsOfThread));
}

gpu::Launch launch_of(std::size_t kernel, const ChannelGrid& grid, std::uint32_t samples) {
  gpu::Launch launch;
  launch.kernel = kernel;
  launch.grid = {grid.chunks, samples, grid.tiles()};
  launch.block.x = kThreads;
  launch.dependent = true;
  return launch;
}

class BatchNormStep final : public Step {
 public:
  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    if (grid.pixels == 0) return;
    launches.push_back(launch_of(0, grid, 1));
    launches.back().args.add(frame.inputs[0]).add(frame.outputs[0]).add(frame.resident[0]).add(frame.resident[1]);
    launches.back().args.add(grid).add(std::uint32_t{0}).add(step);
  }

  ChannelGrid grid;
  float step = 1;
};

class GroupNormStep final : public Step {
 public:
  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    if (fine.pixels == 0 || samples == 0) return;
    const gpu::DevicePointer partial = frame.scratch, table = frame.scratch + table_offset;
    launches.push_back(launch_of(0, coarse, samples));
    launches.back().args.add(frame.inputs[0]).add(partial).add(coarse);
    launches.push_back(launch_of(1, coarse, samples));
    launches.back().grid = {groups, samples, 1};
    launches.back().args.add(partial).add(frame.resident[0]).add(table).add(coarse);
    launches.back().args.add(coarse.channels / groups).add(epsilon);
    launches.push_back(launch_of(2, fine, samples));
    launches.back().args.add(frame.inputs[0]).add(frame.outputs[0]).add(table).add(frame.resident[1]);
    launches.back().args.add(fine).add(fine.pitch).add(step);
  }

  ChannelGrid coarse, fine;  // of the moments, of the scaling
  std::uint32_t samples = 0, groups = 1;
  std::size_t table_offset = 0;
  float epsilon = 0, step = 1;
};

/// What both share: the refusal, or the formats and the sizes.
struct ChannelShape {
  std::int64_t samples = 1, channels = 1, pixels = 1, pitch = 16;
};
std::variant<ChannelShape, Refusal> prepare(Step& step, const Request& request, Element out, std::size_t parameters) {
  if (request.input(0).dtype != DataType::kFloat32) return Refusal{"the input is not f32"};
  const Dims dims = request.input_dims(0);
  if (dims.size() < 2 || dims.size() > 5) return Refusal{"only tensors of rank 2 to 5 are stored channels last"};
  for (std::size_t i = 1; i <= parameters; ++i) {
    if (constant_floats(request, i) == nullptr) return Refusal{"its parameters are no f32 constants"};
  }
  const Order order = dims.size() == 2 ? Order::kRows : Order::kChannelsLast;
  step.inputs.assign(request.node.inputs.size(), std::nullopt);
  step.inputs[0] = Format{request.real, order, true};
  step.outputs = {{out, order, true}};
  step.compute = request.real;
  ChannelShape shape{dims[0], dims[1], 1, strides_of(dims, *step.inputs[0]).pitch};
  for (std::size_t i = 2; i < dims.size(); ++i) shape.pixels *= dims[i];
  constexpr std::int64_t kLimit = std::numeric_limits<std::int32_t>::max();
  if (shape.samples * shape.pixels > kLimit || shape.pitch > kLimit) {
    return Refusal{"more pixels or channels than 31 bits count"};
  }
  if (shape.channels == 0) return Refusal{"there are no channels"};
  return shape;
}

std::vector<float> padded(const Tensor& values, std::int64_t pitch) {
  const auto from = values.data<float>();
  std::vector<float> result(from.begin(), from.end());
  result.resize(static_cast<std::size_t>(pitch), 0.0F);
  return result;
}

gpu::KernelSource kernel(const char* entry, const Request& request, const Rounding& rounding) {
  gpu::KernelSource source{"group_norm.cu", entry, {}, ""};
  source.define("XI_IN_T", device_name_of(request.real));
  rounding.define(source);
  return source;
}

}  // namespace

Creation create_batch_norm(const Request& request, const Tactic&) {
  const auto rounding = Rounding::of(request);
  if (!rounding) return Refusal{"the output has no plain scale"};
  auto step = std::make_unique<BatchNormStep>();
  const auto prepared = prepare(*step, request, rounding->element, 4);
  if (const auto* refusal = std::get_if<Refusal>(&prepared)) return *refusal;
  const auto& shape = std::get<ChannelShape>(prepared);
  step->grid = grid_of(shape.samples * shape.pixels, shape.channels, shape.pitch);
  set_small_chunk(step->grid, 1, request.target.sm_count);
  step->step = rounding->step;
  const double epsilon = request.node.as<ir::NormAttrs>().epsilon;
  const auto scale = constant_floats(request, 1)->data<float>();
  const auto mean = constant_floats(request, 3)->data<float>();
  const auto variance = constant_floats(request, 4)->data<float>();
  std::vector<float> table(static_cast<std::size_t>(shape.pitch) * 2, 0.0F);  // {mean, factor}
  for (std::size_t c = 0; c < static_cast<std::size_t>(shape.channels); ++c) {
    table[2 * c] = mean[c];
    table[2 * c + 1] = static_cast<float>(scale[c] / std::sqrt(variance[c] + epsilon));
  }
  step->residents.push_back(resident_floats(std::move(table)));
  step->residents.push_back(resident_floats(padded(*constant_floats(request, 2), shape.pitch)));
  step->kernels = {kernel("channel_scale", request, *rounding)};
  step->implementation = "batch_norm";
  return step;
}

Creation create_group_norm(const Request& request, const Tactic&) {
  const auto rounding = Rounding::of(request);
  if (!rounding) return Refusal{"the output has no plain scale"};
  auto step = std::make_unique<GroupNormStep>();
  const auto prepared = prepare(*step, request, rounding->element, 2);
  if (const auto* refusal = std::get_if<Refusal>(&prepared)) return *refusal;
  const auto& shape = std::get<ChannelShape>(prepared);
  const auto& attrs = request.node.as<ir::NormAttrs>();
  constexpr std::int64_t kMostSamples = 65535;  // the y axis of a grid
  if (shape.samples > kMostSamples) return Refusal{"more than 65535 samples"};
  step->samples = static_cast<std::uint32_t>(shape.samples);
  step->groups = static_cast<std::uint32_t>(attrs.groups);
  step->epsilon = attrs.epsilon;
  step->step = rounding->step;
  step->fine = grid_of(shape.pixels, shape.channels, shape.pitch);
  set_small_chunk(step->fine, shape.samples, request.target.sm_count);
  // As many chunks as fill the processors, so that little is left to merge.
  step->coarse = step->fine;
  const std::int64_t wanted = std::int64_t{request.target.sm_count} * kBlocksOfProcessor;
  const std::int64_t chunks = std::max<std::int64_t>(1, wanted / (shape.samples * step->fine.tiles()));
  set_chunk(step->coarse, std::max(static_cast<std::uint32_t>((shape.pixels + chunks - 1) / chunks),
                                   kThreads / step->fine.lanes * 4));
  constexpr std::size_t kEntry = 2 * sizeof(float);
  const std::size_t row = static_cast<std::size_t>(shape.pitch) * kEntry;
  step->table_offset = (step->samples * step->coarse.chunks * row + 255) / 256 * 256;
  step->scratch_bytes = step->table_offset + step->samples * row;
  step->residents.push_back(resident_floats(padded(*constant_floats(request, 1), shape.pitch)));
  step->residents.push_back(resident_floats(padded(*constant_floats(request, 2), shape.pitch)));
  Rounding none;
  none.element = request.real;
  step->kernels = {kernel("group_moments", request, none), kernel("group_merge", request, none),
                   kernel("channel_scale", request, *rounding)};
  step->implementation = attrs.groups == shape.channels ? "instance_norm" : "group_norm";
  return step;
}

}  // namespace xinfer::cuda
