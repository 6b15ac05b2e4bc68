// GatherElements, GatherNd and ScatterNd: elements at places that a tensor of indices names.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

#include "cuda/implementations.h"
#include "cuda/launch_shape.h"
#include "cuda/map_step.h"

namespace xinfer::cuda {
namespace {

constexpr std::size_t kIndexAxes = 8;  // kernels/indexing.cu knows it too
constexpr std::uint32_t kThreads = 256;
constexpr std::uint32_t kSortThreads = 1024;

// The structs of kernels/indexing.cu, member for member.
struct IndexSpace {
  std::uint32_t length = 0, unused = 0;
  std::array<std::int64_t, kIndexAxes> size{}, stride{};
};
struct GatherElementsArgs {
  gpu::DevicePointer x = 0, indices = 0, y = 0;
  std::uint32_t count = 0, axes = 0;
  std::array<std::uint32_t, kIndexAxes> size{};
  std::array<std::int64_t, kIndexAxes> stride{};
  std::int64_t axis_size = 0, axis_stride = 0;
};
struct GatherNdArgs {
  gpu::DevicePointer x = 0, indices = 0, y = 0;
  std::uint32_t count = 0, row = 0, per_batch = 0, unused = 0;
  std::int64_t batch_stride = 0;
  IndexSpace space;
};
struct ScatterArgs {
  gpu::DevicePointer x = 0, indices = 0, updates = 0, y = 0, scratch = 0;
  std::uint32_t copies = 0, places = 0, tuples = 0, row = 0, digits = 0, unused = 0;
  IndexSpace space;
};

constexpr const char* kTooLarge = "more elements than one kernel takes";
constexpr const char* kNoElements = "there are no elements";

std::int64_t product(const Dims& dims, std::size_t begin, std::size_t end) {
  std::int64_t count = 1;
  for (std::size_t i = begin; i < end; ++i) count *= dims[i];
  return count;
}

/// What moves this many bytes at once.
std::string_view unit_name(std::int64_t bytes) {
  switch (bytes) {
    case 16:
      return "Vector16";
    case 8:
      return "u64";
    case 4:
      return "u32";
    case 2:
      return "u16";
    default:
      return "u8";
  }
}
/// The widest unit that a row of this many bytes divides into.
std::int64_t unit_bytes(std::int64_t row_bytes) { return std::gcd(row_bytes, std::int64_t{16}); }

/// The axes [begin, begin + length) of `dims`; strides count rows of `row` units.
IndexSpace space_of(const Dims& dims, std::size_t begin, std::size_t length, std::int64_t row) {
  IndexSpace space;
  space.length = static_cast<std::uint32_t>(length);
  for (std::size_t i = length; i-- > 0;) {
    space.size[i] = dims[begin + i];
    space.stride[i] = row;
    row *= dims[begin + i];
  }
  return space;
}

/// Input i's elements as its producer wrote them.
Element written_element(const Request& request, std::size_t i) {
  return request.input(i).is_constant() ? request.input_element(i) : request.formats[i].element;
}

gpu::KernelSource source_of(const std::string& entry, const Request& request) {
  gpu::KernelSource source{"indexing.cu", entry, {}, ""};
  source.define("XI_INDEX_T", device_name_of(request.input_element(1)));
  return source;
}

template <class Args>
class GatherStep final : public Step {
 public:
  GatherStep(const Request& request, const std::string& entry, Element element, std::string_view unit) {
    implementation = entry;
    compute = element;
    inputs = {Format::rows(element), Format::rows(request.input_element(1))};
    outputs = {Format::rows(element)};
    kernels = {source_of(entry, request).define("XI_GATHER", 1).define("XI_T", unit)};
  }

  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    gpu::Launch launch = launch_of(args.count, kThreads);
    Args a = args;
    a.x = frame.inputs[0];
    a.indices = frame.inputs[1];
    a.y = frame.outputs[0];
    launch.args.add(a);
    launches.push_back(std::move(launch));
  }

  Args args;
};

/// Why a gather doesn't take the node; empty when it does.
std::string gather_refusal(const Request& request) {
  const ir::Value& x = request.input(0);
  const ir::Value& y = request.output();
  if (x.quantization && x.quantization->per_channel()) return "the input has a scale for each channel";
  if (x.dtype != y.dtype || x.quantization != y.quantization) return "input and output differ in type or scale";
  if (element_count(request.input_dims(0)) == 0 || element_count(request.output_dims()) == 0) return kNoElements;
  if (element_count(request.output_dims()) >= kThreadLimit) return kTooLarge;
  return {};
}

class ScatterStep final : public Step {
 public:
  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    ScatterArgs a = args;
    a.x = frame.inputs[0];
    a.indices = frame.inputs[1];
    a.updates = frame.inputs[2];
    a.y = frame.outputs[0];
    a.scratch = frame.scratch;
    const auto add = [&](std::size_t kernel, std::int64_t threads, std::uint32_t block) {
      launches.push_back(launch_of(threads, block));
      launches.back().kernel = kernel;
      launches.back().args.add(a);
    };
    add(0, std::max(args.copies, sorts ? args.tuples : args.places), kThreads);
    if (args.tuples == 0) return;
    if (sorts)
      add(1, kSortThreads, kSortThreads);
    else
      add(1, args.tuples, kThreads);
    add(2, std::int64_t{args.tuples} * args.row, kThreads);
  }

  ScatterArgs args;
  bool sorts = false;
};

}  // namespace

Creation create_gather_elements(const Request& request, const Tactic&) {
  if (std::string reason = gather_refusal(request); !reason.empty()) return Refusal{std::move(reason)};
  const Dims from = request.input_dims(0), to = request.output_dims();
  if (to.size() > kIndexAxes) return Refusal{fmt::format("more than {} axes", kIndexAxes)};
  const auto axis = static_cast<std::size_t>(request.node.as<ir::AxisAttrs>().axis);
  const Element element = written_element(request, 0);
  auto step =
      std::make_unique<GatherStep<GatherElementsArgs>>(request, "gather_elements", element, moved_type(element));
  GatherElementsArgs& args = step->args;
  args.count = static_cast<std::uint32_t>(element_count(to));
  args.axis_size = from[axis];
  args.axis_stride = product(from, axis + 1, from.size());
  // Innermost first; neighbours that lie as one axis in both tensors become one.
  for (std::size_t i = to.size(); i-- > 0;) {
    if (to[i] == 1) continue;
    const std::int64_t stride = i == axis ? 0 : product(from, i + 1, from.size());
    const auto size = static_cast<std::uint32_t>(to[i]);
    if (args.axes > 0 && stride == args.stride[args.axes - 1] * args.size[args.axes - 1]) {
      args.size[args.axes - 1] *= size;
      continue;
    }
    args.size[args.axes] = size;
    args.stride[args.axes] = stride;
    ++args.axes;
  }
  return step;
}

Creation create_gather_nd(const Request& request, const Tactic&) {
  if (std::string reason = gather_refusal(request); !reason.empty()) return Refusal{std::move(reason)};
  const Dims from = request.input_dims(0), tuples = request.input_dims(1);
  const auto batch_axes = static_cast<std::size_t>(request.node.as<ir::AxisAttrs>().axis);
  const auto length = static_cast<std::size_t>(tuples.back());
  if (length > kIndexAxes) return Refusal{fmt::format("tuples of more than {} indices", kIndexAxes)};
  const Element element = written_element(request, 0);
  const auto bytes = static_cast<std::int64_t>(size_of(element));
  const std::int64_t row = product(from, batch_axes + length, from.size());
  const std::int64_t unit = unit_bytes(row * bytes);
  const std::int64_t row_units = row * bytes / unit;
  auto step = std::make_unique<GatherStep<GatherNdArgs>>(request, "gather_nd", element, unit_name(unit));
  GatherNdArgs& args = step->args;
  args.count = static_cast<std::uint32_t>(element_count(request.output_dims()) * bytes / unit);
  args.row = static_cast<std::uint32_t>(row_units);
  args.per_batch = static_cast<std::uint32_t>(product(tuples, batch_axes, tuples.size() - 1));
  args.batch_stride = product(from, batch_axes, batch_axes + length) * row_units;
  args.space = space_of(from, batch_axes, length, row_units);
  return step;
}

Creation create_scatter_nd(const Request& request, const Tactic&) {
  const ir::Value& x = request.input(0);
  const ir::Value& updates = request.input(2);
  if (x.quantization || updates.quantization || request.output().quantization) return Refusal{"quantized elements"};
  const ir::ScatterReduction reduction = request.node.as<ir::ScatterAttrs>().reduction;
  const bool sorts = reduction != ir::ScatterReduction::kNone;
  if (sorts && x.dtype == DataType::kBool) return Refusal{"bool elements can't be combined"};
  const Dims dims = request.input_dims(0), tuples = request.input_dims(1);
  const auto length = static_cast<std::size_t>(tuples.back());
  if (length > kIndexAxes) return Refusal{fmt::format("tuples of more than {} indices", kIndexAxes)};
  const std::int64_t elements = element_count(dims);
  const std::int64_t count = product(tuples, 0, tuples.size() - 1);
  const std::int64_t places = product(dims, 0, length), row = product(dims, length, dims.size());
  if (elements == 0) return Refusal{kNoElements};
  if (elements >= kThreadLimit || count >= kThreadLimit || count * row >= kThreadLimit) return Refusal{kTooLarge};

  const Element element = request.input_element(0);
  const auto bytes = static_cast<std::int64_t>(size_of(element));
  const std::int64_t copied = unit_bytes(elements * bytes);
  const std::int64_t unit = sorts ? bytes : unit_bytes(row * bytes);
  auto step = std::make_unique<ScatterStep>();
  step->sorts = sorts;
  ScatterArgs& args = step->args;
  args.copies = static_cast<std::uint32_t>(elements * bytes / copied);
  args.places = static_cast<std::uint32_t>(places);
  args.tuples = static_cast<std::uint32_t>(count);
  args.row = static_cast<std::uint32_t>(row * bytes / unit);
  args.digits = (static_cast<std::uint32_t>(std::bit_width(args.places - 1)) + 7) / 8;
  args.space = space_of(dims, 0, length, 1);

  for (const char* entry :
       {"begin_scatter", sorts ? "sort_updates" : "claim_places", sorts ? "combine_places" : "write_places"}) {
    gpu::KernelSource source = source_of(entry, request);
    source.define("XI_T", sorts ? device_name_of(element) : unit_name(unit)).define("XI_COPY_T", unit_name(copied));
    source.define("XI_SORT", sorts ? 1 : 0);
    // In the order of the enumeration behind kNone.
    if (sorts) source.define("XI_COMBINE", static_cast<int>(reduction) - 1);
    step->kernels.push_back(std::move(source));
  }
  step->scratch_bytes = sorts ? 2 * sizeof(std::uint64_t) * args.tuples : sizeof(std::int32_t) * args.places;
  step->inputs = {Format::rows(element), Format::rows(request.input_element(1)), Format::rows(element)};
  step->outputs = {Format::rows(element)};
  step->implementation = sorts ? "scatter_nd:sort" : "scatter_nd:claim";
  step->compute = element;
  return step;
}

}  // namespace xinfer::cuda
