// First layers: convolutions of images of up to four channels.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/hash.h"
#include "cuda/conv_geometry.h"
#include "cuda/epilogue.h"
#include "cuda/half.h"
#include "cuda/implementations.h"
#include "cuda/launch_shape.h"

namespace xinfer::cuda {
namespace {

/// StemArgs of kernels/stem.cu, member for member.
struct StemArgs {
  gpu::DevicePointer x = 0, weights = 0, y = 0;
  std::int32_t in_h = 0, in_w = 0, out_h = 0, out_w = 0, pad_h = 0, pad_w = 0;
  std::int32_t out_pitch = 0, chunks = 0;
  EpilogueArgs epilogue;
};

// The constants of kernels/stem.cu.
constexpr std::int64_t kThreads = 256, kTileRows = 16, kTileColumns = 16, kImageChannels = 4;
constexpr std::int64_t kLanes = 32, kLargestKernel = 8;

/// How the kernel cuts its work.
struct StemShape {
  std::int64_t taps = 1, steps = 1;  ///< of k
  std::int64_t tiles = 8;            ///< XI_TILES
  std::int64_t chunks = 1;
  bool half = false;
  std::int64_t shared_bytes = 0;

  std::int64_t chunk_channels() const { return tiles * 8; }
  std::int64_t vectors() const { return chunks * steps * (tiles / 2) * kLanes; }  ///< 16 bytes each, of all weights
};

StemShape shape_of(const ConvGeometry& g, Element element, Element output) {
  StemShape s;
  s.half = element == Element::kF16;
  s.taps = g.taps();
  s.steps = div_up(s.taps, s.half ? 4 : 8);
  // 64 channels at a time read each pixel less often; 32 waste less where the last 64 would be half empty, and need
  // fewer registers, of which the taps' addresses and results of more than a byte take some.
  const std::int64_t rest = g.outputs % 64;
  s.tiles = (rest > 0 && rest <= 32) || s.steps > 8 || size_of(output) > 1 ? 4 : 8;
  s.chunks = div_up(g.outputs, s.chunk_channels());
  const std::int64_t rows = (kTileRows - 1) * g.height.stride + g.height.kernel;
  const std::int64_t columns = (kTileColumns - 1) * g.width.stride + g.width.kernel;
  s.shared_bytes = div_up(rows * columns * (s.half ? 8 : 4), 16) * 16 + s.vectors() / s.chunks * 16;
  return s;
}

/// The B registers of mma.sync in the order in which lanes read them. k is a tap's channel; the column of a tile that a
/// lane's results belong to is such that each lane ends up with neighbouring channels.
template <class T, class Convert>
std::vector<std::byte> pack(const Tensor& weights, const ConvGeometry& g, const StemShape& s, Convert&& convert) {
  using Stored = decltype(convert(T{}));
  constexpr std::int64_t kWord = 4 / static_cast<std::int64_t>(sizeof(Stored));  // elements of a register
  std::vector<Stored> packed(static_cast<std::size_t>(s.vectors() * 4 * kWord));
  const auto from = weights.data<T>();
  std::size_t at = 0;
  for (std::int64_t chunk = 0; chunk < s.chunks; ++chunk) {
    for (std::int64_t step = 0; step < s.steps; ++step) {
      for (std::int64_t pair = 0; pair < s.tiles / 2; ++pair) {
        for (std::int64_t lane = 0; lane < kLanes; ++lane) {
          for (std::int64_t word = 0; word < 4; ++word) {
            const std::int64_t tile = pair * 2 + word / 2, column = lane / 4, part = word % 2;
            const std::int64_t output = chunk * s.chunk_channels() + column / 2 * (2 * s.tiles) + 2 * tile + column % 2;
            // Bytes: a register is a tap. Halves: two registers are a tap.
            const std::int64_t tap = s.half ? step * 4 + lane % 4 : step * 8 + part * 4 + lane % 4;
            for (std::int64_t i = 0; i < kWord; ++i, ++at) {
              const std::int64_t channel = s.half ? part * kWord + i : i;
              if (output >= g.outputs || tap >= s.taps || channel >= g.channels) continue;
              packed[at] = convert(from[static_cast<std::size_t>((output * g.channels + channel) * s.taps + tap)]);
            }
          }
        }
      }
    }
  }
  std::vector<std::byte> bytes(packed.size() * sizeof(Stored));
  std::memcpy(bytes.data(), packed.data(), bytes.size());
  return bytes;
}

Resident weights_of(const Tensor& weights, const ConvGeometry& g, const StemShape& s) {
  return {fmt::format("stem {} {} {}", xinfer::to_string(weights.shape()), s.tiles,
                      hash_bytes(weights.raw(), weights.bytes())),
          [weights, g, s] {
            if (s.half) return pack<float>(weights, g, s, half_bits);
            return pack<std::int8_t>(weights, g, s, [](std::int8_t w) { return w; });
          }};
}

class StemStep final : public Step {
 public:
  StemStep(const ConvGeometry& geometry, const StemShape& shape, Epilogue end)
      : g(geometry), s(shape), epilogue(std::move(end)) {}

  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    gpu::Launch launch =
        launch_of(div_up(g.width.out, kTileColumns) * kThreads, kThreads, div_up(g.height.out, kTileRows), g.batch);
    launch.shared_bytes = static_cast<std::uint32_t>(s.shared_bytes);
    const auto narrow = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
    StemArgs args;
    args.x = frame.inputs[0];
    args.weights = frame.resident[0];
    args.y = frame.outputs[0];
    args.in_h = narrow(g.height.in), args.in_w = narrow(g.width.in);
    args.out_h = narrow(g.height.out), args.out_w = narrow(g.width.out);
    args.pad_h = narrow(g.height.pad_begin), args.pad_w = narrow(g.width.pad_begin);
    args.out_pitch = narrow(padded(g.outputs)), args.chunks = narrow(s.chunks);
    args.epilogue = epilogue.args(frame);
    launch.args.add(args);
    launches.push_back(std::move(launch));
  }

  ConvGeometry g;
  StemShape s;
  Epilogue epilogue;
};

/// Why the node is none that the kernel takes; empty when it is.
std::string refusal_of(const Request& request, const ConvGeometry& g) {
  const Element element = request.input_element(0);
  const ir::Value& weights = request.input(1);
  if (!request.target.arch.at_least(80)) return "mma.sync with k = 32 needs sm_80";
  if (g.transposed || g.groups != 1) return "groups, or transposed";
  if (g.channels > kImageChannels) return "more than four channels";
  if (g.depth.in != 1 || g.depth.kernel != 1 || g.depth.pad_begin != 0 || g.depth.pad_end != 0) {
    return "three spatial axes";
  }
  for (const ConvAxis* axis : {&g.height, &g.width}) {
    if (axis->kernel > kLargestKernel) return "the kernel is too large";
    if (axis->stride > axis->kernel || axis->dilation != 1) return "stride or dilation leaves gaps";
  }
  if (g.is_pointwise()) return "a matrix product";
  if (!weights.is_constant()) return "the weights are no constant";
  const bool bytes = element == Element::kS8 || element == Element::kU8;
  if (!bytes && element != Element::kF16) return "the input is neither 8-bit nor f16";
  if (weights.dtype != (bytes ? DataType::kInt8 : DataType::kFloat32))
    return "the weights' type doesn't fit the input's";
  if (request.has(3)) return "it adds a residual";
  if (request.output_element() == Element::kF32) return "the output is stored as f32";
  if (g.batch > kGridLimit || div_up(g.height.out, kTileRows) > kGridLimit)
    return "more images or rows than a grid has";
  return {};
}

}  // namespace

Creation create_stem_conv(const Request& request, const Tactic&) {
  const auto& attrs = request.node.as<ir::ConvAttrs>();
  const ConvGeometry g = conv_geometry(request);
  if (std::string reason = refusal_of(request, g); !reason.empty()) return Refusal{std::move(reason)};
  const Element element = request.input_element(0);
  const StemShape s = shape_of(g, element, request.output_element());
  if (s.shared_bytes > static_cast<std::int64_t>(std::min<std::size_t>(request.target.shared_limit, 100 * 1024))) {
    return Refusal{"the patch of the image doesn't fit into shared memory"};
  }
  auto end = Epilogue::of(request, attrs.epilogue, 0, g.outputs);
  if (auto* reason = std::get_if<std::string>(&end)) return Refusal{std::move(*reason)};

  auto step = std::make_unique<StemStep>(g, s, std::get<Epilogue>(std::move(end)));
  gpu::KernelSource source{"stem.cu", "stem_conv", {}, ""};
  source.define("XI_T", device_name_of(element));
  source.define("XI_KH", g.height.kernel).define("XI_KW", g.width.kernel);
  source.define("XI_SH", g.height.stride).define("XI_SW", g.width.stride);
  source.define("XI_TILES", s.tiles);
  step->epilogue.define(source);
  step->kernels.push_back(std::move(source));
  step->residents.push_back(weights_of(*request.input(1).constant, g, s));
  step->epilogue.add_residents(*step);
  set_formats(*step, request, Order::kChannelsLast, true);
  step->inputs[1] = std::nullopt;
  if (request.has(2)) step->inputs[2] = std::nullopt;
  step->implementation = fmt::format("stem:{}x{}x{}", kTileRows, kTileColumns, s.chunk_channels());
  step->compute = element;
  step->macs = g.macs();
  return step;
}

}  // namespace xinfer::cuda
