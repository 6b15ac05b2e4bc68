#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/axis.h"
#include "report/charts.h"

namespace xinfer::report {
namespace {

constexpr double kWidth = 440, kHeight = 250;
constexpr double kLeft = 48, kRight = kWidth - 18, kTop = 26, kBottom = kHeight - 42;

}  // namespace

std::string pareto_chart(const std::vector<builders::ParetoPoint>& points, std::optional<double> budget) {
  double drop_low = 0, drop_high = 0, ms_low = HUGE_VAL, ms_high = -HUGE_VAL;
  for (const auto& point : points) {
    if (!std::isfinite(point.drop) || !std::isfinite(point.ms)) continue;
    drop_low = std::min(drop_low, point.drop);
    drop_high = std::max(drop_high, point.drop);
    ms_low = std::min(ms_low, point.ms);
    ms_high = std::max(ms_high, point.ms);
  }
  if (ms_low > ms_high) return "";
  const bool limited = budget && std::isfinite(*budget);
  if (limited) drop_high = std::max(drop_high, *budget);
  if (drop_high == drop_low) drop_high = drop_low + 1;
  const double room = ms_high > ms_low ? 0.1 * (ms_high - ms_low) : 0.1 * std::abs(ms_high) + 1e-3;
  const double head = 0.08 * (drop_high - drop_low);
  const Axis x(ms_low - room, ms_high + room, kLeft, kRight);
  const Axis y(drop_low < 0 ? drop_low - head : 0, drop_high + head, kBottom, kTop);

  std::string svg = fmt::format(
      "<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Drop over latency of the plans\">\n",
      kWidth, kHeight);
  svg += grid_rows(y.ticks(5), y, kLeft, kRight);
  if (limited) {
    const double at = y.place(*budget);
    svg += fmt::format(
        "<line class=\"limit\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>"
        "<text class=\"tick\" x=\"{1}\" y=\"{3:.1f}\" text-anchor=\"end\">budget</text>\n",
        kLeft, kRight, at, at - 5);
  }
  std::string chosen;  // last, so that it lies on top
  for (const auto& point : points) {
    if (!std::isfinite(point.drop) || !std::isfinite(point.ms)) continue;
    const double px = x.place(point.ms), py = y.place(point.drop);
    const std::string circle = fmt::format("<circle class=\"point{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\"/>\n",
                                           point.chosen ? " chosen" : "", px, py, point.chosen ? "6" : "4.5");
    if (!point.chosen) {
      svg += circle;
      continue;
    }
    const bool right = px < (kLeft + kRight) / 2;
    chosen += circle + fmt::format("<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">chosen</text>\n",
                                   right ? px + 11 : px - 11, py + 4, right ? "start" : "end");
  }
  svg += fmt::format("<line class=\"axis\" x1=\"{0}\" x2=\"{1}\" y1=\"{2}\" y2=\"{2}\"/>\n", kLeft, kRight, kBottom);
  svg += grid_columns(x.ticks(6), x, kBottom) + chosen;
  svg += fmt::format("<text class=\"unit\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">latency at batch 1, ms</text>\n",
                     (kLeft + kRight) / 2, kHeight - 6);
  svg += fmt::format("<text class=\"unit\" x=\"0\" y=\"{}\">drop, points</text></svg>\n", kTop - 9);
  return svg;
}

}  // namespace xinfer::report
