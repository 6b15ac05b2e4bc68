// The search for layers that are faster in half precision, on networks whose times are made up.
#include "builders/never_slower.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace xinfer::builders {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// x -> n0 -> n1 -> ... -> y, all in INT8; conversions take `convert` each, at every batch size.
SpeedModel chain(const std::vector<std::pair<double, double>>& int8_and_float, double convert,
                 std::vector<std::int64_t> batches = {8}) {
  SpeedModel model;
  model.batches = std::move(batches);
  const auto times = [&](double us) { return BatchTimes(model.batches.size(), us); };
  for (std::size_t i = 0; i < int8_and_float.size(); ++i) {
    const auto [int8, in_float] = int8_and_float[i];
    model.nodes.push_back({fmt::format("n{}", i), true, true, true, times(int8), times(in_float)});
  }
  for (int i = -1; i < static_cast<int>(model.nodes.size()); ++i) {
    const bool last = i + 1 == static_cast<int>(model.nodes.size());
    model.tensors.push_back({"", i, last ? std::vector<int>{} : std::vector<int>{i + 1}, last, times(convert)});
  }
  return model;
}

/// Times of a chain, counted without the search's help.
BatchTimes chain_times(const SpeedModel& model, const std::set<std::string>& float_nodes) {
  BatchTimes total(model.batches.size(), 0.0);
  bool int8_before = false;
  for (std::size_t i = 0; i < model.nodes.size(); ++i) {
    const SpeedNode& node = model.nodes[i];
    const bool int8 = !float_nodes.contains(node.name) && node.int8;
    for (std::size_t b = 0; b < total.size(); ++b) {
      total[b] += int8 ? node.int8_us[b] : node.float_us[b];
      if (int8 && !int8_before) total[b] += model.tensors[i].convert_us[b];
    }
    int8_before = int8;
  }
  return total;  // the last node writes reals itself
}

struct Recorder {
  const SpeedModel& model;
  std::vector<std::set<std::string>> asked{};
  /// What the device says, where that is not what the single times promise.
  std::function<void(const std::set<std::string>&, BatchTimes&)> surprise{};

  NeverSlowerResult search(const NeverSlowerOptions& options = {}) {
    return search_never_slower(
        model,
        [&](const std::set<std::string>& nodes) {
          asked.push_back(nodes);
          BatchTimes times = chain_times(model, nodes);
          if (surprise) surprise(nodes, times);
          return times;
        },
        options);
  }
};

std::vector<std::string> names(const NeverSlowerResult& result) {
  std::vector<std::string> list;
  for (const SlowInInt8& moved : result.moved) list.push_back(moved.node);
  return list;
}

TEST(NeverSlower, LeavesANetworkAloneWhoseInt8IsFaster) {
  const SpeedModel model = chain({{5, 9}, {6, 10}, {7, 12}}, 2);
  Recorder recorder{model};
  const NeverSlowerResult result = recorder.search();
  EXPECT_THAT(result.moved, IsEmpty());
  EXPECT_EQ(result.measurements, 1) << "nothing promised anything";
  EXPECT_EQ(result.before_us, result.after_us);
  EXPECT_FALSE(result.all_promised);
}

TEST(NeverSlower, MovesALayerThatIsSlowerEvenWithConversions) {
  const SpeedModel model = chain({{5, 9}, {30, 10}, {7, 12}}, 3);
  Recorder recorder{model};
  const NeverSlowerResult result = recorder.search();
  EXPECT_THAT(names(result), ElementsAre("n1"));
  EXPECT_EQ(result.moved[0].reason, "INT8 was slower than FP16 here (30.0 against 13.0 us with conversions, batch 8)");
  EXPECT_THAT(result.before_us, ElementsAre(5 + 30 + 7 + 3));
  EXPECT_THAT(result.after_us, ElementsAre(5 + 10 + 7 + 2 * 3));
}

TEST(NeverSlower, CountsTheConversionsThatAMoveBrings) {
  const SpeedModel model = chain({{5, 9}, {12, 8}, {7, 12}}, 5);
  Recorder recorder{model};
  EXPECT_THAT(recorder.search().moved, IsEmpty());
  EXPECT_EQ(recorder.asked.size(), 1U);
}

TEST(NeverSlower, CountsTheConversionsThatVanish) {
  // The first layer is not slower by itself, but the quantization of its input is.
  const SpeedModel kept = chain({{5, 6}, {7, 12}}, 0.5);
  EXPECT_THAT(Recorder{kept}.search().moved, IsEmpty());
  SpeedModel model = kept;
  model.tensors[0].convert_us = {9};
  const NeverSlowerResult result = Recorder{model}.search();
  EXPECT_THAT(names(result), ElementsAre("n0"));
  EXPECT_THAT(result.moved[0].reason, HasSubstr("14.0 against 6.5 us"));
}

TEST(NeverSlower, MovesNeighboursTogetherWhereNoneWouldGainAlone) {
  const SpeedModel model = chain({{20, 30}, {15, 10}, {15, 10}, {20, 30}}, 8);
  Recorder recorder{model};
  const NeverSlowerResult result = recorder.search();
  EXPECT_THAT(names(result), ElementsAre("n1", "n2"));
  EXPECT_EQ(result.moved[0].reason,
            "INT8 was slower than FP16 here (30.0 against 28.0 us with conversions for 2 nodes, batch 8)");
  EXPECT_EQ(result.moved[1].reason, result.moved[0].reason);
}

TEST(NeverSlower, LeavesNodesAloneThatTheUserDecidedOn) {
  SpeedModel model = chain({{5, 9}, {30, 10}, {7, 12}}, 3);
  model.nodes[1].movable = false;
  EXPECT_THAT(Recorder{model}.search().moved, IsEmpty());
}

TEST(NeverSlower, KeepsNothingThatDoesNotMeasureFaster) {
  const SpeedModel model = chain({{5, 9}, {30, 10}, {7, 12}, {30, 10}, {5, 9}}, 3);
  Recorder recorder{model};
  recorder.surprise = [](const auto& nodes, BatchTimes& times) {
    if (!nodes.empty()) times = {80};  // as long as before
  };
  const NeverSlowerResult result = recorder.search();
  EXPECT_THAT(result.moved, IsEmpty());
  EXPECT_EQ(result.before_us, result.after_us);
  EXPECT_THAT(recorder.asked, ElementsAre(IsEmpty(), ElementsAre("n1", "n3"), ElementsAre("n1"), ElementsAre("n3")));
}

TEST(NeverSlower, KeepsTheGroupThatPaysOfTwoThatDoNotTogether) {
  const SpeedModel model = chain({{5, 9}, {30, 10}, {7, 12}, {40, 10}, {5, 9}}, 3);
  Recorder recorder{model};
  recorder.surprise = [](const auto& nodes, BatchTimes& times) {
    if (nodes.contains("n3")) times[0] += 60;  // it promises more, but it isn't true
  };
  const NeverSlowerResult result = recorder.search();
  EXPECT_THAT(names(result), ElementsAre("n1"));
  EXPECT_THAT(recorder.asked, ElementsAre(IsEmpty(), ElementsAre("n1", "n3"), ElementsAre("n3"), ElementsAre("n1")));
}

TEST(NeverSlower, StopsMeasuringInTime) {
  const SpeedModel model = chain({{5, 9}, {30, 10}, {7, 12}, {40, 10}, {5, 9}}, 3);
  Recorder recorder{model};
  recorder.surprise = [](const auto& nodes, BatchTimes& times) { times[0] += nodes.empty() ? 0 : 1000; };
  EXPECT_EQ(recorder.search({.max_measurements = 2}).measurements, 2);
  EXPECT_EQ(recorder.asked.size(), 2U);
}

TEST(NeverSlower, SacrificesNoBatchSize) {
  SpeedModel model = chain({{5, 9}, {30, 10}, {7, 12}}, 3, {1, 32});
  const auto with_loss = [&](double factor) {
    Recorder recorder{model};
    recorder.surprise = [factor](const auto& nodes, BatchTimes& times) {
      if (!nodes.empty()) times[0] = 45 * factor;  // batch 1; 45 before
    };
    return recorder.search();
  };
  EXPECT_THAT(with_loss(1.05).moved, IsEmpty()) << "though batch 32 gains more than that";
  EXPECT_THAT(names(with_loss(1.005)), ElementsAre("n1"));
}

TEST(NeverSlower, GivesTheBatchSizeThatGainsMost) {
  SpeedModel model = chain({{5, 9}, {30, 10}, {7, 12}}, 3, {1, 32});
  model.nodes[1].int8_us = {40, 30};
  EXPECT_THAT(Recorder{model}.search().moved.at(0).reason,
              HasSubstr("(40.0 against 13.0 us with conversions, batch 1)"));
}

TEST(NeverSlower, LeavesOneNodeInInt8) {
  const SpeedModel model = chain({{10, 4}}, 1);
  Recorder recorder{model};
  const NeverSlowerResult result = recorder.search();
  EXPECT_THAT(result.moved, IsEmpty()) << "a float engine was not asked for";
  EXPECT_TRUE(result.all_promised);
  EXPECT_EQ(recorder.asked.size(), 1U);
}

TEST(NeverSlower, DistrustsTimesThatAreNone) {
  const SpeedModel model = chain({{5, 9}, {30, 10}, {7, 12}}, 3);
  for (const double odd : {std::numeric_limits<double>::quiet_NaN(), 0.0, -1.0}) {
    Recorder after{model};
    after.surprise = [odd](const auto& nodes, BatchTimes& times) { times = nodes.empty() ? times : BatchTimes{odd}; };
    EXPECT_THAT(after.search().moved, IsEmpty()) << odd;
    Recorder before{model};
    before.surprise = [odd](const auto& nodes, BatchTimes& times) { times = nodes.empty() ? BatchTimes{odd} : times; };
    EXPECT_THAT(before.search().moved, IsEmpty()) << odd;
  }
  SpeedModel incomplete = model;
  incomplete.nodes[0].float_us.clear();
  EXPECT_THROW(Recorder{incomplete}.search(), std::logic_error);
  EXPECT_THROW(search_never_slower(model, [](const auto&) { return BatchTimes{}; }), std::logic_error);
}

}  // namespace
}  // namespace xinfer::builders
