// Depthwise convolutions over one or two spatial axes.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/hash.h"
#include "cuda/conv_geometry.h"
#include "cuda/epilogue.h"
#include "cuda/implementations.h"
#include "cuda/launch_shape.h"

namespace xinfer::cuda {
namespace {

/// DepthwiseArgs of kernels/depthwise.cu, member for member.
struct DepthwiseArgs {
  gpu::DevicePointer x = 0, weights = 0, y = 0;
  std::int32_t in_h = 0, in_w = 0, out_h = 0, out_w = 0;
  std::int32_t pad_h = 0, pad_w = 0;
  std::int32_t kernel_h = 0, kernel_w = 0, stride_h = 0, stride_w = 0, dilation_h = 0, dilation_w = 0;
  EpilogueArgs epilogue;
};

enum class Entry : std::uint8_t { kDot, kFloat, kGeneral };

/// How one thread's work is cut out.
struct Shape {
  Entry entry = Entry::kGeneral;
  int rows = 1;     ///< output rows
  int units = 1;    ///< XI_UNITS
  int columns = 1;  ///< output columns
};

bool is_byte(Element element) { return element == Element::kS8 || element == Element::kU8; }

/// The fast kernels keep a whole row of the kernel, or all of it, in registers.
bool is_small(const ConvGeometry& g) {
  const auto small = [](const ConvAxis& axis) { return axis.kernel <= 7 && axis.stride <= 2 && axis.dilation == 1; };
  return small(g.height) && small(g.width);
}

/// Outputs that one window of depthwise_dot serves.
int share_of(const ConvAxis& width) {
  const std::int64_t window = div_up(width.kernel, 4) * 4;
  return static_cast<int>((window - width.kernel) / width.stride + 1);
}

Shape shape_of(const ConvGeometry& g, Element element, const Tactic& tactic) {
  if (!is_small(g)) return {};
  const bool bytes = is_byte(element);
  Shape shape{bytes ? Entry::kDot : Entry::kFloat, tactic.values.at(0), tactic.values.at(1), 1};
  shape.columns = shape.units * (bytes ? share_of(g.width) : 1);
  return shape;
}

/// [row][group][channel][4] bytes: four taps of a row in one word.
std::vector<std::byte> pack_words(const Tensor& weights, const ConvGeometry& g) {
  const std::int64_t groups = div_up(g.width.kernel, 4), pitch = padded(g.channels);
  std::vector<std::byte> bytes(static_cast<std::size_t>(g.height.kernel * groups * pitch * 4));
  const auto from = weights.data<std::int8_t>();
  for (std::int64_t c = 0; c < g.channels; ++c) {
    for (std::int64_t r = 0; r < g.height.kernel; ++r) {
      for (std::int64_t t = 0; t < g.width.kernel; ++t) {
        const std::int64_t to = ((r * groups + t / 4) * pitch + c) * 4 + t % 4;
        bytes[static_cast<std::size_t>(to)] =
            static_cast<std::byte>(from[static_cast<std::size_t>((c * g.height.kernel + r) * g.width.kernel + t)]);
      }
    }
  }
  return bytes;
}

/// [tap][channel].
template <class T>
std::vector<std::byte> pack_taps(const Tensor& weights, const ConvGeometry& g) {
  const auto pitch = static_cast<std::size_t>(padded(g.channels)), taps = static_cast<std::size_t>(g.taps());
  std::vector<T> packed(taps * pitch);
  const auto from = weights.data<T>();
  for (std::size_t c = 0; c < static_cast<std::size_t>(g.channels); ++c) {
    for (std::size_t t = 0; t < taps; ++t) packed[t * pitch + c] = from[c * taps + t];
  }
  std::vector<std::byte> bytes(packed.size() * sizeof(T));
  std::memcpy(bytes.data(), packed.data(), bytes.size());
  return bytes;
}

Resident weights_of(const Tensor& weights, const ConvGeometry& g, Entry entry) {
  const char* order = entry == Entry::kDot ? "words" : "taps";
  return {fmt::format("depthwise {} {}x{}x{} {}", order, g.channels, g.height.kernel, g.width.kernel,
                      hash_bytes(weights.raw(), weights.bytes())),
          [weights, g, entry] {
            if (entry == Entry::kDot) return pack_words(weights, g);
            return weights.dtype() == DataType::kInt8 ? pack_taps<std::int8_t>(weights, g)
                                                      : pack_taps<float>(weights, g);
          }};
}

class DepthwiseStep final : public Step {
 public:
  DepthwiseStep(const ConvGeometry& geometry, const Shape& shape, Epilogue end)
      : g(geometry), cut(shape), epilogue(std::move(end)) {}

  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    const std::int64_t threads = padded(g.channels) / 4 * div_up(g.width.out, cut.columns);
    gpu::Launch launch = launch_of(threads, block_for(threads), div_up(g.height.out, cut.rows), g.batch);
    const auto narrow = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
    DepthwiseArgs args;
    args.x = frame.inputs[0];
    args.weights = frame.resident[0];
    args.y = frame.outputs[0];
    args.in_h = narrow(g.height.in), args.in_w = narrow(g.width.in);
    args.out_h = narrow(g.height.out), args.out_w = narrow(g.width.out);
    args.pad_h = narrow(g.height.pad_begin), args.pad_w = narrow(g.width.pad_begin);
    args.kernel_h = narrow(g.height.kernel), args.kernel_w = narrow(g.width.kernel);
    args.stride_h = narrow(g.height.stride), args.stride_w = narrow(g.width.stride);
    args.dilation_h = narrow(g.height.dilation), args.dilation_w = narrow(g.width.dilation);
    args.epilogue = epilogue.args(frame);
    launch.args.add(args);
    launches.push_back(std::move(launch));
  }

  ConvGeometry g;
  Shape cut;
  Epilogue epilogue;
};

gpu::KernelSource source_of(const ConvGeometry& g, const Shape& shape, Element element, const Epilogue& epilogue) {
  static constexpr const char* kEntries[] = {"depthwise_dot", "depthwise_float", "depthwise_general"};
  gpu::KernelSource source{"depthwise.cu", kEntries[static_cast<int>(shape.entry)], {}, ""};
  source.define("XI_T", device_name_of(element));
  source.define("XI_DOT", is_byte(element) ? 1 : 0);
  // A constant pitch makes the addresses of all columns one register and constants.
  source.define("XI_PITCH", padded(g.channels));
  if (shape.entry != Entry::kGeneral) {
    source.define("XI_KH", g.height.kernel).define("XI_KW", g.width.kernel);
    source.define("XI_SH", g.height.stride).define("XI_SW", g.width.stride);
    source.define("XI_ROWS", shape.rows).define("XI_UNITS", shape.units);
  }
  epilogue.define(source);
  return source;
}

/// Why the operands are none that the kernels take; empty when they are.
std::string refusal_of(const Request& request, const ConvGeometry& g) {
  const ir::Value& weights = request.input(1);
  if (!g.is_depthwise() || g.transposed) return "no depthwise convolution";
  if (g.depth.in != 1 || g.depth.kernel != 1 || g.depth.pad_begin != 0 || g.depth.pad_end != 0) {
    return "three spatial axes";
  }
  if (!weights.is_constant()) return "the weights are no constant";
  const bool bytes = is_byte(request.input_element(0));
  if (!bytes && request.input(0).dtype != DataType::kFloat32) return "the input is neither 8-bit nor f32";
  if (weights.dtype != (bytes ? DataType::kInt8 : DataType::kFloat32))
    return "the weights' type doesn't fit the input's";
  if (g.batch > kGridLimit || g.height.out > kGridLimit) return "more images or rows than a grid has";
  if (g.width.in * padded(g.channels) * g.height.stride >= kThreadLimit) return "a row of the image is too long";
  return {};
}

}  // namespace

std::vector<Tactic> depthwise_tactics(const Request& request) {
  const ConvGeometry g = conv_geometry(request);
  if (!g.is_depthwise()) return {};
  if (!is_small(g)) return {Tactic{}};
  const bool bytes = is_byte(request.input_element(0));
  std::vector<Tactic> tactics;
  const auto add = [&](int rows, int units) {
    const Tactic tactic{{rows, units}};
    if (std::find(tactics.begin(), tactics.end(), tactic) == tactics.end()) tactics.push_back(tactic);
  };
  const std::int64_t kernel = std::max(g.height.kernel, g.width.kernel);
  if (!bytes) {
    // All weights in registers for small kernels, else one row at a time.
    if (kernel <= 3) add(2, 2), add(2, 1), add(4, 2);
    add(1, 4), add(1, 2);
    return tactics;
  }
  // More outputs a thread read less and permute less often, fewer leave room for more threads. Measured on an H100: two
  // rows where all columns of a window are of use (stride 1), else four, and seven rows of pixels where that divides.
  const int share = share_of(g.width);
  const bool wide = kernel <= 3 && g.width.out > share;
  const bool few_rows = kernel <= 5 && g.width.stride == 1;
  add(few_rows ? 2 : 4, wide ? 2 : 1);
  for (const int rows : {2, 4, 7}) {
    if (rows == 7 && (kernel > 3 || g.height.out % 7 != 0)) continue;
    add(rows, 1);
    if (kernel <= 3) add(rows, 2);
  }
  return tactics;
}

Creation create_depthwise(const Request& request, const Tactic& tactic) {
  const auto& attrs = request.node.as<ir::ConvAttrs>();
  const ConvGeometry g = conv_geometry(request);
  if (std::string reason = refusal_of(request, g); !reason.empty()) return Refusal{std::move(reason)};
  auto end = Epilogue::of(request, attrs.epilogue, 0, g.outputs);
  if (auto* reason = std::get_if<std::string>(&end)) return Refusal{std::move(*reason)};
  const Element element = request.input_element(0);
  const std::vector<Tactic> known = depthwise_tactics(request);
  const Tactic chosen = tactic.values.empty() ? known.front() : tactic;
  if (std::find(known.begin(), known.end(), chosen) == known.end()) return Refusal{"there is no such variant"};
  const Shape shape = shape_of(g, element, chosen);

  auto step = std::make_unique<DepthwiseStep>(g, shape, std::get<Epilogue>(std::move(end)));
  const Tensor& weights = *request.input(1).constant;
  step->kernels.push_back(source_of(g, shape, element, step->epilogue));
  step->residents.push_back(weights_of(weights, g, shape.entry));
  step->epilogue.add_residents(*step);
  set_formats(*step, request, Order::kChannelsLast, true);
  step->inputs[1] = std::nullopt;
  if (request.has(2)) step->inputs[2] = std::nullopt;
  step->implementation =
      shape.entry == Entry::kGeneral ? "depthwise:general" : fmt::format("depthwise:{}x{}", shape.rows, shape.columns);
  step->compute = element;
  return step;
}

}  // namespace xinfer::cuda
