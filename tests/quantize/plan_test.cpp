#include "quantize/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graphs.h"
#include "ir/printer.h"
#include "quantize/metrics.h"
#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

using namespace testing;
using ir::OpType;
using ir::UnaryKind;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const ir::Dim kN = ir::Dim::n();

// The lowest SQNR of the quantized graph's outputs against the float graph's, on some of the calibration images (so few
// random images as here say little about the range of others).
double worst_sqnr(const ir::Graph& graph, const QuantizedModel& model) {
  const std::vector<Tensor> batch = random_batch(graph, 3, 1);
  const std::vector<Tensor> expected = reference::run(graph, batch);
  const std::vector<Tensor> actual = reference::run(model.graph, batch);
  double worst = 1e9;
  for (std::size_t i = 0; i < expected.size(); ++i) worst = std::min(worst, sqnr_db(expected[i], actual[i]));
  return worst;
}

TEST(Plan, AChainQuantizesOnceAtTheFront) {
  Net net;
  const auto x = net.input("x", {kN, 3, 10, 10});
  const auto a = net.conv("a", x, 8, 3, UnaryKind::kRelu);
  const auto b = net.conv("b", a, 8, 3, UnaryKind::kClip);
  net.done({net.conv("c", b, 4)});
  const QuantizedModel model = calibrate_and_quantize(net.graph);
  EXPECT_EQ(count_ops(model.graph, OpType::kQuantize), 1);
  EXPECT_EQ(count_ops(model.graph, OpType::kDequantize), 0);
  EXPECT_EQ(value_called(model.graph, "x.quantize").dtype, DataType::kInt8);
  EXPECT_EQ(value_called(model.graph, "a").dtype, DataType::kUInt8);
  EXPECT_EQ(value_called(model.graph, "b").dtype, DataType::kUInt8);
  EXPECT_EQ(value_called(model.graph, "c").dtype, DataType::kFloat32);
  EXPECT_EQ(decision_for(model, "b").reason, "u8 -> u8");
  EXPECT_EQ(decision_for(model, "c").reason, "u8 -> f32");
  EXPECT_EQ(model.summary.int8_nodes, 3);
  EXPECT_EQ(model.summary.total(), 3);
  EXPECT_EQ(model.summary.quantize_nodes, 1);
  EXPECT_EQ(model.graph.output_names(), std::vector<std::string>{"c"});
  EXPECT_GT(worst_sqnr(net.graph, model), 30.0);
}

TEST(Plan, WeightsGetOneScaleForEachOutputChannel) {
  Net net;
  const auto x = net.input("x", {kN, 4, 8, 8});
  const auto dw = net.conv("dw", x, 4, 3, UnaryKind::kClip, 4);
  const auto pw = net.conv("pw", dw, 6, 1);
  ir::ConvAttrs up;
  up.strides = {2, 2};
  up.groups = 2;
  const auto t = net.graph.add(OpType::kConvTranspose, "up", {pw, net.weights("up", {6, 5, 2, 2}, 0.3F)}, up);
  net.done({t});
  const QuantizedModel model = calibrate_and_quantize(net.graph);
  const auto scales = [&](const std::string& node) {
    return *model.graph.value(node_called(model.graph, node).inputs[1]).quantization;
  };
  EXPECT_EQ(scales("dw").scales.size(), 4U);
  EXPECT_EQ(scales("pw").scales.size(), 6U);
  EXPECT_EQ(scales("up").axis, 1);
  EXPECT_EQ(scales("up").scales.size(), 5U);
  EXPECT_EQ(model.summary.int8_nodes, 3);
  EXPECT_GT(worst_sqnr(net.graph, model), 30.0);
}

TEST(Plan, AResidualBlockStaysInIntegers) {
  for (const bool fused : {false, true}) {
    Net net;
    const auto x = net.input("x", {kN, 3, 8, 8});
    const auto stem = net.conv("stem", x, 8, 3, UnaryKind::kRelu);
    const auto a = net.conv("a", stem, 8, 3, UnaryKind::kRelu);
    const auto sum = fused ? net.conv("b", a, 8, 3, UnaryKind::kRelu, 1, stem)
                           : net.add("sum", net.conv("b", a, 8), stem, UnaryKind::kRelu);
    const auto pool = net.max_pool("pool", sum);
    const auto mean = net.mean("mean", pool);
    net.done({net.linear("fc", net.reshape("flat", mean, {kN, 8}), 10)});
    const QuantizedModel model = calibrate_and_quantize(net.graph);
    EXPECT_EQ(model.summary.quantize_nodes, 1);
    EXPECT_EQ(model.summary.dequantize_nodes, 0);
    EXPECT_EQ(model.summary.int8_nodes, model.summary.total());
    EXPECT_EQ(value_called(model.graph, "pool").quantization,
              value_called(model.graph, fused ? "b" : "sum").quantization);
    EXPECT_EQ(value_called(model.graph, "flat").quantization, value_called(model.graph, "mean").quantization);
    EXPECT_EQ(value_called(model.graph, "mean").dtype, DataType::kUInt8);
    EXPECT_GT(worst_sqnr(net.graph, model), 30.0);
  }
}

TEST(Plan, AConcatSharesItsScaleWithProducersThatFeedNothingElse) {
  Net net;
  const auto x = net.input("x", {kN, 3, 8, 8});
  const auto stem = net.conv("stem", x, 6, 3, UnaryKind::kRelu);
  const auto alone = net.conv("alone", stem, 4, 3, UnaryKind::kRelu);
  const auto pooled = net.conv("pooled", stem, 4, 3, UnaryKind::kRelu);
  ir::PoolAttrs same;
  same.kernel = {3, 3};
  same.pads = {1, 1, 1, 1};
  const auto pool = net.graph.add(OpType::kMaxPool, "pool", {pooled}, same);
  const auto inner = net.concat("inner", {alone, pool});
  const auto outer = net.concat("outer", {inner, stem});
  const auto c = net.conv("c", outer, 4);
  const auto d = net.conv("d", stem, 4);
  net.done({c, d});
  Ranges ranges = calibrate_randomly(net.graph).pick(RangeMethod::kMse);
  ranges.at("outer").unsigned_threshold *= 1.25F;
  const QuantizedModel model = quantize(net.graph, ranges);
  const auto q = [&](const char* name) { return value_called(model.graph, name).quantization; };
  EXPECT_EQ(q("alone"), q("outer"));
  EXPECT_EQ(q("pooled"), q("outer")) << "through a mover";
  EXPECT_EQ(q("pool"), q("outer"));
  EXPECT_EQ(q("inner"), q("outer")) << "through a nested concat";
  EXPECT_NE(q("stem"), q("outer")) << "it has other readers, which want its own scale";
  EXPECT_EQ(model.summary.quantize_nodes, 1);
  EXPECT_EQ(model.summary.dequantize_nodes, 0);
  EXPECT_GT(worst_sqnr(net.graph, model), 30.0);
}

TEST(Plan, SqueezeAndExcitationStaysInIntegers) {
  Net net;
  const auto x = net.input("x", {kN, 3, 8, 8});
  const auto a = net.conv("a", x, 8, 3, UnaryKind::kHardSwish);
  const auto mean = net.mean("squeeze", a);
  const auto down = net.conv("down", mean, 4, 1, UnaryKind::kRelu);
  const auto up = net.conv("up", down, 8, 1, UnaryKind::kSigmoid);
  const auto scaled = net.binary("scaled", a, up, ir::BinaryKind::kMul);
  net.done({net.conv("out", scaled, 4, 1)});
  const QuantizedModel model = calibrate_and_quantize(net.graph);
  EXPECT_EQ(model.summary.int8_nodes, 6);
  EXPECT_EQ(model.summary.quantize_nodes, 1);
  EXPECT_EQ(model.summary.dequantize_nodes, 0);
  EXPECT_EQ(value_called(model.graph, "up").dtype, DataType::kUInt8);
  EXPECT_EQ(value_called(model.graph, "a").dtype, DataType::kInt8);
  EXPECT_GT(worst_sqnr(net.graph, model), 30.0);
}

TEST(Plan, AnActivationBetweenIntegerLayersIsATable) {
  Net net;
  const auto x = net.input("x", {kN, 3, 8, 8});
  const auto a = net.conv("a", x, 8);
  const auto act = net.unary("act", a, UnaryKind::kSilu);
  const auto b = net.conv("b", act, 4);
  const auto last = net.unary("last", b, UnaryKind::kSigmoid);
  net.done({last});
  const QuantizedModel model = calibrate_and_quantize(net.graph);
  EXPECT_EQ(decision_for(model, "act").precision, Precision::kInt8);
  EXPECT_EQ(decision_for(model, "last").precision, Precision::kFloat) << "behind the last integer layer";
  EXPECT_EQ(value_called(model.graph, "b").dtype, DataType::kFloat32);
  EXPECT_EQ(model.summary.dequantize_nodes, 0);
  EXPECT_GT(worst_sqnr(net.graph, model), 30.0);
}

// x -> LayerNorm -> q, k, v -> heads -> Attention -> merge -> proj + x -> LayerNorm -> MLP + residual
Net transformer_block() {
  Net net;
  const auto x = net.input("x", {kN, 6, 16});
  const auto norm = net.layer_norm("norm1", x);
  const auto heads = [&](const std::string& name) {
    const auto y = net.linear(name, norm, 16);
    const auto split = net.reshape(name + ".split", y, {kN, 6, 2, 8});
    return net.transpose(name + ".heads", split, {0, 2, 1, 3});
  };
  const auto q = heads("q");
  const auto k = heads("k");
  const auto v = heads("v");
  const auto attention = net.graph.add(OpType::kAttention, "attention", {q, k, v}, ir::AttentionAttrs{0.35F, false});
  const auto merged = net.reshape("merge", net.transpose("back", attention, {0, 2, 1, 3}), {kN, 6, 16});
  const auto proj = net.linear("proj", merged, 16, UnaryKind::kIdentity, x);
  const auto norm2 = net.layer_norm("norm2", proj);
  const auto fc1 = net.linear("fc1", norm2, 64, UnaryKind::kGelu);
  net.done({net.linear("fc2", fc1, 16, UnaryKind::kIdentity, proj)});
  return net;
}

TEST(Plan, ATransformerBlockConvertsOnlyWhereLinearMeetsFloat) {
  const Net net = transformer_block();
  const QuantizedModel model = calibrate_and_quantize(net.graph);
  // norm1 (once for q, k and v), the attention's result, norm2.
  EXPECT_EQ(model.summary.quantize_nodes, 3) << ir::to_text(model.graph);
  EXPECT_EQ(model.summary.dequantize_nodes, 0) << ir::to_text(model.graph);
  for (const char* name : {"q", "k", "v", "proj", "fc1", "fc2"}) {
    EXPECT_EQ(decision_for(model, name).precision, Precision::kInt8) << name;
  }
  for (const char* name : {"norm1", "q.split", "q.heads", "attention", "norm2"}) {
    EXPECT_EQ(decision_for(model, name).precision, Precision::kFloat) << name;
  }
  EXPECT_EQ(decision_for(model, "attention").reason, "Attention runs in float");
  EXPECT_EQ(value_called(model.graph, "q").dtype, DataType::kFloat32);
  EXPECT_EQ(value_called(model.graph, "proj").dtype, DataType::kFloat32);
  EXPECT_EQ(value_called(model.graph, "fc1").dtype, DataType::kInt8);
  EXPECT_EQ(decision_for(model, "back").precision, Precision::kInt8) << "quantized before the moves";
  EXPECT_GT(worst_sqnr(net.graph, model), 30.0);
}

TEST(Plan, ResidualsAreIntegersUnlessFloatOnesAreAllowed) {
  const Net net = transformer_block();
  PlanOptions options;
  options.float_residuals = false;
  const QuantizedModel model = calibrate_and_quantize(net.graph, options);
  const ir::Node& proj = node_called(model.graph, "proj");
  EXPECT_EQ(model.graph.value(proj.inputs[3]).name, "x.quantize");
  EXPECT_EQ(value_called(model.graph, "proj").dtype, DataType::kInt8);
  EXPECT_EQ(model.summary.quantize_nodes, 4);
  EXPECT_EQ(model.summary.dequantize_nodes, 1) << "proj for norm2";
  EXPECT_GT(worst_sqnr(net.graph, model), 30.0);
}

TEST(Plan, ANodeThatWritesIntegersReadsAnIntegerResidual) {
  Net net;
  const auto x = net.input("x", {kN, 4, 8, 8});
  const auto e = net.unary("e", x, UnaryKind::kSin);
  const auto a = net.conv("a", x, 4);
  const auto b = net.conv("b", a, 4, 3, UnaryKind::kRelu, 1, e);
  net.done({net.conv("c", b, 4)});
  const QuantizedModel model = calibrate_and_quantize(net.graph);
  EXPECT_EQ(model.graph.value(node_called(model.graph, "b").inputs[3]).name, "e.quantize");
  EXPECT_EQ(value_called(model.graph, "b").dtype, DataType::kUInt8);
  EXPECT_GT(worst_sqnr(net.graph, model), 30.0);
}

TEST(Plan, DropsDataBeforeConvertingTheRest) {
  Net net;
  const auto x = net.input("x", {kN, 6, 16});
  const auto norm = net.layer_norm("norm", x);
  const auto first = net.graph.add(OpType::kSlice, "first", {norm}, ir::SliceAttrs{{0}, {1}, {1}, {1}});
  net.done({net.linear("fc", first, 4)});
  const QuantizedModel model = calibrate_and_quantize(net.graph);
  EXPECT_EQ(decision_for(model, "first").precision, Precision::kFloat);
  EXPECT_EQ(decision_for(model, "first").reason, "moving floats saves conversions here");
  EXPECT_NE(model.graph.find_value("first.quantize"), ir::kNone);
  EXPECT_EQ(decision_for(model, "fc").precision, Precision::kInt8);
}

TEST(Plan, AValueForBothSidesIsConvertedOnce) {
  Net net;
  const auto x = net.input("x", {kN, 4, 8, 8});
  const auto a = net.conv("a", x, 4);
  const auto b = net.conv("b", a, 4);
  const auto e = net.unary("e", a, UnaryKind::kExp);
  const auto s = net.unary("s", a, UnaryKind::kSin);
  const auto c = net.conv("c", e, 4);
  const auto d = net.conv("d", e, 4);
  net.done({a, b, s, c, d});
  const QuantizedModel model = calibrate_and_quantize(net.graph);
  EXPECT_EQ(model.summary.dequantize_nodes, 1) << "a, for Exp, Sin and the outside";
  EXPECT_EQ(model.summary.quantize_nodes, 2) << "x, and e for c and d";
  EXPECT_EQ(model.graph.output_names(), (std::vector<std::string>{"a", "b", "s", "c", "d"}));
  for (const ir::ValueId id : model.graph.outputs()) EXPECT_EQ(model.graph.value(id).dtype, DataType::kFloat32);
  EXPECT_EQ(decision_for(model, "e").reason, "Exp runs in float");
}

TEST(Plan, MatMulOnlyWhenAskedFor) {
  Net net;
  const auto x = net.input("x", {kN, 6, 16});
  const auto q = net.linear("q", x, 16);
  const auto k = net.linear("k", x, 16, UnaryKind::kRelu);
  ir::MatMulAttrs attrs;
  attrs.transpose_b = true;
  const auto scores = net.graph.add(OpType::kMatMul, "scores", {q, k}, attrs);
  const auto mask = net.graph.add_constant("mask", random_tensor({1, 6, 6}, 9, 10000.0F, -10000.0F));
  const auto masked = net.add("masked", scores, mask);
  net.done({net.softmax("probabilities", masked)});
  const QuantizedModel plain = calibrate_and_quantize(net.graph);
  EXPECT_EQ(decision_for(plain, "scores").precision, Precision::kFloat);
  EXPECT_EQ(plain.summary.quantize_nodes, 1);
  EXPECT_EQ(plain.summary.dequantize_nodes, 0);

  PlanOptions options;
  options.quantize_matmul = true;
  const QuantizedModel model = calibrate_and_quantize(net.graph, options);
  EXPECT_EQ(decision_for(model, "scores").reason, "s8 -> f32");
  EXPECT_EQ(value_called(model.graph, "k").dtype, DataType::kInt8) << "second operands are signed";
  EXPECT_EQ(decision_for(model, "masked").reason, "one operand is a constant") << "masks are never quantized";
  EXPECT_EQ(model.summary.dequantize_nodes, 0);
}

TEST(Plan, SymmetricOnlyForbidsU8) {
  Net net;
  const auto x = net.input("x", {kN, 3, 8, 8});
  const auto a = net.conv("a", x, 8, 3, UnaryKind::kRelu);
  net.done({net.conv("b", net.concat("cat", {a, net.conv("c", a, 4, 1, UnaryKind::kSigmoid)}), 4)});
  PlanOptions options;
  options.symmetric_s8_only = true;
  const QuantizedModel model = calibrate_and_quantize(net.graph, options);
  for (std::size_t i = 0; i < model.graph.value_count(); ++i) {
    EXPECT_NE(model.graph.value(static_cast<ir::ValueId>(i)).dtype, DataType::kUInt8);
  }
  EXPECT_GT(worst_sqnr(net.graph, model), 30.0);
}

TEST(Plan, ANegativeValueThatWasNotSeenKeepsTheTensorSigned) {
  Net net;
  const auto x = net.input("x", {kN, 2, 4, 4});
  const auto a = net.conv("a", x, 2, 1);
  net.done({net.conv("b", a, 2, 1)});
  Ranges ranges;
  ranges["x"] = {1, 1, true};
  ranges["a"] = {1, 1, true};
  const QuantizedModel model = quantize(net.graph, ranges);
  EXPECT_EQ(value_called(model.graph, "x.quantize").dtype, DataType::kUInt8) << "inputs: the images decide";
  EXPECT_EQ(value_called(model.graph, "a").dtype, DataType::kInt8) << "nothing forbids negative values of a";
  EXPECT_FLOAT_EQ(value_called(model.graph, "a").quantization->scale(), 1.0F / 127);
  EXPECT_FLOAT_EQ(value_called(model.graph, "x.quantize").quantization->scale(), 1.0F / 255);
}

TEST(Plan, ANodeWithoutRangeRunsInFloat) {
  Net net;
  const auto x = net.input("x", {kN, 2, 4, 4});
  const auto a = net.conv("a", x, 2, 1);
  net.done({net.conv("b", a, 2, 1)});
  Ranges ranges;
  ranges["x"] = {1, 0, false};
  const QuantizedModel model = quantize(net.graph, ranges);
  EXPECT_EQ(decision_for(model, "a").precision, Precision::kInt8);
  EXPECT_EQ(decision_for(model, "b").reason, "no range is known for 'a'");
  EXPECT_EQ(value_called(model.graph, "a").dtype, DataType::kFloat32);
}

TEST(Plan, SumsThatCouldOverflowRunInFloat) {
  Net net;
  const std::int64_t depth = 70000;
  const auto x = net.input("x", {kN, depth});
  const auto long_sum = net.linear("long", x, 1);
  net.done({long_sum});
  Ranges ranges;
  ranges["x"] = {1, 0, false};
  EXPECT_EQ(decision_for(quantize(net.graph, ranges), "long").reason,
            "its sums of 70000 products could overflow int32");
}

TEST(Plan, RefusesWeightsThatAreNotFinite) {
  Net net;
  const auto x = net.input("x", {kN, 2});
  Tensor w(DataType::kFloat32, {1, 2});
  w.data<float>()[1] = std::nanf("");
  const auto y = net.graph.add(OpType::kLinear, "fc", {x, net.graph.add_constant("w", w)}, ir::LinearAttrs{});
  net.done({y});
  Ranges ranges;
  ranges["x"] = {1, 0, false};
  EXPECT_THAT([&] { quantize(net.graph, ranges); },
              ThrowsMessage<ModelError>(AllOf(HasSubstr("'fc'"), HasSubstr("'w'"))));
}

TEST(Plan, RefusesARangeTooSmallForAScale) {
  Net net;
  const auto x = net.input("x", {kN, 2});
  net.done({net.linear("fc", x, 1)});
  Ranges ranges;
  ranges["x"] = {1e-40F, 0, false};
  EXPECT_THAT([&] { quantize(net.graph, ranges); }, ThrowsMessage<CalibrationError>(HasSubstr("'x'")));
}

TEST(Plan, SharedWeightsStayShared) {
  Net net;
  const auto x = net.input("x", {kN, 4});
  const auto w = net.weights("w", {4, 4}, 0.5F);
  const auto a = net.graph.add(OpType::kLinear, "a", {x, w}, ir::LinearAttrs{});
  const auto b = net.graph.add(OpType::kLinear, "b", {a, w}, ir::LinearAttrs{});
  net.done({b});
  const QuantizedModel model = calibrate_and_quantize(net.graph);
  EXPECT_EQ(node_called(model.graph, "a").inputs[1], node_called(model.graph, "b").inputs[1]);
  EXPECT_EQ(model.graph.find_value("w"), ir::kNone) << "the float weights are gone";
}

TEST(Plan, TheDetectionHeadStaysFloatBehindItsLastConvolutions) {
  Net net;
  const auto x = net.input("x", {kN, 3, 8, 8});
  const auto a = net.conv("a", x, 8, 3, UnaryKind::kRelu);
  const auto scores = net.conv("scores", a, 4, 1, UnaryKind::kSigmoid);
  const auto boxes = net.conv("boxes", a, 4, 1);
  const auto cat = net.concat("cat", {scores, boxes});
  net.done({net.transpose("moved", net.reshape("flat", cat, {kN, 8, 64}), {0, 2, 1})});
  const QuantizedModel model = calibrate_and_quantize(net.graph);
  EXPECT_EQ(model.summary.int8_nodes, 3);
  EXPECT_EQ(model.summary.dequantize_nodes, 0);
  EXPECT_EQ(decision_for(model, "cat").precision, Precision::kFloat);
  EXPECT_EQ(value_called(model.graph, "scores").dtype, DataType::kFloat32);
}

TEST(Plan, IsDeterministic) {
  const Net net = transformer_block();
  const CalibrationTable table = calibrate_randomly(net.graph);
  const QuantizedModel a = quantize(net.graph, table);
  const QuantizedModel b = quantize(net.graph, table);
  EXPECT_EQ(ir::to_text(a.graph), ir::to_text(b.graph));
  EXPECT_EQ(to_text(a), to_text(b));
  for (std::size_t i = 0; i < a.graph.value_count(); ++i) {
    const auto id = static_cast<ir::ValueId>(i);
    EXPECT_EQ(a.graph.value(id).quantization, b.graph.value(id).quantization);
  }
}

TEST(Plan, EveryMethodGivesAUsableModel) {
  Net net;
  const auto x = net.input("x", {kN, 3, 10, 10});
  const auto a = net.conv("a", x, 16, 3, UnaryKind::kRelu);
  const auto b = net.conv("b", a, 16, 3, UnaryKind::kHardSwish);
  net.done({net.conv("c", net.add("sum", a, b), 4)});
  const CalibrationTable table = calibrate_randomly(net.graph);
  for (const RangeMethod m :
       {RangeMethod::kAuto, RangeMethod::kMinMax, RangeMethod::kPercentile, RangeMethod::kMse, RangeMethod::kEntropy}) {
    PlanOptions options;
    options.method = m;
    EXPECT_GT(worst_sqnr(net.graph, quantize(net.graph, table, options)), m == RangeMethod::kEntropy ? 20.0 : 30.0)
        << name_of(m);
  }
}

}  // namespace
}  // namespace xinfer::quantize
