#include "quantize/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

using Plan = std::set<std::string>;

void check_nodes(std::span<const BudgetNode> nodes) {
  Plan names;
  for (const BudgetNode& node : nodes) {
    if (!names.insert(node.name).second) throw Error(fmt::format("two nodes of the search are named '{}'", node.name));
    if (!std::isfinite(node.float_ms) || !std::isfinite(node.int8_ms)) {
      throw Error(
          fmt::format("node '{}' takes {} ms in float and {} ms in INT8", node.name, node.float_ms, node.int8_ms));
    }
  }
}

// Power of the noise for a signal of power 1.
double noise_power(double sqnr_db) {
  if (std::isnan(sqnr_db)) return std::numeric_limits<double>::infinity();
  return std::pow(10.0, -sqnr_db / 10.0);
}

double or_endless(double x) { return std::isnan(x) ? std::numeric_limits<double>::infinity() : x; }

bool dominates(const Measured& a, const Measured& b) {
  const double a_drop = or_endless(a.drop);
  const double b_drop = or_endless(b.drop);
  const double a_ms = or_endless(a.ms);
  const double b_ms = or_endless(b.ms);
  return a_drop <= b_drop && a_ms <= b_ms && (a_drop < b_drop || a_ms < b_ms);
}

class Search {
 public:
  Search(std::span<const BudgetNode> nodes, const MeasurePlan& measure, const BudgetOptions& options)
      : nodes_(nodes), ranking_(rank_by_benefit(nodes)), measure_(measure), options_(options) {}

  BudgetResult run() {
    if (!inside(prefix(0)) && !nodes_.empty()) {
      const std::optional<std::size_t> length = shortest_prefix();
      if (length) take_back(prefix(*length));
    }
    return finish();
  }

 private:
  int left() const { return options_.max_measurements - static_cast<int>(points_.size()); }

  Plan prefix(std::size_t length) const {
    return {ranking_.begin(), ranking_.begin() + static_cast<std::ptrdiff_t>(length)};
  }

  bool is_inside(const Measured& measured) const { return measured.drop <= options_.budget; }

  // Measures a new plan; needs a measurement to be left.
  bool inside(const Plan& plan) {
    points_.push_back({plan, measure_(plan), false, false});
    return is_inside(points_.back().measured);
  }

  // True when a plan of at least these float nodes was outside already.
  bool ruled_out(const Plan& plan) const {
    return std::any_of(points_.begin(), points_.end(), [&](const PlanPoint& point) {
      return !is_inside(point.measured) &&
             std::includes(point.float_nodes.begin(), point.float_nodes.end(), plan.begin(), plan.end());
    });
  }

  // Length of the shortest prefix found inside the budget; nothing when none was.
  std::optional<std::size_t> shortest_prefix() {
    const std::size_t all = ranking_.size();
    std::size_t outside = 0;
    std::size_t length = 1;
    while (true) {
      if (left() < 1) return std::nullopt;
      if (left() == 1) length = all;
      if (inside(prefix(length))) break;
      if (length == all) return std::nullopt;
      outside = length;
      length = std::min(2 * length, all);
    }
    while (length - outside > 1 && left() > 0) {
      const std::size_t middle = outside + (length - outside) / 2;
      (inside(prefix(middle)) ? length : outside) = middle;
    }
    return length;
  }

  // Takes nodes of `plan`, which is inside, back to INT8 while it stays inside.
  void take_back(Plan plan) {
    std::vector<const BudgetNode*> nodes;
    for (const BudgetNode& node : nodes_) {
      if (plan.contains(node.name)) nodes.push_back(&node);
    }
    std::sort(nodes.begin(), nodes.end(), [](const BudgetNode* a, const BudgetNode* b) {
      return std::tuple(-a->cost_ms(), std::string_view(a->name)) <
             std::tuple(-b->cost_ms(), std::string_view(b->name));
    });
    take_back(plan, nodes);
  }

  void take_back(Plan& plan, std::span<const BudgetNode* const> nodes) {
    Plan smaller = plan;
    for (const BudgetNode* node : nodes) smaller.erase(node->name);
    if (!ruled_out(smaller)) {
      if (left() < 1) return;
      if (inside(smaller)) {
        plan = std::move(smaller);
        return;
      }
    }
    if (nodes.size() < 2) return;
    const std::size_t half = (nodes.size() + 1) / 2;
    take_back(plan, nodes.first(half));
    take_back(plan, nodes.subspan(half));
  }

  // True when `a` is the better choice.
  bool better(const PlanPoint& a, const PlanPoint& b) const {
    const bool a_inside = is_inside(a.measured);
    if (a_inside != is_inside(b.measured)) return a_inside;
    const double a_drop = a_inside ? 0 : or_endless(a.measured.drop);
    const double b_drop = a_inside ? 0 : or_endless(b.measured.drop);
    const double a_ms = or_endless(a.measured.ms);
    const double b_ms = or_endless(b.measured.ms);
    const std::size_t a_size = a.float_nodes.size();
    const std::size_t b_size = b.float_nodes.size();
    return std::tie(a_drop, a_ms, a_size, a.float_nodes) < std::tie(b_drop, b_ms, b_size, b.float_nodes);
  }

  BudgetResult finish() {
    for (PlanPoint& point : points_) {
      point.pareto = std::none_of(points_.begin(), points_.end(),
                                  [&](const PlanPoint& other) { return dominates(other.measured, point.measured); });
    }
    PlanPoint& best = *std::min_element(points_.begin(), points_.end(),
                                        [this](const PlanPoint& a, const PlanPoint& b) { return better(a, b); });
    best.chosen = true;
    return {is_inside(best.measured), best.float_nodes, best.measured, points_};
  }

  std::span<const BudgetNode> nodes_;
  std::vector<std::string> ranking_;
  const MeasurePlan& measure_;
  const BudgetOptions& options_;
  std::vector<PlanPoint> points_;
};

}  // namespace

std::vector<std::string> rank_by_benefit(std::span<const BudgetNode> nodes) {
  check_nodes(nodes);
  double largest = 0;
  for (const BudgetNode& node : nodes) largest = std::max(largest, node.cost_ms());
  const double least = largest > 0 ? largest / 100 : 1.0;
  struct Ranked {
    bool unknown;
    double order;  // smaller comes first
    std::string name;
  };
  std::vector<Ranked> ranked;
  for (const BudgetNode& node : nodes) {
    const double cost = std::max(node.cost_ms(), least);
    const double order = node.sensitivity_db ? -noise_power(*node.sensitivity_db) / cost : cost;
    ranked.push_back({!node.sensitivity_db, order, node.name});
  }
  std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return std::tie(a.unknown, a.order, a.name) < std::tie(b.unknown, b.order, b.name);
  });
  std::vector<std::string> names;
  for (Ranked& node : ranked) names.push_back(std::move(node.name));
  return names;
}

BudgetResult search_budget(std::span<const BudgetNode> nodes, const MeasurePlan& measure,
                           const BudgetOptions& options) {
  if (!(options.budget >= 0)) throw Error(fmt::format("a budget of {} points was asked for", options.budget));
  if (options.max_measurements < 1) {
    throw Error(fmt::format("a search of {} measurements was asked for", options.max_measurements));
  }
  return Search(nodes, measure, options).run();
}

}  // namespace xinfer::quantize
