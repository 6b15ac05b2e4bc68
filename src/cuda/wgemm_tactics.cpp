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

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// The widest panel that wastes little of a tap's bytes.
int panel_bytes(std::int64_t tap_bytes) {
  int best = 128;
  for (const int bk : {64, 32}) {
    const std::int64_t padded_best = ceil_div(tap_bytes, best) * best, padded_here = ceil_div(tap_bytes, bk) * bk;
    if (padded_here * 8 < padded_best * 7) best = bk;
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
  if (tactic.values.size() != 6) return "a variant has six numbers";
  const auto& v = tactic.values;
  WgemmTile tile{static_cast<Form>(v[0]), v[1], v[2], v[3], v[4], v[5]};
  const bool resident = tile.form == Form::kResident;
  const bool known = (resident || tile.form == Form::kStreamed) &&
                     (tile.bn == 64 || tile.bn == 128 || tile.bn == 192 || tile.bn == 256) &&
                     (tile.bk == 32 || tile.bk == 64 || tile.bk == 128) && tile.stages >= 1;
  const bool fits =
      resident ? tile.bm == 64 && tile.warpgroups >= 1 && tile.warpgroups <= 4 && tile.bn * tile.warpgroups <= 384 &&
                     tile.bn <= 192
               : (tile.bm == 64 || (tile.bm == 128 && tile.bn <= 128)) && tile.warpgroups == 2 && tile.stages >= 2;
  if (!known || !fits) return "there is no such variant";
  return tile;
}

Tactic WgemmTile::tactic() const { return {{static_cast<int>(form), bm, bn, bk, stages, warpgroups}}; }

int WgemmTile::tap_panels(const WgemmProblem& problem) const {
  return static_cast<int>(ceil_div(problem.tap_bytes(), bk));
}

int WgemmTile::panels(const WgemmProblem& problem) const {
  return tap_panels(problem) * static_cast<int>(problem.geometry.taps());
}

std::int64_t WgemmTile::row_tiles(const WgemmProblem& problem) const { return ceil_div(problem.rows(), bm); }

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
  return kAlignment + depth * (rows + channels) * width + workers * residual + kBarrier * (2 * depth + 3 * workers);
}

double estimate_us(const WgemmProblem& problem, const WgemmTile& tile, int sm_count) {
  // Cycles at about 1.65 GHz; what the figures of an H100 show, roughly: see docs/performance.md.
  constexpr double kClock = 1650.0, kDram = 2.8e6, kL2 = 5.0e6;  // cycles and bytes a microsecond
  const auto row_tiles = static_cast<double>(tile.row_tiles(problem));
  const std::int64_t channel_tiles = tile.channel_tiles(problem);
  const double panels = tile.panels(problem);
  const double halves = tile.bm / 64.0;
  const double multiply = panels * (tile.bk / 32.0) * halves * std::max(tile.bn / 2.0, 32.0);
  const double end =
      350 + halves * tile.bn * ((problem.residual_bytes != 0 ? 5.0 : 3.0) + (problem.costly_epilogue ? 20.0 : 0.0));
  double cycles = 0;
  if (tile.form == WgemmTile::Form::kResident) {
    const double owners = std::max<double>(1.0, static_cast<double>(sm_count / channel_tiles));
    const double turns = std::ceil(row_tiles / (owners * tile.warpgroups));
    const double waves = std::ceil(static_cast<double>(channel_tiles) / std::max(1, sm_count));
    const double workers = std::min<double>(tile.warpgroups, std::ceil(row_tiles / owners));
    cycles = waves * (turns * std::max(multiply * workers, multiply + end + 200) + panels * tile.bn * tile.bk / 40.0);
  } else {
    const double turns = std::ceil(row_tiles * static_cast<double>(channel_tiles) / sm_count);
    cycles = turns * std::max(multiply, (multiply + end) / 2) + std::min(multiply, end) + 500;
  }
  const double input =
      static_cast<double>(problem.geometry.batch * problem.geometry.in_positions() * problem.tap_bytes());
  const double output = static_cast<double>(problem.rows() * problem.pitch()) *
                        static_cast<double>(size_of(problem.output) + problem.residual_bytes);
  const double weights = static_cast<double>(channel_tiles) * panels * tile.bn * tile.bk;
  const double fetched = row_tiles * tile.bm * panels * tile.bk * static_cast<double>(channel_tiles) + output +
                         weights * (tile.form == WgemmTile::Form::kResident ? 1.0 : row_tiles);
  return 2.0 + std::max({cycles / kClock, (input + output + weights) / kDram, fetched / kL2});
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
    WgemmTile tile{WgemmTile::Form::kStreamed, bm, bn, bk, 2, 2};
    if (fit_stages(tile, *problem, 2, 8, limit)) tiles.push_back(tile);
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
