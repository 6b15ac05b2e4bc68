#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "xinfer/builders/recalibrate.h"

namespace xinfer::builders {
namespace {

constexpr std::size_t kShown = 5;  // the largest moves, in the text

/// Largest change first; a halved range counts as much as a doubled one.
std::vector<ScaleChange> by_size(std::vector<ScaleChange> changes) {
  const auto size = [](const ScaleChange& c) { return std::fabs(std::log(c.after / c.before)); };
  std::stable_sort(changes.begin(), changes.end(), [&](const auto& a, const auto& b) { return size(a) > size(b); });
  return changes;
}

std::string to_text(const RecalibrationAccuracy& a) {
  std::string text = fmt::format("SQNR {:.1f} dB", a.sqnr_db);
  if (a.top1_agreement) text += fmt::format(", same top-1 on {:.1f} %", 100 * *a.top1_agreement);
  return text;
}

nlohmann::json to_json(const RecalibrationAccuracy& a) {
  nlohmann::json json = {{"sqnr_db", nullptr}};
  if (std::isfinite(a.sqnr_db)) json["sqnr_db"] = a.sqnr_db;
  if (a.top1_agreement) json["top1_agreement"] = *a.top1_agreement;
  return json;
}

}  // namespace

std::string RecalibrationReport::to_text() const {
  std::string text = fmt::format("{} -> {}\n", engine, output);
  text += fmt::format("calibration   {} samples, ranges by {}\n", samples, range_method);
  if (!changes.empty()) {
    const auto less = [](const ScaleChange& a, const ScaleChange& b) { return a.change() < b.change(); };
    const auto [lowest, highest] = std::minmax_element(changes.begin(), changes.end(), less);
    text += fmt::format("scales        {} tensors, changed by {:+.1f} % to {:+.1f} %; largest:\n", changes.size(),
                        100 * lowest->change(), 100 * highest->change());
    const std::vector<ScaleChange> sorted = by_size(changes);
    for (std::size_t i = 0; i < std::min(kShown, sorted.size()); ++i) {
      const ScaleChange& c = sorted[i];
      text += fmt::format(
          "  {:+.1f} %  {}: end of the range {:.4g} -> {:.4g}{}; {:.2f} % of the values lay at the old end\n",
          100 * c.change(), c.tensor, c.before, c.after, c.new_type ? " (other type)" : "", 100 * c.clipped);
    }
  }
  text += fmt::format("accuracy      against float on {} of the new samples\n  old scales  {}\n  new scales  {}\n",
                      compared, builders::to_text(before), builders::to_text(after));
  for (const std::string& remark : remarks) text += fmt::format("note: {}\n", remark);
  return text;
}

std::string RecalibrationReport::to_json() const {
  nlohmann::json json = {{"engine", engine},
                         {"output", output},
                         {"samples", samples},
                         {"range_method", range_method},
                         {"compared", compared},
                         {"before", builders::to_json(before)},
                         {"after", builders::to_json(after)},
                         {"changes", nlohmann::json::array()},
                         {"remarks", remarks}};
  for (const ScaleChange& c : changes) {
    json["changes"].push_back({{"tensor", c.tensor},
                               {"before", c.before},
                               {"after", c.after},
                               {"change", c.change()},
                               {"new_type", c.new_type},
                               {"clipped", c.clipped}});
  }
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace xinfer::builders
