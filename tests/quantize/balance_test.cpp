#include "quantize/balance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "graphs.h"
#include "quantize/metrics.h"

namespace xinfer::quantize {
namespace {

using namespace testing;
using ir::UnaryKind;
using ir::ValueId;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<Sample> samples_for(const ir::Graph& graph, std::size_t count = 12) {
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < count; ++i) {
    samples.push_back({random_batch(graph, 1, static_cast<std::uint32_t>(500 + 7 * i)), ""});
  }
  return samples;
}

BalanceResult balance_on_samples(const ir::Graph& graph, const BalanceOptions& options = {}) {
  const SampleRunner runner(std::make_shared<const ir::Graph>(graph), 1);
  return balance(graph, measure_channels(runner, samples_for(graph)), options);
}

std::vector<float> outputs_of(const ir::Graph& graph, const std::vector<Sample>& samples) {
  std::vector<float> all;
  for (const auto& outputs : SampleRunner(std::make_shared<const ir::Graph>(graph), 1).run(samples)) {
    for (const Tensor& tensor : outputs) {
      all.insert(all.end(), tensor.data<float>().begin(), tensor.data<float>().end());
    }
  }
  return all;
}

std::span<float> constant(ir::Graph& graph, const std::string& name) {
  return graph.value(graph.find_value(name)).constant->data<float>();
}

// Multiplies row `channel` of a layer's weights, and its bias; rows are the weights' first axis.
void stretch_output(ir::Graph& graph, const std::string& layer, std::size_t channel, float factor) {
  const auto w = constant(graph, layer + ".weight"), b = constant(graph, layer + ".bias");
  for (float& x : w.subspan(channel * (w.size() / b.size()), w.size() / b.size())) x *= factor;
  b[channel] *= factor;
}

// Multiplies column `channel` (of `channels`) of a layer's weights, of (O, C, kernel...).
void stretch_input(ir::Graph& graph, const std::string& layer, std::size_t channel, std::size_t channels,
                   float factor) {
  const auto w = constant(graph, layer + ".weight");
  const std::size_t taps = w.size() / constant(graph, layer + ".bias").size() / channels;
  for (std::size_t i = 0; i < w.size(); ++i) w[i] *= i / taps % channels == channel ? factor : 1.0F;
}

void expect_same_outputs(const ir::Graph& a, const ir::Graph& b) {
  const std::vector<Sample> samples = samples_for(a);
  EXPECT_EQ(outputs_of(a, samples), outputs_of(b, samples));
}

// Balanced, and the same to the bit.
BalanceResult expect_rescaled(const ir::Graph& graph, std::size_t groups = 1) {
  BalanceResult result = balance_on_samples(graph);
  EXPECT_EQ(result.rescalings.size(), groups);
  expect_same_outputs(graph, result.graph);
  return result;
}

void expect_left_alone(const ir::Graph& graph) {
  const BalanceResult result = balance_on_samples(graph);
  EXPECT_THAT(result.rescalings, IsEmpty());
  EXPECT_THAT(result.findings, IsEmpty());
  for (std::size_t i = 0; i < graph.value_count(); ++i) {
    const ir::Value& before = graph.value(static_cast<ValueId>(i));
    const ir::Value& after = result.graph.value(static_cast<ValueId>(i));
    EXPECT_EQ(before.name, after.name);
    if (before.constant) {
      EXPECT_EQ(before.constant->raw(), after.constant->raw()) << before.name;
    }
  }
}

double int8_sqnr(const ir::Graph& float_graph, const ir::Graph& graph, RangeMethod method) {
  const std::vector<Sample> samples = samples_for(graph);
  Calibrator calibrator(graph, reference_runner(graph));
  for (const Sample& sample : samples) calibrator.add(sample.inputs);
  const QuantizedModel model = quantize(graph, calibrator.finish().table.pick(method));
  EXPECT_GT(model.summary.int8_nodes, 0);
  return sqnr_db(outputs_of(float_graph, samples), outputs_of(model.graph, samples));
}

// -- What is rescaled ---------------------------------------------------------------------------------------------

TEST(Balance, RescalesBetweenConvolutions) {
  Net net;
  const auto a = net.conv("a", net.input("x", {ir::Dim::n(), 3, 8, 8}), 8, 3, UnaryKind::kRelu);
  net.done({net.conv("b", a, 6)});
  stretch_output(net.graph, "a", 3, 300.0F);
  stretch_input(net.graph, "b", 3, 8, 1 / 300.0F);
  const BalanceResult result = expect_rescaled(net.graph);
  const Rescaling& r = result.rescalings[0];
  EXPECT_EQ(r.writer, "a");
  EXPECT_EQ(r.reader, "b");
  EXPECT_GT(r.range_ratio, 100);
  EXPECT_GT(r.sqnr_after, r.sqnr_before + 15);
  ASSERT_EQ(result.findings.size(), 1U);
  EXPECT_EQ(result.findings[0].where, "a");
  EXPECT_THAT(result.findings[0].cause, HasSubstr("times the median"));
  EXPECT_THAT(result.findings[0].remedy, HasSubstr("estimated SQNR of b"));
  EXPECT_EQ(result.findings[0].cost, "none");
}

TEST(Balance, ScalesByPowersOfTwo) {
  Net net;
  const auto a = net.conv("a", net.input("x", {ir::Dim::n(), 3, 8, 8}), 8, 3, UnaryKind::kRelu);
  net.done({net.conv("b", a, 6)});
  stretch_output(net.graph, "a", 3, 300.0F);
  stretch_input(net.graph, "b", 3, 8, 1 / 300.0F);
  const ir::Graph before = net.graph;
  ir::Graph after = expect_rescaled(before).graph;
  const auto old_bias = *before.value(before.find_value("a.bias")).constant;
  for (std::size_t c = 0; c < 8; ++c) {
    const float ratio = constant(after, "a.bias")[c] / old_bias.data<float>()[c];
    EXPECT_EQ(std::ldexp(1.0F, std::ilogb(ratio)), ratio) << c;
  }
}

TEST(Balance, PassesThroughLeakyReluPoolAndMean) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 3, 8, 8});
  const auto leaky = net.unary("leaky", net.conv("a", x, 8), UnaryKind::kLeakyRelu);
  const auto mean = net.mean("mean", net.max_pool("pool", leaky));
  net.done({net.linear("fc", net.reshape("flat", mean, {ir::Dim::n(), 8}), 5)});
  stretch_output(net.graph, "a", 2, 500.0F);
  stretch_input(net.graph, "fc", 2, 8, 1 / 500.0F);
  EXPECT_EQ(expect_rescaled(net.graph).rescalings[0].reader, "fc");
}

TEST(Balance, RescalesBetweenLinearLayers) {
  Net net;
  const auto a = net.linear("a", net.input("x", {ir::Dim::n(), 10, 16}), 12, UnaryKind::kRelu);
  net.done({net.linear("b", a, 6)});
  stretch_output(net.graph, "a", 0, 200.0F);
  stretch_input(net.graph, "b", 0, 12, 1 / 200.0F);
  expect_rescaled(net.graph);
}

TEST(Balance, RescalesWhatIsFlattened) {
  Net net;
  const auto a = net.conv("a", net.input("x", {ir::Dim::n(), 3, 4, 4}), 8, 3, UnaryKind::kRelu);
  net.done({net.linear("fc", net.reshape("flat", a, {ir::Dim::n(), 8 * 16}), 5)});
  stretch_output(net.graph, "a", 7, 500.0F);
  for (std::size_t i = 0; i < 16; ++i) stretch_input(net.graph, "fc", 7 * 16 + i, 8 * 16, 1 / 500.0F);
  expect_rescaled(net.graph);
}

TEST(Balance, FollowsConcatAndSplit) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 3, 6, 6});
  const auto both =
      net.concat("both", {net.conv("a", x, 4, 3, UnaryKind::kRelu), net.unary("silu", x, UnaryKind::kSilu),
                          net.conv("b", x, 4, 1, UnaryKind::kRelu)});
  const ir::NodeId split = net.graph.add_node(ir::OpType::kSplit, "split", {both}, ir::SplitAttrs{1, {5, 6}}, 2);
  const std::vector<ValueId> parts = net.graph.node(split).outputs;
  net.done({net.conv("left", parts[0], 4), net.conv("right", parts[1], 4)});
  stretch_output(net.graph, "b", 1, 400.0F);  // channel 8 of both, 3 of the right part
  stretch_input(net.graph, "right", 3, 6, 1 / 400.0F);
  const BalanceResult result = balance_on_samples(net.graph);
  ASSERT_FALSE(result.rescalings.empty());
  EXPECT_EQ(result.rescalings.back().writer, "b");
  EXPECT_EQ(result.rescalings.back().reader, "right");
  expect_same_outputs(net.graph, result.graph);
}

TEST(Balance, ScalesResidualsAlike) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 3, 6, 6});
  const auto a = net.conv("a", x, 8);
  const auto b = net.conv("b", net.conv("b0", a, 8, 3, UnaryKind::kSilu), 8, 3, UnaryKind::kRelu, 1, a);
  const auto c = net.add("c", b, net.conv("c0", b, 8, 1, UnaryKind::kRelu));
  net.done({net.conv("d", c, 5)});
  for (const char* layer : {"a", "b", "c0"}) stretch_output(net.graph, layer, 4, 300.0F);
  for (const char* layer : {"b0", "c0", "d"}) stretch_input(net.graph, layer, 4, 8, 1 / 300.0F);
  const BalanceResult result = expect_rescaled(net.graph);
  EXPECT_EQ(result.rescalings[0].writer, "a");
}

TEST(Balance, MigratesFromLayerNormToAllItsReaders) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 10, 16});
  const auto norm = net.layer_norm("norm", x);
  const auto qk = net.binary("qk", net.linear("q", norm, 16), net.linear("k", norm, 16), ir::BinaryKind::kMul);
  net.done({net.add("sum", qk, net.linear("v", norm, 16))});
  for (const char* name : {"norm.scale", "norm.bias"}) constant(net.graph, name)[5] *= 1000.0F;
  for (const char* layer : {"q", "k", "v"}) stretch_input(net.graph, layer, 5, 16, 1e-3F);
  EXPECT_EQ(expect_rescaled(net.graph).rescalings[0].writer, "norm");

  BalanceOptions off;
  off.migrate = false;
  EXPECT_THAT(balance_on_samples(net.graph, off).rescalings, IsEmpty());
}

TEST(Balance, PassesThroughAttentionFromItsValues) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 6, 16});
  const auto heads = [&](const std::string& name) {
    const auto y = net.reshape(name + ".heads", net.linear(name, x, 16), {ir::Dim::n(), 6, 4, 4});
    return net.transpose(name + ".swap", y, {0, 2, 1, 3});
  };
  const std::vector<ValueId> qkv = {heads("q"), heads("k"), heads("v")};
  const auto y = net.graph.add(ir::OpType::kAttention, "att", qkv, ir::AttentionAttrs{0.5F, false});
  const auto joined = net.reshape("join", net.transpose("back", y, {0, 2, 1, 3}), {ir::Dim::n(), 6, 16});
  net.done({net.linear("out", joined, 8)});
  stretch_output(net.graph, "v", 9, 600.0F);
  stretch_input(net.graph, "out", 9, 16, 1 / 600.0F);
  const BalanceResult result = expect_rescaled(net.graph);
  EXPECT_EQ(result.rescalings[0].writer, "v");
  EXPECT_EQ(result.rescalings[0].reader, "out");
}

TEST(Balance, RescalesTransposedConvolutions) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 4, 5, 5});
  ir::ConvAttrs attrs;
  attrs.strides = {2, 2};
  attrs.epilogue.activation = UnaryKind::kRelu;
  const auto a = net.conv("a", x, 6, 1, UnaryKind::kRelu);
  const auto up = net.graph.add(ir::OpType::kConvTranspose, "up",
                                {a, net.weights("up", {6, 5, 2, 2}, 0.2F), net.bias("up", 5)}, attrs);
  net.done({net.conv("b", up, 3)});
  stretch_output(net.graph, "a", 1, 300.0F);
  const auto w = constant(net.graph, "up.weight");  // (C, O, 2, 2)
  for (float& v : w.subspan(20, 20)) v /= 300.0F;
  for (std::size_t i = 0; i < w.size(); ++i) w[i] *= i / 4 % 5 == 2 ? 500.0F : 1.0F;
  constant(net.graph, "up.bias")[2] *= 500.0F;
  stretch_input(net.graph, "b", 2, 5, 1 / 500.0F);
  expect_rescaled(net.graph, 2);
}

TEST(Balance, ClonesSharedWeights) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 4, 6, 6});
  const auto a = net.conv("a", x, 4, 3, UnaryKind::kRelu);
  const auto shared = net.graph.find_value("a.weight");
  const auto b = net.graph.add(ir::OpType::kConv, "b", {a, shared}, net.graph.node(net.graph.value(a).producer).attrs);
  net.done({net.graph.add(ir::OpType::kConv, "c", {net.unary("silu", b, UnaryKind::kSilu), shared},
                          ir::ConvAttrs{{}, {}, {1, 1, 1, 1}, {}, 1, {}})});
  // Rows of a are columns of b: stretched in one, shrunk in the other.
  const auto w = constant(net.graph, "a.weight");
  for (std::size_t i = 0; i < w.size(); ++i) w[i] *= i / 36 == 2 ? 300.0F : i / 9 % 4 == 2 ? 1 / 300.0F : 1.0F;
  const BalanceResult result = balance_on_samples(net.graph);
  ASSERT_FALSE(result.rescalings.empty());
  expect_same_outputs(net.graph, result.graph);
  EXPECT_EQ(result.graph.value(shared).constant->raw(), net.graph.value(shared).constant->raw());
}

TEST(Balance, KeepsNamesAndIds) {
  Net net;
  const auto a = net.conv("a", net.input("x", {ir::Dim::n(), 3, 8, 8}), 8, 3, UnaryKind::kRelu);
  net.done({net.conv("b", a, 6)});
  stretch_output(net.graph, "a", 3, 300.0F);
  const BalanceResult result = expect_rescaled(net.graph);
  ASSERT_GE(result.graph.value_count(), net.graph.value_count());
  for (std::size_t i = 0; i < net.graph.value_count(); ++i) {
    EXPECT_EQ(result.graph.value(static_cast<ValueId>(i)).name, net.graph.value(static_cast<ValueId>(i)).name);
  }
  EXPECT_EQ(result.graph.output_names(), net.graph.output_names());
}

TEST(Balance, TakesTheAlphaAskedFor) {
  Net net;
  const auto a = net.conv("a", net.input("x", {ir::Dim::n(), 3, 8, 8}), 8, 3, UnaryKind::kRelu);
  net.done({net.conv("b", a, 6)});
  stretch_output(net.graph, "a", 3, 300.0F);
  stretch_input(net.graph, "b", 3, 8, 1 / 300.0F);
  BalanceOptions options;
  options.alpha = 0.75F;
  const BalanceResult result = balance_on_samples(net.graph, options);
  ASSERT_EQ(result.rescalings.size(), 1U);
  EXPECT_EQ(result.rescalings[0].alpha, 0.75F);
  expect_same_outputs(net.graph, result.graph);
}

TEST(Balance, RefusesTheRangesOfAnotherGraph) {
  Net net;
  net.done({net.conv("b", net.conv("a", net.input("x", {ir::Dim::n(), 3, 8, 8}), 8), 6)});
  EXPECT_THROW(balance(net.graph, ChannelRanges{}), std::logic_error);
}

// -- What is left alone -------------------------------------------------------------------------------------------

TEST(Balance, LeavesHealthyNetworksAlone) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 3, 8, 8});
  const auto a = net.conv("a", x, 16, 3, UnaryKind::kRelu);
  const auto b = net.conv("b", a, 16, 3, UnaryKind::kRelu, 1, a);
  net.done({net.linear("fc", net.reshape("flat", net.mean("mean", b), {ir::Dim::n(), 16}), 4)});
  BalanceOptions options;
  options.least_gain_db = 3;
  EXPECT_THAT(balance_on_samples(net.graph, options).rescalings, IsEmpty());
}

TEST(Balance, LeavesGraphOutputsAlone) {
  Net net;
  const auto a = net.conv("a", net.input("x", {ir::Dim::n(), 3, 8, 8}), 8, 3, UnaryKind::kRelu);
  const auto b = net.conv("b", a, 6);
  net.done({b, a});
  stretch_output(net.graph, "a", 3, 300.0F);
  stretch_input(net.graph, "b", 3, 8, 1 / 300.0F);
  expect_left_alone(net.graph);
}

TEST(Balance, StopsAtOtherActivations) {
  for (const UnaryKind kind : {UnaryKind::kSilu, UnaryKind::kGelu, UnaryKind::kHardSwish, UnaryKind::kTanh}) {
    Net net;
    const auto a = net.conv("a", net.input("x", {ir::Dim::n(), 3, 8, 8}), 8, 3, kind);
    net.done({net.conv("b", net.unary("again", a, kind), 6)});
    stretch_output(net.graph, "a", 3, 30.0F);
    stretch_input(net.graph, "b", 3, 8, 1 / 30.0F);
    expect_left_alone(net.graph);
  }
}

// What a transformer that normalises behind its sums has: the sum goes through the next normalisation.
Net residual_net(UnaryKind activation = UnaryKind::kGelu) {
  Net net;
  const auto norm = net.layer_norm("norm", net.input("x", {ir::Dim::n(), 10, 16}));
  const auto up = net.linear("up", norm, 32, activation);
  const auto down = net.linear("down", up, 16, UnaryKind::kIdentity, norm);
  net.done({net.layer_norm("norm2", down)});
  for (const char* name : {"norm.scale", "norm.bias"}) constant(net.graph, name)[5] *= 100.0F;
  stretch_input(net.graph, "up", 5, 16, 0.01F);
  return net;
}

TEST(Balance, AddsAPointWhereAResidualCannotFollow) {
  const Net net = residual_net(UnaryKind::kTanh);
  const BalanceResult result = expect_rescaled(net.graph);
  EXPECT_TRUE(result.changed);
  const ir::ValueId point = result.graph.find_value("norm.migrated");
  ASSERT_NE(point, ir::kNone);
  const auto reader = [&](const char* name) {
    return result.graph.node(result.graph.value(result.graph.find_value(name)).producer);
  };
  EXPECT_EQ(reader("up").inputs[0], point);
  EXPECT_EQ(reader("down").inputs[3], result.graph.find_value("norm")) << "the sum reads what was written";
  const double before = int8_sqnr(net.graph, net.graph, RangeMethod::kMinMax);
  EXPECT_GT(int8_sqnr(net.graph, result.graph, RangeMethod::kMinMax), before + 10);
}

TEST(Balance, AddsNoPointWithoutMigration) {
  const Net net = residual_net();
  BalanceOptions options;
  options.migrate = false;
  const BalanceResult result = balance_on_samples(net.graph, options);
  EXPECT_FALSE(result.changed);
  EXPECT_EQ(result.graph.value_count(), net.graph.value_count());
}

TEST(Balance, LiftsWhatFallsALittleBelowZero) {
  for (const UnaryKind kind : {UnaryKind::kGelu, UnaryKind::kGeluTanh, UnaryKind::kSilu, UnaryKind::kMish}) {
    Net net;
    const auto x = net.input("x", {ir::Dim::n(), 10, 16});
    net.done({net.linear("down", net.linear("up", x, 32, kind), 16)});
    for (float& w : constant(net.graph, "up.weight")) w *= 4;  // far above zero
    const BalanceResult result = balance_on_samples(net.graph);
    EXPECT_TRUE(result.changed) << name_of(kind);
    const std::vector<Sample> samples = samples_for(net.graph);
    EXPECT_GT(sqnr_db(outputs_of(net.graph, samples), outputs_of(result.graph, samples)), 110) << "but for rounding";
    const ir::ValueId lifted = result.graph.find_value("up.lifted");
    ASSERT_NE(lifted, ir::kNone) << name_of(kind);
    EXPECT_EQ(result.graph.node(result.graph.value(result.graph.find_value("down")).producer).inputs[0], lifted);
    for (const auto& outputs : SampleRunner(std::make_shared<ir::Graph>(result.graph), 1).run(samples)) {
      EXPECT_EQ(outputs.size(), 1U);
    }
    const double before = int8_sqnr(net.graph, net.graph, RangeMethod::kMinMax);
    const double after = int8_sqnr(net.graph, result.graph, RangeMethod::kMinMax);
    EXPECT_GT(after, before + 2) << name_of(kind);
  }
}

TEST(Balance, LiftsNothingThatGainsNoRange) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 10, 16});
  net.done({net.linear("down", net.linear("up", x, 32, UnaryKind::kGelu), 16)});
  for (const char* name : {"up.weight", "up.bias"}) {
    for (float& w : constant(net.graph, name)) w *= 0.1F;  // as far below zero as above
  }
  EXPECT_EQ(balance_on_samples(net.graph).graph.find_value("up.lifted"), ir::kNone);
}

TEST(Balance, LeavesQueriesAndKeysAlone) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 2, 6, 8});
  const auto y = net.graph.add(ir::OpType::kAttention, "att", {net.linear("q", x, 8), net.linear("k", x, 8), x},
                               ir::AttentionAttrs{0.5F, false});
  net.done({y});
  stretch_output(net.graph, "q", 2, 300.0F);
  expect_left_alone(net.graph);
}

TEST(Balance, HasASwitchForConvolutions) {
  Net net;
  const auto a = net.conv("a", net.input("x", {ir::Dim::n(), 3, 8, 8}), 8, 3, UnaryKind::kRelu);
  net.done({net.conv("b", a, 6)});
  stretch_output(net.graph, "a", 3, 300.0F);
  BalanceOptions off;
  off.equalize = false;
  EXPECT_THAT(balance_on_samples(net.graph, off).rescalings, IsEmpty());
}

// -- Clips ----------------------------------------------------------------------------------------------------------

TEST(Balance, RescalesBelowClips) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 3, 8, 8});
  const auto expand = net.conv("expand", x, 16, 1, UnaryKind::kClip);
  const auto depthwise = net.conv("depthwise", expand, 16, 3, UnaryKind::kClip, 16);
  net.done({net.conv("project", depthwise, 8, 1)});
  for (std::size_t c = 0; c < 16; ++c) {
    const float expand_factor = c == 0 ? 4.0F : 0.02F, depthwise_factor = c == 0 ? 1.0F : 0.02F;
    stretch_output(net.graph, "expand", c, expand_factor);
    stretch_output(net.graph, "depthwise", c, depthwise_factor / expand_factor);
    stretch_input(net.graph, "project", c, 16, 1 / depthwise_factor);
  }
  const BalanceResult result = expect_rescaled(net.graph, 2);
  const SampleRunner runner(std::make_shared<const ir::Graph>(result.graph), 1);
  const ChannelRanges after = measure_channels(runner, samples_for(net.graph));
  for (const char* name : {"expand", "depthwise"}) {
    for (const float largest : after.at({result.graph.find_value(name), 1}).largest) EXPECT_LE(largest, 6.0F);
  }
}

TEST(Balance, KeepsChannelsThatReachTheirClip) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 3, 8, 8});
  const auto a = net.conv("a", x, 8, 1, UnaryKind::kClip);
  net.done({net.conv("b", a, 6, 1)});
  for (std::size_t c = 0; c < 8; ++c) {
    stretch_output(net.graph, "a", c, c == 3 ? 50.0F : 0.01F);
    stretch_input(net.graph, "b", c, 8, c == 3 ? 1 / 50.0F : 100.0F);
  }
  ir::Graph before = net.graph;
  ir::Graph after = expect_rescaled(net.graph).graph;
  EXPECT_EQ(constant(after, "a.bias")[3], constant(before, "a.bias")[3]);
  EXPECT_GT(std::fabs(constant(after, "a.bias")[2]), std::fabs(constant(before, "a.bias")[2]));
}

// -- Stress: what plain calibration loses
// ------------------------------------------------------------------------------

TEST(BalanceStress, DepthwiseChannelOfThousandfoldRange) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 3, 12, 12});
  const auto expand = net.conv("expand", x, 16, 1, UnaryKind::kRelu);
  const auto depthwise = net.conv("depthwise", expand, 16, 3, UnaryKind::kRelu, 16);
  net.done({net.conv("project", depthwise, 8, 1)});
  stretch_output(net.graph, "expand", 4, 1000.0F);
  stretch_output(net.graph, "depthwise", 9, 1000.0F);
  const auto w = constant(net.graph, "depthwise.weight");
  for (float& v : w.subspan(4 * 9, 9)) v /= 1000.0F;
  stretch_input(net.graph, "project", 9, 16, 1e-3F);
  const ir::Graph balanced = expect_rescaled(net.graph, 2).graph;
  for (const RangeMethod method : {RangeMethod::kMinMax, RangeMethod::kMse}) {
    const double before = int8_sqnr(net.graph, net.graph, method);
    const double after = int8_sqnr(net.graph, balanced, method);
    std::printf("depthwise, %s: %.1f -> %.1f dB\n", std::string(name_of(method)).c_str(), before, after);
    EXPECT_LT(before, 10) << name_of(method);
    EXPECT_GT(after, 25) << name_of(method);
  }
}

TEST(BalanceStress, LayerNormWithAnOutlierChannel) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 10, 32});
  const auto norm = net.layer_norm("norm", x);
  const auto hidden = net.linear("up", norm, 64, UnaryKind::kGelu);
  net.done({net.linear("down", hidden, 32, UnaryKind::kIdentity, x)});
  for (const char* name : {"norm.scale", "norm.bias"}) constant(net.graph, name)[11] *= 1000.0F;
  stretch_input(net.graph, "up", 11, 32, 1e-3F);
  const ir::Graph balanced = balance_on_samples(net.graph).graph;
  for (const RangeMethod method : {RangeMethod::kMinMax, RangeMethod::kMse}) {
    const double before = int8_sqnr(net.graph, net.graph, method);
    const double after = int8_sqnr(net.graph, balanced, method);
    std::printf("norm, %s: %.1f -> %.1f dB\n", std::string(name_of(method)).c_str(), before, after);
    EXPECT_LT(before, 15) << name_of(method);
    EXPECT_GT(after, 25) << name_of(method);
  }
}

}  // namespace
}  // namespace xinfer::quantize
