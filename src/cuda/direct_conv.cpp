// The steps around kernels/direct.cu and direct_small.cu: whatever the tensor core kernels refuse.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <span>

#include "core/hash.h"
#include "cuda/batch_axes.h"
#include "cuda/conv_geometry.h"
#include "cuda/epilogue.h"
#include "cuda/half.h"
#include "cuda/implementations.h"
#include "ir/ops.h"

namespace xinfer::cuda {
namespace {

/// SpatialAxis of kernels/direct.cuh.
struct SpatialAxis {
  std::int32_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, pad = 0;
};

/// DirectArgs of kernels/direct.cuh, member for member.
struct DirectArgs {
  gpu::DevicePointer a = 0, b = 0, out = 0;
  EpilogueArgs epilogue;
  BatchAxis batch[kMaxBatchAxes];
  std::int64_t out_batch = 0;
  std::int64_t a_row = 0, a_inner = 1;
  std::int64_t b_inner = 0, b_column = 1, b_tap = 0;
  std::int64_t b_group = 0;
  std::int32_t batches = 1, table_batch = 0;
  std::int32_t rows = 0, columns = 0, channels = 0, out_pitch = 0;
  std::int32_t tap_channels = 0, taps = 1;
  std::int32_t group_columns = 0;
  SpatialAxis depth, height, width;
};

enum class Gather : std::uint8_t { kNone, kConv, kTransposed };

/// What one step computes; `args` without addresses.
struct Plan {
  DirectArgs args;
  Gather gather = Gather::kNone;
  bool small = false;      ///< direct_small.cu
  bool packs = false;      ///< the second operand is resident, packed by pack_weights
  bool one_axis_k = true;  ///< XI_PACKED
  ConvGeometry geometry;   ///< where `packs`
  Element a = Element::kF32, b = Element::kF32;
};

constexpr std::int64_t kMaxIndex = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kTile = 64;
constexpr std::int64_t kMaxGridAxis = 65535;

std::int32_t narrow(std::int64_t x) { return static_cast<std::int32_t>(x); }

bool is_8bit(Element element) { return element == Element::kS8 || element == Element::kU8; }
bool is_real(Element element) { return element == Element::kF16 || element == Element::kF32; }

/// Where weight (group, output of the group, input of the group, tap) stands in the plain tensor.
struct WeightStrides {
  std::int64_t group, output, input;  // a tap is 1
};
WeightStrides weight_strides(const ConvGeometry& g) {
  const std::int64_t taps = g.taps();
  if (g.transposed) {  // (C, O/groups, kernel...)
    return {g.channels_per_group() * g.outputs_per_group() * taps, taps, g.outputs_per_group() * taps};
  }
  return {g.outputs_per_group() * g.channels_per_group() * taps, g.channels_per_group() * taps, taps};
}

/// [tap][input of the group][output, padded to 16]; each output's column holds its own group's weights.
template <class T, class From, class Convert>
std::vector<std::byte> pack(std::span<const From> weights, const ConvGeometry& g, Convert convert) {
  const WeightStrides strides = weight_strides(g);
  const std::int64_t pitch = padded(g.outputs);
  std::vector<T> packed(static_cast<std::size_t>(g.taps() * g.channels_per_group() * pitch));
  for (std::int64_t o = 0; o < g.outputs; ++o) {
    const std::int64_t start = o / g.outputs_per_group() * strides.group + o % g.outputs_per_group() * strides.output;
    for (std::int64_t c = 0; c < g.channels_per_group(); ++c) {
      for (std::int64_t tap = 0; tap < g.taps(); ++tap) {
        packed[static_cast<std::size_t>((tap * g.channels_per_group() + c) * pitch + o)] =
            convert(weights[static_cast<std::size_t>(start + c * strides.input + tap)]);
      }
    }
  }
  std::vector<std::byte> bytes(packed.size() * sizeof(T));
  std::memcpy(bytes.data(), packed.data(), bytes.size());
  return bytes;
}

Resident pack_weights(const Tensor& weights, const ConvGeometry& geometry, Element element) {
  Resident resident;
  resident.key = fmt::format("weights by column {} {} {} groups {}{}", hash_bytes(weights.raw(), weights.bytes()),
                             xinfer::to_string(weights.shape()), name_of(element), geometry.groups,
                             geometry.transposed ? " transposed" : "");
  resident.make = [weights, geometry, element] {
    const auto same = [](auto w) { return w; };
    switch (element) {
      case Element::kF16:
        return pack<std::uint16_t>(weights.data<float>(), geometry, half_bits);
      case Element::kF32:
        return pack<float>(weights.data<float>(), geometry, same);
      case Element::kU8:
        return pack<std::uint8_t>(weights.data<std::uint8_t>(), geometry, same);
      default:
        return pack<std::int8_t>(weights.data<std::int8_t>(), geometry, same);
    }
  };
  return resident;
}

std::optional<std::string> set_types(const Request& request, Plan& plan) {
  plan.a = request.input_element(0);
  plan.b = request.input_element(1);
  if ((is_8bit(plan.a) && is_8bit(plan.b)) || (is_real(plan.a) && is_real(plan.b))) return std::nullopt;
  return fmt::format("multiplies {} by {}", name_of(plan.a), name_of(plan.b));
}

std::optional<std::string> too_large(const Plan& plan, std::int64_t rows, std::int64_t inner) {
  if (rows <= 0 || inner <= 0 || plan.args.channels <= 0) return "an operand is empty";
  if (rows >= kMaxIndex / 2 || inner >= kMaxIndex / 2) return "an operand is too large for 32-bit indices";
  if (plan.args.batches == kMaxIndex) return "too many batches of matrices";
  return std::nullopt;
}

/// Conv, ConvTranspose, Linear.
std::variant<Plan, std::string> plan_conv(const Request& request, const ConvGeometry& g) {
  Plan plan;
  if (auto reason = set_types(request, plan)) return *reason;
  plan.geometry = g;
  plan.packs = request.input(1).is_constant();
  plan.gather = g.transposed ? Gather::kTransposed : g.is_pointwise() ? Gather::kNone : Gather::kConv;
  plan.small = g.groups > 1 && g.outputs_per_group() % kPadding != 0;
  if (plan.small && plan.gather == Gather::kNone) plan.gather = Gather::kConv;
  DirectArgs& args = plan.args;
  const auto axis = [](const ConvAxis& from) {
    return SpatialAxis{narrow(from.in),     narrow(from.out),      narrow(from.kernel),
                       narrow(from.stride), narrow(from.dilation), narrow(from.pad_begin)};
  };
  args.depth = axis(g.depth);
  args.height = axis(g.height);
  args.width = axis(g.width);
  args.a_row = padded(g.channels);
  args.rows = narrow(g.rows());
  args.out_pitch = narrow(padded(g.outputs));
  args.taps = narrow(g.taps());
  args.tap_channels = narrow(g.channels_per_group());
  args.group_columns = narrow(g.outputs_per_group());
  std::int64_t group = g.outputs_per_group();  // elements of the second operand
  if (plan.packs) {
    args.b_inner = padded(g.outputs);
    args.b_tap = args.b_inner * args.tap_channels;
    args.b_column = 1;
  } else {
    const WeightStrides strides = weight_strides(g);
    args.b_inner = strides.input;
    args.b_tap = 1;
    args.b_column = strides.output;
    group = strides.group;
    plan.one_axis_k = g.taps() == 1;
  }
  args.b_group = group;
  const bool batched = g.groups > 1 && !plan.small;
  args.channels = narrow(batched ? g.outputs_per_group() : g.outputs);
  args.columns = narrow(padded(args.channels));
  if (batched) {
    args.batches = narrow(g.groups);
    args.batch[0] = {static_cast<std::uint32_t>(g.groups), 0, g.channels_per_group(), group};
    args.out_batch = args.channels;
    args.table_batch = args.channels;
  }
  if (auto reason = too_large(plan, g.rows(), g.taps() * g.channels_per_group())) return *reason;
  if (g.in_positions() >= kMaxIndex / 2) return "an image is too large for 32-bit indices";
  return plan;
}

std::variant<Plan, std::string> plan_matmul(const Request& request) {
  Plan plan;
  if (auto reason = set_types(request, plan)) return *reason;
  const auto& attrs = request.node.as<ir::MatMulAttrs>();
  const Dims a = request.input_dims(0);
  const Dims b = request.input_dims(1);
  const Dims out = request.output_dims();
  if (a.size() < 2 || b.size() < 2) return "an operand is a vector";
  const std::int64_t rows = out[out.size() - 2];
  const std::int64_t inner = attrs.transpose_a ? a[a.size() - 2] : a.back();
  const std::int64_t a_pitch = padded(a.back());
  const std::int64_t b_pitch = padded(b.back());
  const auto axes = batch_axes(a, b, out, a[a.size() - 2] * a_pitch, b[b.size() - 2] * b_pitch);
  if (axes.size() > kMaxBatchAxes) return "more than three leading axes are broadcast in turns";
  DirectArgs& args = plan.args;
  std::int64_t batches = 1;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    args.batch[i] = axes[i];
    batches *= axes[i].size;
  }
  args.batches = narrow(std::min(batches, kMaxIndex));
  args.a_row = attrs.transpose_a ? 1 : a_pitch;
  args.a_inner = attrs.transpose_a ? a_pitch : 1;
  args.b_inner = attrs.transpose_b ? 1 : b_pitch;
  args.b_column = attrs.transpose_b ? b_pitch : 1;
  args.rows = narrow(rows);
  args.channels = narrow(out.back());
  args.columns = narrow(padded(out.back()));
  args.out_pitch = args.columns;
  args.out_batch = rows * args.columns;
  args.tap_channels = narrow(inner);
  if (auto reason = too_large(plan, rows, inner)) return *reason;
  return plan;
}

class DirectStep final : public Step {
 public:
  DirectStep(const Request& request, Plan plan, Epilogue epilogue, Order order)
      : epilogue_(std::move(epilogue)), plan_(plan) {
    set_formats(*this, request, order, true);
    if (request.has(2)) inputs[2] = std::nullopt;  // folded into the epilogue's table
    if (plan_.packs) {
      inputs[1] = std::nullopt;
      residents.push_back(pack_weights(*request.input(1).constant, plan_.geometry, plan_.b));
    } else if (request.node.op != ir::OpType::kMatMul) {
      inputs[1] = Format::rows(plan_.b);
    }
    epilogue_.add_residents(*this);
    kernels.push_back(source());
    implementation = plan_.small ? "direct_small" : "direct";
    compute = plan_.a;
  }

  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    DirectArgs args = plan_.args;
    args.a = frame.inputs[0];
    args.b = plan_.packs ? frame.resident[0] : frame.inputs[1];
    args.out = frame.outputs[0];
    args.epilogue = epilogue_.args(frame);
    gpu::Launch launch;
    const auto count = [](std::int64_t size, std::int64_t part) {
      return static_cast<std::uint32_t>((size + part - 1) / part);
    };
    if (plan_.small) {
      launch.grid = {count(args.rows, 8), count(args.columns, 32)};
      launch.block = {32, 8};
    } else {
      const std::int64_t in_y = std::min<std::int64_t>(args.batches, kMaxGridAxis);
      launch.grid = {count(args.rows, kTile) * count(args.columns, kTile), static_cast<std::uint32_t>(in_y),
                     count(args.batches, in_y)};
      launch.block = {256};
    }
    launch.dependent = true;
    launch.args.add(args);
    launches.push_back(std::move(launch));
  }

 private:
  gpu::KernelSource source() const {
    gpu::KernelSource result{
        plan_.small ? "direct_small.cu" : "direct.cu", plan_.small ? "direct_small" : "direct", {}, {}};
    result.define("XI_X", device_name_of(plan_.a)).define("XI_W", device_name_of(plan_.b));
    result.define("XI_FLOAT", is_real(plan_.a) ? 1 : 0).define("XI_GATHER", static_cast<int>(plan_.gather));
    if (!plan_.small) result.define("XI_PACKED", plan_.one_axis_k ? 1 : 0);
    epilogue_.define(result);
    return result;
  }

  Epilogue epilogue_;
  Plan plan_;
};

Creation create(const Request& request, const std::variant<Plan, std::string>& planned, const ir::Epilogue& activation,
                int weight_axis, std::int64_t channels, Order order) {
  if (const auto* reason = std::get_if<std::string>(&planned)) return Refusal{*reason};
  auto epilogue = Epilogue::of(request, activation, weight_axis, channels);
  if (const auto* reason = std::get_if<std::string>(&epilogue)) return Refusal{*reason};
  return std::make_unique<DirectStep>(request, std::get<Plan>(planned), std::get<Epilogue>(std::move(epilogue)), order);
}

}  // namespace

Creation create_direct_conv(const Request& request, const Tactic&) {
  const std::size_t rank = request.input_dims(0).size();
  if (rank < 3 || rank > 5) return Refusal{"not one to three spatial axes"};
  const ConvGeometry g = conv_geometry(request);
  return create(request, plan_conv(request, g), request.node.as<ir::ConvAttrs>().epilogue, g.transposed ? 1 : 0,
                g.outputs, Order::kChannelsLast);
}

Creation create_direct_linear(const Request& request, const Tactic&) {
  if (request.parts > 1) return Refusal{"it writes one value, not several"};
  const ConvGeometry g = linear_geometry(request);
  return create(request, plan_conv(request, g), request.node.as<ir::LinearAttrs>().epilogue, 0, g.outputs,
                Order::kRows);
}

Creation create_direct_matmul(const Request& request, const Tactic&) {
  const auto rank = static_cast<int>(request.input_dims(1).size());
  return create(request, plan_matmul(request), {}, request.node.as<ir::MatMulAttrs>().transpose_b ? rank - 2 : rank - 1,
                request.output_dims().back(), Order::kRows);
}

}  // namespace xinfer::cuda
