// CumSum.

#include <fmt/format.h>

#include "cuda/implementations.h"
#include "cuda/launch_shape.h"
#include "cuda/map_step.h"

namespace xinfer::cuda {
namespace {

/// CumSumArgs of kernels/cumsum.cu, member for member.
struct CumSumArgs {
  gpu::DevicePointer x = 0, y = 0;
  std::uint32_t columns = 0, inner = 1, length = 0;
};

class CumSumStep final : public Step {
 public:
  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    const std::int64_t all = std::int64_t{args.columns} * threads;
    gpu::Launch launch = launch_of(all, threads == 512 ? 512 : 256);
    CumSumArgs a = args;
    a.x = frame.inputs[0];
    a.y = frame.outputs[0];
    launch.args.add(a);
    launches.push_back(std::move(launch));
  }

  CumSumArgs args;
  std::int64_t threads = 1;  ///< that share one column
};

/// How many threads share a column: one where neighbouring threads read neighbouring columns and there are enough of
/// them to fill the device.
std::int64_t threads_for(const CumSumArgs& args, int sm_count) {
  const bool few = args.columns < 16U * static_cast<std::uint32_t>(sm_count);
  if (args.inner == 1 ? args.length <= 8 : !few || args.length < 64) return 1;
  return few && args.length >= 1024 ? 512 : 32;
}

}  // namespace

Creation create_cum_sum(const Request& request, const Tactic&) {
  const ir::Value& x = request.input(0);
  if (x.quantization || request.output().quantization) return Refusal{"quantized elements"};
  if (x.dtype == DataType::kBool) return Refusal{"bool elements have no sum"};
  const auto& attrs = request.node.as<ir::CumSumAttrs>();
  const Dims dims = request.input_dims(0);
  std::int64_t outer = 1, inner = 1;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (static_cast<std::int64_t>(i) < attrs.axis) outer *= dims[i];
    if (static_cast<std::int64_t>(i) > attrs.axis) inner *= dims[i];
  }
  const std::int64_t length = dims[static_cast<std::size_t>(attrs.axis)];
  if (outer * inner * length == 0) return Refusal{"there are no elements"};
  if (length >= kThreadLimit || outer * inner >= kThreadLimit) return Refusal{"more elements than one kernel takes"};

  auto step = std::make_unique<CumSumStep>();
  step->args.columns = static_cast<std::uint32_t>(outer * inner);
  step->args.inner = static_cast<std::uint32_t>(inner);
  step->args.length = static_cast<std::uint32_t>(length);
  step->threads = threads_for(step->args, request.target.sm_count);
  if (outer * inner * step->threads >= kThreadLimit) return Refusal{"more columns than one kernel takes"};
  const Element in = x.is_constant() ? request.input_element(0) : request.formats[0].element;
  const Element out = given_format(request, 0, Order::kRows).element;
  gpu::KernelSource source{"cumsum.cu", "cum_sum", {}, ""};
  source.define("XI_T", device_name_of(in)).define("XI_OUT_T", device_name_of(out));
  source.define("XI_THREADS", step->threads).define("XI_ITEMS", step->threads == 1 ? 8 : 4);
  source.define("XI_EXCLUSIVE", attrs.exclusive ? 1 : 0).define("XI_REVERSE", attrs.reverse ? 1 : 0);
  step->kernels.push_back(std::move(source));
  step->inputs = {Format::rows(in)};
  step->outputs = {Format::rows(out)};
  step->implementation = fmt::format("cum_sum:{}", step->threads);
  step->compute = in;
  return step;
}

}  // namespace xinfer::cuda
