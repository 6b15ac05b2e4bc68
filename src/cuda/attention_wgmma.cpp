// Attention with TMA and wgmma, on Hopper.

#include <algorithm>

#include "cuda/attention.h"
#include "cuda/implementations.h"

namespace xinfer::cuda {
namespace {

constexpr std::int64_t kHead = 64;
constexpr std::int64_t kMostTile = 96;  // keys whose scores a thread keeps
constexpr std::int64_t kRows = 64;      // queries of a warpgroup
constexpr std::size_t kAlignment = 1024, kBarrier = 8;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t round_up(std::int64_t size) { return ceil_div(size, 16) * 16; }

/// Keys in tiles of nearly equal size.
struct KeyTiles {
  explicit KeyTiles(std::int64_t keys)
      : count(ceil_div(keys, kMostTile)), size(round_up(ceil_div(keys, count))), last(0) {
    count = ceil_div(keys, size);
    last = round_up(keys - (count - 1) * size);
  }
  std::size_t shared_bytes() const {
    const auto tiles = static_cast<std::size_t>(count);
    return kAlignment + tiles * (2 * static_cast<std::size_t>(size * kHead) * sizeof(std::uint16_t) + 2 * kBarrier);
  }

  std::int64_t count, size, last;
};

class WgmmaAttentionStep final : public AttentionStep {
 public:
  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    std::vector<gpu::Launch> plain;
    AttentionStep::launch(frame, plain);
    gpu::Launch launch = std::move(plain.front());
    launch.args = {};
    launch.args.add(rows_map(frame.inputs[1], args.k_row, args.k_head, args.k_batch));
    launch.args.add(rows_map(frame.inputs[2], args.v_row, args.v_head, args.v_batch));
    launch.args.add(placed(frame));
    launches.push_back(std::move(launch));
  }

  std::int64_t tile = 0;  ///< keys

 private:
  gpu::TensorMap rows_map(gpu::DevicePointer address, std::int64_t row, std::int64_t head, std::int64_t item) const {
    constexpr std::int64_t kBytes = sizeof(std::uint16_t);
    gpu::TiledMap map;
    map.element_bytes = kBytes;
    map.address = address;
    map.size = {kHead, args.keys, args.heads, static_cast<std::uint64_t>(batch)};
    map.stride = {static_cast<std::uint64_t>(row * kBytes), static_cast<std::uint64_t>(head * kBytes),
                  static_cast<std::uint64_t>(item * kBytes)};
    map.box = {kHead, static_cast<std::uint32_t>(tile), 1, 1};
    map.swizzle = gpu::Swizzle::k128;
    return gpu::encode(map);
  }
};

/// Warpgroups of a block, and blocks of a head.
struct Shape {
  int warpgroups, blocks;
};

std::vector<Shape> shapes_for(const Request& request, const AttentionShape& shape) {
  const auto tiles = static_cast<int>(ceil_div(shape.queries, kRows));
  const Shape alone{1, tiles}, pairs{2, (tiles + 1) / 2}, whole{2, 1};
  std::vector<Shape> shapes{alone, pairs, whole};
  // Blocks that share a head fetch its keys again; that pays where processors would be idle.
  if (shape.batch * shape.heads >= request.target.sm_count) std::swap(shapes[0], shapes[2]);
  const auto same = [](const Shape& a, const Shape& b) { return a.warpgroups == b.warpgroups && a.blocks == b.blocks; };
  shapes.erase(std::unique(shapes.begin(), shapes.end(), same), shapes.end());
  return shapes;
}

}  // namespace

std::vector<Tactic> attention_wgmma_tactics(const Request& request) {
  const auto found = attention_shape(request);
  const auto* shape = std::get_if<AttentionShape>(&found);
  if (shape == nullptr) return {};
  std::vector<Tactic> tactics;
  for (const Shape& s : shapes_for(request, *shape)) tactics.push_back({{s.warpgroups, s.blocks}});
  return tactics;
}

Creation create_attention_wgmma(const Request& request, const Tactic& tactic) {
  if (!request.target.arch.has_wgmma()) return Refusal{"wgmma is of Hopper alone"};
  if (request.real != Element::kF16) return Refusal{"the tensor cores take halves only"};
  const auto rounding = Rounding::of(request);
  if (!rounding) return Refusal{"the output has no plain scale"};
  const auto found = attention_shape(request);
  if (const auto* reason = std::get_if<std::string>(&found)) return Refusal{*reason};
  const auto& shape = std::get<AttentionShape>(found);
  if (shape.depth != kHead || shape.values != kHead) return Refusal{"a head has other than 64 elements"};
  if (shape.causal) return Refusal{"the mask is causal"};
  const KeyTiles tiles(shape.keys);
  if (tiles.shared_bytes() > request.target.shared_limit) {
    return Refusal{"the keys and values of a head don't fit into the shared memory"};
  }
  const std::vector<Tactic> known = attention_wgmma_tactics(request);
  const Tactic chosen = tactic.values.empty() ? known.front() : tactic;
  if (std::find(known.begin(), known.end(), chosen) == known.end()) return Refusal{"there is no such variant"};
  auto step = std::make_unique<WgmmaAttentionStep>();
  place_operands(*step, request, shape, *rounding, true);
  if (shape.masked && step->mask_key == 0 && shape.keys > 1) return Refusal{"the mask is the same for all keys"};
  if (shape.masked && step->args.mask_row != 0) return Refusal{"the mask has a row for each query"};
  step->tile = tiles.size;
  step->threads = static_cast<std::uint32_t>(128 * chosen.values[0]);
  step->shared_bytes = static_cast<std::uint32_t>(tiles.shared_bytes());
  step->args.query_tiles = static_cast<std::uint32_t>(chosen.values[1]);
  gpu::KernelSource source{"attention_wgmma.cu", "attention_wgmma", {}, ""};
  define_scores(*step, shape, source);
  source.define("XI_KEYS", tiles.size).define("XI_LAST", tiles.last).define("XI_WARPGROUPS", chosen.values[0]);
  source.define("XI_MASK", shape.masked ? 1 : 0);
  rounding->define(source);
  step->kernels = {source};
  step->implementation = "attention:wgmma " + std::to_string(tiles.size) + " keys, " +
                         std::to_string(chosen.values[0]) + "x" + std::to_string(chosen.values[1]);
  return step;
}

}  // namespace xinfer::cuda
