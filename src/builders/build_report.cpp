#include "xinfer/builders/build_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

namespace xinfer::builders {

std::string BuildReport::to_text() const {
  std::string text = fmt::format("{} -> {}\n", model, engine.empty() ? "memory" : engine);
  if (precision == "int8") {
    text += calibration_from_cache ? fmt::format("calibration   from the cache, ranges by {}\n", range_method)
                                   : fmt::format("calibration   {} samples in {:.1f} s, ranges by {}\n",
                                                 calibration_samples, calibrate_seconds, range_method);
  }
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
  for (const SpeedCheck& s : speed) {
    text += fmt::format("latency       batch {}: FP32 {:.2f} ms, INT8 {:.2f} ms ({:.2f}x)\n", s.batch, s.fp32_ms,
                        s.int8_ms, s.fp32_ms / s.int8_ms);
  }
  if (engine_bytes > 0) text += fmt::format("size          {:.1f} MB\n", static_cast<double>(engine_bytes) / 1e6);
  for (const std::string& remark : remarks) text += fmt::format("note: {}\n", remark);
  return text;
}

std::string BuildReport::to_json() const {
  const auto finite = [](double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); };
  nlohmann::json json = {{"model", model},
                         {"model_hash", model_hash},
                         {"engine", engine},
                         {"engine_bytes", engine_bytes},
                         {"precision", precision},
                         {"max_batch", max_batch},
                         {"int8_nodes", int8_nodes},
                         {"total_nodes", nodes.size()},
                         {"remarks", remarks},
                         {"seconds",
                          {{"read", read_seconds},
                           {"calibrate", calibrate_seconds},
                           {"quantize", quantize_seconds},
                           {"gpu", gpu_seconds},
                           {"check", check_seconds}}}};
  json["target"] = target;
  if (gpu_kernels > 0) json["gpu"] = {{"kernels", gpu_kernels}, {"batches", gpu_batches}, {"tuned", gpu_tuned}};
  if (precision == "int8") {
    json["calibration"] = {
        {"samples", calibration_samples}, {"from_cache", calibration_from_cache}, {"range_method", range_method}};
  }
  if (accuracy) {
    json["accuracy"] = {{"samples", accuracy->samples}, {"sqnr_db", finite(accuracy->sqnr_db)}};
    if (accuracy->top1_agreement) json["accuracy"]["top1_agreement"] = *accuracy->top1_agreement;
  }
  for (const SpeedCheck& s : speed) {
    json["speed"].push_back({{"batch", s.batch}, {"fp32_ms", s.fp32_ms}, {"int8_ms", s.int8_ms}});
  }
  for (const NodeReport& node : nodes) {
    json["nodes"].push_back(
        {{"node", node.node}, {"op", node.op}, {"precision", node.precision}, {"reason", node.reason}});
  }
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace xinfer::builders
