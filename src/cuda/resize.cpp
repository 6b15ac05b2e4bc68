// Resize over one to three spatial axes. Taps are the reference's.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/hash.h"
#include "cuda/epilogue.h"
#include "cuda/implementations.h"
#include "cuda/launch_shape.h"
#include "reference/resize_taps.h"

namespace xinfer::cuda {
namespace {

/// ResizeAxis and ResizeArgs of kernels/resize.cu, member for member.
struct ResizeAxis {
  gpu::DevicePointer index = 0, weight = 0;
  std::int32_t in = 1, out = 1, taps = 1;
};
struct ResizeArgs {
  gpu::DevicePointer x = 0, y = 0;
  std::int32_t vectors = 0;
  float ratio = 1;
  std::uint32_t threads = 0;
  ResizeAxis depth, height, width;
};

/// The taps of all outputs along one axis, each with as many as the longest list has.
struct TapTable {
  std::int64_t taps = 1;
  std::vector<std::int32_t> index{0};
  std::vector<float> weight{1.0F};
};

TapTable table_of(const std::vector<reference::AxisTaps>& outputs) {
  TapTable table;
  table.index.clear();
  table.weight.clear();
  for (const auto& taps : outputs) {
    table.taps = std::max(table.taps, static_cast<std::int64_t>(taps.index.size()));
  }
  for (const auto& taps : outputs) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(table.taps); ++i) {
      const bool real = i < taps.index.size();
      table.index.push_back(static_cast<std::int32_t>(taps.index[real ? i : 0]));
      table.weight.push_back(real ? static_cast<float>(taps.weight[i]) : 0.0F);
    }
  }
  return table;
}

template <class T>
Resident resident_of(std::vector<T> values) {
  return {fmt::format("resize table {}", hash_bytes(values.data(), values.size() * sizeof(T))), [values] {
            std::vector<std::byte> bytes(values.size() * sizeof(T));
            std::memcpy(bytes.data(), values.data(), bytes.size());
            return bytes;
          }};
}

class ResizeStep final : public Step {
 public:
  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    gpu::Launch launch = launch_of(args.threads, 256);
    ResizeArgs a = args;
    a.x = frame.inputs[0];
    a.y = frame.outputs[0];
    std::size_t next = 0;
    for (ResizeAxis* axis : {&a.depth, &a.height, &a.width}) {
      axis->index = frame.resident[next++];
      axis->weight = frame.resident[next++];
    }
    launch.args.add(a);
    launches.push_back(std::move(launch));
  }

  ResizeArgs args;
};

std::string refusal_of(const Request& request, bool nearest) {
  const ir::Value& from = request.input(0);
  const ir::Value& to = request.output();
  if (from.shape.rank() < 3 || from.shape.rank() > 5) return "one to three spatial axes are taken";
  if (nearest) {
    const bool same = from.dtype == to.dtype && from.quantization == to.quantization;
    return same ? std::string() : "a nearest Resize keeps type and scale";
  }
  if (from.dtype != DataType::kFloat32 && !is_int8_like(from.dtype)) return "the input is neither 8-bit nor f32";
  if (!plain_scale(from) || !plain_scale(to)) return "input or output has no plain scale";
  return {};
}

}  // namespace

Creation create_resize(const Request& request, const Tactic&) {
  const auto& attrs = request.node.as<ir::ResizeAttrs>();
  const bool nearest = attrs.mode == ir::ResizeMode::kNearest;
  if (std::string reason = refusal_of(request, nearest); !reason.empty()) return Refusal{std::move(reason)};
  const Dims x = request.input_dims(0), y = request.output_dims();
  const Element element = request.input_element(0);
  auto step = std::make_unique<ResizeStep>();
  ResizeArgs& args = step->args;
  set_formats(*step, request, Order::kChannelsLast, true);
  const Strides strides = strides_of(y, step->outputs[0]);
  const std::int64_t vector = nearest ? 16 / static_cast<std::int64_t>(size_of(element)) : 4;
  if (strides.elements == 0 || strides.elements / vector >= kThreadLimit) {
    return Refusal{"no elements, or more than one kernel takes"};
  }
  args.vectors = static_cast<std::int32_t>(strides.pitch / vector);
  args.threads = static_cast<std::uint32_t>(strides.elements / vector);
  if (!nearest) {
    args.ratio =
        static_cast<float>(static_cast<double>(*plain_scale(request.input(0))) / *plain_scale(request.output()));
  }
  ResizeAxis* const axes[] = {&args.depth, &args.height, &args.width};
  const std::size_t rank = x.size() - 2;
  for (std::size_t i = 0; i < 3; ++i) {
    TapTable table;
    if (i + rank >= 3) {
      const std::size_t axis = i + rank - 3 + 2;
      table = table_of(reference::resize_taps(attrs, axis, x[axis], y[axis]));
      axes[i]->in = static_cast<std::int32_t>(x[axis]);
      axes[i]->out = static_cast<std::int32_t>(y[axis]);
      axes[i]->taps = static_cast<std::int32_t>(table.taps);
    }
    step->residents.push_back(resident_of(std::move(table.index)));
    step->residents.push_back(resident_of(std::move(table.weight)));
  }
  gpu::KernelSource source{"resize.cu", nearest ? "resize_nearest" : "resize_weighted", {}, ""};
  if (!nearest) {
    source.define("XI_T", device_name_of(element)).define("XI_OUT_T", device_name_of(request.output_element()));
  }
  step->kernels.push_back(std::move(source));
  step->implementation = fmt::format("resize:{}", name_of(attrs.mode));
  step->compute = element;
  return step;
}

}  // namespace xinfer::cuda
