#include "quantize/channel_ranges.h"

#include <gtest/gtest.h>

#include <cmath>

#include "graphs.h"

namespace xinfer::quantize {
namespace {

using namespace testing;

std::vector<Sample> random_samples(const ir::Graph& graph, std::size_t count) {
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < count; ++i) {
    samples.push_back({random_batch(graph, 1, static_cast<std::uint32_t>(100 + i)), ""});
  }
  return samples;
}

std::shared_ptr<const ir::Graph> small_graph() {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 3, 6, 6});
  const auto a = net.conv("a", x, 5, 3, ir::UnaryKind::kRelu);
  const auto flat = net.reshape("flat", net.mean("mean", a), {ir::Dim::n(), 5});
  net.done({net.linear("fc", flat, 4)});
  return std::make_shared<const ir::Graph>(net.graph);
}

TEST(ChannelRanges, AreThoseOfTheValues) {
  const auto graph = small_graph();
  const std::vector<Sample> samples = random_samples(*graph, 3);
  const ChannelRanges ranges = measure_channels(SampleRunner(graph, 1), samples);
  ASSERT_EQ(ranges.size(), 4U);  // x, a, flat, fc
  const ir::ValueId a = graph->find_value("a");
  const ChannelStats& stats = ranges.at({a, 1});
  ASSERT_EQ(stats.largest.size(), 5U);
  EXPECT_EQ(stats.count, 3 * 36);
  EXPECT_TRUE(stats.non_negative);
  EXPECT_FALSE(ranges.at({graph->inputs()[0], 1}).non_negative);

  std::vector<float> largest(5, 0.0F);
  std::vector<double> squares(5, 0.0);
  for (const Sample& sample : samples) {
    std::unordered_map<std::string, Tensor> values;
    reference::run(*graph, sample.inputs, &values);
    const auto data = values.at("a").data<float>();
    for (std::size_t i = 0; i < data.size(); ++i) {
      largest[i / 36] = std::max(largest[i / 36], std::fabs(data[i]));
      squares[i / 36] += static_cast<double>(data[i]) * data[i];
    }
  }
  for (std::size_t c = 0; c < 5; ++c) {
    EXPECT_NEAR(stats.largest[c], largest[c], 1e-5F * largest[c] + 1e-6F) << c;
    EXPECT_NEAR(stats.squares[c], squares[c], 1e-4 * squares[c] + 1e-6) << c;
    EXPECT_DOUBLE_EQ(stats.mean_square(c), stats.squares[c] / 108) << c;
  }
}

TEST(ChannelRanges, CountTheLastAxisForLinear) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 7, 6});
  net.done({net.linear("fc", x, 4)});
  const auto graph = std::make_shared<const ir::Graph>(net.graph);
  const ChannelRanges ranges = measure_channels(SampleRunner(graph, 1), random_samples(*graph, 2));
  EXPECT_EQ(ranges.at({graph->inputs()[0], 2}).largest.size(), 6U);
  EXPECT_EQ(ranges.at({graph->inputs()[0], 2}).count, 14);
  EXPECT_EQ(ranges.at({graph->find_value("fc"), 2}).largest.size(), 4U);
}

TEST(ChannelRanges, DontDependOnThreads) {
  const auto graph = small_graph();
  const std::vector<Sample> samples = random_samples(*graph, 37);
  const ChannelRanges alone = measure_channels(SampleRunner(graph, 1), samples);
  std::size_t told = 0;
  const ChannelRanges together =
      measure_channels(SampleRunner(graph, 4), samples, [&](std::size_t done) { told = std::max(told, done); });
  EXPECT_EQ(alone, together);
  EXPECT_EQ(told, 37U);
}

TEST(ChannelRanges, ShowValuesThatAreNotFinite) {
  const auto graph = small_graph();
  std::vector<Sample> samples = random_samples(*graph, 2);
  samples[0].inputs[0] = samples[0].inputs[0].clone();
  samples[0].inputs[0].data<float>()[40] = std::nanf("");
  const ChannelRanges ranges = measure_channels(SampleRunner(graph, 1), samples);
  const ChannelStats& x = ranges.at({graph->inputs()[0], 1});
  EXPECT_FALSE(x.finite());
  EXPECT_TRUE(std::isfinite(x.largest[0]));
  EXPECT_TRUE(std::isnan(x.largest[1]));
}

}  // namespace
}  // namespace xinfer::quantize
