#include "quantize/overrides.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graphs.h"
#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Match = PrecisionOverride::Match;

Net chain() {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 3, 8, 8});
  const auto a = net.conv("/body/a", x, 4, 3, ir::UnaryKind::kRelu);
  const auto b = net.conv("/body/b", a, 4, 3, ir::UnaryKind::kRelu);
  const auto c = net.conv("/head/c", b, 4, 3, ir::UnaryKind::kRelu);
  const auto mean = net.reshape("/head/flat", net.mean("/head/mean", c), {ir::Dim::n(), 4});
  net.done({net.linear("/head/fc", mean, 2)});
  return net;
}

PrecisionOverride float_node(const std::string& name) { return {Match::kNode, name, {}, Precision::kFloat}; }

TEST(Glob, Matches) {
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("/head/*", "/head/a/b"));
  EXPECT_TRUE(glob_matches("*conv?", "/layer1/conv2"));
  EXPECT_TRUE(glob_matches("a*b*c", "aXbXbXc"));
  EXPECT_TRUE(glob_matches("exact", "exact"));
  EXPECT_FALSE(glob_matches("exact", "exactly"));
  EXPECT_FALSE(glob_matches("a?c", "ac"));
  EXPECT_FALSE(glob_matches("", "a"));
  EXPECT_FALSE(glob_matches("*b", "abc"));
}

TEST(Overrides, ANodeRunsInFloatWithConversionsAroundIt) {
  const Net net = chain();
  PlanOptions options;
  options.overrides = {float_node("/body/b")};
  const QuantizedModel model = calibrate_and_quantize(net.graph, options);
  EXPECT_EQ(decision_for(model, "/body/b").precision, Precision::kFloat);
  EXPECT_EQ(decision_for(model, "/body/b").reason, "override of node '/body/b'");
  EXPECT_EQ(value_called(model.graph, "/body/a").dtype, DataType::kFloat32) << "it writes f32 directly";
  EXPECT_EQ(model.summary.quantize_nodes, 2);
  EXPECT_EQ(model.summary.dequantize_nodes, 0);
  options.overrides[0].why = "it was measured";
  EXPECT_EQ(decision_for(calibrate_and_quantize(net.graph, options), "/body/b").reason, "it was measured");
}

TEST(Overrides, RangesOfAnEarlierCalibrationServeAnyOverride) {
  const Net net = chain();
  const CalibrationTable table = calibrate_randomly(net.graph);
  for (const char* name : {"/body/a", "/body/b", "/head/c", "/head/mean", "/head/flat", "/head/fc"}) {
    PlanOptions options;
    options.overrides = {float_node(name)};
    const QuantizedModel model = quantize(net.graph, table, options);
    EXPECT_EQ(decision_for(model, name).precision, Precision::kFloat) << name;
    for (const NodeDecision& d : model.decisions)
      EXPECT_THAT(d.reason, ::testing::Not(HasSubstr("no range"))) << d.node;
  }
}

TEST(Overrides, ByGlobByOperatorAndByList) {
  const Net net = chain();
  PlanOptions options;
  options.overrides = {{Match::kGlob, "/body/*", {}, Precision::kFloat}};
  EXPECT_EQ(calibrate_and_quantize(net.graph, options).summary.int8_nodes, 4);
  options.overrides = {{Match::kOpType, "", ir::OpType::kConv, Precision::kFloat}};
  const QuantizedModel no_conv = calibrate_and_quantize(net.graph, options);
  EXPECT_EQ(decision_for(no_conv, "/head/c").reason, "override of every Conv");
  EXPECT_EQ(decision_for(no_conv, "/head/fc").precision, Precision::kInt8);
  options.overrides.clear();
  options.keep_float = {"/body/a", "*fc"};
  const QuantizedModel listed = calibrate_and_quantize(net.graph, options);
  EXPECT_EQ(decision_for(listed, "/body/a").precision, Precision::kFloat);
  EXPECT_EQ(decision_for(listed, "/head/fc").precision, Precision::kFloat);
  EXPECT_EQ(decision_for(listed, "/body/b").precision, Precision::kInt8);
}

TEST(Overrides, ALaterOneWins) {
  const Net net = chain();
  PlanOptions options;
  options.keep_float = {"*"};
  options.overrides = {{Match::kGlob, "/head/*", {}, Precision::kInt8}};
  const QuantizedModel model = calibrate_and_quantize(net.graph, options);
  EXPECT_EQ(decision_for(model, "/body/b").precision, Precision::kFloat);
  EXPECT_EQ(decision_for(model, "/head/c").precision, Precision::kInt8);
}

TEST(Overrides, EverythingFloatIsTheFloatGraph) {
  const Net net = chain();
  PlanOptions options;
  options.keep_float = {"*"};
  const QuantizedModel model = quantize(net.graph, Ranges{}, options);
  EXPECT_EQ(model.summary.int8_nodes, 0);
  EXPECT_EQ(model.graph.node_count(), net.graph.node_count());
}

TEST(Overrides, OneThatMatchesNothingListsNearNames) {
  const Net net = chain();
  PlanOptions options;
  options.overrides = {float_node("/body/bb")};
  EXPECT_THAT([&] { quantize(net.graph, Ranges{}, options); },
              ThrowsMessage<CalibrationError>(
                  AllOf(HasSubstr("override of node '/body/bb' matches nothing"), HasSubstr("'/body/b'"))));
  options.overrides.clear();
  options.keep_float = {"tail*"};
  EXPECT_THROW(quantize(net.graph, Ranges{}, options), CalibrationError);
  options.keep_float.clear();
  options.overrides = {{Match::kOpType, "", ir::OpType::kGather, Precision::kFloat}};
  EXPECT_THAT([&] { quantize(net.graph, Ranges{}, options); },
              ThrowsMessage<CalibrationError>(AllOf(HasSubstr("every Gather"), HasSubstr("Conv, "))));
}

}  // namespace
}  // namespace xinfer::quantize
