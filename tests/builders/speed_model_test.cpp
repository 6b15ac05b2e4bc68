// What a network's nodes and conversions cost, taken from its graphs and from times.
#include "builders/speed_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xinfer::builders {
namespace {

using ::testing::ElementsAre;

TEST(SpeedModels, FollowTheGraphAndItsPlan) {
  ir::Graph g;
  const auto x = g.add_input("x", DataType::kFloat32, {ir::Dim::n(), 4});
  const auto w = g.add_constant("w", Tensor(DataType::kFloat32, {4, 4}));
  const auto a = g.add(ir::OpType::kLinear, "a", {x, w}, ir::LinearAttrs{});
  const auto b = g.add(ir::OpType::kUnary, "b", {a}, ir::UnaryAttrs{ir::UnaryKind::kRelu});
  const auto c = g.add(ir::OpType::kLinear, "c", {a, w}, ir::LinearAttrs{});
  g.set_outputs({b, c});
  quantize::PlanOptions plan;
  plan.overrides.push_back({quantize::PrecisionOverride::Match::kNode, "c", {}, quantize::Precision::kInt8});
  const SpeedModel model = speed_model(g,
                                       {{"a", ir::OpType::kLinear, quantize::Precision::kInt8, ""},
                                        {"b", ir::OpType::kUnary, quantize::Precision::kFloat, ""},
                                        {"c", ir::OpType::kLinear, quantize::Precision::kInt8, ""}},
                                       plan, {1, 4});
  ASSERT_EQ(model.nodes.size(), 3U);
  EXPECT_TRUE(model.nodes[0].int8 && model.nodes[0].movable && model.nodes[0].writes_float);
  EXPECT_FALSE(model.nodes[1].int8 || model.nodes[1].movable || model.nodes[1].writes_float);
  EXPECT_TRUE(model.nodes[2].int8 && !model.nodes[2].movable) << "the user asked for INT8";
  ASSERT_EQ(model.tensors.size(), 4U) << "weights are no tensor between nodes";
  EXPECT_EQ(model.tensors[0].producer, -1);
  EXPECT_THAT(model.tensors[0].readers, ElementsAre(0));
  EXPECT_EQ(model.tensors[1].name, g.value(a).name);
  EXPECT_EQ(model.tensors[1].producer, 0);
  EXPECT_THAT(model.tensors[1].readers, ElementsAre(1, 2));
  EXPECT_FALSE(model.tensors[1].output);
  EXPECT_TRUE(model.tensors[2].output && model.tensors[3].output);
}

SpeedModel model_of(const ir::Graph& graph) {
  return speed_model(graph,
                     {{"a", ir::OpType::kLinear, quantize::Precision::kInt8, ""},
                      {"b", ir::OpType::kUnary, quantize::Precision::kInt8, ""}},
                     {}, {1, 8});
}

TEST(SpeedModels, TakeTimesOfNodesAndConversions) {
  ir::Graph in_float, quantized;
  const auto x = in_float.add_input("x", DataType::kFloat32, {ir::Dim::n(), 4});
  const auto w = in_float.add_constant("w", Tensor(DataType::kFloat32, {6, 4}));
  const auto a = in_float.add(ir::OpType::kLinear, "a", {x, w}, ir::LinearAttrs{});
  in_float.set_outputs({in_float.add(ir::OpType::kUnary, "b", {a}, ir::UnaryAttrs{ir::UnaryKind::kRelu})});
  const auto qx = quantized.add_input("x", DataType::kFloat32, {ir::Dim::n(), 4});
  const auto node = quantized.add_node(ir::OpType::kQuantize, "x.quantize", {qx});
  quantized.set_outputs({quantized.node(node).outputs[0]});
  SpeedModel model = model_of(in_float);
  const NodeTimes int8{{{"a", 5}, {"b", 2}, {"x.quantize", 1.5}}, {{"a", 9}, {"b", 3}, {"x.quantize", 4}}};
  const NodeTimes half{{{"a", 6}, {"b", 1}}, {{"a", 20}, {"b", 2}}};
  add_times(model, in_float, quantized, int8, half, 1000);
  EXPECT_THAT(model.nodes[0].int8_us, ElementsAre(5, 9));
  EXPECT_THAT(model.nodes[0].float_us, ElementsAre(6, 20));
  EXPECT_TRUE(model.nodes[0].movable);
  EXPECT_THAT(model.tensors[0].convert_us, ElementsAre(1.5, 4)) << "as measured";
  EXPECT_THAT(model.tensors[1].convert_us, ElementsAre(2 + 3 * 6 / 1000.0, 2 + 3 * 6 * 8 / 1000.0)) << "by its size";

  NodeTimes incomplete = half;
  incomplete[1].erase("b");
  add_times(model, in_float, quantized, int8, incomplete, 1000);
  EXPECT_TRUE(model.nodes[0].movable);
  EXPECT_FALSE(model.nodes[1].movable) << "nobody knows what it would take";
  EXPECT_THROW(add_times(model, in_float, quantized, {}, half, 1000), std::logic_error);
}

}  // namespace
}  // namespace xinfer::builders
