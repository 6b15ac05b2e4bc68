#include "quantize/budget.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;

using Plan = std::set<std::string>;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// n00, n01, ...: each costs 1 ms more in float, and is less sensitive than the one before.
std::vector<BudgetNode> nodes_of(int count) {
  std::vector<BudgetNode> nodes;
  for (int i = 0; i < count; ++i) nodes.push_back({fmt::format("n{:02}", i), 20.0 + i, 2.0, 1.0});
  return nodes;
}

// Drops by `drop` unless all `culprits` are in float; each float node costs 1 ms.
MeasurePlan needs(const Plan& culprits, double drop, int* calls = nullptr) {
  return [=](const Plan& plan) {
    if (calls != nullptr) ++*calls;
    const bool healed = std::includes(plan.begin(), plan.end(), culprits.begin(), culprits.end());
    return Measured{healed ? 0.1 : drop, 10.0 + static_cast<double>(plan.size())};
  };
}

TEST(RankByBenefit, PutsNoiseRemovedForEachMillisecondFirst) {
  const std::vector<BudgetNode> nodes = {
      {"quiet", 40, 2, 1},   // 1e-4 for 1 ms
      {"loud", 10, 11, 1},   // 0.1 for 10 ms
      {"cheap", 12, 1.5, 1}  // 0.063 for 0.5 ms
  };
  EXPECT_THAT(rank_by_benefit(nodes), ElementsAre("cheap", "loud", "quiet"));
}

TEST(RankByBenefit, FreeNodesDoNotAllGoBeforeALoudOne) {
  const std::vector<BudgetNode> nodes = {{"free", 60, 1, 2}, {"loud", 5, 2, 1}, {"free_and_loud", 15, 1, 1}};
  EXPECT_THAT(rank_by_benefit(nodes), ElementsAre("free_and_loud", "loud", "free"));
}

TEST(RankByBenefit, NodesWithoutSensitivityComeLastAndTiesGoByName) {
  const std::vector<BudgetNode> nodes = {{"z", {}, 3, 1},           {"y", {}, 2, 1},     {"b", 20, 2, 1},
                                         {"a", 20, 2, 1},           {"nan", kNaN, 2, 1}, {"x", {}, 2, 1},
                                         {"clean", kInfinity, 2, 1}};
  EXPECT_THAT(rank_by_benefit(nodes), ElementsAre("nan", "a", "b", "clean", "x", "y", "z"));
}

TEST(RankByBenefit, RefusesNodesThatItCannotRank) {
  const std::vector<BudgetNode> twice = {{"a", 20, 2, 1}, {"a", 30, 2, 1}};
  EXPECT_THAT([&] { rank_by_benefit(twice); }, ThrowsMessage<Error>(HasSubstr("are named 'a'")));
  const std::vector<BudgetNode> timeless = {{"a", 20, kNaN, 1}};
  EXPECT_THAT([&] { rank_by_benefit(timeless); }, ThrowsMessage<Error>(HasSubstr("node 'a'")));
}

TEST(Budget, AHealthyNetworkStaysInInt8) {
  int calls = 0;
  const BudgetResult result = search_budget(nodes_of(20), needs({}, 5, &calls));
  EXPECT_TRUE(result.within);
  EXPECT_THAT(result.float_nodes, IsEmpty());
  EXPECT_EQ(calls, 1);
  ASSERT_THAT(result.points, SizeIs(1));
  EXPECT_TRUE(result.points[0].pareto);
  EXPECT_TRUE(result.points[0].chosen);
}

TEST(Budget, OneCulpritIsFoundWhereverItRanks) {
  for (int i = 0; i < 20; ++i) {
    const std::string culprit = fmt::format("n{:02}", i);
    const BudgetResult result = search_budget(nodes_of(20), needs({culprit}, 5));
    EXPECT_TRUE(result.within) << culprit;
    EXPECT_EQ(result.float_nodes, Plan{culprit});
    EXPECT_EQ(result.measured, (Measured{0.1, 11.0}));
  }
}

TEST(Budget, AWellRankedCulpritTakesTwoMeasurements) {
  int calls = 0;
  EXPECT_EQ(search_budget(nodes_of(50), needs({"n00"}, 5, &calls)).float_nodes, Plan{"n00"});
  EXPECT_EQ(calls, 2);
}

TEST(Budget, ThreeCulpritsThatOnlyHelpTogetherAreFound) {
  const Plan culprits = {"n02", "n09", "n17"};
  const MeasurePlan measure = [&](const Plan& plan) {
    int healed = 0;
    for (const std::string& name : culprits) healed += plan.contains(name) ? 1 : 0;
    // Worse with one or two of them than with none.
    const double drops[] = {2.0, 3.0, 4.0, 0.2};
    return Measured{drops[healed], 10.0 + static_cast<double>(plan.size())};
  };
  const BudgetResult result = search_budget(nodes_of(20), measure, {.budget = 0.5, .max_measurements = 40});
  EXPECT_TRUE(result.within);
  EXPECT_EQ(result.float_nodes, culprits);
}

TEST(Budget, TheCostliestNodesGoBackFirst) {
  // Any two of the three suffice, so the one to go back to INT8 is the one that costs most.
  const std::vector<BudgetNode> nodes = {{"a", 10, 3, 1}, {"b", 10, 9, 1}, {"c", 20, 4, 1}};
  const MeasurePlan measure = [](const Plan& plan) {
    double ms = 3;
    for (const std::string& name : plan) ms += name == "b" ? 8 : name == "c" ? 3 : 2;
    const bool prefix_only = plan == Plan{"a", "b"};
    return Measured{plan.size() >= 2 && !prefix_only ? 0.0 : 1.0, ms};
  };
  const BudgetResult result = search_budget(nodes, measure);
  EXPECT_EQ(result.float_nodes, (Plan{"a", "c"}));
  EXPECT_EQ(result.measured.ms, 8.0);
}

TEST(Budget, AnImpossibleBudgetGivesTheSmallestDrop) {
  const MeasurePlan measure = [](const Plan& plan) {
    return Measured{9.0 - static_cast<double>(plan.size()), 10.0 + static_cast<double>(plan.size())};
  };
  const BudgetResult result = search_budget(nodes_of(6), measure);
  EXPECT_FALSE(result.within);
  EXPECT_THAT(result.float_nodes, SizeIs(6));
  EXPECT_EQ(result.measured.drop, 3.0);
}

TEST(Budget, NaNIsOutside) {
  const MeasurePlan measure = [](const Plan& plan) { return Measured{plan.empty() ? kNaN : 7.0, 1.0}; };
  const BudgetResult result = search_budget(nodes_of(3), measure);
  EXPECT_FALSE(result.within);
  EXPECT_EQ(result.measured.drop, 7.0);
  EXPECT_FALSE(result.points[0].pareto);
}

TEST(Budget, NeverMeasuresMoreThanAllowedNorAnythingTwice) {
  for (int allowed = 1; allowed <= 30; ++allowed) {
    int calls = 0;
    const Plan culprits = {"n03", "n19", "n31"};
    const BudgetResult result =
        search_budget(nodes_of(40), needs(culprits, 5, &calls), {.budget = 0.5, .max_measurements = allowed});
    EXPECT_LE(calls, allowed);
    EXPECT_THAT(result.points, SizeIs(static_cast<std::size_t>(calls)));
    std::set<Plan> plans;
    for (const PlanPoint& point : result.points) EXPECT_TRUE(plans.insert(point.float_nodes).second) << allowed;
    // Two are enough for a plan inside the budget: all nodes in float.
    EXPECT_EQ(result.within, allowed >= 2) << allowed;
    if (result.within) {
      EXPECT_TRUE(
          std::includes(result.float_nodes.begin(), result.float_nodes.end(), culprits.begin(), culprits.end()));
    }
  }
}

TEST(Budget, MarksWhatNoOtherPlanBeats) {
  const BudgetResult result = search_budget(nodes_of(8), needs({"n02", "n05"}, 5));
  EXPECT_EQ(result.float_nodes, (Plan{"n02", "n05"}));
  int chosen = 0;
  for (const PlanPoint& point : result.points) {
    // All in INT8 is the fastest, the two culprits the fastest healthy plan; every other one is beaten.
    EXPECT_EQ(point.pareto, point.float_nodes.empty() || point.float_nodes == result.float_nodes);
    chosen += point.chosen ? 1 : 0;
    EXPECT_EQ(point.chosen, point.float_nodes == result.float_nodes);
  }
  EXPECT_EQ(chosen, 1);
}

TEST(Budget, TheOrderOfTheNodesDoesNotMatter) {
  std::vector<BudgetNode> nodes = nodes_of(20);
  for (BudgetNode& node : nodes) node.sensitivity_db = 30;
  const BudgetResult forward = search_budget(nodes, needs({"n04", "n11"}, 5));
  std::reverse(nodes.begin(), nodes.end());
  const BudgetResult backward = search_budget(nodes, needs({"n04", "n11"}, 5));
  ASSERT_EQ(forward.points.size(), backward.points.size());
  for (std::size_t i = 0; i < forward.points.size(); ++i) {
    EXPECT_EQ(forward.points[i].float_nodes, backward.points[i].float_nodes);
  }
  EXPECT_EQ(forward.float_nodes, (Plan{"n04", "n11"}));
}

TEST(Budget, WithoutNodesThereIsOnePlan) {
  const BudgetResult result = search_budget({}, needs({"other"}, 5));
  EXPECT_FALSE(result.within);
  EXPECT_THAT(result.points, SizeIs(1));
}

TEST(Budget, RefusesSenselessOptionsAndPassesExceptionsOn) {
  const MeasurePlan measure = needs({}, 5);
  EXPECT_THROW(search_budget(nodes_of(2), measure, {.budget = -1}), Error);
  EXPECT_THROW(search_budget(nodes_of(2), measure, {.budget = kNaN}), Error);
  EXPECT_THROW(search_budget(nodes_of(2), measure, {.budget = 1, .max_measurements = 0}), Error);
  const MeasurePlan stop = [](const Plan&) -> Measured { throw CancelledError("stop"); };
  EXPECT_THROW(search_budget(nodes_of(2), stop), CancelledError);
}

}  // namespace
}  // namespace xinfer::quantize
