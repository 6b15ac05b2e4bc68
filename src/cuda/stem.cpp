// First layers: convolutions of images of up to four channels.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "core/hash.h"
#include "cuda/conv_geometry.h"
#include "cuda/epilogue.h"
#include "cuda/half.h"
#include "cuda/implementations.h"
#include "cuda/launch_shape.h"
#include "cuda/stem.h"

namespace xinfer::cuda {
namespace {

/// StemArgs of kernels/stem.cuh, member for member.
struct StemArgs {
  gpu::DevicePointer x = 0, weights = 0, y = 0;
  std::int32_t in_h = 0, in_w = 0, out_h = 0, out_w = 0, pad_h = 0, pad_w = 0;
  std::int32_t out_pitch = 0, chunks = 0, tiles_h = 0, tiles_w = 0, tiles = 0;
  EpilogueArgs epilogue;
};

// The constants of kernels/stem.cuh.
constexpr std::int64_t kTileSide = 16, kLanes = 32, kLargestKernel = 8;
constexpr std::int64_t kVector = 16;  ///< bytes

std::int64_t tiles_of(const ConvGeometry& g) {
  return g.batch * div_up(g.height.out, kTileSide) * div_up(g.width.out, kTileSide);
}

/// What a Tactic says.
struct Variant {
  bool wgmma = false;
  int warps = 8;      ///< of a block
  int blocks = 2;     ///< that shall fit on a multiprocessor
  int at_once = 0;    ///< XI_AT_ONCE, of wgmma
  bool keep = false;  ///< XI_KEEP
};

Tactic tactic_of(const Variant& v) { return {{v.wgmma ? 1 : 0, v.warps, v.blocks, v.at_once, v.keep ? 1 : 0}}; }

/// How the kernels cut their work.
struct StemShape {
  Variant variant;
  bool half = false;
  std::int64_t row_groups = 1;  ///< groups of four taps in a row of the kernel
  std::int64_t steps = 1;       ///< of k
  std::int64_t tiles = 8;       ///< XI_TILES
  std::int64_t chunks = 1;
  std::int64_t run = 16;              ///< neighbouring channels that one lane stores at once
  std::int64_t align = 1, shift = 0;  ///< XI_ALIGN, XI_SHIFT
  std::int64_t shared_bytes = 0;

  std::int64_t chunk_channels() const { return tiles * 8; }
  std::int64_t vectors() const { return chunks * steps * chunk_channels() * 2; }  ///< of all weights
};

StemShape shape_of(const ConvGeometry& g, const Request& request, const Variant& variant) {
  StemShape s;
  s.variant = variant;
  s.half = request.input_element(0) == Element::kF16;
  s.row_groups = div_up(g.width.kernel, 4);
  const std::int64_t groups = g.height.kernel * s.row_groups;
  s.steps = s.half ? groups : div_up(groups, 2);
  // 64 channels at a time read each pixel less often; 32 waste less where the last 64 would be half empty.
  const std::int64_t rest = g.outputs % 64;
  s.tiles = rest > 0 && rest <= 32 ? 4 : 8;
  s.chunks = div_up(g.outputs, s.chunk_channels());
  s.run = std::min(2 * s.tiles, kVector / static_cast<std::int64_t>(size_of(request.output_element())));
  // 16 bytes at once where the rows of the image begin at multiples of that.
  const std::int64_t pixel = s.half ? 8 : 4;
  if (g.width.in % (kVector / pixel) == 0) s.align = kVector / pixel;
  s.shift = (s.align - g.width.pad_begin % s.align) % s.align;
  const std::int64_t rows = (kTileSide - 1) * g.height.stride + g.height.kernel;
  const std::int64_t columns = (kTileSide - 1) * g.width.stride + 4 * s.row_groups + s.shift;
  const std::int64_t patch = div_up(rows * div_up(columns, s.align) * s.align * pixel, kVector) * kVector;
  s.shared_bytes = 2 * patch + s.vectors() * kVector + s.chunks * s.chunk_channels() * 8;
  return s;
}

/// What a weight is multiplied with: an output channel, and the channel of a tap.
struct WeightPlace {
  std::int64_t output, group, tap, channel;  ///< the tap is counted within its group
};

/// Column `column` (0 to 7) of a tile. A lane gets columns 2t and 2t + 1 of every tile and shall store runs of
/// channels.
std::int64_t output_of(const StemShape& s, std::int64_t chunk, std::int64_t tile, std::int64_t column) {
  const std::int64_t lane = column / 2, at = 2 * tile + column % 2;
  return chunk * s.chunk_channels() + at / s.run * 4 * s.run + lane * s.run + at % s.run;
}

/// Element `i` of the 4 (bytes) or 2 (halves) in register `part` of lane t = `lane` (0 to 3) at a step of k.
WeightPlace place_of(const StemShape& s, std::int64_t output, std::int64_t step, std::int64_t lane, std::int64_t part,
                     std::int64_t i) {
  if (s.half) return {output, step, lane, 2 * part + i};
  return {output, 2 * step + part, lane, i};
}

/// The places of all packed weights in order: for mma.sync [chunk][step][pair of tiles][lane][tile of the pair][part],
/// for wgmma [chunk][step][tile][part][column][t], each followed by the elements of one register.
template <class F>
void for_each_weight(const StemShape& s, F&& f) {
  const std::int64_t elements = s.half ? 2 : 4;
  const auto put = [&](std::int64_t chunk, std::int64_t step, std::int64_t tile, std::int64_t column, std::int64_t t,
                       std::int64_t part) {
    for (std::int64_t i = 0; i < elements; ++i) {
      f(place_of(s, output_of(s, chunk, tile, column), step, t, part, i));
    }
  };
  for (std::int64_t chunk = 0; chunk < s.chunks; ++chunk) {
    for (std::int64_t step = 0; step < s.steps; ++step) {
      for (std::int64_t tile = 0; s.variant.wgmma && tile < s.tiles; ++tile) {
        for (std::int64_t at = 0; at < 2 * 8 * 4; ++at) put(chunk, step, tile, at / 4 % 8, at % 4, at / 32);
      }
      for (std::int64_t pair = 0; !s.variant.wgmma && pair < s.tiles / 2; ++pair) {
        for (std::int64_t at = 0; at < kLanes * 4; ++at) {
          put(chunk, step, pair * 2 + at / 2 % 2, at / 4 / 4, at / 4 % 4, at % 2);
        }
      }
    }
  }
}

template <class T, class Convert>
std::vector<std::byte> pack(const Tensor& weights, const ConvGeometry& g, const StemShape& s, Convert&& convert) {
  using Stored = decltype(convert(T{}));
  std::vector<Stored> packed;
  packed.reserve(static_cast<std::size_t>(s.vectors() * kVector) / sizeof(Stored));
  const auto from = weights.data<T>();
  for_each_weight(s, [&](const WeightPlace& place) {
    const std::int64_t row = place.group / s.row_groups, column = place.group % s.row_groups * 4 + place.tap;
    const bool real =
        place.output < g.outputs && row < g.height.kernel && column < g.width.kernel && place.channel < g.channels;
    const std::int64_t at =
        ((place.output * g.channels + place.channel) * g.height.kernel + row) * g.width.kernel + column;
    packed.push_back(real ? convert(from[static_cast<std::size_t>(at)]) : Stored{});
  });
  std::vector<std::byte> bytes(packed.size() * sizeof(Stored));
  std::memcpy(bytes.data(), packed.data(), bytes.size());
  return bytes;
}

Resident weights_of(const Tensor& weights, const ConvGeometry& g, const StemShape& s) {
  return {fmt::format("stem {} {} {} {} {}", xinfer::to_string(weights.shape()), s.tiles, s.run, s.variant.wgmma,
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
    const auto narrow = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
    StemArgs args;
    args.x = frame.inputs[0];
    args.weights = frame.resident[0];
    args.y = frame.outputs[0];
    args.in_h = narrow(g.height.in), args.in_w = narrow(g.width.in);
    args.out_h = narrow(g.height.out), args.out_w = narrow(g.width.out);
    args.pad_h = narrow(g.height.pad_begin), args.pad_w = narrow(g.width.pad_begin);
    args.out_pitch = narrow(padded(g.outputs)), args.chunks = narrow(s.chunks);
    args.tiles_h = narrow(div_up(g.height.out, kTileSide)), args.tiles_w = narrow(div_up(g.width.out, kTileSide));
    args.tiles = narrow(tiles_of(g));
    args.epilogue = epilogue.args(frame);
    const std::int64_t blocks = std::min(tiles_of(g), resident * frame.sm_count);
    const std::int64_t threads = s.variant.warps * kLanes;
    gpu::Launch launch = launch_of(blocks * threads, static_cast<std::uint32_t>(threads));
    launch.shared_bytes = static_cast<std::uint32_t>(s.shared_bytes);
    launch.args.add(args);
    launches.push_back(std::move(launch));
  }

  ConvGeometry g;
  StemShape s;
  Epilogue epilogue;
  std::int64_t resident = 1;  ///< blocks on one multiprocessor
};

/// Why the node is none that the kernel takes; empty when it is.
std::string refusal_of(const Request& request, const ConvGeometry& g) {
  const Element element = request.input_element(0);
  const ir::Value& weights = request.input(1);
  if (!request.target.arch.at_least(80)) return "mma.sync with k = 32 needs sm_80";
  if (g.transposed || g.groups != 1) return "groups, or transposed";
  if (g.channels > kPixelChannels) return "more than four channels";
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
  if (g.batch * g.out_positions() >= kThreadLimit || g.in_positions() * kPixelChannels >= kThreadLimit) {
    return "more pixels than the kernel counts";
  }
  return {};
}

}  // namespace

std::vector<Tactic> stem_tactics(const Request& request) {
  const Tactic portable = tactic_of({});
  if (!request.target.arch.has_wgmma()) return {portable};
  // Measured on an H100. Small blocks drift apart, so that some multiply while others store; where there is hardly a
  // tile for each block, larger ones end sooner. Tables in registers are worth a fifth.
  const ConvGeometry g = conv_geometry(request);
  const bool keep = g.outputs <= 64, few = tiles_of(g) <= 2 * std::int64_t{request.target.sm_count};
  std::vector<Tactic> tactics;
  if (few) tactics.push_back(tactic_of({true, 8, 2, 7, keep}));
  if (keep) tactics.push_back(tactic_of({true, 4, 4, 7, true}));
  tactics.push_back(tactic_of({true, 4, 5, 4, false}));
  tactics.push_back(portable);
  return tactics;
}

Creation create_stem_conv(const Request& request, const Tactic& tactic) {
  const auto& attrs = request.node.as<ir::ConvAttrs>();
  const ConvGeometry g = conv_geometry(request);
  if (std::string reason = refusal_of(request, g); !reason.empty()) return Refusal{std::move(reason)};
  const std::vector<Tactic> known = stem_tactics(request);
  const Tactic chosen = tactic.values.empty() ? known.front() : tactic;
  if (std::find(known.begin(), known.end(), chosen) == known.end()) return Refusal{"there is no such variant"};
  const auto& numbers = chosen.values;
  const StemShape s = shape_of(g, request, {numbers[0] == 1, numbers[1], numbers[2], numbers[3], numbers[4] == 1});
  if (s.variant.keep && s.chunks > 1) return Refusal{"the tables of several chunks don't stay in registers"};
  constexpr std::int64_t kMostShared = 99 * 1024;  // what the smallest architectures from sm_80 on give a block
  if (s.shared_bytes > std::min(static_cast<std::int64_t>(request.target.shared_limit), kMostShared)) {
    return Refusal{"the patch of the image and the weights don't fit into shared memory"};
  }
  auto end = Epilogue::of(request, attrs.epilogue, 0, g.outputs);
  if (auto* reason = std::get_if<std::string>(&end)) return Refusal{std::move(*reason)};

  auto step = std::make_unique<StemStep>(g, s, std::get<Epilogue>(std::move(end)));
  const Element element = request.input_element(0);
  gpu::KernelSource source{
      s.variant.wgmma ? "stem_wgmma.cu" : "stem.cu", s.variant.wgmma ? "stem_wgmma" : "stem_conv", {}, ""};
  source.define("XI_T", device_name_of(element));
  source.define("XI_KH", g.height.kernel).define("XI_KW", g.width.kernel);
  source.define("XI_SH", g.height.stride).define("XI_SW", g.width.stride);
  source.define("XI_ALIGN", s.align).define("XI_SHIFT", s.shift).define("XI_TILES", s.tiles);
  source.define("XI_WARPS", s.variant.warps).define("XI_BLOCKS", s.variant.blocks);
  source.define("XI_KEEP", s.variant.keep ? 1 : 0);
  if (s.variant.wgmma) source.define("XI_AT_ONCE", s.variant.at_once);
  step->epilogue.define(source);
  step->kernels.push_back(std::move(source));
  step->residents.push_back(weights_of(*request.input(1).constant, g, s));
  step->epilogue.add_residents(*step);
  // The limit of one block is nearly all that a multiprocessor has; each block takes 1 KiB more.
  step->resident = std::clamp<std::int64_t>(
      static_cast<std::int64_t>(request.target.shared_limit) / (s.shared_bytes + 1024), 1, s.variant.blocks);
  step->inputs.assign(request.node.inputs.size(), std::nullopt);
  step->inputs[0] = Format::pixels(element);
  step->outputs = {Format::nhwc(request.output_element())};
  step->implementation = fmt::format("stem:{}:{}", s.variant.wgmma ? "wgmma" : "mma", fmt::join(numbers, "x"));
  step->compute = element;
  return step;
}

bool feeds_stem(const Request& producer, ir::ValueId id) {
  const ir::Graph& graph = producer.graph;
  const ir::NodeId consumer = graph.sole_consumer(id);
  if (consumer == ir::kNone) return false;
  const ir::Node& node = graph.node(consumer);
  if (node.op != ir::OpType::kConv || node.inputs[0] != id) return false;
  const Request request{
      graph, node, producer.batch, producer.target, producer.real, std::vector<Format>(node.inputs.size()), ir::kNone};
  return std::holds_alternative<std::unique_ptr<Step>>(create_stem_conv(request, {}));
}

}  // namespace xinfer::cuda
