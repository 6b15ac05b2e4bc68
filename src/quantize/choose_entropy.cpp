#include <algorithm>
#include <cmath>
#include <vector>

#include "quantize/ranges.h"

namespace xinfer::quantize {
namespace {

// Largest share of the values (exact zeros apart) that may be clipped. Bins of the tail hold few counts, and merging
// such noise looks like lost information: unbounded, the divergence prefers to clip several per cent of what a narrow
// layer computes.
constexpr double kMostClipped = 0.001;

double x_log_x(double x) { return x > 0.0 ? x * std::log(x) : 0.0; }

// Running sums over the bins of the magnitudes: entry i covers the bins below i.
struct RunningSums {
  std::vector<double> mass{0.0};
  std::vector<double> occupied{0.0};  // bins that are not empty
  std::vector<double> mass_log{0.0};  // of x log x
  std::vector<std::size_t> last{0};   // 1 + the last occupied bin, 0 for none
  std::size_t end = 0;                // 1 + the last occupied bin of all
  explicit RunningSums(const Histogram& histogram) {
    for (std::size_t i = 0; i < Histogram::kBins; ++i) {
      const auto here = static_cast<double>(histogram.positive()[i] + histogram.negative()[i]);
      mass.push_back(mass.back() + here);
      occupied.push_back(occupied.back() + (here > 0.0 ? 1.0 : 0.0));
      mass_log.push_back(mass_log.back() + x_log_x(here));
      last.push_back(here > 0.0 ? i + 1 : last.back());
    }
    end = last.back();
  }
};

// D(P || Q) for the threshold at the upper edge of bin `size - 1`. P is the distribution with everything beyond the
// threshold added to the last occupied bin; Q spreads the mass of each level evenly over the occupied bins that round
// to it. With m = mass of a bin, T and n = mass and occupied bins of its level, o = clipped mass added to bin l:
//   N * D = sum m log m - m_l log m_l + (m_l + o) log(m_l + o) - sum T log(T / n) - o log(T_l / n_l)
//           - N log N + N log(sum m)
double divergence(const RunningSums& sums, std::size_t size, int levels) {
  const double inside = sums.mass[size];
  const double total = sums.mass[sums.end];
  const double clipped = total - inside;
  const std::size_t last = sums.last[size] - 1;
  const double last_mass = sums.mass[last + 1] - sums.mass[last];
  double result = sums.mass_log[size] - x_log_x(last_mass) + x_log_x(last_mass + clipped);
  const double step = static_cast<double>(size) / levels;  // in bins
  std::size_t begin = 0;
  for (int level = 0; level <= levels; ++level) {
    // Bins whose centre is nearer to the next level than to this one start here.
    const double edge = std::ceil((level + 0.5) * step - 0.5);
    const std::size_t end = level == levels ? size : std::min(size, static_cast<std::size_t>(std::max(0.0, edge)));
    if (end <= begin) continue;
    const double mass = sums.mass[end] - sums.mass[begin];
    if (mass > 0.0) {
      const double density = std::log(mass / (sums.occupied[end] - sums.occupied[begin]));
      result -= mass * density;
      if (begin <= last && last < end) result -= clipped * density;
    }
    begin = end;
  }
  return (result - x_log_x(total)) / total + std::log(inside);
}

}  // namespace

float choose_entropy(const Histogram& histogram, Grid grid) {
  const float largest = histogram.abs_max();
  if (largest == 0.0F) return 0.0F;
  const RunningSums sums(histogram);
  const int levels = levels_of(grid);
  const auto smallest = static_cast<std::size_t>(levels) + 1;  // a bin a level: below it nothing would be rounded
  if (sums.end <= smallest) return largest;
  const std::size_t stride = std::max<std::size_t>(1, (sums.end - smallest) / 256);
  std::size_t best = sums.end;
  double least = divergence(sums, sums.end, levels);
  for (std::size_t size = sums.end - 1; size >= smallest; size -= std::min(stride, size)) {
    if (sums.mass[sums.end] - sums.mass[size] > kMostClipped * sums.mass[sums.end]) break;
    const double here = divergence(sums, size, levels);
    if (here < least) {
      least = here;
      best = size;
    }
  }
  return std::min(largest, static_cast<float>(static_cast<double>(best) * histogram.bin_width()));
}

}  // namespace xinfer::quantize
