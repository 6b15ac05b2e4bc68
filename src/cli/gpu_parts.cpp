#include "cli/gpu_parts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "cli/console.h"
#include "cuda/tuned.h"

namespace xinfer::cli {

std::string host_nodes_text(const engine::CudaParts& parts) {
  std::string text;
  for (const engine::HostNode& host : parts.host_nodes) {
    text += fmt::format("on a GPU, '{}' runs on the host: {}\n", host.node, host.reason);
  }
  return text;
}

std::string kernels_text(const engine::CudaParts& parts, std::int64_t batch) {
  std::set<std::string> archs;
  for (const engine::TunedChoice& choice : parts.choices) archs.insert(choice.arch);
  std::string text;
  for (const std::string& arch : archs) {
    const std::int64_t nearest = cuda::followed_batch(parts.choices, gpu::parse_arch(arch), batch);
    std::vector<std::vector<std::string>> rows = {{"layer", "kernel", "variant", "tuned us"}};
    bool timed = false;
    for (const engine::TunedChoice& choice : parts.choices) {
      if (choice.arch != arch || choice.batch != nearest) continue;
      timed = timed || choice.microseconds > 0;
      rows.push_back({choice.node, choice.implementation, fmt::format("{}", fmt::join(choice.tactic, " ")),
                      choice.microseconds > 0 ? fmt::format("{:.1f}", choice.microseconds) : ""});
    }
    text += fmt::format("\nkernels on sm_{} at batch {}, {}\n{}", arch, nearest,
                        timed ? "timed by the build" : "chosen by rule", table(rows));
  }
  return text;
}

nlohmann::json gpu_json(const engine::CudaParts& parts) {
  nlohmann::json json = {
      {"batches", parts.batches}, {"host_nodes", nlohmann::json::array()}, {"choices", nlohmann::json::array()}};
  for (const engine::HostNode& host : parts.host_nodes) {
    json["host_nodes"].push_back({{"node", host.node}, {"reason", host.reason}});
  }
  for (const engine::TunedChoice& choice : parts.choices) {
    json["choices"].push_back({{"arch", choice.arch},
                               {"batch", choice.batch},
                               {"node", choice.node},
                               {"kernel", choice.implementation},
                               {"variant", choice.tactic},
                               {"tuned_microseconds", choice.microseconds}});
  }
  return json;
}

}  // namespace xinfer::cli
