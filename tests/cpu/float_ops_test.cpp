// Float operators against the reference: everything but convolutions.
#include <limits>

#include "cpu/harness.h"
#include "ir/quantize_nodes.h"

namespace xinfer::cpu::testing {
namespace {

using ir::Dim;
using ir::OpType;
constexpr DataType kF32 = DataType::kFloat32;

TEST(LinearF32, WithEveryExtra) {
  for (const ir::Shape& shape : {ir::Shape{Dim::n(), 17}, ir::Shape{Dim::n(), 7, 130}, ir::Shape{1}}) {
    Random random(2);
    const std::int64_t depth = shape[shape.rank() - 1].value;
    ir::Graph g;
    const auto x = g.add_input("x", kF32, shape);
    ir::Shape out = shape;
    out[shape.rank() - 1] = 33;
    const auto r = g.add_input("r", kF32, out);
    const auto w = g.add_constant("w", random.floats({33, depth}));
    const auto b = g.add_constant("b", random.floats({33}));
    const auto plain = g.add(OpType::kLinear, "plain", {x, w}, ir::LinearAttrs{});
    const auto full = g.add(OpType::kLinear, "full", {x, w, b, r}, ir::LinearAttrs{{ir::UnaryKind::kRelu}});
    const auto gelu = g.add(OpType::kLinear, "gelu", {x, w, b}, ir::LinearAttrs{{ir::UnaryKind::kGelu}});
    g.set_outputs({plain, full, gelu});
    const Tolerance tolerance{.absolute_scale = 8};
    const auto steps = shape.is_static() ? check(g, random_inputs(g, 1, 4), tolerance) : check_random(g, tolerance);
    for (const StepInfo& step : steps) expect_fast(steps, step.node);
  }
}

TEST(MatMulF32, TransposesBatchesAndBroadcasts) {
  struct Case {
    ir::Shape a, b;
    bool ta, tb;
  };
  const std::vector<Case> cases{{{Dim::n(), 4, 5, 6}, {Dim::n(), 4, 6, 7}, false, false},
                                {{Dim::n(), 4, 5, 64}, {Dim::n(), 4, 17, 64}, false, true},
                                {{Dim::n(), 6, 5}, {Dim::n(), 6, 7}, true, false},
                                {{Dim::n(), 6, 5}, {7, 6}, true, true},
                                {{Dim::n(), 3, 1, 5, 6}, {2, 6, 7}, false, false},
                                {{3, 4}, {Dim::n(), 4, 5}, false, false}};
  for (const Case& c : cases) {
    ir::Graph g;
    const auto a = g.add_input("a", kF32, c.a);
    const auto b = g.add_input("b", kF32, c.b);
    g.set_outputs({g.add(OpType::kMatMul, "y", {a, b}, ir::MatMulAttrs{c.ta, c.tb, 0.5F})});
    expect_fast(check_random(g, {.absolute_scale = 4}), "y");
  }
}

TEST(AttentionF32, MasksAndCausality) {
  for (const bool causal : {false, true}) {
    for (const int mask_kind : {0, 1, 2}) {
      ir::Graph g;
      const auto q = g.add_input("q", kF32, {Dim::n(), 3, 70, 16});
      const auto k = g.add_input("k", kF32, {Dim::n(), 3, 75, 16});
      const auto v = g.add_input("v", kF32, {Dim::n(), 3, 75, 17});
      std::vector<ir::ValueId> inputs{q, k, v};
      if (mask_kind == 1) inputs.push_back(g.add_input("m", kF32, {Dim::n(), 1, 1, 75}));
      if (mask_kind == 2) inputs.push_back(g.add_input("m", kF32, {70, 75}));
      const auto y = g.add(OpType::kAttention, "y", inputs, ir::AttentionAttrs{0.25F, causal});
      g.set_outputs({y});
      expect_fast(check_random(g), "y");
    }
  }
}

TEST(AttentionF32, TransposesAroundItCostNothing) {
  for (const bool quantized : {false, true}) {
    ir::Graph g;
    std::vector<ir::ValueId> heads;
    for (const char* name : {"q", "k", "v"}) {
      const auto x = g.add_input(name, kF32, {Dim::n(), 20, 3, 16});
      heads.push_back(g.add(OpType::kTranspose, std::string(name) + ".t", {x}, ir::TransposeAttrs{{0, 2, 1, 3}}));
    }
    auto y = g.add(OpType::kAttention, "y", heads, ir::AttentionAttrs{0.25F, false});
    if (quantized) y = ir::add_quantize(g, "quantize", y, DataType::kInt8, {{0.0123F}, {}, -1});
    const auto t = g.add(OpType::kTranspose, "t", {y}, ir::TransposeAttrs{{0, 2, 1, 3}});
    g.set_outputs({g.add(OpType::kReshape, "r", {t}, ir::ShapeAttrs{{Dim::n(), 20, 48}})});
    for (const StepInfo& step : check_random(g, {.off_by_one = 0.001})) {
      EXPECT_EQ(step.reorders, 0) << step.node;
      if (step.op == OpType::kTranspose) {
        EXPECT_EQ(step.implementation, "alias") << step.node;
      }
    }
  }
}

TEST(AttentionF32, ASwappedValueWithOtherReadersIsBroughtBack) {
  ir::Graph g;
  const auto x = g.add_input("x", kF32, {Dim::n(), 20, 3, 16});
  const auto t = g.add(OpType::kTranspose, "t", {x}, ir::TransposeAttrs{{0, 2, 1, 3}});
  const auto y = g.add(OpType::kAttention, "y", {t, t, t}, ir::AttentionAttrs{0.25F, false});
  const auto back = g.add(OpType::kTranspose, "back", {y}, ir::TransposeAttrs{{0, 2, 1, 3}});
  const auto twice = g.add(OpType::kAttention, "twice", {t, y, y}, ir::AttentionAttrs{0.25F, false});
  const auto sum = g.add(OpType::kSoftmax, "sum", {twice}, ir::SoftmaxAttrs{});
  g.set_outputs({back, sum, t});
  check_random(g);
}

class UnaryF32 : public ::testing::TestWithParam<int> {};

TEST_P(UnaryF32, MatchesReference) {
  const auto kind = static_cast<ir::UnaryKind>(GetParam());
  const bool is_not = kind == ir::UnaryKind::kNot;
  ir::Graph g;
  const auto x = g.add_input("x", is_not ? DataType::kBool : kF32, {Dim::n(), 17, 33});
  g.set_outputs({g.add(OpType::kUnary, "y", {x}, ir::UnaryAttrs{kind, 0.3F, 0.6F})});
  check_random(g, {.relative = 1e-5});
}

INSTANTIATE_TEST_SUITE_P(Kinds, UnaryF32, ::testing::Range(0, static_cast<int>(ir::UnaryKind::kIsNan) + 1));

TEST(UnaryF32, PropagatesNan) {
  ir::Graph g;
  const auto x = g.add_input("x", kF32, {4});
  std::vector<ir::ValueId> outputs;
  for (const auto kind : {ir::UnaryKind::kSigmoid, ir::UnaryKind::kExp, ir::UnaryKind::kAbs, ir::UnaryKind::kSqrt}) {
    outputs.push_back(g.add(OpType::kUnary, "y", {x}, ir::UnaryAttrs{kind}));
  }
  g.set_outputs(outputs);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  check(g, {Tensor::from<float>({4}, {nan, 1.0F, -0.0F, nan})});
}

class BinaryF32 : public ::testing::TestWithParam<int> {};

TEST_P(BinaryF32, BroadcastsEveryWay) {
  const auto kind = static_cast<ir::BinaryKind>(GetParam());
  const bool logical = kind >= ir::BinaryKind::kAnd;
  const DataType type = logical ? DataType::kBool : kF32;
  const ir::Shape full{Dim::n(), 5, 6, 7};
  const std::vector<ir::Shape> others{full, {Dim::n(), 5, 1, 1}, {1, 5, 1, 1}, {7}, {1}, {6, 1}, {Dim::n(), 1, 6, 7},
                                      {}};
  ir::Graph g;
  const auto a = g.add_input("a", type, full);
  std::vector<ir::ValueId> outputs;
  for (const ir::Shape& shape : others) {
    const auto b = g.add_input("b", type, shape);
    outputs.push_back(g.add(OpType::kBinary, "y", {a, b}, ir::BinaryAttrs{kind, {}}));
    if (kind != ir::BinaryKind::kPrelu)
      outputs.push_back(g.add(OpType::kBinary, "z", {b, a}, ir::BinaryAttrs{kind, {}}));
  }
  g.set_outputs(outputs);
  check_random(g, {.relative = 1e-5});
}

INSTANTIATE_TEST_SUITE_P(Kinds, BinaryF32, ::testing::Range(0, static_cast<int>(ir::BinaryKind::kXor) + 1));

TEST(BinaryF32, WorksInTheLayoutOfConvolutions) {
  // 17 channels: blocks would be partly padding.
  for (const std::int64_t channels : {17, 32}) {
    Random random(3);
    ir::Graph g;
    const auto x = g.add_input("x", kF32, {Dim::n(), 16, 6, 6});
    const auto w = g.add_constant("w", random.floats({channels, 16, 3, 3}, -0.3F, 0.3F));
    ir::ConvAttrs attrs;
    attrs.pads = {1, 1, 1, 1};
    const auto c = g.add(OpType::kConv, "c", {x, w}, attrs);
    const auto gate = g.add(OpType::kReduce, "gate", {c}, ir::ReduceAttrs{ir::ReduceKind::kMean, {2, 3}, true});
    const auto sigmoid = g.add(OpType::kUnary, "sigmoid", {gate}, ir::UnaryAttrs{ir::UnaryKind::kSigmoid});
    const auto scaled = g.add(OpType::kBinary, "scaled", {c, sigmoid}, ir::BinaryAttrs{ir::BinaryKind::kMul, {}});
    const auto k = g.add_constant("k", random.floats({channels, 1, 1}));
    const auto shifted = g.add(OpType::kBinary, "shifted", {scaled, k},
                               ir::BinaryAttrs{ir::BinaryKind::kAdd, {ir::UnaryKind::kHardSwish}});
    const auto divided = g.add(OpType::kBinary, "divided", {shifted, g.add_constant("two", random.floats({}, 2, 2.5F))},
                               ir::BinaryAttrs{ir::BinaryKind::kDiv, {}});
    const auto pool = g.add(OpType::kMaxPool, "pool", {divided}, ir::PoolAttrs{{3, 3}, {2, 2}, {}, {1, 1, 1, 1}});
    const auto joined = g.add(OpType::kConcat, "joined", {pool, pool}, ir::AxisAttrs{1});
    const auto w2 = g.add_constant("w2", random.floats({8, 2 * channels, 1, 1}, -0.3F, 0.3F));
    g.set_outputs({g.add(OpType::kConv, "last", {joined, w2}, ir::ConvAttrs{})});
    const auto steps = check_random(g, {.relative = 5e-5});
    for (const StepInfo& step : steps) expect_fast(steps, step.node);
  }
}

TEST(PoolF32, KernelsPaddingsAndCeilMode) {
  for (const bool ceil : {false, true}) {
    for (const bool include : {false, true}) {
      ir::Graph g;
      const auto x = g.add_input("x", kF32, {Dim::n(), 17, 10, 11});
      const ir::PoolAttrs attrs{{3, 2}, {2, 3}, {}, {1, 0, 1, 1}, ceil, include};
      const auto m = g.add(OpType::kMaxPool, "max", {x}, attrs);
      const auto a = g.add(OpType::kAveragePool, "average", {x}, attrs);
      g.set_outputs({m, a});
      check_random(g);
    }
  }
  ir::Graph g;
  const auto x = g.add_input("x", kF32, {Dim::n(), 3, 9});
  g.set_outputs({g.add(OpType::kMaxPool, "dilated", {x}, ir::PoolAttrs{{3}, {1}, {2}, {2, 2}})});
  check_random(g);
}

TEST(ReduceF32, EveryKindAndAxes) {
  for (int kind = 0; kind <= static_cast<int>(ir::ReduceKind::kLogSumExp); ++kind) {
    for (const std::vector<std::int64_t>& axes :
         {std::vector<std::int64_t>{1}, {2, 3}, {3}, {1, 3}, {1, 2, 3}, std::vector<std::int64_t>{}}) {
      for (const bool keep : {false, true}) {
        Random random(3);
        ir::Graph g;
        const auto x = g.add_input("x", kF32, {Dim::n(), 5, 6, 7});
        g.set_outputs(
            {g.add(OpType::kReduce, "y", {x}, ir::ReduceAttrs{static_cast<ir::ReduceKind>(kind), axes, keep})});
        check(g, {random.floats({2, 5, 6, 7}, 0.5F, 1.5F)}, {.relative = 5e-5});
      }
    }
  }
}

TEST(NormF32, LayerGroupAndBatch) {
  Random random(3);
  ir::Graph g;
  const auto x = g.add_input("x", kF32, {Dim::n(), 6, 5, 17});
  const auto s = g.add_constant("s", random.floats({17}));
  const auto b = g.add_constant("b", random.floats({17}));
  const auto s2 = g.add_constant("s2", random.floats({5, 17}));
  const auto c = g.add_constant("c", random.floats({6}));
  const auto v = g.add_constant("v", random.floats({6}, 0.5F, 1.5F));
  ir::NormAttrs two;
  two.axis = 2;
  ir::NormAttrs groups;
  groups.groups = 3;
  const auto l1 = g.add(OpType::kLayerNorm, "l1", {x, s, b}, ir::NormAttrs{});
  const auto l2 = g.add(OpType::kLayerNorm, "l2", {x, s2}, two);
  const auto l3 = g.add(OpType::kLayerNorm, "l3", {x}, ir::NormAttrs{});
  const auto gn = g.add(OpType::kGroupNorm, "gn", {x, c, v}, groups);
  const auto bn = g.add(OpType::kBatchNorm, "bn", {x, c, v, c, v}, ir::NormAttrs{});
  g.set_outputs({l1, l2, l3, gn, bn});
  const auto steps = check_random(g, {.relative = 5e-5});
  for (const StepInfo& step : steps) expect_fast(steps, step.node);
}

TEST(SoftmaxF32, AnyAxisAndLog) {
  for (const std::int64_t axis : {-1, 1, 2}) {
    for (const bool log : {false, true}) {
      ir::Graph g;
      const auto x = g.add_input("x", kF32, {Dim::n(), 5, 6, 33});
      g.set_outputs({g.add(OpType::kSoftmax, "y", {x}, ir::SoftmaxAttrs{axis, log})});
      expect_fast(check_random(g), "y");
    }
  }
}

TEST(ResizeF32, NearestLinearAndCubic) {
  for (const auto mode : {ir::ResizeMode::kNearest, ir::ResizeMode::kLinear, ir::ResizeMode::kCubic}) {
    for (const std::vector<std::int64_t>& sizes : {std::vector<std::int64_t>{14, 20}, {5, 4}, {7, 10}}) {
      ir::Graph g;
      const auto x = g.add_input("x", kF32, {Dim::n(), 5, 7, 10});
      ir::ResizeAttrs attrs;
      attrs.mode = mode;
      attrs.sizes = sizes;
      g.set_outputs({g.add(OpType::kResize, "y", {x}, attrs)});
      check_random(g);
    }
  }
}

}  // namespace
}  // namespace xinfer::cpu::testing
