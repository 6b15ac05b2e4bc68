#include "report/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "report/embedded.h"
#include "report/escape.h"
#include "report/sections.h"
#include "xinfer/core/errors.h"

namespace xinfer::report {
namespace {

std::string_view embedded(std::string_view name) {
  for (const EmbeddedFile& file : embedded_files()) {
    if (file.name == name) return file.text;
  }
  throw Error(fmt::format("the program lacks its file '{}'", name));
}

}  // namespace

std::string to_html(const builders::BuildReport& report) {
  const std::pair<std::string, const char*> sections[] = {
      {findings_section(report), "<a href=\"#findings\">Findings</a>"},
      {trade_off_section(report), "<a href=\"#plans\">Accuracy against latency</a>"},
      {layers_section(report), "<a href=\"#layers\">Layers</a>"},
      {float_nodes_section(report), "<a href=\"#float\">Not in INT8</a>"},
      {tensors_section(report), "<a href=\"#tensors\">Tensors</a>"},
      {data_section(report), "<a href=\"#data\">Calibration data</a>"},
      {samples_section(report), "<a href=\"#samples\">Worst samples</a>"},
      {environment_section(report), "<a href=\"#environment\">Environment</a>"}};
  std::string links, body;
  for (const auto& [html, link] : sections) {
    if (html.empty()) continue;
    links += link;
    body += html;
  }
  // The policy makes the browser itself refuse whatever is not in this file.
  std::string page = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
      "'unsafe-inline'; script-src 'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{} · xInfer build report</title>\n",
      escape(report.model.empty() ? "model" : file_name(report.model)));
  page += "<style>\n";
  page += embedded("style.css");
  page += "</style>\n</head>\n<body>\n<main>\n" + header_section(report) + "<nav>" + links + "</nav>\n" + body +
          "</main>\n<script>\n";
  page += embedded("page.js");
  page += "</script>\n</body>\n</html>\n";
  return page;
}

}  // namespace xinfer::report
