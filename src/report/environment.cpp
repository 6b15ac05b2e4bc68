#include <fmt/format.h>
#include <fmt/ranges.h>

#include "report/escape.h"
#include "report/numbers.h"
#include "report/sections.h"

namespace xinfer::report {
namespace {

void add(std::string& html, const char* name, const std::string& value) {
  if (!value.empty()) html += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", name, value);
}

std::string code_or_nothing(const std::string& name) { return name.empty() ? "" : code(name); }

}  // namespace

std::string environment_section(const builders::BuildReport& report) {
  const auto& environment = report.quality.environment;
  std::string html = "<dl class=\"environment\">\n";
  add(html, "Model", code_or_nothing(report.model));
  add(html, "Model hash", code_or_nothing(report.model_hash));
  add(html, "Calibration hash", code_or_nothing(environment.calibration_hash));
  add(html, "Engine", report.engine.empty() ? "not saved" : code(report.engine));
  add(html, "Target", escape(report.target));
  if (report.gpu_kernels > 0) {
    add(html, "GPU kernels",
        fmt::format("{} for batches {}, {}", report.gpu_kernels, fmt::join(report.gpu_batches, ", "),
                    report.gpu_tuned ? "timed on the GPU" : "chosen by rule"));
  }
  add(html, "xInfer", escape(environment.xinfer));
  add(html, "Processor", escape(environment.cpu));
  add(html, "GPU", escape(environment.gpu));
  add(html, "System", escape(environment.os));
  if (environment.threads > 0) add(html, "Threads", std::to_string(environment.threads));
  add(html, "Date", escape(environment.date));
  std::string seconds;
  const auto step = [&](const char* name, double spent) {
    if (spent > 0) seconds += fmt::format("{}{} {}", seconds.empty() ? "" : ", ", name, fixed(spent, 1));
  };
  step("read", report.read_seconds);
  step("survey", report.survey_seconds);
  step("calibrate", report.calibrate_seconds);
  step("quantize", report.quantize_seconds);
  step("measure", report.measure_seconds);
  step("GPU kernels", report.gpu_seconds);
  step("check", report.check_seconds);
  add(html, "Seconds", seconds);
  return section("environment", "Environment", html + "</dl>\n");
}

}  // namespace xinfer::report
