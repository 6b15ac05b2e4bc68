// Reductions: sums and means over pixels (or tokens) with the channels innermost, and any other.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cuda/epilogue.h"
#include "cuda/implementations.h"
#include "cuda/launch_shape.h"

namespace xinfer::cuda {
namespace {

using K = ir::ReduceKind;

/// SpatialSumArgs of kernels/reduce.cu, member for member.
struct SpatialSumArgs {
  gpu::DevicePointer x = 0, y = 0;
  std::int32_t pixels = 0, channels = 0, images = 0, per_block = 0;
  float factor = 1, divisor = 1;
};

constexpr std::int64_t kSpatialThreads = 256;
constexpr std::int64_t kMostBytes = std::int64_t{1} << 22;  ///< whose sum stays in 32 bits

/// Sums over the middle of [outer, middle, channels], the channels padded.
class SpatialSumStep final : public Step {
 public:
  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    SpatialSumArgs a = args;
    a.x = frame.inputs[0];
    a.y = splits > 1 ? frame.scratch : frame.outputs[0];
    a.per_block = static_cast<std::int32_t>(div_up(a.pixels, splits));
    launches.push_back(launch_with(0, a, splits));
    if (splits == 1) return;
    a.x = frame.scratch;
    a.y = frame.outputs[0];
    a.pixels = a.per_block = static_cast<std::int32_t>(splits);
    launches.push_back(launch_with(1, a, 1));
  }

  /// Threads of a block along the channels, four of which each one takes.
  std::int64_t threads_x() const {
    std::int64_t x = 4;
    while (x < 32 && x * 4 < args.channels) x *= 2;
    return x;
  }

  SpatialSumArgs args;
  std::int64_t splits = 1;

 private:
  gpu::Launch launch_with(std::size_t kernel, const SpatialSumArgs& a, std::int64_t z) const {
    const std::int64_t x = threads_x();
    gpu::Launch launch;
    launch.kernel = kernel;
    launch.block = {static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(kSpatialThreads / x), 1};
    launch.grid = {static_cast<std::uint32_t>(div_up(a.channels, 4 * x)), static_cast<std::uint32_t>(a.images),
                   static_cast<std::uint32_t>(z)};
    launch.dependent = true;
    launch.args.add(a);
    return launch;
  }
};

/// The tensor as [outer, middle, inner] around adjacent reduced axes.
struct MiddleView {
  std::int64_t outer = 1, middle = 1, inner = 1;
};

/// Of a tensor whose innermost stored axis is kept, and whose reduced axes are next to it: the format to read.
struct SpatialView {
  MiddleView sizes;
  Format in, out;
};

std::optional<SpatialView> spatial_view(const Request& request) {
  const auto& axes = request.node.as<ir::ReduceAttrs>().axes;
  const Dims x = request.input_dims(0);
  const std::size_t rank = x.size(), out_rank = request.output_dims().size();
  if (axes.empty()) return std::nullopt;
  for (std::size_t i = 1; i < axes.size(); ++i) {
    if (axes[i] != axes[i - 1] + 1) return std::nullopt;
  }
  const Element from = request.input_element(0), to = request.output_element();
  SpatialView view;
  for (const std::int64_t axis : axes) view.sizes.middle *= x[static_cast<std::size_t>(axis)];
  if (rank >= 3 && rank <= 5 && preferred_order(request) == Order::kChannelsLast) {
    if (axes.front() != 2 || axes.size() != rank - 2) return std::nullopt;
    view.sizes.outer = x[0], view.sizes.inner = x[1];
    view.in = Format::nhwc(from);
    // One pixel remains, so that channels come last in rows too.
    view.out = out_rank >= 3 ? Format::nhwc(to) : Format::padded_rows(to);
    return view;
  }
  if (axes.back() + 2 != static_cast<std::int64_t>(rank)) return std::nullopt;
  for (std::int64_t i = 0; i < axes.front(); ++i) view.sizes.outer *= x[static_cast<std::size_t>(i)];
  view.sizes.inner = x.back();
  view.in = Format::padded_rows(from);
  view.out = Format::padded_rows(to);
  return view;
}

bool is_byte(Element element) { return element == Element::kS8 || element == Element::kU8; }

/// Factor and divisor of a mean or sum: s_x / s_y / count at once for bytes (the contract), the output's scale apart
/// for reals (as a Quantize does it).
void set_scales(const Request& request, std::int64_t count, float& factor, float& divisor) {
  const bool mean = request.node.as<ir::ReduceAttrs>().kind == K::kMean;
  const double parts = mean ? static_cast<double>(count) : 1.0;
  const double from = *plain_scale(request.input(0)), to = *plain_scale(request.output());
  const bool bytes = is_byte(request.input_element(0));
  factor = static_cast<float>(bytes ? from / to / parts : 1.0 / parts);
  divisor = bytes ? 1.0F : static_cast<float>(to);
}

Creation create_spatial_sum(const Request& request, const SpatialView& view) {
  const auto [outer, middle, inner] = view.sizes;
  const Element element = request.input_element(0);
  const std::int64_t channels = div_up(inner, kPadding) * kPadding;
  if (outer > kGridLimit || middle > kMostBytes || channels * 4 >= kThreadLimit) return Refusal{"too many elements"};
  auto step = std::make_unique<SpatialSumStep>();
  SpatialSumArgs& args = step->args;
  args.pixels = static_cast<std::int32_t>(middle);
  args.channels = static_cast<std::int32_t>(channels);
  args.images = static_cast<std::int32_t>(outer);
  set_scales(request, middle, args.factor, args.divisor);

  // Where images and channels are too few to fill the GPU, pixels are split over blocks, at least four to a thread.
  const std::int64_t x = step->threads_x();
  const std::int64_t blocks = div_up(channels, 4 * x) * outer;
  const std::int64_t wanted = div_up(2 * request.target.sm_count, blocks);
  step->splits = std::clamp<std::int64_t>(middle / (kSpatialThreads / x * 4), 1, wanted);
  const auto add_kernel = [&](std::string_view type, int stage) {
    gpu::KernelSource source{"reduce.cu", "spatial_sum", {}, ""};
    source.define("XI_T", type).define("XI_OUT_T", device_name_of(request.output_element()));
    source.define("XI_STAGE", stage);
    step->kernels.push_back(std::move(source));
  };
  add_kernel(device_name_of(element), step->splits > 1 ? 1 : 0);
  if (step->splits > 1) {
    add_kernel(is_byte(element) ? "s32" : "float", 2);
    step->scratch_bytes = static_cast<std::size_t>(step->splits * outer * channels) * 4;
  }
  step->inputs = {view.in};
  step->outputs = {view.out};
  step->implementation = fmt::format("reduce:spatial{}", step->splits > 1 ? ":split" : "");
  step->compute = element;
  return step;
}

/// ReduceAxes and ReduceArgs of kernels/reduce.cu, member for member.
constexpr std::size_t kReduceAxes = 8;
struct ReduceAxes {
  std::int32_t count = 0;
  std::array<std::uint32_t, kReduceAxes> size{};
  std::array<std::int64_t, kReduceAxes> stride{};
};
struct ReduceArgs {
  gpu::DevicePointer x = 0, y = 0;
  std::uint32_t outputs = 1, elements = 1;
  float in_scale = 1, factor = 1, divisor = 1;
  ReduceAxes kept, reduced;
};

class ReduceStep final : public Step {
 public:
  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    gpu::Launch launch = launch_of(std::int64_t{args.outputs} * threads, 256);
    ReduceArgs a = args;
    a.x = frame.inputs[0];
    a.y = frame.outputs[0];
    launch.args.add(a);
    launches.push_back(std::move(launch));
  }

  ReduceArgs args;
  std::int64_t threads = 1;  ///< that share one output
};

std::string_view device_name_of(K kind) {
  static constexpr std::array<std::string_view, 10> kNames = {"kMean", "kSum", "kMax",       "kMin",    "kProd",
                                                              "kL1",   "kL2",  "kSumSquare", "kLogSum", "kLogSumExp"};
  return kNames.at(static_cast<std::size_t>(kind));
}

/// Kept and reduced axes of a dense tensor, neighbours of one kind merged. False when they are too many.
bool set_axes(const Dims& x, const std::vector<std::int64_t>& axes, ReduceArgs& args, bool& reduces_inner) {
  std::int64_t stride = 1;
  const ReduceAxes* last = nullptr;
  for (std::size_t i = x.size(); i-- > 0;) {
    if (x[i] == 1) continue;
    const bool reduce = std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) != axes.end();
    ReduceAxes& list = reduce ? args.reduced : args.kept;
    if (last == nullptr) reduces_inner = reduce;
    if (last != &list) {
      if (static_cast<std::size_t>(list.count) == kReduceAxes) return false;
      list.size[static_cast<std::size_t>(list.count)] = 1;
      list.stride[static_cast<std::size_t>(list.count)] = stride;
      ++list.count;
      last = &list;
    }
    list.size[static_cast<std::size_t>(list.count) - 1] *= static_cast<std::uint32_t>(x[i]);
    stride *= x[i];
  }
  return true;
}

/// The type that is computed with, and the scales; an empty name when the types have no meaning together.
std::string_view prepare(const Request& request, ReduceArgs& args) {
  const K kind = request.node.as<ir::ReduceAttrs>().kind;
  const ir::Value& from = request.input(0);
  const ir::Value& to = request.output();
  if (from.dtype == DataType::kInt32 || from.dtype == DataType::kInt64) {
    const bool known = kind != K::kLogSum && kind != K::kLogSumExp && !from.quantization && to.dtype == from.dtype;
    return known ? "s64" : "";
  }
  if (!plain_scale(from) || !plain_scale(to)) return "";
  const bool bytes = is_byte(request.input_element(0));
  if (kind == K::kMean || kind == K::kSum) {
    set_scales(request, args.elements, args.factor, args.divisor);
    return bytes ? "s32" : "float";
  }
  args.in_scale = *plain_scale(from);
  args.divisor = *plain_scale(to);
  return "float";
}

Creation create_any_reduce(const Request& request) {
  const auto& attrs = request.node.as<ir::ReduceAttrs>();
  const Dims x = request.input_dims(0);
  auto step = std::make_unique<ReduceStep>();
  ReduceArgs& args = step->args;
  std::int64_t outputs = 1, elements = 1;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool reduce =
        std::find(attrs.axes.begin(), attrs.axes.end(), static_cast<std::int64_t>(i)) != attrs.axes.end();
    (reduce ? elements : outputs) *= x[i];
  }
  if (outputs * elements == 0) return Refusal{"an empty tensor"};
  if (elements >= kThreadLimit || outputs >= kThreadLimit) return Refusal{"more elements than one kernel takes"};
  args.outputs = static_cast<std::uint32_t>(outputs);
  args.elements = static_cast<std::uint32_t>(elements);
  bool reduces_inner = false;
  if (!set_axes(x, attrs.axes, args, reduces_inner)) return Refusal{"too many axes"};
  const std::string_view acc = prepare(request, args);
  if (acc.empty()) return Refusal{fmt::format("'{}' of these types", name_of(attrs.kind))};
  if (acc == "s32" && elements > kMostBytes) return Refusal{"the sum may leave 32 bits"};

  // Threads share an output where that makes neighbours read neighbours, or where outputs are few.
  const bool few = outputs < 32LL * request.target.sm_count;
  if (elements >= 16 && (reduces_inner || few)) step->threads = 32;
  if (elements >= 1024 && (few || (reduces_inner && elements >= 4096))) step->threads = 256;
  if (outputs * step->threads >= kThreadLimit) return Refusal{"more elements than one kernel takes"};

  gpu::KernelSource source{"reduce.cu", "reduce_any", {}, ""};
  source.define("XI_T", device_name_of(request.input_element(0)));
  source.define("XI_OUT_T", device_name_of(request.output_element()));
  source.define("XI_KIND", device_name_of(attrs.kind));
  source.define("XI_ACC", acc).define("XI_THREADS", step->threads);
  step->kernels.push_back(std::move(source));
  step->inputs = {Format::rows(request.input_element(0))};
  step->outputs = {Format::rows(request.output_element())};
  step->implementation = fmt::format("reduce:{}", step->threads);
  step->compute = request.input_element(0);
  return step;
}

}  // namespace

Creation create_reduce(const Request& request, const Tactic&) {
  const K kind = request.node.as<ir::ReduceAttrs>().kind;
  const ir::Value& from = request.input(0);
  const bool number = from.dtype == DataType::kFloat32 || is_int8_like(from.dtype);
  const Dims x = request.input_dims(0);
  const bool empty = std::any_of(x.begin(), x.end(), [](std::int64_t d) { return d == 0; });
  if ((kind == K::kMean || kind == K::kSum) && number && !empty && plain_scale(from) && plain_scale(request.output())) {
    if (const auto view = spatial_view(request)) {
      Creation creation = create_spatial_sum(request, *view);
      if (std::holds_alternative<std::unique_ptr<Step>>(creation)) return creation;
    }
  }
  return create_any_reduce(request);
}

}  // namespace xinfer::cuda
