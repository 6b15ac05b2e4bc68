// Tiles of the Hopper GEMM and the order in which they are worth trying.
#include <algorithm>
#include <array>
#include <cmath>

#include "cuda/implementations.h"
#include "cuda/wgemm.h"

namespace xinfer::cuda {
namespace {

constexpr std::size_t kAlignment = 1024;  // kernels align their shared memory to it
constexpr std::size_t kBarrier = 8;
constexpr std::size_t kMaxTactics = 10;
constexpr std::int64_t kMaxBox = 256;  // pixels that TMA copies along an axis

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// The widest panel that wastes little of a tap's bytes.
int panel_bytes(std::int64_t tap_bytes) {
  int best = 128;
  for (const int bk : {64, 32}) {
    const std::int64_t padded_best = ceil_div(tap_bytes, best) * best, padded_here = ceil_div(tap_bytes, bk) * bk;
    if (padded_here * 4 <= padded_best * 3) best = bk;
  }
  return best;
}

/// Gives the tile the most stages up to `most` that fit; false where not even `least` do.
bool fit_stages(WgemmTile& tile, const WgemmProblem& problem, int least, int most, std::size_t limit) {
  for (tile.stages = most; tile.stages >= least; --tile.stages) {
    if (tile.shared_bytes(problem) <= limit) return true;
  }
  return false;
}

}  // namespace

std::variant<WgemmTile, std::string> WgemmTile::from(const Tactic& tactic) {
  if (tactic.values.size() != 7) return "a variant has seven numbers";
  const auto& v = tactic.values;
  WgemmTile tile{static_cast<Form>(v[0]), v[1], v[2], v[3], v[4], v[5], v[6]};
  const bool width = tile.bn == 64 || tile.bn == 128 || tile.bn == 192 || tile.bn == 256;
  const bool depth = tile.bk == 32 || tile.bk == 64 || tile.bk == 128;
  bool known = false;
  switch (tile.form) {
    case Form::kResident:
      known = tile.cluster == 1 && tile.bm == 64 && tile.bn <= 192 && tile.stages >= 1 && tile.warpgroups >= 1 &&
              tile.warpgroups <= 4 && tile.bn * tile.warpgroups <= 384;
      break;
    case Form::kStreamed:
      known = (tile.cluster == 1 || tile.cluster == 2) && (tile.bm == 64 || (tile.bm == 128 && tile.bn <= 128)) &&
              tile.stages >= 2 && tile.warpgroups == 2;
      break;
    case Form::kSplit:
      known = tile.bm == 64 && tile.bn == 64 && tile.stages == 1 && tile.warpgroups == 1 &&
              (tile.cluster == 2 || tile.cluster == 4 || tile.cluster == 8);
      break;
    case Form::kPatch:
      known = tile.cluster == 1 && tile.bm == 128 && tile.bn == 64 && tile.stages >= 1 && tile.stages <= 4 &&
              tile.warpgroups >= 1 && tile.warpgroups <= 4;
      break;
  }
  constexpr int kMostStages = 1024;  // far more than any shared memory holds
  if (!width || !depth || !known || tile.stages > kMostStages) return "there is no such variant";
  return tile;
}

Tactic WgemmTile::tactic() const { return {{static_cast<int>(form), bm, bn, bk, stages, warpgroups, cluster}}; }

int WgemmTile::tap_panels(const WgemmProblem& problem) const {
  return static_cast<int>(ceil_div(problem.tap_bytes(), bk));
}

int WgemmTile::panels(const WgemmProblem& problem) const {
  return tap_panels(problem) * static_cast<int>(problem.geometry.taps());
}

std::int64_t WgemmTile::row_tiles(const WgemmProblem& problem) const {
  if (form != Form::kPatch) return ceil_div(problem.rows(), bm);
  const ConvGeometry& g = problem.geometry;
  return g.batch * ceil_div(g.height.out, std::max<std::int64_t>(1, patch_of(g, bm).tile_lines));
}

std::int64_t WgemmTile::channel_tiles(const WgemmProblem& problem) const {
  return ceil_div(problem.geometry.outputs, bn);
}

std::size_t WgemmTile::shared_bytes(const WgemmProblem& problem) const {
  const auto rows = static_cast<std::size_t>(bm), channels = static_cast<std::size_t>(bn);
  const auto width = static_cast<std::size_t>(bk), depth = static_cast<std::size_t>(stages);
  const auto workers = static_cast<std::size_t>(warpgroups), all = static_cast<std::size_t>(panels(problem));
  const std::size_t residual = rows * channels * problem.residual_bytes;
  if (form == Form::kResident) {
    return kAlignment + all * channels * width + workers * (depth * all * rows * width + 2 * residual) +
           kBarrier * (all + workers * (depth * all + 2));
  }
  if (form == Form::kPatch) {
    const WgemmPatch patch = patch_of(problem.geometry, bm);
    const auto pixels = static_cast<std::size_t>(std::max(patch.lines * patch.width, bm + patch.reach));
    const std::size_t slot = (pixels * width + kAlignment - 1) / kAlignment * kAlignment;
    return kAlignment + all * channels * width + workers * depth * slot + kBarrier * (1 + workers * depth);
  }
  if (form == Form::kSplit) {
    const auto blocks = static_cast<std::size_t>(cluster);
    const std::size_t most = (all + blocks - 1) / blocks;
    return kAlignment + most * (rows + channels) * width + rows * channels * sizeof(float) + kBarrier * (most + 1);
  }
  return kAlignment + depth * (rows + channels) * width + workers * residual + kBarrier * (2 * depth + 3 * workers);
}

std::string WgemmTile::mismatch(const WgemmProblem& problem) const {
  if (problem.parts > 1 && problem.part_columns() % bn != 0) return "a tile would lie in two outputs";
  if (form == Form::kSplit && panels(problem) < cluster) return "K has fewer panels than blocks to share it";
  if (form == Form::kStreamed && channel_tiles(problem) % cluster != 0) return "channel tiles don't come in pairs";
  if (form != Form::kPatch) return {};
  const ConvGeometry& g = problem.geometry;
  if (!problem.im2col) return "there is one tap";
  if (g.height.stride != 1 || g.width.stride != 1) return "the stride is not 1";
  if (problem.tap_bytes() != bk) return "a pixel is not one panel";
  if (patch_of(g, bm).tile_lines == 0) return "a line is wider than a tile";
  if (patch_of(g, bm).lines > kMaxBox) return "the taps reach too far";
  return {};
}

WgemmPatch patch_of(const ConvGeometry& g, int bm) {
  const std::int64_t reach_h = (g.height.kernel - 1) * g.height.dilation;
  const std::int64_t reach_w = (g.width.kernel - 1) * g.width.dilation;
  WgemmPatch patch;
  patch.width = g.width.out + reach_w;
  patch.tile_lines = std::min(g.height.out, bm / patch.width);
  patch.lines = patch.tile_lines + reach_h;
  patch.reach = reach_h * patch.width + reach_w;
  return patch;
}

double estimate_us(const WgemmProblem& problem, const WgemmTile& tile, int sm_count) {
  // A rough picture of the machine whose constants were fitted so that the first variant of 66 measured layers takes 1
  // % longer than their best, on average (an H100 under load). Cycles are at 1650 MHz; times in microseconds.
  constexpr double kClock = 1650.0, kDram = 2.85e6, kL2 = 9.6e6;  // cycles and bytes a microsecond
  const auto row_tiles = static_cast<double>(tile.row_tiles(problem));
  const auto channel_tiles = static_cast<double>(tile.channel_tiles(problem));
  const double panels = tile.panels(problem), width = tile.bk / 128.0, halves = tile.bm / 64.0;
  const double quarters = tile.bn / 64.0;
  const double multiply = panels * width * 128.0 * halves * quarters;
  const double each = (problem.residual_bytes != 0 ? 14.7 : 7.1) + (problem.costly_epilogue ? 30.0 : 0.0);
  const double end = 270 + halves * tile.bn * each;
  double cycles = 0, start = 0, dram_penalty = 1;
  double fetches = 1;  // how often a tile's row is fetched, for each panel
  switch (tile.form) {
    case WgemmTile::Form::kResident:
    case WgemmTile::Form::kPatch: {
      const bool patch = tile.form == WgemmTile::Form::kPatch;
      const double owners = std::max(1.0, std::floor(sm_count / channel_tiles));
      const double turns = std::ceil(row_tiles / (owners * tile.warpgroups));
      const double workers = std::min<double>(tile.warpgroups, std::ceil(row_tiles / owners));
      const double waves = std::ceil(channel_tiles / sm_count);
      // All workers together, and one alone (with a single stage the next tile is fetched after the last is
      // multiplied).
      const double fetch = patch ? 0 : panels * (56 + 146 * width);
      const double together = workers * std::max(multiply / (patch ? 1.0 : 0.79), fetch);
      const double wait = tile.stages > 1 ? end : std::max(end, 120 + 150 * panels * width);
      const double alone = multiply + wait + 420;
      cycles = waves * (turns * std::max(together, alone) + panels * (patch ? 39.0 : 258.0));
      start = 0.6 + 0.1 * tile.warpgroups;
      if (patch) fetches = 2.0 / panels;
      // Many residual tiles in flight slow the memory down.
      if (problem.residual_bytes == 1 && tile.bn * tile.warpgroups > 256 && panels <= 2) dram_penalty = 1.05;
      break;
    }
    case WgemmTile::Form::kStreamed: {
      const double turns = std::ceil(row_tiles * channel_tiles / sm_count);
      const double fetch = panels * (140 + (171 * halves + 83 * quarters) * width);
      const double wide = tile.bn == 256 ? std::max(0.0, 1800 - 100 * panels * width) : 0.0;
      const double busy = std::max(multiply, fetch) + wide + 23;
      cycles = turns * std::max(busy, (busy + end) / 2) + std::min(busy, end);
      start = 1.5;
      // Sharing the fetches pays where K is long.
      if (tile.cluster > 1) cycles *= tile.bn == 128 && panels * width >= 8 ? 0.91 : 1.1;
      break;
    }
    case WgemmTile::Form::kSplit: {
      const double blocks = row_tiles * channel_tiles * tile.cluster;
      const double share = std::ceil(panels / tile.cluster);
      cycles = std::ceil(blocks / sm_count) * (share * 240 * std::max(width, 0.5) + 790);
      start = 2.2 + 0.115 * tile.cluster;
      break;
    }
  }
  const auto input =
      static_cast<double>(problem.geometry.batch * problem.geometry.in_positions() * problem.tap_bytes());
  const double output = static_cast<double>(problem.rows() * problem.pitch() * problem.parts) *
                        static_cast<double>(size_of(problem.output) + problem.residual_bytes);
  const double weights = channel_tiles * panels * tile.bn * tile.bk;
  // Weights are fetched by many blocks at about the same time, which costs the cache less.
  const double weight_reads = 0.3 * (tile.form == WgemmTile::Form::kStreamed ? row_tiles : 1);
  const double fetched =
      row_tiles * tile.bm * panels * fetches * tile.bk * channel_tiles + output + weights * weight_reads;
  const double compute = cycles / kClock, dram = dram_penalty * (input + output + weights) / kDram, l2 = fetched / kL2;
  const double longest = std::max({compute, dram, l2});
  return start + longest + 0.09 * (compute + dram + l2 - longest);
}

std::vector<Tactic> wgemm_tactics(const Request& request) {
  const auto made = wgemm_problem(request);
  const auto* problem = std::get_if<WgemmProblem>(&made);
  if (problem == nullptr) return {};
  const std::size_t limit = request.target.shared_limit;
  const int sms = std::max(1, request.target.sm_count);
  const int bk = panel_bytes(problem->tap_bytes());
  std::vector<WgemmTile> tiles;
  for (const int bn : {64, 128}) {
    for (const int warpgroups : {4, 3, 2}) {
      if (bn * warpgroups > 384) continue;
      WgemmTile tile{WgemmTile::Form::kResident, 64, bn, bk, 1, warpgroups};
      if (tile.channel_tiles(*problem) > sms) continue;
      const int panels = tile.panels(*problem);
      const int most = std::clamp(16 / std::max(1, panels * bk / 128), 1, 4);
      if (panels <= 64 && fit_stages(tile, *problem, 1, most, limit)) tiles.push_back(tile);
    }
  }
  for (const auto& [bm, bn] : {std::array{128, 128}, {64, 64}, {128, 64}, {64, 128}, {64, 192}, {64, 256}}) {
    for (const int cluster : {1, 2}) {
      WgemmTile tile{WgemmTile::Form::kStreamed, bm, bn, bk, 2, 2, cluster};
      if (cluster == 2 && (bn < 128 || bn == 192 || !tile.mismatch(*problem).empty())) continue;
      if (fit_stages(tile, *problem, 2, 8, limit)) tiles.push_back(tile);
    }
  }
  for (const int warpgroups : {4, 3, 2}) {
    WgemmTile tile{WgemmTile::Form::kPatch,
                   128,
                   64,
                   static_cast<int>(std::min<std::int64_t>(problem->tap_bytes(), 128)),
                   1,
                   warpgroups};
    // Four workers have no registers for residuals, nor for the constants of halves.
    if (warpgroups == 4 && (problem->residual_bytes != 0 || size_of(problem->output) != 1)) continue;
    const bool panel = tile.bk == 32 || tile.bk == 64 || tile.bk == 128;
    if (panel && tile.mismatch(*problem).empty() && tile.channel_tiles(*problem) <= sms &&
        fit_stages(tile, *problem, 1, 2, limit)) {
      tiles.push_back(tile);
    }
  }
  for (const int blocks : {2, 4, 8}) {
    const WgemmTile tile{WgemmTile::Form::kSplit, 64, 64, bk, 1, 1, blocks};
    const auto all = tile.row_tiles(*problem) * tile.channel_tiles(*problem) * blocks;
    if (tile.mismatch(*problem).empty() && all <= 3 * sms && tile.shared_bytes(*problem) <= limit)
      tiles.push_back(tile);
  }
  std::vector<std::pair<double, Tactic>> costs;
  for (const WgemmTile& tile : tiles) costs.emplace_back(estimate_us(*problem, tile, sms), tile.tactic());
  std::stable_sort(costs.begin(), costs.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  if (costs.size() > kMaxTactics) costs.resize(kMaxTactics);
  std::vector<Tactic> tactics;
  for (auto& [cost, tactic] : costs) tactics.push_back(std::move(tactic));
  return tactics;
}

}  // namespace xinfer::cuda
