#include "quantize/to_float.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <sstream>

#include "graphs.h"
#include "ir/printer.h"
#include "ir/quantize_nodes.h"
#include "quantize/metrics.h"

namespace xinfer::quantize {
namespace {

using namespace testing;
using ir::OpType;
using ir::UnaryKind;
using ir::ValueId;

const ir::Dim kN = ir::Dim::n();

/// Without the constants, whose order has no meaning.
std::string nodes_of(const ir::Graph& graph) {
  std::istringstream text(ir::to_text(graph));
  std::string result;
  for (std::string line; std::getline(text, line);) result += line.starts_with("constant") ? "" : line + "\n";
  return result;
}

/// Nodes in the same order, and the same scales and constants.
void expect_same_graph(const ir::Graph& a, const ir::Graph& b) {
  EXPECT_EQ(nodes_of(a), nodes_of(b));
  ASSERT_EQ(a.value_count(), b.value_count());
  for (std::size_t i = 0; i < a.value_count(); ++i) {
    const ir::Value& wanted = a.value(static_cast<ValueId>(i));
    const ir::Value& got = value_called(b, wanted.name);
    EXPECT_EQ(got.quantization, wanted.quantization) << wanted.name;
    ASSERT_EQ(got.is_constant(), wanted.is_constant()) << wanted.name;
    if (!wanted.is_constant()) continue;
    ASSERT_EQ(got.constant->bytes(), wanted.constant->bytes()) << wanted.name;
    EXPECT_EQ(std::memcmp(got.constant->raw(), wanted.constant->raw(), wanted.constant->bytes()), 0) << wanted.name;
  }
}

Net convolutions() {
  Net net;
  const auto x = net.input("x", {kN, 3, 12, 12});
  const auto stem = net.conv("stem", x, 8, 3, UnaryKind::kRelu);
  const auto dw = net.conv("dw", stem, 8, 3, UnaryKind::kClip, 8);
  const auto pw = net.conv("pw", dw, 8, 1, UnaryKind::kIdentity, 1, stem);
  const auto pooled = net.max_pool("pool", pw);
  const auto swish = net.unary("swish", net.conv("wide", pooled, 16), UnaryKind::kHardSwish);
  const auto gate = net.conv("gate", net.mean("squeeze", swish), 16, 1, UnaryKind::kSigmoid);
  const auto gated = net.binary("gated", swish, gate, ir::BinaryKind::kMul);
  const auto cat = net.concat("cat", {gated, net.conv("side", pooled, 4, 1, UnaryKind::kSigmoid)});
  net.done({net.linear("head", net.reshape("flat", net.mean("gap", net.conv("last", cat, 12)), {kN, 12}), 5)});
  return net;
}

Net transformer() {
  Net net;
  const auto x = net.input("x", {kN, 6, 16});
  const auto norm = net.layer_norm("norm1", x);
  const auto heads = [&](const std::string& name) {
    const auto split = net.reshape(name + ".split", net.linear(name, norm, 16), {kN, 6, 2, 8});
    return net.transpose(name + ".heads", split, {0, 2, 1, 3});
  };
  const auto q = heads("q");
  const auto k = heads("k");
  const auto v = heads("v");
  const auto attention = net.graph.add(OpType::kAttention, "attention", {q, k, v}, ir::AttentionAttrs{0.35F, false});
  const auto merged = net.reshape("merge", net.transpose("back", attention, {0, 2, 1, 3}), {kN, 6, 16});
  const auto proj = net.linear("proj", merged, 16, UnaryKind::kIdentity, x);
  const auto fc1 = net.linear("fc1", net.layer_norm("norm2", proj), 64, UnaryKind::kGelu);
  net.done({net.linear("fc2", fc1, 16, UnaryKind::kIdentity, proj)});
  return net;
}

Net both_sides() {
  Net net;
  const auto x = net.input("x", {kN, 4, 8, 8});
  const auto a = net.conv("a", x, 4);
  const auto e = net.unary("e", a, UnaryKind::kExp);
  net.done({a, net.conv("b", a, 4), net.unary("s", a, UnaryKind::kSin), net.conv("c", e, 4), net.conv("d", e, 4)});
  return net;
}

Net float_in_between() {
  Net net;
  const auto x = net.input("x", {kN, 4, 8, 8});
  const auto e = net.unary("e", x, UnaryKind::kSin);
  const auto b = net.conv("b", net.conv("a", x, 4), 4, 3, UnaryKind::kRelu, 1, e);
  net.done({net.conv("c", b, 4)});
  return net;
}

Net shared_weights() {
  Net net;
  const auto x = net.input("x", {kN, 4});
  const auto w = net.weights("w", {4, 4}, 0.5F);
  const auto a = net.graph.add(OpType::kLinear, "a", {x, w}, ir::LinearAttrs{});
  net.done({net.graph.add(OpType::kLinear, "b", {a, w}, ir::LinearAttrs{})});
  return net;
}

Net matrix_product() {
  Net net;
  const auto x = net.input("x", {kN, 6, 16});
  ir::MatMulAttrs attrs;
  attrs.transpose_b = true;
  const auto scores = net.graph.add(OpType::kMatMul, "scores",
                                    {net.linear("q", x, 16), net.linear("k", x, 16, UnaryKind::kRelu)}, attrs);
  const auto fixed = net.graph.add_constant("fixed", random_tensor({6, 3}, 4));
  net.done({net.graph.add(OpType::kMatMul, "projected", {net.softmax("p", scores), fixed}, ir::MatMulAttrs{})});
  return net;
}

struct Case {
  const char* name;
  std::function<Net()> net;
  std::function<void(PlanOptions&)> change = [](PlanOptions&) {};
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class ToFloat : public ::testing::TestWithParam<Case> {};

TEST_P(ToFloat, IsUndoneByQuantizeWithTheSameRanges) {
  const Net net = GetParam().net();
  PlanOptions options;
  GetParam().change(options);
  const Ranges ranges = calibrate_randomly(net.graph).pick(options.method);
  const QuantizedModel once = quantize(net.graph, ranges, options);
  const FloatForm form = to_float(once.graph);
  EXPECT_EQ(count_ops(form.graph, OpType::kQuantize), 0);
  EXPECT_EQ(count_ops(form.graph, OpType::kDequantize), 0);
  EXPECT_EQ(form.graph.node_count(), net.graph.node_count());
  for (std::size_t i = 0; i < form.graph.value_count(); ++i) {
    const ir::Value& v = form.graph.value(static_cast<ValueId>(i));
    EXPECT_EQ(v.dtype, DataType::kFloat32) << v.name;
    EXPECT_NE(net.graph.find_value(v.name), ir::kNone) << v.name << " is a new name";
  }
  const QuantizedModel twice = quantize(form.graph, ranges, form.options);
  expect_same_graph(once.graph, twice.graph);
  EXPECT_EQ(twice.summary.int8_nodes, once.summary.int8_nodes);
}

TEST_P(ToFloat, KeepsPrecisionsAndWeightsUnderOtherRanges) {
  const Net net = GetParam().net();
  PlanOptions options;
  GetParam().change(options);
  Ranges ranges = calibrate_randomly(net.graph).pick(options.method);
  const QuantizedModel once = quantize(net.graph, ranges, options);
  const FloatForm form = to_float(once.graph);
  float factor = 1;
  for (auto& [name, range] : ranges) {
    factor = factor > 4 ? 0.5F : factor * 1.25F;
    range.threshold *= factor, range.unsigned_threshold *= factor;
  }
  const QuantizedModel twice = quantize(form.graph, ranges, form.options);
  int changed = 0;
  ASSERT_EQ(twice.graph.value_count(), once.graph.value_count());
  for (std::size_t i = 0; i < once.graph.value_count(); ++i) {
    const ir::Value& before = once.graph.value(static_cast<ValueId>(i));
    const ir::Value& after = value_called(twice.graph, before.name);
    EXPECT_EQ(after.dtype, before.dtype) << before.name;
    if (!before.is_constant()) {
      changed += after.quantization != before.quantization ? 1 : 0;
      continue;
    }
    EXPECT_EQ(after.quantization, before.quantization) << before.name;
    EXPECT_EQ(std::memcmp(after.constant->raw(), before.constant->raw(), before.constant->bytes()), 0) << before.name;
  }
  EXPECT_GT(changed, 0);
}

TEST_P(ToFloat, GivesTheNetworkOfTheIntegerWeights) {
  const Net net = GetParam().net();
  PlanOptions options;
  GetParam().change(options);
  const FloatForm form = to_float(calibrate_and_quantize(net.graph, options).graph);
  const std::vector<Tensor> batch = random_batch(net.graph, 3, 1);
  const std::vector<Tensor> expected = reference::run(net.graph, batch);
  const std::vector<Tensor> actual = reference::run(form.graph, batch);
  EXPECT_EQ(form.graph.output_names(), net.graph.output_names());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_GT(sqnr_db(expected[i], actual[i]), 30.0);
}

const Case kCases[] = {
    {"convolutions", convolutions},
    {"convolutions_with_a_float_layer", convolutions,
     [](PlanOptions& o) {
       o.keep_float = {"wide", "head"};
     }},
    {"transformer", transformer},
    {"transformer_with_integer_residuals", transformer, [](PlanOptions& o) { o.float_residuals = false; }},
    {"transformer_with_half_of_it_in_float", transformer,
     [](PlanOptions& o) {
       o.keep_float = {"fc*", "q"};
     }},
    {"both_sides", both_sides},
    {"float_in_between", float_in_between},
    {"shared_weights", shared_weights},
    {"matrix_product", matrix_product, [](PlanOptions& o) { o.quantize_matmul = true; }},
    {"minmax", convolutions, [](PlanOptions& o) { o.method = RangeMethod::kMinMax; }},
};
INSTANTIATE_TEST_SUITE_P(Graphs, ToFloat, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST(ToFloatOnce, KeepsChosenParameters) {
  Net net;
  const auto x = net.input("x", {kN, 4});
  net.done({net.linear("b", net.linear("a", x, 4), 3)});
  PlanOptions options;
  LayerParameters chosen;
  chosen.weights.values = Tensor::from<std::int8_t>({4, 4}, std::vector<std::int8_t>(16, 3));
  chosen.weights.quantization = {{0.1F, 0.2F, 0.3F, 0.4F}, {}, 0};
  chosen.bias = Tensor::from<float>({4}, {1, 2, 3, 4});
  options.layers["a"] = chosen;
  const Ranges ranges = calibrate_randomly(net.graph).pick(options.method);
  const QuantizedModel once = quantize(net.graph, ranges, options);
  const FloatForm form = to_float(once.graph);
  const ir::Value& weights = value_called(form.graph, "a.weight");
  EXPECT_FLOAT_EQ(weights.constant->data<float>()[5], 3 * 0.2F);
  expect_same_graph(once.graph, quantize(form.graph, ranges, form.options).graph);
}

TEST(ToFloatOnce, LeavesTheModelsOwnQuantizeNodesAlone) {
  Net net;
  const auto x = net.input("x", {kN, 4});
  const auto rounded = ir::add_quantize(net.graph, "rounded", x, DataType::kInt8, ir::Quantization{{0.05F}, {}, -1});
  const auto moved = net.graph.add(OpType::kReshape, "moved", {rounded}, ir::ShapeAttrs{{kN, 4}});
  const auto real = ir::add_dequantize(net.graph, "real", moved);
  net.done({net.linear("a", real, 3)});
  const Ranges ranges = calibrate_randomly(net.graph).pick(RangeMethod::kAuto);
  const QuantizedModel once = quantize(net.graph, ranges);
  ASSERT_EQ(count_ops(once.graph, OpType::kQuantize), 2);
  const FloatForm form = to_float(once.graph, {"rounded", "real"});
  EXPECT_EQ(count_ops(form.graph, OpType::kQuantize), 1);
  EXPECT_EQ(value_called(form.graph, "rounded").dtype, DataType::kInt8);
  EXPECT_EQ(value_called(form.graph, "moved").quantization, value_called(once.graph, "moved").quantization);
  expect_same_graph(once.graph, quantize(form.graph, ranges, form.options).graph);
}

}  // namespace
}  // namespace xinfer::quantize
