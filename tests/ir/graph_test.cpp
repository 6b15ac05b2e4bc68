#include "ir/graph.h"

#include "helpers.h"
#include "ir/verifier.h"

namespace xinfer::ir {
namespace {

ValueId relu(Graph& graph, const std::string& name, ValueId x) {
  return graph.add(OpType::kUnary, name, {x}, UnaryAttrs{UnaryKind::kRelu});
}

TEST(Graph, NamesAreMadeUnique) {
  Graph g;
  const ValueId x = g.add_input("x", DataType::kFloat32, {N, 3});
  const ValueId a = relu(g, "r", x);
  const ValueId b = relu(g, "r", a);
  EXPECT_EQ(g.value(a).name, "r");
  EXPECT_NE(g.value(b).name, "r");
  EXPECT_NE(g.node(g.value(a).producer).name, g.node(g.value(b).producer).name);
  EXPECT_EQ(g.find_value(g.value(b).name), b);
  EXPECT_EQ(g.find_value("nowhere"), kNone);
  const ValueId taken = g.add_constant("value_4", Tensor(DataType::kFloat32, {1}));
  const ValueId unnamed = g.add_constant("", Tensor(DataType::kFloat32, {1}));
  EXPECT_EQ(g.value(taken).name, "value_4");
  EXPECT_EQ(g.value(unnamed).name, "value_4_1");
  verify(g, "naming");
}

TEST(Graph, SeveralOutputsAreNumberedOrNamed) {
  Graph g;
  const ValueId x = g.add_input("x", DataType::kFloat32, {N, 4});
  const NodeId plain = g.add_node(OpType::kSplit, "s", {x}, SplitAttrs{1, {2, 2}}, 2);
  EXPECT_EQ(g.value(g.node(plain).outputs[1]).name, "s:1");
  const NodeId named = g.add_node(OpType::kSplit, "t", {x}, SplitAttrs{1, {2, 2}}, 2, {"left", "right"});
  EXPECT_EQ(g.value(g.node(named).outputs[1]).name, "right");
}

TEST(Graph, AFailedNodeLeavesNoTrace) {
  Graph g;
  const ValueId x = g.add_input("x", DataType::kFloat32, {N, 3});
  const ValueId y = relu(g, "y", x);
  g.set_outputs({y});
  const std::string before = to_text(g);
  EXPECT_THROW(g.add(OpType::kReshape, "bad", {x}, ShapeAttrs{{7}}), ModelError);
  EXPECT_THROW(g.add_node(OpType::kSplit, "bad", {x}, SplitAttrs{0, {1, 1}}, 2), UnsupportedError);
  EXPECT_EQ(to_text(g), before);
  EXPECT_EQ(g.node_slots(), 1U);
  EXPECT_EQ(g.find_value("bad"), kNone);
  EXPECT_EQ(g.value(x).consumers.size(), 1U);
  EXPECT_EQ(g.value(relu(g, "bad", x)).name, "bad");
  verify(g, "a failed node");
}

TEST(Graph, OrderFollowsInsertionWhereItIsFree) {
  Graph g;
  const ValueId x = g.add_input("x", DataType::kFloat32, {N, 3});
  const ValueId a = relu(g, "a", x);
  const ValueId b = relu(g, "b", x);
  const ValueId sum = g.add(OpType::kBinary, "sum", {a, b}, BinaryAttrs{});
  const ValueId late = relu(g, "late", x);
  // b now waits for the youngest node.
  g.set_input(g.value(b).producer, 0, late);
  const std::vector<NodeId> wanted = {g.value(a).producer, g.value(late).producer, g.value(b).producer,
                                      g.value(sum).producer};
  EXPECT_EQ(g.order(), wanted);
  EXPECT_EQ(g.order(), Graph(g).order());
  g.set_input(g.value(late).producer, 0, sum);
  expect_throw<ModelError>([&] { g.order(); }, {"cycle"});
}

TEST(Graph, ReplaceUsesMovesGraphOutputsToo) {
  Graph g;
  const ValueId x = g.add_input("x", DataType::kFloat32, {N, 3});
  const ValueId a = relu(g, "a", x);
  const ValueId doubled = g.add(OpType::kBinary, "twice", {a, a}, BinaryAttrs{});
  g.set_outputs({a, doubled});
  EXPECT_EQ(g.sole_consumer(x), g.value(a).producer);
  EXPECT_EQ(g.sole_consumer(a), kNone);
  EXPECT_THROW(g.remove_node(g.value(a).producer), std::logic_error);
  const NodeId dead = g.value(a).producer;
  g.replace_uses(a, x);
  EXPECT_TRUE(g.value(a).consumers.empty());
  EXPECT_EQ(g.value(x).consumers.size(), 3U);
  EXPECT_EQ(g.outputs()[0], x);
  EXPECT_EQ(g.output_names()[0], "a");
  g.remove_node(dead);
  EXPECT_EQ(g.node_count(), 1U);
  verify(g, "replace_uses");
}

TEST(Graph, CompactRenumbersAndKeepsTheMeaning) {
  Graph g;
  const ValueId x = g.add_input("x", DataType::kFloat32, {N, 3});
  const ValueId a = relu(g, "a", x);
  const ValueId b = relu(g, "b", a);
  g.add_constant("unused", Tensor(DataType::kFloat32, {100}));
  const ValueId bias = g.add_constant("bias", Tensor(DataType::kFloat32, {3}));
  const ValueId sum = g.add(OpType::kBinary, "sum", {b, bias}, BinaryAttrs{});
  g.set_outputs({sum});
  const NodeId dead = g.value(a).producer;
  g.replace_uses(a, x);
  g.remove_node(dead);
  const std::string before = to_text(g);
  g.compact();
  EXPECT_EQ(to_text(g), before);
  EXPECT_EQ(g.value_count(), 4U);
  EXPECT_EQ(g.node_slots(), 2U);
  EXPECT_EQ(g.find_value("unused"), kNone);
  EXPECT_EQ(g.find_value("sum"), g.outputs()[0]);
  verify(g, "compact");
}

TEST(Graph, MakeConstantCutsTheProducer) {
  Graph g;
  const ValueId x = g.add_input("x", DataType::kFloat32, {2});
  const ValueId a = relu(g, "a", x);
  const ValueId b = relu(g, "b", a);
  g.set_outputs({b});
  const NodeId producer = g.value(a).producer;
  g.make_constant(a, Tensor::from<float>({2}, std::vector<float>{1, 2}));
  EXPECT_TRUE(g.value(a).is_constant());
  EXPECT_EQ(g.value(a).producer, kNone);
  verify(g, "make_constant");
  g.remove_node(producer);
  verify(g, "removing the producer");
}

TEST(Graph, OptionalInputsCanBeFilledLater) {
  Graph g;
  const ValueId x = g.add_input("x", DataType::kFloat32, {N, 4});
  const ValueId y =
      g.add(OpType::kLinear, "fc", {x, g.add_constant("w", Tensor(DataType::kFloat32, {4, 4}))}, LinearAttrs{});
  const NodeId node = g.value(y).producer;
  g.set_or_append_input(node, 3, x);
  EXPECT_FALSE(g.node(node).has_input(2));
  EXPECT_TRUE(g.node(node).has_input(3));
  g.infer(node);
  verify(g, "set_or_append_input");
}

TEST(Graph, InferAllFollowsANewInputShape) {
  Graph g;
  const ValueId x = g.add_input("x", DataType::kFloat32, {N, 3, 8, 8});
  PoolAttrs pool;
  pool.kernel = {2, 2};
  pool.strides = {2, 2};
  const ValueId y = relu(g, "y", g.add(OpType::kMaxPool, "p", {x}, pool));
  g.value(x).shape = {4, 3, 16, 16};
  g.infer_all();
  EXPECT_EQ(to_string(g.value(y).shape), "[4, 3, 8, 8]");
}

}  // namespace
}  // namespace xinfer::ir
