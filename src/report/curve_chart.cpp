#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "report/axis.h"
#include "report/charts.h"

namespace xinfer::report {
namespace {

using builders::CurvePoint;

constexpr double kWidth = 440, kHeight = 230;
constexpr double kLeft = 54, kRight = kWidth - 16, kTop = 26, kBottom = kHeight - 42;
// A change above kHighest is drawn at the top: it says "far from settled" and nothing more.
constexpr double kLowest = 1e-3, kSettled = 0.05, kHighest = 100;

std::string line(const std::vector<CurvePoint>& curve, double CurvePoint::*member, const char* style, const Axis& x,
                 const Axis& y) {
  std::string path, dots;
  bool drawing = false;
  for (const CurvePoint& point : curve) {
    const double change = point.*member;
    if (!std::isfinite(change) || point.images < 1) {
      drawing = false;
      continue;
    }
    const double px = x.place(static_cast<double>(point.images)), py = y.place(change);
    fmt::format_to(std::back_inserter(path), "{}{:.1f} {:.1f}", drawing ? "L" : "M", px, py);
    dots += fmt::format("<circle class=\"dot {}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.6\"/>", style, px, py);
    drawing = true;
  }
  return fmt::format("<path class=\"line {}\" d=\"{}\"/>{}\n", style, path, dots);
}

}  // namespace

std::string curve_chart(const builders::DataQuality& data) {
  std::vector<CurvePoint> curve = data.curve;
  std::sort(curve.begin(), curve.end(), [](const auto& a, const auto& b) { return a.images < b.images; });
  if (curve.size() < 2 || curve.back().images < 2) return "";
  double highest = 1;
  for (const CurvePoint& point : curve) {
    if (std::isfinite(point.worst_change)) highest = std::max(highest, std::min(point.worst_change, kHighest));
  }
  highest = std::pow(10.0, std::ceil(std::log10(highest) - 1e-9));
  const double first = static_cast<double>(std::max<std::int64_t>(1, curve.front().images));
  const Axis x(first, static_cast<double>(curve.back().images), kLeft, kRight, true);
  const Axis y(kLowest, highest, kBottom, kTop, true);

  std::vector<Tick> rows = {{kLowest, "≤0.1 %"}};
  for (double decade = 0.01; decade <= highest * 1.001; decade *= 10) {
    rows.push_back({decade, fmt::format("{:.0f} %", 100 * decade)});
  }
  std::string svg = fmt::format(
      "<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Change of the ranges over the number of "
      "images\">\n",
      kWidth, kHeight);
  svg += grid_rows(rows, y, kLeft, kRight);
  svg += fmt::format(
      "<line class=\"limit\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>"
      "<text class=\"tick\" x=\"{1}\" y=\"{3:.1f}\" text-anchor=\"end\">5 %</text>\n",
      kLeft, kRight, y.place(kSettled), y.place(kSettled) - 4);
  if (data.converged_after && *data.converged_after >= 1) {
    const double at = x.place(static_cast<double>(*data.converged_after));
    svg += fmt::format(
        "<line class=\"threshold\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>"
        "<text class=\"label\" x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"{4}\">settled after {5}</text>\n",
        at, kTop - 4, kBottom, kTop - 9, at > (kLeft + kRight) / 2 ? "end" : "start", *data.converged_after);
  }
  svg += line(curve, &CurvePoint::median_change, "second", x, y);
  svg += line(curve, &CurvePoint::worst_change, "first", x, y);
  svg += fmt::format("<line class=\"axis\" x1=\"{0}\" x2=\"{1}\" y1=\"{2}\" y2=\"{2}\"/>\n", kLeft, kRight, kBottom);
  svg += grid_columns(x.ticks(6), x, kBottom);
  svg += fmt::format("<text class=\"unit\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">images</text>\n",
                     (kLeft + kRight) / 2, kHeight - 6);
  svg += fmt::format("<text class=\"unit\" x=\"0\" y=\"{}\">change</text></svg>\n", kTop - 9);
  return svg;
}

}  // namespace xinfer::report
