#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "report/escape.h"
#include "report/numbers.h"
#include "report/sections.h"

namespace xinfer::report {
namespace {

using builders::BuildReport;
using builders::Finding;

/// Nothing was done about it, so it costs nothing yet: the user's turn.
bool is_open(const Finding& finding) { return finding.cost.empty(); }

struct Verdict {
  const char* tone;  ///< style class
  std::string title, detail;
};

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

/// "3 findings", "1 finding".
std::string count(std::size_t n, const std::string& noun) { return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s"); }

bool has_scores(const BuildReport& report) { return report.quality.float_score && report.quality.int8_score; }

/// The metric's name, capitalised: it starts a line.
std::string metric_name(const BuildReport& report) {
  std::string name = report.quality.metric.empty() ? "metric" : report.quality.metric;
  if (name.front() >= 'a' && name.front() <= 'z') name.front() = static_cast<char>(name.front() - 'a' + 'A');
  return escape(name);
}

Verdict verdict(const BuildReport& report) {
  if (report.precision != "int8") {
    return {"plain", escape(upper(report.precision)) + " engine", "Nothing was quantized to INT8."};
  }
  const auto& quality = report.quality;
  const auto open = static_cast<std::size_t>(std::count_if(quality.findings.begin(), quality.findings.end(), is_open));
  const std::string to_see = open > 0 ? fmt::format("{} for you to look at.", count(open, "finding")) : std::string();
  if (has_scores(report) && quality.budget) {
    const double drop = *quality.float_score - *quality.int8_score;
    const bool kept = drop <= *quality.budget;
    return {kept ? "good" : "bad", kept ? "Within the budget" : "Over the budget",
            fmt::format("{} drops by {} points, {} are allowed. {}", metric_name(report), fixed(drop, 2),
                        fixed(*quality.budget, 2), to_see)};
  }
  if (open > 0) return {"warn", to_see.substr(0, to_see.size() - 1), ""};
  if (!has_scores(report) && !report.accuracy) {
    return {"plain", "Accuracy not measured", "Run <code>xinfer validate</code> on labelled images."};
  }
  if (quality.findings.empty()) return {"good", "No problems found", ""};
  return {"good", "No problems left", fmt::format("{} repaired.", count(quality.findings.size(), "finding"))};
}

std::string tile(const std::string& title, const std::string& value, const std::string& unit,
                 const std::vector<std::string>& lines, const std::string& extra = "") {
  std::string html = fmt::format("<div class=\"tile\"><h3>{}</h3><p class=\"value\">{}{}</p>{}", title, value,
                                 unit.empty() ? "" : "<small>" + unit + "</small>", extra);
  for (const std::string& line : lines) html += "<p>" + line + "</p>";
  return html + "</div>\n";
}

std::string accuracy_tile(const BuildReport& report) {
  const auto& quality = report.quality;
  std::vector<std::string> lines;
  std::string value, unit;
  if (has_scores(report)) {
    value = signed_fixed(*quality.int8_score - *quality.float_score, 2);
    unit = "points";
    lines.push_back(metric_name(report));
    lines.push_back(fmt::format("FP32 {} → INT8 {}", fixed(*quality.float_score, 2), fixed(*quality.int8_score, 2)));
  }
  if (const auto& check = report.accuracy) {
    if (check->top1_agreement) {
      if (value.empty()) {
        value = fixed(100 * *check->top1_agreement, 1);
        unit = "% agree";
        lines.push_back(fmt::format("same top-1 as FP32, {} calibration samples", check->samples));
      } else {
        lines.push_back(fmt::format("same top-1 on {} of {} samples", percent(*check->top1_agreement), check->samples));
      }
    }
    if (value.empty()) {
      value = fixed(check->sqnr_db, 1);
      unit = "dB SQNR";
      lines.push_back(fmt::format("of the outputs, {} calibration samples", check->samples));
    } else {
      lines.push_back(fmt::format("SQNR {} dB at the outputs", fixed(check->sqnr_db, 1)));
    }
  }
  if (value.empty()) return tile("Accuracy", kMissing, "", {"not measured"});
  return tile("Accuracy", value, unit, lines);
}

std::string speed_tile(const BuildReport& report) {
  if (report.speed.empty()) return tile("Speed", kMissing, "", {"not measured"});
  const auto& first = report.speed.front();
  std::vector<std::string> lines;
  for (const auto& speed : report.speed) {
    lines.push_back(fmt::format("batch {}: FP32 {} → INT8 {} ms", speed.batch, significant(speed.fp32_ms),
                                significant(speed.int8_ms)));
  }
  return tile("Speed", fixed(first.fp32_ms / first.int8_ms, 2), "× FP32", lines);
}

std::string size_tile(const BuildReport& report) {
  const std::string name = report.engine.empty() ? "in memory only" : escape(file_name(report.engine));
  if (report.engine_bytes == 0) return tile("Size", kMissing, "", {name});
  const std::string text = megabytes(report.engine_bytes);
  return tile("Size", text.substr(0, text.size() - 4), text.substr(text.size() - 2),
              {name, fmt::format("batches up to {}", report.max_batch)});
}

std::string nodes_tile(const BuildReport& report) {
  if (report.nodes.empty()) return tile("INT8 nodes", kMissing, "", {"precision " + escape(report.precision)});
  const std::size_t total = report.nodes.size();
  const std::size_t rest = total - std::min(total, report.int8_nodes);
  return tile("INT8 nodes", std::to_string(report.int8_nodes), fmt::format("of {}", total),
              {rest == 0 ? "none left in float" : fmt::format("<a href=\"#float\">{} in float</a>", rest)},
              bar(static_cast<double>(report.int8_nodes) / static_cast<double>(total)));
}

}  // namespace

std::string header_section(const BuildReport& report) {
  const Verdict result = verdict(report);
  std::string html = fmt::format(
      "<header>\n<p class=\"kind\">xInfer build report</p>\n<h1>{}</h1>\n"
      "<p class=\"verdict {}\"><strong>{}</strong><span>{}</span></p>\n</header>\n",
      escape(report.model.empty() ? "model" : file_name(report.model)), result.tone, result.title, result.detail);
  html += "<div class=\"tiles\" id=\"summary\">\n" + accuracy_tile(report) + speed_tile(report) + size_tile(report) +
          nodes_tile(report) + "</div>\n";
  return html;
}

std::string findings_section(const BuildReport& report) {
  std::vector<Finding> findings = report.quality.findings;
  std::stable_partition(findings.begin(), findings.end(), is_open);
  std::string html;
  for (const Finding& finding : findings) {
    const bool open = is_open(finding);
    html += fmt::format("<li class=\"{}\"><span class=\"state\">{}</span><p>{}: {}", open ? "open" : "done",
                        open ? "to do" : "repaired", code(finding.where), escape(finding.cause));
    if (!finding.remedy.empty()) html += "; " + escape(finding.remedy);
    if (!open) html += " <span class=\"cost\">(cost: " + escape(finding.cost) + ")</span>";
    html += "</p></li>\n";
  }
  html = html.empty() ? "<p class=\"quiet\">No problems found.</p>\n" : "<ul class=\"findings\">\n" + html + "</ul>\n";
  if (!report.remarks.empty()) {
    html += "<h3>Notes</h3>\n<ul class=\"notes\">\n";
    for (const std::string& remark : report.remarks) html += "<li>" + escape(remark) + "</li>\n";
    html += "</ul>\n";
  }
  return section("findings", "Findings", html);
}

}  // namespace xinfer::report
