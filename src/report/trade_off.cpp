#include <fmt/format.h>

#include <algorithm>

#include "report/charts.h"
#include "report/numbers.h"
#include "report/sections.h"

namespace xinfer::report {

std::string trade_off_section(const builders::BuildReport& report) {
  std::vector<builders::ParetoPoint> points = report.quality.pareto;
  if (points.empty()) return "";
  std::stable_sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.ms < b.ms; });
  std::string html =
      "<p class=\"quiet\">Plans of precision whose accuracy was measured: no other was both faster and more accurate. "
      "Latencies are modelled from what each layer computes and moves, in proportion to the time of the chosen "
      "plan.</p>\n"
      "<div class=\"beside\">\n<figure>" +
      pareto_chart(points, report.quality.budget) +
      "</figure>\n<div class=\"scroll\"><table id=\"plan-table\"><thead><tr><th class=\"num\">Latency, ms</th><th "
      "class=\"num\">Drop, points</th><th class=\"wide\">In float</th></tr></thead><tbody>\n";
  for (const auto& point : points) {
    html += fmt::format("<tr{}><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"wide\">{}</td></tr>\n",
                        point.chosen ? " class=\"chosen\"" : "", fixed(point.ms, 3), fixed(point.drop, 2),
                        point.float_nodes.empty() ? "nothing" : name_list(point.float_nodes));
  }
  return section("plans", "Accuracy against latency", html + "</tbody></table></div>\n</div>\n");
}

}  // namespace xinfer::report
