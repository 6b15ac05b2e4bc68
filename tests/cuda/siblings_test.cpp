// Linear layers that read one value, computed together (cuda/siblings.h).

#include "cuda/siblings.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cuda/layers.h"
#include "cuda/program.h"

namespace xinfer::cuda {
namespace {

using testing::check;
using testing::input_of;
using testing::Random;
using testing::Tolerance;
using testing::weights_of;

constexpr auto kS8 = DataType::kInt8;
constexpr auto kF32 = DataType::kFloat32;

struct Family {
  std::int64_t rows = 7, channels = 96, columns = 128;
  int children = 3;
  DataType type = kS8;
  ir::Epilogue activation = {};
};

/// Some with a bias and some without; the results are the graph's outputs.
ir::Graph family_graph(const Family& f) {
  Random random(9);
  ir::Graph g;
  const ir::ValueId x = input_of(g, "x", f.type, {ir::Dim::n(), f.rows, f.channels}, 1.0F / 16);
  std::vector<ir::ValueId> outputs;
  for (int i = 0; i < f.children; ++i) {
    std::vector<ir::ValueId> inputs{x, weights_of(g, f.type, {f.columns, f.channels}, 0, random)};
    if (i != 1) inputs.push_back(g.add_constant("bias", random.floats({f.columns}, -2, 2)));
    outputs.push_back(g.add(ir::OpType::kLinear, "child" + std::to_string(i), inputs, ir::LinearAttrs{f.activation}));
    g.value(outputs.back()).dtype = kF32;
  }
  g.set_outputs(outputs);
  return g;
}

std::shared_ptr<const Program> compile_for(const Target& target, const ir::Graph& graph, bool keep_values = false) {
  CompileOptions options;
  options.target = target;
  options.keep_values = keep_values;
  return compile(std::make_shared<const ir::Graph>(graph), 2, options);
}

const Target kHopper{{90, true}, 132, 227 * 1024};
const Target kAmpere{{80, false}, 108, 163 * 1024};

/// Layers that have no launch of their own.
std::size_t folded(const ir::Graph& graph, const Target& target = kHopper) {
  const auto program = compile_for(target, graph);
  return static_cast<std::size_t>(std::ranges::count(program->infos, "", &StepInfo::choice));
}

class SiblingLinears : public ::testing::TestWithParam<Family> {};

TEST_P(SiblingLinears, EqualTheReference) {
  const ir::Graph graph = family_graph(GetParam());
  check(graph, Tolerance::half());
  EXPECT_EQ(folded(graph), static_cast<std::size_t>(GetParam().children - 1));
}

INSTANTIATE_TEST_SUITE_P(Shapes, SiblingLinears,
                         ::testing::Values(Family{}, Family{1, 17, 64, 2}, Family{197, 768, 768, 3},
                                           Family{384, 768, 256, 3}, Family{130, 3072, 64, 4}, Family{33, 64, 192, 3},
                                           Family{7, 96, 128, 3, kF32}, Family{197, 768, 768, 3, kF32},
                                           Family{65, 130, 64, 2, kF32},
                                           Family{50, 64, 64, 3, kS8, {ir::UnaryKind::kRelu, 0, 0}}));

TEST(SiblingLinearsOf, AreOneLaunchOnHopperAlone) {
  EXPECT_EQ(folded(family_graph({}), kHopper), 2U);
  EXPECT_EQ(folded(family_graph({}), kAmpere), 0U);
}

TEST(SiblingLinearsOf, EveryTileThatFitsIsRight) {
  const auto graph = family_graph({40, 256, 256, 3});
  const auto all = sibling_linears(graph, graph.order().front(), [](ir::NodeId) { return true; });
  ASSERT_TRUE(all.has_value());
  EXPECT_EQ(all->nodes.size(), 3U);
  EXPECT_EQ(all->merged.value(all->merged.outputs()[0]).shape.at(2), (Dims{2, 40, 768}));
  for (const std::int64_t columns : {64, 128, 192, 256}) {
    check(family_graph({40, 256, columns, 3}), Tolerance::half(),
          {.implementation = "wgemm_linear", .op = ir::OpType::kLinear, .all_tactics = true});
  }
}

TEST(SiblingLinearsOf, StayAloneWhereTheyDiffer) {
  const auto nobody = [](const ir::Graph& graph) { EXPECT_EQ(folded(graph), 0U); };
  nobody(family_graph({7, 96, 48, 3}));  // no tile is that narrow
  nobody(family_graph({7, 96, 128, 1}));
  {
    ir::Graph g = family_graph({7, 96, 128, 2});  // another activation
    g.node(g.order().back()).as<ir::LinearAttrs>().epilogue = {ir::UnaryKind::kRelu, 0, 0};
    nobody(g);
  }
  {
    ir::Graph g = family_graph({7, 96, 128, 2});  // another width
    Random random(3);
    const auto w = weights_of(g, kS8, {64, 96}, 0, random);
    const auto y = g.add(ir::OpType::kLinear, "narrow", {g.inputs()[0], w}, ir::LinearAttrs{});
    g.value(y).dtype = kF32;
    g.set_outputs({g.outputs()[0], y});
    g.remove_node(g.value(g.find_value("child1")).producer);
    nobody(g);
  }
  {
    ir::Graph g = family_graph({7, 96, 128, 2});  // an integer result
    testing::make_quantized(g, g.outputs()[1], kS8, 1.0F / 4);
    nobody(g);
  }
}

TEST(SiblingLinearsOf, CountAsTheirLeader) {
  const ir::Graph g = family_graph({7, 96, 128, 3});
  const auto program = compile_for(kHopper, g);
  ASSERT_EQ(program->infos.size(), 3U);
  EXPECT_EQ(program->infos[0].macs, 2.0 * 7 * 96 * 128 * 3);
  EXPECT_EQ(program->infos[1].macs, 0);
  EXPECT_EQ(program->infos[1].implementation, "folded into child0");
  const auto apart = compile_for(kHopper, g, true);
  EXPECT_EQ(apart->infos[2].macs, 2.0 * 7 * 96 * 128) << "each value where an observer looks for it";
}

}  // namespace
}  // namespace xinfer::cuda
