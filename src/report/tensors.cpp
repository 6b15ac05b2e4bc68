#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/charts.h"
#include "report/escape.h"
#include "report/numbers.h"
#include "report/sections.h"

namespace xinfer::report {
namespace {

using builders::TensorQuality;

std::string fact(const char* name, const std::string& value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", name, value);
}

std::string facts(const TensorQuality& t) {
  return "<dl class=\"facts\">" + fact("scale", significant(t.scale)) + fact("threshold", significant(t.threshold)) +
         fact("smallest value", significant(t.min)) + fact("largest value", significant(t.max)) +
         fact("exactly zero", percent(t.zero_share)) + fact("clipped", percent(t.clipped_share)) +
         fact("stored as", escape(t.type)) + fact("range by", escape(t.method)) + "</dl>";
}

/// Not a number counts as the worst, not measured as the best.
double rank(const TensorQuality& tensor) {
  if (!tensor.sqnr_db) return HUGE_VAL;
  return std::isnan(*tensor.sqnr_db) ? -HUGE_VAL : *tensor.sqnr_db;
}

}  // namespace

std::string tensors_section(const builders::BuildReport& report) {
  std::vector<const TensorQuality*> tensors;
  double best_db = 40;
  for (const TensorQuality& tensor : report.quality.tensors) {
    tensors.push_back(&tensor);
    if (tensor.sqnr_db && std::isfinite(*tensor.sqnr_db)) best_db = std::max(best_db, *tensor.sqnr_db);
  }
  if (tensors.empty()) return "";
  std::stable_sort(tensors.begin(), tensors.end(),
                   [](const TensorQuality* a, const TensorQuality* b) { return rank(*a) < rank(*b); });
  std::string html =
      "<p class=\"quiet\">Values on the calibration images, worst SQNR first. Shaded: what the integers can hold; "
      "values "
      "outside are clipped.</p>\n<div class=\"tensors\" data-filter=\"details\" data-noun=\"tensors\">\n"
      "<div class=\"row heads\"><span>Tensor</span><span>Clipped</span><span>SQNR, dB</span></div>\n";
  for (const TensorQuality* tensor : tensors) {
    const std::string chart = histogram_chart(*tensor);
    html += fmt::format(
        "<details><summary class=\"row\">{}<span class=\"num\">{}</span><span class=\"with-bar\">{}</span></summary>"
        "<div class=\"inside\">{}{}</div></details>\n",
        code(tensor->tensor), percent(tensor->clipped_share), sqnr_cell(tensor->sqnr_db, best_db),
        chart.empty() ? "<p class=\"quiet\">No histogram was kept.</p>" : chart, facts(*tensor));
  }
  return section("tensors", "Tensors", html + "</div>\n");
}

}  // namespace xinfer::report
