#include "cuda/tuned.h"

#include <memory>
#include <string>
#include <unordered_map>

namespace xinfer::cuda {

std::int64_t followed_batch(std::span<const engine::TunedChoice> choices, gpu::Arch arch, std::int64_t batch) {
  const std::string name = gpu::to_string(arch);
  std::int64_t nearest = 0;
  for (const engine::TunedChoice& choice : choices) {
    if (choice.arch != name) continue;
    const bool fits = choice.batch >= batch;
    if (nearest < batch ? choice.batch > nearest : (fits && choice.batch < nearest)) nearest = choice.batch;
  }
  return nearest;
}

Chooser chooser_of(std::span<const engine::TunedChoice> choices, gpu::Arch arch, std::int64_t batch) {
  const std::string name = gpu::to_string(arch);
  const std::int64_t nearest = followed_batch(choices, arch, batch);
  if (nearest == 0) return {};
  auto by_node = std::make_shared<std::unordered_map<std::string, Choice>>();
  for (const engine::TunedChoice& choice : choices) {
    if (choice.arch != name || choice.batch != nearest) continue;
    (*by_node)[choice.node] = {choice.implementation, {choice.tactic}};
  }
  return [by_node](const Request& request) -> std::optional<Choice> {
    const auto found = by_node->find(request.node.name);
    if (found == by_node->end()) return std::nullopt;
    return found->second;
  };
}

std::map<std::string, double> tuned_times(std::span<const engine::TunedChoice> choices, gpu::Arch arch,
                                          std::int64_t batch) {
  std::map<std::string, double> result;
  for (const engine::TunedChoice& choice : choices) {
    if (choice.arch != gpu::to_string(arch) || choice.batch != batch || choice.microseconds <= 0) continue;
    result[choice.node] = choice.microseconds;
  }
  return result;
}

std::map<std::string, std::string> host_nodes_of(const engine::CudaParts& parts) {
  std::map<std::string, std::string> result;
  for (const engine::HostNode& host : parts.host_nodes) result.emplace(host.node, host.reason);
  return result;
}

}  // namespace xinfer::cuda
