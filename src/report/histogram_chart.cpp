#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include "report/axis.h"
#include "report/charts.h"
#include "report/numbers.h"

namespace xinfer::report {
namespace {

constexpr double kWidth = 440, kHeight = 196;
constexpr double kLeft = 62, kRight = kWidth - 14, kTop = 24, kBottom = kHeight - 40;
constexpr std::size_t kMaxBars = 120;
constexpr double kLowestShare = 1e-6;

/// Neighbouring bins added up until there are at most kMaxBars.
std::vector<double> coarser(const std::vector<double>& bins) {
  const std::size_t each = (bins.size() + kMaxBars - 1) / kMaxBars;
  std::vector<double> sums;
  for (std::size_t at = 0; at < bins.size(); at += each) {
    const auto begin = bins.begin() + static_cast<std::ptrdiff_t>(at);
    sums.push_back(std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(std::min(each, bins.size() - at)), 0.0));
  }
  return sums;
}

std::string threshold_line(double x, double label_side, const std::string& label) {
  std::string svg = fmt::format(
      "<line class=\"threshold\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>", x, kTop - 4, kBottom);
  if (label_side != 0) {
    svg += fmt::format("<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>", x, kTop - 9,
                       label_side > 0 ? "start" : "end", label);
  }
  return svg;
}

}  // namespace

std::string histogram_chart(const builders::TensorQuality& tensor) {
  const bool usable = !tensor.histogram.empty() && std::isfinite(tensor.min) && std::isfinite(tensor.max) &&
                      tensor.max >= tensor.min && std::isfinite(tensor.threshold) && tensor.threshold >= 0;
  if (!usable) return "";
  const double stored_high = tensor.threshold;
  const double stored_low = tensor.type == "u8" ? 0.0 : -tensor.threshold;
  const Axis x(std::min(tensor.min, stored_low), std::max(tensor.max, stored_high), kLeft, kRight);
  const Axis y(kLowestShare, 1, kBottom, kTop, true);

  const std::vector<double> bars = coarser(tensor.histogram);
  std::string outline = fmt::format("M{:.1f} {:.1f}", x.place(tensor.min), kBottom);
  // A histogram cut into k times coarser bars may reach past `max` with its last one; place() keeps that inside.
  const std::size_t each = (tensor.histogram.size() + kMaxBars - 1) / kMaxBars;
  const double step = (tensor.max / 2 - tensor.min / 2) * 2 / static_cast<double>(tensor.histogram.size());
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const double end = x.place(std::min(tensor.max, tensor.min + step * static_cast<double>((i + 1) * each)));
    // A bar of few values stays visible: outliers are what one looks for.
    const double top = bars[i] > 0 ? std::min(y.place(bars[i]), kBottom - 1.5) : kBottom;
    fmt::format_to(std::back_inserter(outline), "V{:.1f}H{:.1f}", top, end);
  }
  outline += fmt::format("V{:.1f}Z", kBottom);

  const double low_x = x.place(stored_low), high_x = x.place(stored_high);
  std::string svg = fmt::format("<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Histogram\">\n",
                                kWidth, kHeight);
  svg += fmt::format("<rect class=\"stored\" x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\"/>\n", low_x, kTop,
                     high_x - low_x, kBottom - kTop);
  svg += grid_rows({{1, "100 %"}, {1e-2, "1 %"}, {1e-4, "0.01 %"}, {1e-6, "1 ppm"}}, y, kLeft, kRight);
  svg += fmt::format("<path class=\"bars\" d=\"{}\"/>\n", outline);
  const double middle = (kLeft + kRight) / 2;
  if (stored_low < 0) svg += threshold_line(low_x, 0, "");
  svg += threshold_line(high_x, high_x > middle ? -1 : 1,
                        fmt::format("threshold {}{}", stored_low < 0 ? "±" : "", significant(tensor.threshold)));
  svg += fmt::format("<line class=\"axis\" x1=\"{0}\" x2=\"{1}\" y1=\"{2}\" y2=\"{2}\"/>\n", kLeft, kRight, kBottom);
  svg += grid_columns(x.ticks(6), x, kBottom);
  svg +=
      fmt::format("<text class=\"unit\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">value</text>\n", middle, kHeight - 6);
  svg += fmt::format("<text class=\"unit\" x=\"0\" y=\"{}\">share</text></svg>\n", kTop - 9);
  return svg;
}

}  // namespace xinfer::report
