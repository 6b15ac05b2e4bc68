// Attention: the choice of the kernel and of its tiles.

#include "cuda/attention.h"

#include <algorithm>

#include "cuda/implementations.h"

namespace xinfer::cuda {
namespace {

constexpr std::int64_t kLargestHead = 128;
constexpr int kWarps = 4;

/// Sizes of kernels/attention.cu's tiles.
struct Tiles {
  std::int64_t depth, values;  // padded
  int tiles = 1, keys = 64;

  int rows() const { return kWarps * 16 * tiles; }
  std::size_t shared_bytes(Element out) const {
    constexpr std::int64_t kSkew = 8;  // halves between rows
    const std::int64_t stage = std::max(keys * (depth + values + 2 * kSkew), rows() * (depth + kSkew));
    const auto element = static_cast<std::int64_t>(size_of(out));
    const std::int64_t results = rows() * (values * element + 16);
    return static_cast<std::size_t>(std::max<std::int64_t>(2 * stage * 2, results));
  }
};

std::int64_t round_up(std::int64_t size) { return (size + 15) / 16 * 16; }

Tiles tiles_of(const Request& request, const AttentionShape& shape, bool mask_rows, Element out) {
  Tiles tiles{round_up(shape.depth), round_up(shape.values)};
  // Two tiles of queries for each warp halve what it reads from shared memory. They take registers (none are left for
  // masks with a row for each query), and leave processors idle where there are few queries.
  Tiles two = tiles;
  two.tiles = 2;
  const std::int64_t blocks = shape.batch * shape.heads * ((shape.queries + two.rows() - 1) / two.rows());
  if (std::max(tiles.depth, tiles.values) <= 64 && !mask_rows && shape.queries > tiles.rows() &&
      blocks >= request.target.sm_count) {
    tiles = two;
  }
  if (tiles.shared_bytes(out) > request.target.shared_limit) tiles.keys = 32;
  return tiles;
}

}  // namespace

Creation create_attention(const Request& request, const Tactic&) {
  const auto rounding = Rounding::of(request);
  if (!rounding) return Refusal{"the output has no plain scale"};
  const auto found = attention_shape(request);
  if (const auto* reason = std::get_if<std::string>(&found)) return Refusal{*reason};
  const auto& shape = std::get<AttentionShape>(found);
  if (request.real != Element::kF16) return Refusal{"the tensor cores take halves only"};
  if (std::max(shape.depth, shape.values) > kLargestHead) return Refusal{"a head has more than 128 elements"};
  auto step = std::make_unique<AttentionStep>();
  place_operands(*step, request, shape, *rounding, true);
  if (shape.masked && step->mask_key == 0 && shape.keys > 1) return Refusal{"the mask is the same for all keys"};
  const bool mask_rows = shape.masked && step->args.mask_row != 0;
  const Tiles tiles = tiles_of(request, shape, mask_rows, rounding->element);
  if (tiles.shared_bytes(rounding->element) > request.target.shared_limit) {
    return Refusal{"its tiles don't fit into the shared memory"};
  }
  const int rows = tiles.rows();
  step->threads = kWarps * 32;
  step->shared_bytes = static_cast<std::uint32_t>(tiles.shared_bytes(rounding->element));
  step->args.query_tiles = static_cast<std::uint32_t>((shape.queries + rows - 1) / rows);
  gpu::KernelSource source{"attention.cu", "attention", {}, ""};
  define_scores(*step, shape, source);
  source.define("XI_DEPTH", tiles.depth);
  source.define("XI_VALUES", tiles.values);
  source.define("XI_WARPS", kWarps);
  source.define("XI_TILES", tiles.tiles);
  source.define("XI_KEYS", tiles.keys);
  source.define("XI_CAUSAL", shape.causal ? 1 : 0);
  source.define("XI_MASK", !shape.masked ? 0 : mask_rows ? 2 : 1);
  rounding->define(source);
  step->kernels = {source};
  step->implementation = "attention:" + std::to_string(rows) + "x" + std::to_string(tiles.keys);
  return step;
}

Creation create_attention_plain(const Request& request, const Tactic&) {
  const auto rounding = Rounding::of(request);
  if (!rounding) return Refusal{"the output has no plain scale"};
  const auto found = attention_shape(request);
  if (const auto* reason = std::get_if<std::string>(&found)) return Refusal{*reason};
  const auto& shape = std::get<AttentionShape>(found);
  auto step = std::make_unique<AttentionStep>();
  place_operands(*step, request, shape, *rounding, false);
  constexpr std::uint32_t kPlainWarps = 8;
  constexpr std::size_t kStaticBytes = 12 * 1024;  // of the kernel, rounded up
  step->plain = true;
  step->threads = kPlainWarps * 32;
  step->shared_bytes = static_cast<std::uint32_t>(kPlainWarps * shape.values * 4);
  if (step->shared_bytes + kStaticBytes > request.target.shared_limit) {
    return Refusal{"the values are too long for the shared memory"};
  }
  step->args.query_tiles = (step->args.queries + kPlainWarps - 1) / kPlainWarps;
  gpu::KernelSource source{"attention_plain.cu", "attention_plain", {}, ""};
  source.define("XI_IN_T", device_name_of(request.real));
  rounding->define(source);
  source.define("XI_MASK", shape.masked ? 1 : 0);
  source.define("XI_MASK_T", device_name_of(shape.masked ? step->inputs[3]->element : Element::kF32));
  source.define("XI_CAUSAL", shape.causal ? 1 : 0);
  step->kernels = {source};
  step->implementation = "attention:plain";
  return step;
}

}  // namespace xinfer::cuda
