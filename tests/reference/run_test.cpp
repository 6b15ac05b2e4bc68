// Whole graphs.

#include "one_node.h"

namespace xinfer::reference {
namespace {

using ir::OpType;

/// relu(x + 1) summed over its second axis, for x of shape [N, 2].
ir::Graph small_graph() {
  ir::Graph graph;
  const ir::ValueId x = graph.add_input("x", DataType::kFloat32, {ir::Dim::n(), 2});
  const ir::ValueId one = graph.add_constant("one", f32({1}, {1}));
  const ir::ValueId sum = graph.add(OpType::kBinary, "sum", {x, one}, ir::BinaryAttrs{});
  const ir::ValueId relu = graph.add(OpType::kUnary, "relu", {sum}, ir::UnaryAttrs{ir::UnaryKind::kRelu});
  graph.set_outputs({graph.add(OpType::kReduce, "total", {relu}, ir::ReduceAttrs{ir::ReduceKind::kSum, {1}, false})});
  return graph;
}

TEST(Run, FollowsTheBatch) {
  const ir::Graph graph = small_graph();
  for (const std::int64_t batch : {1, 3}) {
    const std::vector<Tensor> outputs = run(graph, std::vector<Tensor>{counting({batch, 2}, -2)});
    ASSERT_EQ(outputs.size(), 1U);
    EXPECT_EQ(outputs[0].shape(), Sizes{batch});
    EXPECT_EQ(outputs[0].data<float>()[0], 0.0F);
  }
}

TEST(Run, KeepsEveryValueWhenAsked) {
  std::unordered_map<std::string, Tensor> kept;
  run(small_graph(), std::vector<Tensor>{f32({1, 2}, {-3, 4})}, &kept);
  expect_near(kept.at("x"), f32({1, 2}, {-3, 4}));
  expect_near(kept.at("sum"), f32({1, 2}, {-2, 5}));
  expect_near(kept.at("relu"), f32({1, 2}, {0, 5}));
  expect_near(kept.at("total"), f32({1}, {5}));
}

TEST(Run, RefusesInputsThatDoNotFit) {
  const ir::Graph graph = small_graph();
  EXPECT_THROW(run(graph, std::vector<Tensor>{f32({1, 3}, {1, 2, 3})}), ModelError);
  EXPECT_THROW(run(graph, std::vector<Tensor>{f32({2}, {1, 2})}), ModelError);
  EXPECT_THROW(run(graph, std::vector<Tensor>{s32({1, 2}, {1, 2})}), ModelError);
  EXPECT_THROW(run(graph, std::vector<Tensor>{}), ModelError);
}

TEST(Run, ErrorsNameTheNode) {
  ir::Graph graph;
  const ir::ValueId x = graph.add_input("x", DataType::kInt64, {1});
  const ir::ValueId zero = graph.add_constant("zero", s64({1}, {0}));
  graph.set_outputs({graph.add(OpType::kBinary, "quotient", {x, zero}, ir::BinaryAttrs{ir::BinaryKind::kDiv, {}})});
  try {
    run(graph, std::vector<Tensor>{s64({1}, {1})});
    FAIL() << "division by zero passed";
  } catch (const ModelError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("quotient"));
  }
}

TEST(Run, OutputsMayBeInputsConstantsAndRepeated) {
  ir::Graph graph;
  const ir::ValueId x = graph.add_input("x", DataType::kFloat32, {1});
  const ir::ValueId c = graph.add_constant("c", f32({1}, {7}));
  const ir::ValueId y = graph.add(OpType::kBinary, "y", {x, x}, ir::BinaryAttrs{});
  graph.set_outputs({x, c, y, y});
  const std::vector<Tensor> outputs = run(graph, std::vector<Tensor>{f32({1}, {2})});
  ASSERT_EQ(outputs.size(), 4U);
  expect_near(outputs[0], f32({1}, {2}));
  expect_near(outputs[1], f32({1}, {7}));
  expect_near(outputs[2], f32({1}, {4}));
  expect_near(outputs[3], f32({1}, {4}));
}

TEST(BatchOf, ReadsTheInputs) {
  ir::Graph graph;
  graph.add_input("a", DataType::kFloat32, {ir::Dim::n(), 2});
  graph.add_input("b", DataType::kFloat32, {ir::Dim::n(4)});
  EXPECT_EQ(batch_of(graph, std::vector<Tensor>{counting({3, 2}), counting({12})}), 3);
  EXPECT_THROW(batch_of(graph, std::vector<Tensor>{counting({3, 2}), counting({8})}), EngineError);
  EXPECT_THROW(batch_of(graph, std::vector<Tensor>{counting({3, 2}), counting({13})}), EngineError);
  EXPECT_THROW(batch_of(graph, std::vector<Tensor>{counting({3, 3}), counting({12})}), EngineError);
}

TEST(BatchOf, IsOneWithoutABatch) {
  ir::Graph graph;
  graph.add_input("a", DataType::kFloat32, {2});
  EXPECT_EQ(batch_of(graph, std::vector<Tensor>{counting({2})}), 1);
}

}  // namespace
}  // namespace xinfer::reference
