#include <fmt/format.h>

#include "report/charts.h"
#include "report/escape.h"
#include "report/numbers.h"
#include "report/sections.h"

namespace xinfer::report {
namespace {

using builders::BuildReport;
using builders::ImageRemark;

std::string convergence(const BuildReport& report) {
  const auto& data = report.quality.data;
  std::string text;
  if (data.converged_after) {
    text = fmt::format(
        "<p>After <b>{}</b> images half of the ranges are within 5 % of the final ones, and nearly all within 20 %.",
        *data.converged_after);
  } else if (data.curve.size() >= 2) {
    text = "<p>The ranges had not settled when the images ended: more images would still widen them.";
  }
  if (!text.empty()) text += "</p>\n";
  const std::string chart = curve_chart(data);
  if (chart.empty()) return text;
  return "<h3>Ranges over images</h3>\n<div class=\"beside\">\n<figure>" + chart +
         "<figcaption class=\"legend\"><span class=\"first\">worst tensor</span><span class=\"second\">median "
         "tensor</span></figcaption></figure>\n<div>" +
         text +
         "<p class=\"quiet\">Relative difference of a tensor's range after so many images from its final "
         "value.</p></div>\n</div>\n";
}

std::string preprocessing(const BuildReport& report) {
  const auto& trials = report.quality.data.preprocessing;
  if (trials.empty()) return "";
  std::string html =
      "<h3>Preprocessing</h3>\n<p class=\"quiet\">How sure the float model is of its answers (mean of the largest "
      "softmax output), and how well they tell the images apart (mutual information, of the largest possible), when "
      "the images are prepared in another way.</p>\n<div class=\"scroll\"><table "
      "class=\"trials\"><thead><tr><th "
      "class=\"name\">Variant</th><th>Confidence</th><th>Information</th></tr></thead><tbody>\n";
  for (const auto& trial : trials) {
    html += fmt::format(
        "<tr><td class=\"name\">{}</td><td class=\"with-bar\">{}<span class=\"figure\">{}</span></td><td "
        "class=\"with-bar\">{}<span class=\"figure\">{}</span></td></tr>\n",
        escape(trial.name), bar(trial.confidence), percent(trial.confidence), bar(trial.information),
        percent(trial.information));
  }
  return html + "</tbody></table></div>\n";
}

std::string images(const char* title, const char* note, const std::vector<ImageRemark>& remarks) {
  if (remarks.empty()) return "";
  constexpr std::size_t kShown = 6;
  std::string html = fmt::format("<h3>{} <small>{}</small></h3>\n<p class=\"quiet\">{}</p>\n<ul class=\"images\">\n",
                                 title, remarks.size(), note);
  for (std::size_t i = 0; i < remarks.size(); ++i) {
    if (i == kShown) {
      html += fmt::format("</ul>\n<details class=\"more\"><summary>{} more</summary><ul class=\"images\">\n",
                          remarks.size() - kShown);
    }
    html += fmt::format("<li>{}<span>{}</span></li>\n", code(remarks[i].image), escape(remarks[i].remark));
  }
  return html + (remarks.size() > kShown ? "</ul></details>\n" : "</ul>\n");
}

}  // namespace

std::string data_section(const BuildReport& report) {
  const auto& data = report.quality.data;
  std::string found =
      convergence(report) + preprocessing(report) +
      images("Images that stretch ranges", "Each alone widens the range of many tensors.", data.stretching) +
      images("Duplicates", "The same pixels more than once: they only cost time.", data.duplicates) +
      images("Nearly constant images", "They say little about the network's values.", data.constant);
  std::string lead;
  if (report.precision == "int8") {
    lead = report.calibration_from_cache
               ? fmt::format("<p>Ranges came from a cache, chosen by {}.</p>\n", code(report.range_method))
               : fmt::format("<p>{} samples, ranges chosen by {}, {} s.</p>\n", report.calibration_samples,
                             code(report.range_method), fixed(report.calibrate_seconds, 1));
  }
  if (found.empty() && data.images > 0) {
    found = "<p class=\"quiet\">No image stands out.</p>\n";
  }
  return section("data", "Calibration data", lead.empty() && found.empty() ? "" : lead + found);
}

}  // namespace xinfer::report
