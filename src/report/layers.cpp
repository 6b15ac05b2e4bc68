#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "report/escape.h"
#include "report/numbers.h"
#include "report/sections.h"

namespace xinfer::report {
namespace {

using builders::LayerQuality;

std::string number_cell(std::optional<double> value, const std::string& text) {
  return fmt::format("<td class=\"num\"{}>{}</td>", sort_key(value), text);
}

std::string figure(std::optional<double> value, int decimals) { return fixed_or_dash(value, decimals); }

/// One line for each output of the network.
std::string outputs(const std::vector<builders::OutputQuality>& outputs) {
  std::string html;
  for (const builders::OutputQuality& output : outputs) {
    html += fmt::format(
        "<p>Output {}: SQNR {} dB, cosine with FP32 {} on average and {} at least{}.</p>\n", code(output.output),
        fixed(output.sqnr_db, 1), fixed(output.cosine_mean, 4), fixed(output.cosine_min, 4),
        output.kl_divergence ? fmt::format(", KL divergence {} nats", significant(*output.kl_divergence)) : "");
  }
  return html;
}

/// A precision's name that is safe as a style class.
const char* precision_style(const std::string& precision) { return precision == "int8" ? "low" : "high"; }

}  // namespace

std::string layers_section(const builders::BuildReport& report) {
  const std::vector<LayerQuality>& layers = report.quality.layers;
  if (layers.empty()) return "";
  double best_db = 40;  // of finite ones: an exact layer must not make the others' bars vanish
  for (const LayerQuality& layer : layers) {
    if (layer.sqnr_db && std::isfinite(*layer.sqnr_db)) best_db = std::max(best_db, *layer.sqnr_db);
  }
  std::string html =
      outputs(report.quality.outputs) +
      "<p class=\"quiet\">SQNR: of the layer's output in the INT8 network, against the float network (20 dB: the noise "
      "has 1 % of the signal's power). Sensitivity: SQNR of the network's outputs when this layer alone runs in INT8; "
      "the lowest harm most. Times at batch 1.</p>\n"
      "<div class=\"scroll\" data-filter=\"tbody tr\" data-noun=\"layers\"><table class=\"sortable\" "
      "id=\"layer-table\">\n<thead><tr><th "
      "class=\"name\">Node</th><th>Operator</th><th>Precision</th><th>SQNR, dB</th><th class=\"num\">Sensitivity, "
      "dB</th><th class=\"num\">INT8, ms</th><th class=\"num\">Float, ms</th><th "
      "class=\"num\">Scale</th></tr></thead>\n"
      "<tbody>\n";
  for (const LayerQuality& layer : layers) {
    html += fmt::format("<tr><td class=\"name\">{}</td><td>{}</td><td><span class=\"precision {}\">{}</span></td>",
                        code(layer.node), escape(layer.op), precision_style(layer.precision), escape(layer.precision));
    html += fmt::format("<td class=\"with-bar\"{}>{}</td>", sort_key(layer.sqnr_db), sqnr_cell(layer.sqnr_db, best_db));
    html += number_cell(layer.sensitivity_db, figure(layer.sensitivity_db, 1));
    html +=
        number_cell(layer.int8_ms, figure(layer.int8_ms, 3)) + number_cell(layer.float_ms, figure(layer.float_ms, 3));
    html += number_cell(layer.scale, layer.scale ? significant(*layer.scale) : kMissing) + "</tr>\n";
  }
  return section("layers", "Layers", html + "</tbody></table></div>\n");
}

std::string float_nodes_section(const builders::BuildReport& report) {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const auto& node : report.nodes) {
    if (node.precision != "int8") by_reason[node.reason].push_back(node.node);
  }
  // An engine without integers has no reason for each node.
  if (by_reason.empty() || report.precision != "int8") return "";
  std::vector<std::pair<std::string, std::vector<std::string>>> groups(by_reason.begin(), by_reason.end());
  std::stable_sort(groups.begin(), groups.end(),
                   [](const auto& a, const auto& b) { return a.second.size() > b.second.size(); });
  std::string html = "<dl class=\"reasons\">\n";
  for (const auto& [reason, names] : groups) {
    html += fmt::format("<dt><b>{}</b> {}</dt><dd>{}</dd>\n", names.size(),
                        reason.empty() ? "no reason given" : escape(reason), name_list(names));
  }
  return section("float", "Nodes not in INT8", html + "</dl>\n");
}

}  // namespace xinfer::report
