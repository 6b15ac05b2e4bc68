#include <fmt/format.h>

#include "report/escape.h"
#include "report/numbers.h"
#include "report/sections.h"

namespace xinfer::report {

std::string samples_section(const builders::BuildReport& report) {
  const auto& samples = report.quality.worst;
  if (samples.empty()) return "";
  std::string html =
      "<p class=\"quiet\">Samples whose answer the quantization changed most.</p>\n<div class=\"samples\">\n";
  for (const auto& sample : samples) {
    html += "<article>";
    html += sample.thumbnail.empty()
                ? "<div class=\"picture none\">no image</div>"
                : "<img class=\"picture\" alt=\"\" src=\"data:image/png;base64," + base64(sample.thumbnail) + "\">";
    html += fmt::format("<h3 title=\"{}\">{}</h3><dl>", escape(sample.image), escape(file_name(sample.image)));
    if (!sample.float_answer.empty() || !sample.int8_answer.empty()) {
      html += fmt::format(
          "<div><dt>FP32</dt><dd>{}</dd></div><div{}><dt>INT8</dt><dd>{}</dd></div>", escape(sample.float_answer),
          sample.float_answer == sample.int8_answer ? "" : " class=\"other\"", escape(sample.int8_answer));
    }
    html += fmt::format("<div><dt>SQNR</dt><dd>{} dB</dd></div></dl></article>\n", fixed(sample.sqnr_db, 1));
  }
  return section("samples", "Worst samples", html + "</div>\n");
}

}  // namespace xinfer::report
