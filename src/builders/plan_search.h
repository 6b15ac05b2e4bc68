#pragma once
// Finds the layers that must stay in float for an engine to keep within its accuracy budget.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "builders/judge.h"
#include "builders/latency_model.h"
#include "quantize/plan.h"
#include "xinfer/builders/quality.h"

namespace xinfer::builders {

struct PlanSearch {
  std::shared_ptr<const ir::Graph> float_graph;
  const quantize::Ranges& ranges;
  const quantize::PlanOptions& plan;  ///< everything in INT8 but for the user's overrides, which the search respects
  const Judge& judge;
  double float_score = 0;  ///< of the float model
  double budget = 0;       ///< points
  Hardware hardware = Hardware::kCpu;
  int threads = 0;
  /// Gives each layer's sensitivity in dB; called only when not all layers can be in INT8.
  std::function<std::map<std::string, double>()> sensitivities;
  /// Called before each measurement with their number so far; what it throws ends the search.
  std::function<void(std::int64_t)> progress;
};

struct PlanFound {
  bool within = false;
  std::set<std::string> float_nodes;
  double score = 0;                 ///< of the plan, on the judge's data
  std::vector<ParetoPoint> points;  ///< plans that no other one beat in both figures, and the chosen one; modelled ms
  std::vector<Finding> findings;    ///< one for each node kept in float
};

/// The plan inside the budget of the least modelled latency that quantize::search_budget() finds; else the one of the
/// smallest drop. Deterministic: latencies are modelled, not timed.
PlanFound search_plan(const PlanSearch& search);

/// `plan` with these nodes in float for the budget's sake.
quantize::PlanOptions with_float_nodes(const quantize::PlanOptions& plan, const std::set<std::string>& nodes);

}  // namespace xinfer::builders
