// Operators that move data, on every element type, and those at the rim of networks.
#include "cpu/harness.h"
#include "xinfer/core/errors.h"

namespace xinfer::cpu::testing {
namespace {

using ir::Dim;
using ir::OpType;

class Movement : public ::testing::TestWithParam<DataType> {
 protected:
  ir::ValueId input(const ir::Shape& shape, const std::string& name = "x") {
    const auto id = graph_.add_input(name, GetParam(), shape);
    if (is_int8_like(GetParam())) make_quantized(graph_, id, GetParam(), 0.5F);
    return id;
  }
  void finish(std::vector<ir::ValueId> outputs) {
    graph_.set_outputs(std::move(outputs));
    check_random(graph_);
  }
  ir::Graph graph_;
};

TEST_P(Movement, TransposeReshapeAndBack) {
  const auto x = input({Dim::n(), 3, 5, 8});
  const auto a = graph_.add(OpType::kTranspose, "a", {x}, ir::TransposeAttrs{{0, 2, 3, 1}});
  const auto b = graph_.add(OpType::kReshape, "b", {a}, ir::ShapeAttrs{{Dim::n(), 40, 3}});
  const auto c = graph_.add(OpType::kTranspose, "c", {b}, ir::TransposeAttrs{{2, 0, 1}});
  const auto d = graph_.add(OpType::kTranspose, "d", {a}, ir::TransposeAttrs{{0, 3, 1, 2}});
  finish({b, c, d, x});
}

TEST_P(Movement, ConcatSplitSlice) {
  const auto x = input({Dim::n(), 7, 5, 8});
  const auto y = input({Dim::n(), 3, 5, 8}, "y");
  const auto joined = graph_.add(OpType::kConcat, "joined", {x, y, x}, ir::AxisAttrs{1});
  if (is_int8_like(GetParam())) make_quantized(graph_, joined, GetParam(), 0.5F);
  const auto split = graph_.add_node(OpType::kSplit, "split", {joined}, ir::SplitAttrs{1, {4, 13}}, 2);
  const auto s = graph_.add(OpType::kSlice, "s", {joined}, ir::SliceAttrs{{1, -1}, {100, -100}, {1, 3}, {3, -2}});
  const auto last = graph_.add(OpType::kConcat, "last", {x, x}, ir::AxisAttrs{3});
  if (is_int8_like(GetParam())) make_quantized(graph_, last, GetParam(), 0.5F);
  finish({graph_.node(split).outputs[0], graph_.node(split).outputs[1], s, last});
}

TEST_P(Movement, PadExpandTileGather) {
  const auto x = input({Dim::n(), 3, 5, 4});
  ir::PadAttrs pad;
  pad.pads = {0, 1, 2, -1, 0, 0, -1, 3};
  const auto padded = graph_.add(OpType::kPad, "padded", {x}, pad);
  ir::PadAttrs reflect = pad;
  reflect.mode = ir::PadMode::kReflect;
  reflect.pads = {0, 0, 1, 2, 0, 0, 2, 1};
  const auto reflected = graph_.add(OpType::kPad, "reflected", {x}, reflect);
  const auto one = input({Dim::n(), 1, 5, 1}, "one");
  const auto spread = graph_.add(OpType::kExpand, "spread", {one}, ir::ShapeAttrs{{Dim::n(), 3, 5, 4}});
  const auto tiled = graph_.add(OpType::kTile, "tiled", {x}, ir::TileAttrs{{1, 2, 1, 3}});
  const auto index = graph_.add_constant("index", Tensor::from<std::int64_t>({2, 2}, {0, -1, 2, 1}));
  const auto gathered = graph_.add(OpType::kGather, "gathered", {x, index}, ir::AxisAttrs{2});
  finish({padded, reflected, spread, tiled, gathered});
}

TEST_P(Movement, Indexed) {
  const auto x = input({4, 5});
  const auto index = graph_.add_constant("index", Tensor::from<std::int64_t>({2, 5}, {0, -1, 2, 1, 3, 1, 1, 0, 3, 2}));
  const auto e = graph_.add(OpType::kGatherElements, "e", {x, index}, ir::AxisAttrs{0});
  const auto pairs = graph_.add_constant("pairs", Tensor::from<std::int64_t>({3, 2}, {0, 1, 3, 4, -1, 0}));
  const auto n = graph_.add(OpType::kGatherNd, "n", {x, pairs}, ir::AxisAttrs{0});
  graph_.set_outputs({e, n});
  check(graph_, random_inputs(graph_, 1, 3));
}

INSTANTIATE_TEST_SUITE_P(Types, Movement,
                         ::testing::Values(DataType::kFloat32, DataType::kInt8, DataType::kUInt8, DataType::kInt64,
                                           DataType::kBool, DataType::kInt32),
                         [](const auto& info) { return std::string(name_of(info.param)); });

TEST(Movement, GatherOutOfRangeNamesTheNode) {
  ir::Graph g;
  const auto x = g.add_input("x", DataType::kFloat32, {4, 2});
  const auto i = g.add_input("i", DataType::kInt64, {1});
  g.set_outputs({g.add(OpType::kGather, "lookup", {x, i}, ir::AxisAttrs{0})});
  const auto shared = std::make_shared<const ir::Graph>(g);
  const auto program = compile(shared, 1);
  try {
    run_program(*program, *shared, {Tensor(DataType::kFloat32, {4, 2}), Tensor::from<std::int64_t>({1}, {4})});
    FAIL() << "no error";
  } catch (const ModelError& error) {
    EXPECT_NE(std::string(error.what()).find("lookup"), std::string::npos) << error.what();
  }
}

TEST(Movement, IdentityAndReshapeCopyNothing) {
  ir::Graph g;
  const auto x = g.add_input("x", DataType::kFloat32, {Dim::n(), 4, 6});
  const auto a = g.add(OpType::kUnary, "a", {x}, ir::UnaryAttrs{});
  const auto b = g.add(OpType::kReshape, "b", {a}, ir::ShapeAttrs{{Dim::n(), 24}});
  const auto c = g.add(OpType::kUnary, "c", {b}, ir::UnaryAttrs{ir::UnaryKind::kRelu});
  g.set_outputs({c, b, x});
  const auto steps = check_random(g);
  EXPECT_EQ(steps.at(0).implementation, "alias");
  EXPECT_EQ(steps.at(1).implementation, "alias");
}

TEST(Rim, WhereCastAndSelections) {
  ir::Graph g;
  const auto condition = g.add_input("condition", DataType::kBool, {Dim::n(), 1, 6});
  const auto a = g.add_input("a", DataType::kFloat32, {Dim::n(), 5, 6});
  const auto b = g.add_input("b", DataType::kFloat32, {1});
  const auto i = g.add_input("i", DataType::kInt64, {Dim::n(), 5});
  const auto w = g.add(OpType::kWhere, "w", {condition, a, b});
  const auto f1 = g.add(OpType::kCast, "f1", {i}, ir::CastAttrs{DataType::kFloat32});
  const auto f2 = g.add(OpType::kCast, "f2", {condition}, ir::CastAttrs{DataType::kFloat32});
  const auto f3 = g.add(OpType::kCast, "f3", {a}, ir::CastAttrs{DataType::kInt32});
  const auto arg = g.add(OpType::kArgReduce, "arg", {a}, ir::ArgReduceAttrs{2});
  const auto top = g.add_node(OpType::kTopK, "top", {a}, ir::TopKAttrs{2, 3}, 2);
  const auto sum = g.add(OpType::kCumSum, "sum", {a}, ir::CumSumAttrs{1});
  g.set_outputs({w, f1, f2, f3, arg, g.node(top).outputs[0], g.node(top).outputs[1], sum});
  check_random(g);
}

TEST(Rim, Scatter) {
  ir::Graph g;
  const auto x = g.add_input("x", DataType::kFloat32, {4, 3});
  const auto i = g.add_constant("i", Tensor::from<std::int64_t>({2, 1}, {3, 0}));
  const auto u = g.add_input("u", DataType::kFloat32, {2, 3});
  g.set_outputs({g.add(OpType::kScatterNd, "y", {x, i, u}, ir::ScatterAttrs{})});
  check(g, random_inputs(g, 1, 2));
}

}  // namespace
}  // namespace xinfer::cpu::testing
