#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "core/file.h"
#include "report/page.h"
#include "xinfer/builders/build_report.h"
#include "xinfer/core/errors.h"

namespace xinfer::builders {
namespace {

enum class Form { kHtml, kJson };

Form form_of(const std::string& path) {
  std::string ending = std::filesystem::path(path).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  if (ending == ".html" || ending == ".htm") return Form::kHtml;
  if (ending == ".json") return Form::kJson;
  throw Error(fmt::format("can't tell the form of the report '{}'", path), "end its name in .html or .json");
}

}  // namespace

void check_report_path(const std::string& path) {
  form_of(path);
  check_writable(path);
}

void write_report(const BuildReport& report, const std::string& path) {
  write_file_atomically(path, form_of(path) == Form::kHtml ? report::to_html(report) : report.to_json() + "\n");
}

}  // namespace xinfer::builders
