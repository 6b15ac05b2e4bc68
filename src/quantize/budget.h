#pragma once
// Budget: the precision plan of least latency whose measured loss of accuracy stays inside a budget.

#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace xinfer::quantize {

/// A node that may run in INT8 or in float.
struct BudgetNode {
  std::string name;
  std::optional<double> sensitivity_db;  ///< SQNR of the outputs when it alone runs in INT8; empty: not measured
  double float_ms = 0;                   ///< measured or modelled
  double int8_ms = 0;
  double cost_ms() const { return float_ms - int8_ms; }  ///< of keeping it in float
};

/// Names in the order in which nodes are given up to float: by the noise that this removes for each millisecond that it
/// costs. Costs below 1 % of the largest one count as that, so that free nodes come early without every free node going
/// before a loud one. A sensitivity of NaN counts as endless noise; nodes without a sensitivity come last, the cheapest
/// first. Ties go by name. Throws Error when two nodes have the same name or a time is not finite.
std::vector<std::string> rank_by_benefit(std::span<const BudgetNode> nodes);

/// What a plan is worth.
struct Measured {
  double drop = 0;  ///< loss of the metric against the float model, in points; NaN counts as endless
  double ms = 0;    ///< of one inference
  bool operator==(const Measured&) const = default;
};

struct PlanPoint {
  std::set<std::string> float_nodes;  ///< kept in float; all others run in INT8
  Measured measured;
  bool pareto = false;  ///< no other measured plan is as good in both figures and better in one
  bool chosen = false;
};

struct BudgetOptions {
  double budget = 0.5;        ///< largest drop allowed, in points
  int max_measurements = 24;  ///< calls of the measuring function
};

struct BudgetResult {
  bool within = false;                ///< the chosen plan is inside the budget
  std::set<std::string> float_nodes;  ///< of the chosen plan: the fastest one inside, or the one of the smallest drop
  Measured measured;                  ///< of the chosen plan
  std::vector<PlanPoint> points;      ///< every plan that was measured, in that order
};

/// Measures the plan that keeps these nodes in float. What it throws ends the search.
using MeasurePlan = std::function<Measured(const std::set<std::string>& float_nodes)>;

/// Searches for a plan inside the budget.
///
/// All nodes in INT8 come first; when that is inside, it is the answer. Otherwise the shortest prefix of the ranking
/// (rank_by_benefit) that is inside, by doubling its length and then halving the interval; the last measurement is kept
/// for all nodes in float as long as nothing was inside. What is left of the measurements goes into taking nodes of
/// that prefix back to INT8, the costliest half first, in halves of halves (after A. Zeller and R. Hildebrandt,
/// "Simplifying and isolating failure-inducing input", 2002).
///
/// The search takes it that more nodes in float never lose accuracy, and skips plans that this assumption rules out. If
/// it is wrong the answer may not be the fastest plan there is, but it was measured as it is. Of the plans inside the
/// budget the fastest wins, then the one of fewest float nodes, then the first by name. Deterministic when
/// `measure` is, including its ms. Throws Error for a budget that is negative or NaN, for less than one measurement,
/// and as rank_by_benefit().
BudgetResult search_budget(std::span<const BudgetNode> nodes, const MeasurePlan& measure,
                           const BudgetOptions& options = {});

}  // namespace xinfer::quantize
