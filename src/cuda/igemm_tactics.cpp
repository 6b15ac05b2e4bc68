// Tiles of the portable GEMM, and an estimate of what they cost.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cuda/igemm.h"

namespace xinfer::cuda {
namespace {

struct Shape {
  int m, n, warps_m, warps_n;
};
constexpr std::array kShapes{
    Shape{256, 128, 4, 2}, Shape{128, 256, 2, 4}, Shape{128, 128, 2, 2}, Shape{256, 64, 4, 1}, Shape{128, 64, 2, 2},
    Shape{64, 128, 2, 2},  Shape{64, 64, 2, 2},   Shape{128, 32, 4, 1},  Shape{64, 32, 2, 2},  Shape{32, 64, 2, 2},
};

/// Without asynchronous copies a thread holds its share of a stage in registers, so a tile needs more threads.
constexpr std::array kTuringShapes{
    Shape{128, 128, 2, 4}, Shape{128, 64, 2, 2}, Shape{64, 128, 2, 2},
    Shape{64, 64, 2, 2},   Shape{64, 32, 2, 2},  Shape{32, 64, 2, 2},
};

std::span<const Shape> shapes_of(const Target& target) {
  return has_async_copies(target) ? std::span<const Shape>(kShapes) : std::span<const Shape>(kTuringShapes);
}

constexpr std::size_t kSplitWorkspace = std::size_t{64} << 20;

std::size_t workspace(const IgemmTile& tile, const IgemmProblem& p) {
  return static_cast<std::size_t>(tile.tiles(p) * tile.splits) * static_cast<std::size_t>(tile.m * tile.n) * 4;
}

std::string why_not(const IgemmTile& tile, const IgemmProblem& p, const Target& target) {
  if (tile.k_bytes != 64 && tile.k_bytes != 128) return "a stage holds 64 or 128 bytes of K";
  if (tile.stages < 2 || tile.stages > 8) return "two to eight stages";
  if (!has_async_copies(target) && tile.stages != 2) return "two stages without asynchronous copies";
  if (tile.splits < 1 || tile.splits > std::max<std::int64_t>(1, tile.steps(p))) return "more splits than steps";
  if (tile.splits > 1 && workspace(tile, p) > kSplitWorkspace) return "splits need too much memory";
  if (p.b_kind == IgemmProblem::B::kInnermostColumns && tile.n < 64)
    return "rows of the second operand want 64 columns";
  if (tile.shared_bytes(p) > target.shared_limit) return "too little shared memory";
  return {};
}

/// Estimated cycles of a launch: what a processor's blocks take one after the other, but no less than the latency of
/// the steps of those that can't run side by side. Rates are those of Ampere; only their ratios matter.
double cost(const IgemmTile& tile, const IgemmProblem& p, const Target& target) {
  constexpr double kMultiplications = 2048;  // bytes of K x rows x columns a cycle
  constexpr double kSharedBytes = 128;       // a cycle
  constexpr double kGlobalBytes = 32;        // a cycle, from the second-level cache
  constexpr double kStoredBytes = 16;        // a cycle
  constexpr double kLatency = 700;           // of a load
  constexpr double kBlock = 1500;            // start and end of a block
  const double area = static_cast<double>(tile.m) * tile.n;
  const double sides = static_cast<double>(tile.m + tile.n) * tile.k_bytes;
  const double fragments =
      (static_cast<double>(tile.m) * tile.warps_n + static_cast<double>(tile.n) * tile.warps_m) * tile.k_bytes;
  const double step =
      std::max({area * tile.k_bytes / kMultiplications, (fragments + sides) / kSharedBytes, sides / kGlobalBytes}) + 20;
  const double steps = static_cast<double>((tile.steps(p) + tile.splits - 1) / tile.splits);
  double end = area * 10 / 128 + area * static_cast<double>(p.out_size + p.residual_size) / kStoredBytes;
  double block = kBlock;
  if (tile.splits > 1) {
    end = end / tile.splits + 2 * area * 4 / kGlobalBytes;
    block += 2500 + tile.splits * area * 4 / kGlobalBytes;
  }
  const int registers = tile.m * tile.n / tile.threads() > 64 ? 255 : tile.m * tile.n / tile.threads() > 32 ? 168 : 128;
  const auto resident = std::max<std::int64_t>(
      1, std::min({static_cast<std::int64_t>(target.shared_limit / (tile.shared_bytes(p) + 1024)),
                   std::int64_t{65536 / (registers * tile.threads())}, std::int64_t{1536 / tile.threads()}}));
  const std::int64_t blocks = tile.tiles(p) * tile.splits;
  const std::int64_t each = (blocks + target.sm_count - 1) / target.sm_count;
  const std::int64_t rounds = (each + resident - 1) / resident;
  const double serial = block + steps * std::max(step, std::max(kLatency / (tile.stages - 1), 150.0)) + end;
  return std::max(static_cast<double>(each) * (steps * step + end), static_cast<double>(rounds) * serial);
}

}  // namespace

std::size_t IgemmTile::shared_bytes(const IgemmProblem& p) const {
  const auto rows = static_cast<std::size_t>(m);
  const auto columns = static_cast<std::size_t>(n);
  const std::size_t pipeline = static_cast<std::size_t>(stages) * (rows + columns) * static_cast<std::size_t>(k_bytes);
  const std::size_t out = rows * (columns * p.out_size + 16);
  const std::size_t residual = p.residual_size == 0 ? 0 : rows * (columns * p.residual_size + 16);
  return splits > 1 ? std::max(pipeline, out + residual) : std::max(pipeline, out) + residual;
}

std::variant<IgemmTile, std::string> igemm_tile(const IgemmProblem& problem, const Target& target,
                                                const Tactic& tactic) {
  std::vector<int> values = tactic.values;
  if (values.empty()) {
    const auto tactics = igemm_tactics(problem, target);
    if (tactics.empty()) return "no tile fits into shared memory";
    values = tactics.front().values;
  }
  if (values.size() != 5) return "a tactic is five numbers";
  IgemmTile tile{values[0], values[1], values[2], values[3], values[4]};
  for (const Shape& shape : shapes_of(target)) {
    if (shape.m == tile.m && shape.n == tile.n) tile.warps_m = shape.warps_m, tile.warps_n = shape.warps_n;
  }
  if (tile.m == 0 || tile.threads() == 32) return fmt::format("there is no tile {}x{}", tile.m, tile.n);
  if (auto reason = why_not(tile, problem, target); !reason.empty()) return reason;
  return tile;
}

std::vector<Tactic> igemm_tactics(const IgemmProblem& problem, const Target& target) {
  constexpr std::size_t kWanted = 8;
  constexpr int kPerShape = 3;
  struct Candidate {
    double cost;
    IgemmTile tile;
  };
  std::vector<Candidate> candidates;
  for (const Shape& shape : shapes_of(target)) {
    for (const int k_bytes : {64, 128}) {
      IgemmTile tile{shape.m, shape.n, k_bytes, 2, 1, shape.warps_m, shape.warps_n};
      const std::int64_t steps = tile.steps(problem);
      if (has_async_copies(target))
        tile.stages = static_cast<int>(std::clamp<std::int64_t>(steps, 2, k_bytes == 64 ? 4 : 3));
      for (const int splits : {1, 2, 3, 4, 6, 8, 12, 16}) {
        tile.splits = splits;
        if (splits > 1 && (steps < 2 * splits || tile.tiles(problem) >= 2 * target.sm_count)) break;
        if (why_not(tile, problem, target).empty()) candidates.push_back({cost(tile, problem, target), tile});
      }
    }
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.cost < b.cost; });
  std::vector<Tactic> tactics;
  for (const auto& [_, tile] : candidates) {
    const auto same = std::count_if(tactics.begin(), tactics.end(), [&tile = tile](const Tactic& t) {
      return t.values[0] == tile.m && t.values[1] == tile.n;
    });
    if (same >= kPerShape) continue;
    tactics.push_back({{tile.m, tile.n, tile.k_bytes, tile.stages, tile.splits}});
    if (tactics.size() == kWanted) break;
  }
  return tactics;
}

}  // namespace xinfer::cuda
