#include "report/sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/escape.h"
#include "report/numbers.h"

namespace xinfer::report {

std::string section(std::string_view id, std::string_view title, const std::string& body) {
  if (body.empty()) return "";
  return fmt::format("<section id=\"{}\">\n<h2>{}</h2>\n{}</section>\n", id, title, body);
}

std::string code(std::string_view name) { return "<code>" + escape(name) + "</code>"; }

std::string bar(double share, std::string_view style) {
  const double width = std::isnan(share) ? 0 : 100 * std::clamp(share, 0.0, 1.0);
  return fmt::format("<span class=\"bar {}\"><i style=\"width:{:.1f}%\"></i></span>", style, width);
}

std::string sqnr_cell(std::optional<double> sqnr_db, double best_db) {
  if (!sqnr_db) return std::string("<span class=\"figure\">") + kMissing + "</span>";
  // 20 dB: the noise has 1 % of the signal's power; 10 dB: 10 %.
  const char* style = *sqnr_db >= 20 ? "" : *sqnr_db >= 10 ? "warn" : "bad";
  return bar(*sqnr_db / best_db, style) + "<span class=\"figure\">" + fixed(*sqnr_db, 1) + "</span>";
}

std::string name_list(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 4;
  std::string html;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i == kShown) html += fmt::format("<details class=\"more\"><summary>{} more</summary>", names.size() - kShown);
    html += (i > 0 && i != kShown ? ", " : "") + code(names[i]);
  }
  return names.size() > kShown ? html + "</details>" : html;
}

}  // namespace xinfer::report
