#include "quantize/choose_ranges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graphs.h"
#include "quantize/reconstruct.h"
#include "quantize/sample_runner.h"
#include "samples.h"

namespace xinfer::quantize {
namespace {

using namespace testing;

CalibrationTable table_of(const ir::Graph& graph, const std::vector<Sample>& samples) {
  Calibrator calibrator(graph, reference_runner(graph));
  for (const Sample& sample : samples) calibrator.add(sample.inputs);
  return calibrator.finish().table;
}

double sqnr_of(const ir::Graph& graph, const Ranges& ranges, const std::vector<Sample>& samples,
               const LayerChoices& layers = {}) {
  PlanOptions plan;
  plan.layers = layers;
  const auto quantized = std::make_shared<ir::Graph>(quantize(graph, ranges, plan).graph);
  const auto wanted = SampleRunner(std::make_shared<ir::Graph>(graph), 1).run(samples);
  const auto got = SampleRunner(quantized, 1).run(samples);
  double signal = 0, noise = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto a = wanted[i][0].data<float>(), b = got[i][0].data<float>();
    for (std::size_t k = 0; k < a.size(); ++k) {
      signal += a[k] * a[k];
      noise += (a[k] - b[k]) * (a[k] - b[k]);
    }
  }
  return 10 * std::log10(signal / noise);
}

Net conv_net() {
  Net net;
  const auto a = net.conv("a", net.input("x", {ir::Dim::n(), 3, 8, 8}), 12, 3, ir::UnaryKind::kRelu);
  net.done({net.conv("b", a, 6)});
  return net;
}

TEST(ChooseRanges, IgnoresOutliersThatNobodyReads) {
  // Channel 4 of `a` is large, but `b` hardly reads it: the others deserve the integers.
  Net net = conv_net();
  const auto weights = [&](const char* name) {
    return net.graph.value(net.graph.find_value(name)).constant->data<float>();
  };
  for (float& w : weights("a.weight").subspan(4 * 27, 27)) w *= 30;
  for (std::size_t o = 0; o < 6; ++o) {
    for (float& w : weights("b.weight").subspan((o * 12 + 4) * 9, 9)) w = 0;
  }
  const std::vector<Sample> samples = random_samples(net.graph, 32);
  const CalibrationTable table = table_of(net.graph, samples);
  const auto graph = std::make_shared<ir::Graph>(net.graph);
  const ChosenRanges chosen = choose_ranges(graph, table, {}, samples, 2);
  EXPECT_EQ(chosen.methods.at("a"), "tuned");
  EXPECT_LT(chosen.ranges.at("a").unsigned_threshold, table.pick(RangeMethod::kMse).at("a").unsigned_threshold);
  EXPECT_GT(sqnr_of(net.graph, chosen.ranges, samples), sqnr_of(net.graph, table.pick(RangeMethod::kMse), samples) + 3);
}

TEST(ChooseRanges, KeepsRareTokensWhole) {
  // One token of one sentence in eight is 8 times as large: of little weight in a sum of squares over all tokens, but
  // all of its own row.
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 16, 24});
  net.done({net.layer_norm("norm", net.linear("fc", x, 24))});
  std::vector<Sample> samples = random_samples(net.graph, 64);
  for (std::size_t s = 0; s < samples.size(); s += 8) {
    for (float& v : samples[s].inputs[0].data<float>().subspan(24 * (s % 16), 24)) v *= 8;
  }
  const CalibrationTable table = table_of(net.graph, samples);
  const ChosenRanges chosen = choose_ranges(std::make_shared<ir::Graph>(net.graph), table, {}, samples, 2);
  EXPECT_LT(table.pick(RangeMethod::kMse).at("x").threshold, table.pick(RangeMethod::kMinMax).at("x").threshold);
  EXPECT_EQ(chosen.ranges.at("x"), table.pick(RangeMethod::kMinMax).at("x"));
  EXPECT_EQ(chosen.methods.at("x"), "minmax");
}

TEST(ChooseRanges, LeavesOtherRulesAndMissingSamplesAlone) {
  const Net net = conv_net();
  const std::vector<Sample> samples = random_samples(net.graph, 8);
  const CalibrationTable table = table_of(net.graph, samples);
  const auto graph = std::make_shared<ir::Graph>(net.graph);
  PlanOptions percentile;
  percentile.method = RangeMethod::kPercentile;
  EXPECT_EQ(choose_ranges(graph, table, percentile, samples).ranges, table.pick(RangeMethod::kPercentile));
  EXPECT_EQ(choose_ranges(graph, table, {}, {}).ranges, table.pick(RangeMethod::kMse));
}

TEST(ChooseRanges, DoesNotDependOnThreads) {
  const Net net = conv_net();
  const std::vector<Sample> samples = random_samples(net.graph, 24);
  const CalibrationTable table = table_of(net.graph, samples);
  const auto graph = std::make_shared<ir::Graph>(net.graph);
  EXPECT_EQ(choose_ranges(graph, table, {}, samples, 1).ranges, choose_ranges(graph, table, {}, samples, 3).ranges);
}

TEST(Reconstruct, BringsOutputsCloser) {
  Net net;
  const auto a = net.conv("a", net.input("x", {ir::Dim::n(), 3, 8, 8}), 12, 3, ir::UnaryKind::kRelu);
  net.done({net.linear("fc", net.reshape("flat", net.mean("mean", a), {ir::Dim::n(), 12}), 8)});
  const std::vector<Sample> samples = random_samples(net.graph, 64);
  const std::vector<Sample> others = random_samples(net.graph, 32, 99);
  const Ranges ranges = table_of(net.graph, samples).pick(RangeMethod::kMinMax);
  const Reconstruction found = reconstruct(net.graph, ranges, {}, samples);
  EXPECT_EQ(found.layers.size(), 2U);
  EXPECT_EQ(found.repairs.size(), 2U);
  EXPECT_GT(sqnr_of(net.graph, ranges, others, found.layers), sqnr_of(net.graph, ranges, others));
  ReconstructOptions options;
  options.threads = 3;
  const Reconstruction again = reconstruct(net.graph, ranges, {}, samples, options);
  for (const auto& [name, layer] : found.layers) {
    const auto same = [](const auto& a, const auto& b) { return std::ranges::equal(a, b); };
    EXPECT_TRUE(
        same(layer.weights.values.data<std::int8_t>(), again.layers.at(name).weights.values.data<std::int8_t>()));
    EXPECT_TRUE(same(layer.bias.data<float>(), again.layers.at(name).bias.data<float>())) << "threads show";
  }
  options.correct_bias = false;
  options.adjust_weights = false;
  for (const auto& [name, layer] : reconstruct(net.graph, ranges, {}, samples, options).layers) {
    const auto own = net.graph.value(net.graph.find_value(name + ".bias")).constant->data<float>();
    EXPECT_TRUE(std::ranges::equal(layer.bias.data<float>(), own)) << name;
  }
}

}  // namespace
}  // namespace xinfer::quantize
