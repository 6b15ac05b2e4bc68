#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "xinfer/builders/build_report.h"

namespace xinfer::builders {
namespace {

std::string calibration_text(const BuildReport& report) {
  std::string text = report.calibration_from_cache
                         ? fmt::format("calibration   from the cache, ranges by {}", report.range_method)
                         : fmt::format("calibration   {} samples in {:.1f} s, ranges by {}", report.calibration_samples,
                                       report.calibrate_seconds, report.range_method);
  if (report.quality.data.converged_after) {
    text += fmt::format(", settled after {}", *report.quality.data.converged_after);
  }
  return text + "\n";
}

std::string metric_text(const Quality& quality) {
  if (!quality.float_score || !quality.int8_score) return "";
  const double drop = *quality.float_score - *quality.int8_score;
  std::string text =
      fmt::format("metric        {}: FP32 {:.2f}, INT8 {:.2f}, drop {:.2f} points",
                  quality.metric.empty() ? "metric" : quality.metric, *quality.float_score, *quality.int8_score, drop);
  if (quality.budget) {
    text += fmt::format(", {} the budget of {:.2f}", drop <= *quality.budget ? "within" : "over", *quality.budget);
  }
  return text + "\n";
}

std::string findings_text(const std::vector<Finding>& findings) {
  constexpr std::size_t kShown = 10;
  if (findings.empty()) return "";
  std::string text = fmt::format("findings      {}\n", findings.size());
  for (std::size_t i = 0; i < std::min(findings.size(), kShown); ++i) {
    const Finding& finding = findings[i];
    text += fmt::format("  {}: {}{}{}{}\n", finding.where, finding.cause, finding.remedy.empty() ? "" : "; ",
                        finding.remedy, finding.cost.empty() ? "" : fmt::format(" ({})", finding.cost));
  }
  if (findings.size() > kShown) text += fmt::format("  and {} more: see --report\n", findings.size() - kShown);
  return text;
}

}  // namespace

std::string BuildReport::to_text() const {
  std::string text = fmt::format("{} -> {}\n", model, engine.empty() ? "memory" : engine);
  if (precision == "int8") text += calibration_text(*this);
  if (!nodes.empty()) {
    text += fmt::format("precision     {} of {} nodes in INT8\n", int8_nodes, nodes.size());
    std::map<std::string, std::vector<std::string>> by_reason;
    for (const NodeReport& node : nodes) {
      if (node.precision != "int8") by_reason[node.reason].push_back(node.node);
    }
    for (const auto& [reason, names] : by_reason) {
      text += fmt::format("  {} in float: {} ({}{})\n", names.size(), reason, names.front(),
                          names.size() > 1 ? ", ..." : "");
    }
  }
  if (gpu_kernels > 0) {
    text += fmt::format("GPU kernels   {} for {}, batches {}, {} ({:.1f} s)\n", gpu_kernels, target,
                        fmt::join(gpu_batches, ","), gpu_tuned ? "timed on the GPU" : "chosen by rule", gpu_seconds);
  }
  if (accuracy) {
    text += fmt::format("accuracy      SQNR {:.1f} dB", accuracy->sqnr_db);
    if (accuracy->top1_agreement) text += fmt::format(", same top-1 on {:.1f} %", 100 * *accuracy->top1_agreement);
    text += fmt::format(" of {} calibration samples; validate on others before you rely on it\n", accuracy->samples);
  }
  text += metric_text(quality);
  for (const SpeedCheck& s : speed) {
    text += fmt::format("latency       batch {}: FP32 {:.2f} ms, INT8 {:.2f} ms ({:.2f}x)\n", s.batch, s.fp32_ms,
                        s.int8_ms, s.fp32_ms / s.int8_ms);
  }
  if (engine_bytes > 0) text += fmt::format("size          {:.1f} MB\n", static_cast<double>(engine_bytes) / 1e6);
  text += findings_text(quality.findings);
  for (const std::string& remark : remarks) text += fmt::format("note: {}\n", remark);
  return text;
}

}  // namespace xinfer::builders
