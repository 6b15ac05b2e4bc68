#include "quantize/sensitivity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "quantize/metrics.h"
#include "quantize/remainder.h"
#include "quantize/tensor_quality.h"
#include "samples.h"
#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

using namespace testing;
using ir::OpType;
using ir::UnaryKind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

const ir::Dim kN = ir::Dim::n();

std::shared_ptr<const ir::Graph> shared(const ir::Graph& graph) { return std::make_shared<const ir::Graph>(graph); }

// Residual blocks, a pool and a classifier.
Net residual_net() {
  Net net;
  const auto x = net.input("x", {kN, 3, 12, 12});
  const auto a = net.conv("a", x, 8, 3, UnaryKind::kRelu);
  const auto b = net.conv("b", a, 8, 3, UnaryKind::kRelu);
  const auto c = net.conv("c", b, 8, 3, UnaryKind::kRelu, 1, a);
  const auto d = net.conv("d", net.max_pool("p", c), 8, 3, UnaryKind::kRelu, 8);
  const auto flat = net.reshape("flat", net.mean("m", d), {kN, ir::Dim(8)});
  net.done({net.linear("scores", flat, 5), d});
  return net;
}

// Multiplies one output channel of a layer's weights and bias, and divides the weights of its reader for it: the same
// function, but one channel needs a scale that drowns the others.
void stretch_channel(ir::Graph& graph, const std::string& layer, const std::string& reader, float factor) {
  const auto constant = [&](const std::string& name) { return graph.find_value(name); };
  for (const std::string& name : {layer + ".weight", layer + ".bias"}) {
    ir::Value& value = graph.value(constant(name));
    value.constant = value.constant->clone();
    const auto size = static_cast<std::size_t>(value.constant->numel() / value.constant->dim(0));
    for (std::size_t i = 0; i < size; ++i) value.constant->data<float>()[i] *= factor;
  }
  ir::Value& weights = graph.value(constant(reader + ".weight"));
  weights.constant = weights.constant->clone();
  const auto inputs = static_cast<std::size_t>(weights.constant->dim(1));
  const auto kernel = static_cast<std::size_t>(weights.constant->dim(2) * weights.constant->dim(3));
  for (std::size_t o = 0; o < static_cast<std::size_t>(weights.constant->dim(0)); ++o) {
    for (std::size_t i = 0; i < kernel; ++i) weights.constant->data<float>()[o * inputs * kernel + i] /= factor;
  }
}

Ranges ranges_of(const ir::Graph& graph) { return calibrate_randomly(graph).pick(RangeMethod::kMinMax); }

std::vector<std::string> names_of(const Sensitivity& sensitivity) {
  std::vector<std::string> names;
  for (const LayerSensitivity& layer : sensitivity.layers) names.push_back(layer.node);
  return names;
}

const LayerSensitivity& most_sensitive(const Sensitivity& sensitivity) {
  return *std::max_element(sensitivity.layers.begin(), sensitivity.layers.end(),
                           [](const auto& a, const auto& b) { return a.noise_ratio < b.noise_ratio; });
}

// The noise of a plan in the outputs, by running the whole network on the reference.
double noise_of_plan(const ir::Graph& graph, const Ranges& ranges, const PlanOptions& plan,
                     std::span<const Sample> samples) {
  const ir::Graph quantized = quantize(graph, ranges, plan).graph;
  std::vector<ErrorSums> sums(graph.outputs().size());
  for (const Sample& sample : samples) {
    const std::vector<Tensor> expected = reference::run(graph, sample.inputs);
    const std::vector<Tensor> actual = reference::run(quantized, sample.inputs);
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i].add(expected[i].data<float>(), actual[i].data<float>());
  }
  double total = 0;
  for (const ErrorSums& s : sums) total += s.noise_ratio();
  return total / static_cast<double>(sums.size());
}

PrecisionOverride precision_of(const std::string& glob, Precision precision) {
  return {PrecisionOverride::Match::kGlob, glob, OpType::kConv, precision};
}

TEST(Sensitivity, IsWhatTheWholeNetworkSaysWithOneLayerInInt8) {
  const Net net = residual_net();
  const Ranges ranges = ranges_of(net.graph);
  const std::vector<Sample> samples = random_samples(net.graph, 4);
  const Sensitivity sensitivity = measure_sensitivity(shared(net.graph), ranges, samples);
  EXPECT_THAT(names_of(sensitivity), ElementsAre("a", "b", "c", "d", "scores"));
  EXPECT_FALSE(sensitivity.all_int8_sqnr_db.has_value());
  for (const LayerSensitivity& layer : sensitivity.layers) {
    PlanOptions plan;
    plan.overrides = {precision_of("*", Precision::kFloat), precision_of(layer.node, Precision::kInt8)};
    const double expected = -10 * std::log10(noise_of_plan(net.graph, ranges, plan, samples));
    EXPECT_NEAR(layer.sqnr_db, expected, 0.1) << layer.node;
    EXPECT_GT(expected, 20) << layer.node;
    EXPECT_NEAR(layer.sqnr_db, -10 * std::log10(layer.noise_ratio), 1e-9);
  }
}

TEST(Sensitivity, LeavingALayerOutIsWhatTheWholeNetworkSays) {
  const Net net = residual_net();
  const Ranges ranges = ranges_of(net.graph);
  const std::vector<Sample> samples = random_samples(net.graph, 4);
  SensitivityOptions options;
  options.mode = SensitivityMode::kLeftOut;
  const Sensitivity sensitivity = measure_sensitivity(shared(net.graph), ranges, samples, options);
  EXPECT_THAT(names_of(sensitivity), ElementsAre("a", "b", "c", "d", "scores"));
  EXPECT_NEAR(*sensitivity.all_int8_sqnr_db, -10 * std::log10(noise_of_plan(net.graph, ranges, {}, samples)), 0.2);
  for (const LayerSensitivity& layer : sensitivity.layers) {
    PlanOptions plan;
    plan.overrides = {precision_of(layer.node, Precision::kFloat)};
    EXPECT_NEAR(layer.sqnr_db, -10 * std::log10(noise_of_plan(net.graph, ranges, plan, samples)), 0.2) << layer.node;
  }
}

TEST(Sensitivity, NamesTheLayerThatReadsAnOutlierChannelFirst) {
  Net net = residual_net();
  stretch_channel(net.graph, "b", "c", 1000);
  const Ranges ranges = ranges_of(net.graph);
  const std::vector<Sample> samples = random_samples(net.graph, 4);
  const Sensitivity alone = measure_sensitivity(shared(net.graph), ranges, samples);
  EXPECT_EQ(most_sensitive(alone).node, "c");  // reads b's output in integers
  for (const LayerSensitivity& layer : alone.layers) {
    if (layer.node == "c") continue;
    EXPECT_GT(layer.sqnr_db, most_sensitive(alone).sqnr_db + 10) << layer.node;
  }
  SensitivityOptions options;
  options.mode = SensitivityMode::kLeftOut;
  const Sensitivity left_out = measure_sensitivity(shared(net.graph), ranges, samples, options);
  for (const LayerSensitivity& layer : left_out.layers) {
    if (layer.node == "c") {
      EXPECT_GT(layer.sqnr_db, *left_out.all_int8_sqnr_db + 10);
    } else {
      EXPECT_LT(layer.sqnr_db, *left_out.all_int8_sqnr_db + 3) << layer.node;
    }
  }
}

TEST(Sensitivity, DependsNeitherOnThreadsNorOnMemory) {
  const Net net = residual_net();
  const Ranges ranges = ranges_of(net.graph);
  const std::vector<Sample> samples = random_samples(net.graph, 5);
  for (const SensitivityMode mode : {SensitivityMode::kAlone, SensitivityMode::kLeftOut}) {
    SensitivityOptions options;
    options.mode = mode;
    options.threads = 1;
    const Sensitivity one = measure_sensitivity(shared(net.graph), ranges, samples, options);
    options.threads = 2;
    options.bytes = 1;  // one sample at a time
    const Sensitivity two = measure_sensitivity(shared(net.graph), ranges, samples, options);
    ASSERT_EQ(names_of(one), names_of(two));
    for (std::size_t i = 0; i < one.layers.size(); ++i) {
      EXPECT_EQ(one.layers[i].noise_ratio, two.layers[i].noise_ratio) << one.layers[i].node;
    }
    EXPECT_EQ(one.all_int8_sqnr_db, two.all_int8_sqnr_db);
  }
}

TEST(Sensitivity, TakesOnlyAsManySamplesAsAskedFor) {
  const Net net = residual_net();
  const Ranges ranges = ranges_of(net.graph);
  const std::vector<Sample> samples = random_samples(net.graph, 4);
  SensitivityOptions options;
  options.samples = 2;
  const Sensitivity two_of_four = measure_sensitivity(shared(net.graph), ranges, samples, options);
  const Sensitivity two = measure_sensitivity(shared(net.graph), ranges, std::span(samples).first(2));
  const Sensitivity four = measure_sensitivity(shared(net.graph), ranges, samples);
  EXPECT_EQ(two_of_four.layers[0].noise_ratio, two.layers[0].noise_ratio);
  EXPECT_NE(two_of_four.layers[0].noise_ratio, four.layers[0].noise_ratio);
}

TEST(Sensitivity, LeavesOutLayersThatThePlanRunsInFloat) {
  const Net net = residual_net();
  SensitivityOptions options;
  options.plan.overrides = {precision_of("b", Precision::kFloat)};
  const Sensitivity sensitivity =
      measure_sensitivity(shared(net.graph), ranges_of(net.graph), random_samples(net.graph, 1), options);
  EXPECT_THAT(names_of(sensitivity), ElementsAre("a", "c", "d", "scores"));
  options.plan.overrides = {precision_of("*", Precision::kFloat)};
  EXPECT_THAT(
      measure_sensitivity(shared(net.graph), ranges_of(net.graph), random_samples(net.graph, 1), options).layers,
      IsEmpty());
}

TEST(Sensitivity, UsesTheParametersThatThePlanChose) {
  const Net net = residual_net();
  const Ranges ranges = ranges_of(net.graph);
  const std::vector<Sample> samples = random_samples(net.graph, 2);
  SensitivityOptions options;
  LayerParameters& layer = options.plan.layers["b"];
  layer.weights = quantize_weights(*value_called(net.graph, "b.weight").constant, 0, "b");
  for (std::int8_t& w : layer.weights.values.data<std::int8_t>()) w = static_cast<std::int8_t>(w / 2);
  const Sensitivity worse = measure_sensitivity(shared(net.graph), ranges, samples, options);
  const Sensitivity rounded = measure_sensitivity(shared(net.graph), ranges, samples);
  EXPECT_LT(worse.layers[1].sqnr_db, rounded.layers[1].sqnr_db - 10);
  EXPECT_EQ(worse.layers[0].noise_ratio, rounded.layers[0].noise_ratio);
}

TEST(Sensitivity, CountsProductsOfActivations) {
  Net net;
  const auto x = net.input("x", {kN, 6, 16});
  const auto q = net.linear("q", x, 16);
  const auto k = net.transpose("kt", net.linear("k", x, 16), {0, 2, 1});
  net.done({net.softmax("s", net.graph.add(OpType::kMatMul, "qk", {q, k}, ir::MatMulAttrs{}))});
  CalibrateOptions calibration;
  calibration.plan.quantize_matmul = true;
  const Ranges ranges = calibrate_randomly(net.graph, calibration).pick(RangeMethod::kMinMax);
  SensitivityOptions options;
  options.plan.quantize_matmul = true;
  for (const SensitivityMode mode : {SensitivityMode::kAlone, SensitivityMode::kLeftOut}) {
    options.mode = mode;
    const Sensitivity sensitivity =
        measure_sensitivity(shared(net.graph), ranges, random_samples(net.graph, 2), options);
    EXPECT_THAT(names_of(sensitivity), ElementsAre("q", "k", "qk"));
    for (const LayerSensitivity& layer : sensitivity.layers) EXPECT_GT(layer.noise_ratio, 0) << layer.node;
  }
}

TEST(Sensitivity, ReportsProgressAndCanBeStopped) {
  const Net net = residual_net();
  const Ranges ranges = ranges_of(net.graph);
  const std::vector<Sample> samples = random_samples(net.graph, 2);
  SensitivityOptions options;
  std::vector<std::size_t> seen;
  options.progress = [&seen](std::size_t done, std::size_t total) {
    EXPECT_EQ(total, 6U);
    seen.push_back(done);
  };
  measure_sensitivity(shared(net.graph), ranges, samples, options);
  EXPECT_THAT(seen, ElementsAre(1, 2, 3, 4, 5, 6));
  options.progress = [](std::size_t done, std::size_t) {
    if (done == 3) throw CancelledError("stop");
  };
  EXPECT_THROW(measure_sensitivity(shared(net.graph), ranges, samples, options), CancelledError);
}

TEST(Sensitivity, NeedsSamplesAndOutputs) {
  const Net net = residual_net();
  EXPECT_THAT([&] { measure_sensitivity(shared(net.graph), ranges_of(net.graph), {}); },
              ThrowsMessage<Error>(HasSubstr("no samples")));
  Net integers;
  const auto x = integers.input("x", {kN, 3, 8, 8});
  ir::ArgReduceAttrs attrs;
  attrs.axis = 1;
  integers.done({integers.graph.add(OpType::kArgReduce, "best", {integers.conv("a", x, 8)}, attrs)});
  EXPECT_THAT(
      [&] {
        measure_sensitivity(shared(integers.graph), ranges_of(integers.graph), random_samples(integers.graph, 1));
      },
      ThrowsMessage<Error>(HasSubstr("f32 output")));
}

TEST(Remainder, IsTheChangedLayerAndWhatDependsOnIt) {
  const Net net = residual_net();
  PlanOptions plan;
  plan.overrides = {precision_of("*", Precision::kFloat), precision_of("d", Precision::kInt8)};
  const ir::Graph variant = quantize(net.graph, ranges_of(net.graph), plan).graph;
  const Remainder remainder = remainder_of(net.graph, variant);
  std::vector<std::string> nodes;
  for (const ir::NodeId id : remainder.graph.order()) nodes.push_back(remainder.graph.node(id).name);
  EXPECT_THAT(nodes, ElementsAre("p.quantize", "d", "m", "flat", "scores"));
  EXPECT_THAT(remainder.inputs, ElementsAre(net.graph.find_value("p")));
  // "d" itself is an output too.
  EXPECT_THAT(remainder.outputs, ElementsAre(OutputSource{1, ir::kNone}, OutputSource{0, ir::kNone}));
}

TEST(Remainder, OfEqualGraphsIsEmpty) {
  const Net net = residual_net();
  const ir::Graph quantized = calibrate_and_quantize(net.graph).graph;
  const Remainder remainder = remainder_of(quantized, calibrate_and_quantize(net.graph).graph);
  EXPECT_EQ(remainder.graph.node_count(), 0U);
  EXPECT_THAT(remainder.inputs, IsEmpty());
  EXPECT_THAT(remainder.outputs, ElementsAre(OutputSource{}, OutputSource{}));
}

TEST(Remainder, KnowsOutputsThatAreOtherValuesOfTheBase) {
  Net base;
  const auto x = base.input("x", {kN, 4});
  const auto a = base.linear("a", x, 4);
  const auto b = base.linear("b", a, 4);
  base.done({b, a});
  ir::Graph variant = base.graph;
  variant.set_outputs({a, a});
  const Remainder remainder = remainder_of(base.graph, variant);
  EXPECT_EQ(remainder.graph.node_count(), 0U);
  EXPECT_THAT(remainder.outputs, ElementsAre(OutputSource{{}, a}, OutputSource{}));
}

TEST(Remainder, RefusesGraphsOfOtherInputs) {
  Net a;
  a.done({a.linear("a", a.input("x", {kN, 4}), 4)});
  Net b;
  b.done({b.linear("a", b.input("x", {kN, 5}), 4)});
  EXPECT_THROW(remainder_of(a.graph, b.graph), std::logic_error);
}

TEST(Remainder, SeesOtherConstants) {
  const Net net = residual_net();
  ir::Graph variant = net.graph;
  ir::Value& weights = variant.value(variant.find_value("scores.weight"));
  weights.constant = weights.constant->clone();
  EXPECT_EQ(remainder_of(net.graph, variant).graph.node_count(), 0U);
  weights.constant->data<float>()[0] += 1;
  EXPECT_EQ(remainder_of(net.graph, variant).graph.node_count(), 1U);
}

}  // namespace
}  // namespace xinfer::quantize
