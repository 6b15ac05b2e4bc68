// Which nodes of a graph are needed, and in which order.
#include <fmt/format.h>

#include <functional>
#include <queue>

#include "onnx/importer.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

/// Everything that a node reads: its inputs, and what its branches take from outside (names made inside do no harm).
void collect_reads(const NodeProto& node, std::vector<std::string_view>& reads) {
  for (const std::string& input : node.input()) {
    if (!input.empty()) reads.emplace_back(input);
  }
  for (const AttributeProto& attribute : node.attribute()) {
    if (!attribute.has_g()) continue;
    for (const NodeProto& inner : attribute.g().node()) collect_reads(inner, reads);
    for (const ValueInfoProto& output : attribute.g().output()) reads.emplace_back(output.name());
  }
}

}  // namespace

Plan plan_of(const GraphProto& graph) {
  const int count = graph.node_size();
  std::unordered_map<std::string_view, int> producers;
  for (int i = 0; i < count; ++i) {
    for (const std::string& output : graph.node(i).output()) {
      if (!output.empty() && !producers.emplace(output, i).second) {
        throw ModelError(fmt::format("value '{}' is made by two nodes", output));
      }
    }
  }
  Plan plan;
  std::vector<std::vector<std::string_view>> reads(static_cast<std::size_t>(count));
  std::vector<bool> live(static_cast<std::size_t>(count), false);
  std::vector<int> pending;
  const auto need = [&](std::string_view name) {
    plan.used.insert(name);
    const auto found = producers.find(name);
    if (found == producers.end() || live[static_cast<std::size_t>(found->second)]) return;
    live[static_cast<std::size_t>(found->second)] = true;
    pending.push_back(found->second);
  };
  for (const ValueInfoProto& output : graph.output()) need(output.name());
  while (!pending.empty()) {
    const int node = pending.back();
    pending.pop_back();
    auto& names = reads[static_cast<std::size_t>(node)];
    collect_reads(graph.node(node), names);
    for (const std::string_view name : names) need(name);
  }
  // Kahn's algorithm, in the model's order where there is a choice.
  std::vector<std::vector<int>> users(static_cast<std::size_t>(count));
  std::vector<int> missing(static_cast<std::size_t>(count), 0);
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  int live_count = 0;
  for (int i = 0; i < count; ++i) {
    if (!live[static_cast<std::size_t>(i)]) continue;
    ++live_count;
    for (const std::string_view name : reads[static_cast<std::size_t>(i)]) {
      const auto found = producers.find(name);
      if (found == producers.end()) continue;
      users[static_cast<std::size_t>(found->second)].push_back(i);
      ++missing[static_cast<std::size_t>(i)];
    }
    if (missing[static_cast<std::size_t>(i)] == 0) ready.push(i);
  }
  while (!ready.empty()) {
    const int node = ready.top();
    ready.pop();
    plan.nodes.push_back(&graph.node(node));
    for (const int user : users[static_cast<std::size_t>(node)]) {
      if (--missing[static_cast<std::size_t>(user)] == 0) ready.push(user);
    }
  }
  if (static_cast<int>(plan.nodes.size()) != live_count) {
    for (int i = 0; i < count; ++i) {
      if (missing[static_cast<std::size_t>(i)] > 0) {
        throw ModelError(
            fmt::format("the nodes form a cycle around '{}' ({})", graph.node(i).name(), graph.node(i).op_type()));
      }
    }
  }
  return plan;
}

}  // namespace xinfer::onnx
