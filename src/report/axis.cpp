#include "report/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "report/numbers.h"

namespace xinfer::report {
namespace {

/// Wider than this, in the drawing's units, is no digit of the tick labels.
constexpr double kDigitWidth = 6.6;

std::size_t characters(const std::string& utf8) {
  return static_cast<std::size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

}  // namespace

Axis::Axis(double low, double high, double from, double to, bool logarithmic)
    : low_(low), high_(high), from_(from), to_(to), logarithmic_(logarithmic) {
  if (!(high_ > low_)) high_ = low_ + (low_ == 0 ? 1 : std::abs(low_));
}

double Axis::scaled(double value) const { return logarithmic_ ? std::log10(std::max(value, low_)) : value; }

double Axis::place(double value) const {
  const double inside = std::clamp(value, low_, high_);
  // Halves: the difference of two huge values is not finite.
  const double share = (scaled(inside) / 2 - scaled(low_) / 2) / (scaled(high_) / 2 - scaled(low_) / 2);
  return from_ + (to_ - from_) * share;
}

std::vector<Tick> Axis::ticks(int count) const {
  std::vector<Tick> ticks;
  if (logarithmic_) {
    for (double decade = std::pow(10.0, std::floor(std::log10(low_))); decade <= high_; decade *= 10) {
      for (const double factor : {1.0, 2.0, 5.0}) {
        const double value = decade * factor;
        if (value >= low_ * (1 - 1e-9) && value <= high_ * (1 + 1e-9)) ticks.push_back({value, significant(value)});
      }
    }
    return ticks;
  }
  const double rough = (high_ / 2 - low_ / 2) * 2 / count;
  if (!std::isfinite(rough) || rough < std::numeric_limits<double>::min()) return {{low_, significant(low_)}};
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double step = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10);
  const double first = std::ceil(low_ / step);
  // Counted, since a step can be too small to change a large value.
  for (int i = 0; i <= 2 * count + 2; ++i) {
    const double value = (first + i) * step;
    if (value > high_ + step * 1e-6) break;
    ticks.push_back({value, significant(std::abs(value) < step * 1e-6 ? 0.0 : value)});
  }
  return ticks;
}

std::string grid_rows(const std::vector<Tick>& ticks, const Axis& axis, double left, double right) {
  std::string svg;
  for (const Tick& tick : ticks) {
    const double y = axis.place(tick.value);
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>"
        "<text class=\"tick\" x=\"{3:.1f}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
        left, right, y, left - 6, y + 3.6, tick.label);
  }
  return svg;
}

std::string grid_columns(const std::vector<Tick>& ticks, const Axis& axis, double bottom) {
  std::string svg;
  double taken = -std::numeric_limits<double>::infinity();
  for (const Tick& tick : ticks) {
    const double x = axis.place(tick.value);
    const double half = 0.5 * kDigitWidth * static_cast<double>(characters(tick.label));
    svg += fmt::format("<line class=\"mark\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>", x, bottom,
                       bottom + 4);
    if (x - half < taken + 4) continue;
    svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", x,
                       bottom + 16, tick.label);
    taken = x + half;
  }
  return svg;
}

}  // namespace xinfer::report
