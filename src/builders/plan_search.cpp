#include "builders/plan_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "quantize/budget.h"
#include "quantize/overrides.h"

namespace xinfer::builders {
namespace {

using Chosen = quantize::Precision;

constexpr const char* kReason = "kept in float by the accuracy budget";

bool is_layer(ir::OpType op) {
  return op == ir::OpType::kConv || op == ir::OpType::kConvTranspose || op == ir::OpType::kLinear ||
         op == ir::OpType::kMatMul;
}

class Search {
 public:
  explicit Search(const PlanSearch& search) : search_(search) {}

  PlanFound run() {
    const quantize::QuantizedModel all_int8 = quantize_with({});
    list_candidates(all_int8);
    quantize::BudgetOptions options;
    options.budget = search_.budget;
    const quantize::Measured first = measure(all_int8, {});
    if (first.drop > search_.budget) {
      const std::map<std::string, double> sensitivities = search_.sensitivities();
      for (quantize::BudgetNode& node : candidates_) {
        const auto found = sensitivities.find(node.name);
        if (found != sensitivities.end()) node.sensitivity_db = found->second;
      }
    }
    const quantize::BudgetResult result = quantize::search_budget(
        candidates_,
        [&](const std::set<std::string>& nodes) {
          return nodes.empty() ? first : measure(quantize_with(nodes), nodes);
        },
        options);
    return summarize(result);
  }

 private:
  quantize::QuantizedModel quantize_with(const std::set<std::string>& nodes) const {
    return quantize::quantize(*search_.float_graph, search_.ranges, with_float_nodes(search_.plan, nodes));
  }

  void list_candidates(const quantize::QuantizedModel& all_int8) {
    std::map<std::string, const ir::Node*> nodes;
    const ir::Graph& graph = *search_.float_graph;
    for (const ir::NodeId id : graph.order()) nodes.emplace(graph.node(id).name, &graph.node(id));
    for (const quantize::NodeDecision& decision : all_int8.decisions) {
      const ir::Node& node = *nodes.at(decision.node);
      const double in_float = modelled_ms(graph, node, Chosen::kFloat, search_.hardware);
      const double in_int8 = modelled_ms(graph, node, Chosen::kInt8, search_.hardware);
      const bool int8 = decision.precision == Chosen::kInt8;
      if (decision.precision != Chosen::kIndex) base_ms_ += int8 ? in_int8 : in_float;
      if (!int8 || !is_layer(decision.op) || quantize::is_overridden(node, search_.plan)) continue;
      candidates_.push_back({node.name, std::nullopt, in_float, in_int8});
    }
  }

  double ms_of(const std::set<std::string>& nodes) const {
    double ms = base_ms_;
    for (const quantize::BudgetNode& node : candidates_) ms += nodes.contains(node.name) ? node.cost_ms() : 0;
    return ms;
  }

  quantize::Measured measure(const quantize::QuantizedModel& model, const std::set<std::string>& nodes) {
    if (search_.progress) search_.progress(measured_++);
    const quantize::SampleRunner runner(std::make_shared<ir::Graph>(model.graph), search_.threads);
    return {search_.float_score - search_.judge.score(runner), ms_of(nodes)};
  }

  PlanFound summarize(const quantize::BudgetResult& result) const {
    PlanFound found;
    found.within = result.within;
    found.float_nodes = result.float_nodes;
    found.score = search_.float_score - result.measured.drop;
    for (const quantize::PlanPoint& point : result.points) {
      if (!point.pareto && !point.chosen) continue;
      found.points.push_back(
          {point.measured.drop, point.measured.ms, {point.float_nodes.begin(), point.float_nodes.end()}, point.chosen});
    }
    for (const quantize::BudgetNode& node : candidates_) {
      if (!result.float_nodes.contains(node.name)) continue;
      found.findings.push_back(
          {node.name,
           node.sensitivity_db && std::isfinite(*node.sensitivity_db)
               ? fmt::format("alone in INT8 it brings the outputs down to {:.1f} dB", *node.sensitivity_db)
               : "with it in INT8 the budget was not kept",
           "it stays in float", fmt::format("{:.3f} ms of latency, modelled", std::max(0.0, node.cost_ms()))});
    }
    // The loudest first.
    std::ranges::stable_sort(found.findings, {}, [&](const Finding& finding) {
      const auto node = std::ranges::find(candidates_, finding.where, &quantize::BudgetNode::name);
      return node->sensitivity_db.value_or(INFINITY);
    });
    return found;
  }

  const PlanSearch& search_;
  std::vector<quantize::BudgetNode> candidates_;
  double base_ms_ = 0;  ///< everything in INT8 that can be
  std::int64_t measured_ = 0;
};

}  // namespace

quantize::PlanOptions with_float_nodes(const quantize::PlanOptions& plan, const std::set<std::string>& nodes) {
  quantize::PlanOptions result = plan;
  for (const std::string& node : nodes) {
    result.overrides.push_back({quantize::PrecisionOverride::Match::kNode, node, {}, Chosen::kFloat, kReason});
  }
  return result;
}

PlanFound search_plan(const PlanSearch& search) { return Search(search).run(); }

}  // namespace xinfer::builders
