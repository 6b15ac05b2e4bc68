// Maximum and average pooling over one to three spatial axes.

#include <fmt/format.h>

#include <algorithm>

#include "cuda/epilogue.h"
#include "cuda/implementations.h"
#include "cuda/launch_shape.h"
#include "cuda/rounding.h"

namespace xinfer::cuda {
namespace {

/// PoolAxis and PoolArgs of kernels/pool.cu, member for member.
struct PoolAxis {
  std::int32_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, pad = 0, limit = 1;
};
struct PoolArgs {
  gpu::DevicePointer x = 0, y = 0, factor = 0;
  std::int32_t vectors = 0, count_padding = 0;
  std::uint32_t threads = 0;
  PoolAxis depth, height, width;
};

constexpr std::int64_t kLargestFast = 5;  ///< kernel of max_pool: a window's rows stay in registers
constexpr std::int64_t kColumns = 2;      ///< output columns of one thread there

class PoolStep final : public Step {
 public:
  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    gpu::Launch launch;
    if (fast) {
      const std::int64_t threads = args.vectors * div_up(args.width.out, kColumns);
      launch = launch_of(threads, block_for(threads), args.height.out, batch);
    } else {
      launch = launch_of(args.threads, 256);
    }
    PoolArgs a = args;
    a.x = frame.inputs[0];
    a.y = frame.outputs[0];
    a.factor = residents.empty() ? 0 : frame.resident[0];
    launch.args.add(a);
    launches.push_back(std::move(launch));
  }

  PoolArgs args;
  std::int64_t batch = 1;
  bool fast = false;
};

/// The window's axes; empty when a number leaves 32 bits.
bool set_axes(const Request& request, PoolArgs& args) {
  const auto& attrs = request.node.as<ir::PoolAttrs>();
  const Dims x = request.input_dims(0), y = request.output_dims();
  const std::size_t rank = x.size() - 2;
  PoolAxis* const axes[] = {&args.depth, &args.height, &args.width};
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t furthest = y[i + 2] * attrs.strides[i] + attrs.kernel[i] * attrs.dilations[i];
    if (std::max(furthest, x[i + 2] + attrs.pads[rank + i]) >= kThreadLimit) return false;
    PoolAxis& axis = *axes[3 - rank + i];
    axis.in = static_cast<std::int32_t>(x[i + 2]);
    axis.out = static_cast<std::int32_t>(y[i + 2]);
    axis.kernel = static_cast<std::int32_t>(attrs.kernel[i]);
    axis.stride = static_cast<std::int32_t>(attrs.strides[i]);
    axis.dilation = static_cast<std::int32_t>(attrs.dilations[i]);
    axis.pad = static_cast<std::int32_t>(attrs.pads[i]);
    // What a ceil mode adds beyond the declared padding never counts.
    axis.limit = static_cast<std::int32_t>(x[i + 2] + attrs.pads[rank + i]);
  }
  return true;
}

bool is_fast(const PoolArgs& args) {
  const auto small = [](const PoolAxis& axis) {
    return axis.kernel <= kLargestFast && axis.stride <= 3 && axis.dilation == 1;
  };
  return args.depth.in == 1 && args.depth.out == 1 && args.depth.kernel == 1 && small(args.height) && small(args.width);
}

/// Multipliers of the sum of 0, 1, ... elements: s_x / s_y / count in double, rounded once.
std::vector<float> factors(double ratio, std::int64_t taps) {
  std::vector<float> table;
  for (std::int64_t count = 0; count <= taps; ++count) {
    table.push_back(static_cast<float>(ratio / static_cast<double>(count)));
  }
  return table;
}

std::string refusal_of(const Request& request) {
  const ir::Value& from = request.input(0);
  const ir::Value& to = request.output();
  const std::size_t rank = from.shape.rank();
  if (rank < 3 || rank > 5) return "one to three spatial axes are taken";
  const bool real = from.dtype == DataType::kFloat32;
  if (!real && !is_int8_like(from.dtype)) return "the input is neither 8-bit nor f32";
  if (request.node.op == ir::OpType::kMaxPool) {
    const bool same = from.dtype == to.dtype && from.quantization == to.quantization;
    return same ? std::string() : "a maximum keeps type and scale";
  }
  if (!plain_scale(from) || !plain_scale(to)) return "input or output has no plain scale";
  return {};
}

}  // namespace

Creation create_pool(const Request& request, const Tactic&) {
  if (std::string reason = refusal_of(request); !reason.empty()) return Refusal{std::move(reason)};
  const auto& attrs = request.node.as<ir::PoolAttrs>();
  const bool average = request.node.op == ir::OpType::kAveragePool;
  const Element element = request.input_element(0);
  auto step = std::make_unique<PoolStep>();
  if (!set_axes(request, step->args)) return Refusal{"the window is too large"};
  PoolArgs& args = step->args;
  set_formats(*step, request, Order::kChannelsLast, true);
  const Strides strides = strides_of(request.output_dims(), step->outputs[0]);
  const std::int64_t vector = 16 / static_cast<std::int64_t>(size_of(element));
  step->batch = request.output_dims()[0];
  if (strides.elements / vector >= kThreadLimit) return Refusal{"more elements than one kernel takes"};
  args.vectors = static_cast<std::int32_t>(strides.pitch / vector);
  args.threads = static_cast<std::uint32_t>(strides.elements / vector);
  args.count_padding = attrs.count_include_pad ? 1 : 0;
  step->fast = !average && is_fast(args) && step->batch <= kGridLimit && args.height.out <= kGridLimit &&
               std::int64_t{args.width.in} * args.vectors < kThreadLimit;

  gpu::KernelSource source{"pool.cu", step->fast ? "max_pool" : "pool_general", {}, ""};
  source.define("XI_T", device_name_of(element));
  if (step->fast) {
    source.define("XI_KH", args.height.kernel).define("XI_KW", args.width.kernel);
    source.define("XI_SH", args.height.stride).define("XI_SW", args.width.stride);
    source.define("XI_COLUMNS", kColumns);
  } else {
    source.define("XI_AVERAGE", average ? 1 : 0);
    if (average) source.define("XI_OUT_T", device_name_of(request.output_element()));
  }
  step->kernels.push_back(std::move(source));
  if (average) {
    const std::int64_t taps = std::int64_t{args.depth.kernel} * args.height.kernel * args.width.kernel;
    // Sums of bytes stay below 2^31.
    if (taps > (std::int64_t{1} << 22)) return Refusal{"the window is too large"};
    const double ratio = static_cast<double>(*plain_scale(request.input(0))) / *plain_scale(request.output());
    step->residents.push_back(resident_floats(factors(ratio, taps)));
  }
  step->implementation = fmt::format("pool:{}", step->fast ? "max" : average ? "average" : "general");
  step->compute = element;
  return step;
}

}  // namespace xinfer::cuda
