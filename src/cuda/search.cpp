// TopK and ArgReduce.

#include <fmt/format.h>

#include <bit>

#include "cuda/epilogue.h"
#include "cuda/implementations.h"
#include "cuda/launch_shape.h"

namespace xinfer::cuda {
namespace {

/// SearchArgs of kernels/search.cu, member for member.
struct SearchArgs {
  gpu::DevicePointer x = 0, values = 0, indices = 0;
  std::uint32_t rows = 0, inner = 1, length = 0, k = 1;
  std::int64_t outer_stride = 0, inner_stride = 0, axis_stride = 1;
  float scale = 1;
};

constexpr std::int64_t kLargestSort = 4096;  ///< ranks in shared memory
constexpr std::uint32_t kSortThreads = 512;

class SearchStep final : public Step {
 public:
  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    gpu::Launch launch = sorts ? launch_of(std::int64_t{args.rows} * kSortThreads, kSortThreads)
                               : launch_of(std::int64_t{args.rows} * threads, 256);
    SearchArgs a = args;
    a.x = frame.inputs[0];
    if (sorts) a.values = frame.outputs[0];
    a.indices = frame.outputs[sorts ? 1 : 0];
    launch.args.add(a);
    launches.push_back(std::move(launch));
  }

  SearchArgs args;
  bool sorts = false;
  std::int64_t threads = 1;  ///< of arg_reduce, that share one output
};

/// The sizes around one axis of a dense tensor. False when there is nothing to search, or too much.
bool set_rows(SearchArgs& args, const Dims& dims, std::int64_t axis) {
  std::int64_t outer = 1, inner = 1;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (static_cast<std::int64_t>(i) < axis) outer *= dims[i];
    if (static_cast<std::int64_t>(i) > axis) inner *= dims[i];
  }
  const std::int64_t length = dims[static_cast<std::size_t>(axis)];
  if (outer * inner * length == 0 || length >= kThreadLimit || outer * inner >= kThreadLimit) return false;
  args.rows = static_cast<std::uint32_t>(outer * inner);
  args.inner = static_cast<std::uint32_t>(inner);
  args.length = static_cast<std::uint32_t>(length);
  args.outer_stride = length * inner;
  args.inner_stride = 1;
  args.axis_stride = inner;
  return true;
}

/// Bytes are compared as they are: a positive scale keeps their order.
std::string refusal_of(const Request& request) {
  const ir::Value& from = request.input(0);
  if (from.dtype == DataType::kInt64 || from.dtype == DataType::kBool) return "64-bit or bool elements";
  if (is_int8_like(from.dtype) && !plain_scale(from)) return "the input has no plain scale";
  return {};
}

}  // namespace

Creation create_topk(const Request& request, const Tactic&) {
  if (std::string reason = refusal_of(request); !reason.empty()) return Refusal{std::move(reason)};
  const auto& attrs = request.node.as<ir::TopKAttrs>();
  const ir::Value& from = request.input(0);
  const ir::Value& to = request.output();
  auto step = std::make_unique<SearchStep>();
  SearchArgs& args = step->args;
  step->sorts = true;
  if (!set_rows(args, request.input_dims(0), attrs.axis)) return Refusal{"no elements, or more than one kernel takes"};
  if (attrs.k < 1) return Refusal{"k is zero"};
  if (args.rows > kThreadLimit / kSortThreads) return Refusal{"more rows than one kernel takes"};
  args.k = static_cast<std::uint32_t>(attrs.k);
  const bool moves = from.dtype == to.dtype && from.quantization == to.quantization;
  if (!moves && !(is_int8_like(from.dtype) && to.dtype == DataType::kFloat32)) {
    return Refusal{"the values would have to be quantized again"};
  }
  if (!moves) args.scale = *plain_scale(from);
  const bool selects = args.length > kLargestSort;
  const std::uint32_t sorted = selects ? args.k : args.length;
  if (sorted > kLargestSort) return Refusal{fmt::format("k is above {}", kLargestSort)};

  gpu::KernelSource source{"search.cu", "top_k", {}, ""};
  source.define("XI_T", device_name_of(request.input_element(0)));
  source.define("XI_OUT_T", device_name_of(request.output_element()));
  source.define("XI_LARGEST", attrs.largest ? 1 : 0);
  source.define("XI_SORT", std::bit_ceil(sorted)).define("XI_SELECT", selects ? 1 : 0);
  step->kernels.push_back(std::move(source));
  step->inputs = {Format::rows(request.input_element(0))};
  step->outputs = {Format::rows(request.output_element()), Format::rows(Element::kS64)};
  step->implementation = selects ? "top_k:select" : "top_k:sort";
  step->compute = request.input_element(0);
  return step;
}

Creation create_arg_reduce(const Request& request, const Tactic&) {
  if (std::string reason = refusal_of(request); !reason.empty()) return Refusal{std::move(reason)};
  const auto& attrs = request.node.as<ir::ArgReduceAttrs>();
  const Dims dims = request.input_dims(0);
  const Element element = request.input_element(0);
  auto step = std::make_unique<SearchStep>();
  SearchArgs& args = step->args;
  if (!set_rows(args, dims, attrs.axis)) return Refusal{"no elements, or more than one kernel takes"};
  step->inputs = {Format::rows(element)};
  if (attrs.axis == 1 && dims.size() >= 3 && dims.size() <= 5 && preferred_order(request) == Order::kChannelsLast) {
    // Along the channels of an image: they are neighbours already. Pixels keep their order.
    step->inputs = {Format::nhwc(element)};
    args.inner = 1;
    args.outer_stride = strides_of(dims, *step->inputs[0]).pitch;
    args.axis_stride = 1;
  }
  const bool few = args.rows < 32U * static_cast<std::uint32_t>(request.target.sm_count);
  if (args.length >= 16 && (args.axis_stride == 1 || few)) step->threads = 32;
  if (args.length >= 1024 && few) step->threads = 256;
  if (args.rows * step->threads >= kThreadLimit) return Refusal{"more rows than one kernel takes"};

  gpu::KernelSource source{"search.cu", "arg_reduce", {}, ""};
  source.define("XI_T", device_name_of(element));
  source.define("XI_LARGEST", attrs.is_max ? 1 : 0).define("XI_LAST", attrs.select_last ? 1 : 0);
  source.define("XI_THREADS", step->threads);
  step->kernels.push_back(std::move(source));
  step->outputs = {Format::rows(Element::kS64)};
  step->implementation = fmt::format("arg_reduce:{}", step->threads);
  step->compute = element;
  return step;
}

}  // namespace xinfer::cuda
