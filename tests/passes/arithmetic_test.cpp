// simplify_arithmetic, merge_clips, form_gelu, form_swish.
#include <functional>

#include "pass_test.h"

namespace xinfer::passes::testing {
namespace {

// A graph of one input (N, 5) and f's result.
Graph graph_of(const std::function<ValueId(Graph&, ValueId)>& f) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 5});
  g.set_outputs({f(g, x)});
  return g;
}

const ir::UnaryAttrs& only_unary(const Graph& g) { return only(g, OpType::kUnary).as<ir::UnaryAttrs>(); }

TEST(SimplifyArithmetic, RewritesSubDivPowByConstants) {
  const Graph sub =
      expect_rewrites(graph_of([](Graph& g, ValueId x) { return binary(g, BinaryKind::kSub, x, constant(g, {5})); }),
                      simplify_arithmetic);
  EXPECT_EQ(only(sub, OpType::kBinary).as<ir::BinaryAttrs>().kind, BinaryKind::kAdd);
  const Graph div = expect_rewrites(
      graph_of([](Graph& g, ValueId x) { return binary(g, BinaryKind::kDiv, x, scalar(g, 8)); }), simplify_arithmetic);
  EXPECT_EQ(only(div, OpType::kBinary).as<ir::BinaryAttrs>().kind, BinaryKind::kMul);
  const Graph square = expect_rewrites(
      graph_of([](Graph& g, ValueId x) { return binary(g, BinaryKind::kPow, x, scalar(g, 2)); }), simplify_arithmetic);
  EXPECT_EQ(only(square, OpType::kBinary).as<ir::BinaryAttrs>().kind, BinaryKind::kMul);
  const Graph root =
      expect_rewrites(graph_of([](Graph& g, ValueId x) {
                        return binary(g, BinaryKind::kPow, unary(g, UnaryKind::kAbs, x), scalar(g, 0.5F));
                      }),
                      simplify_arithmetic);
  EXPECT_EQ(count(root, OpType::kBinary), 0U);
  const Graph leaky =
      expect_rewrites(graph_of([](Graph& g, ValueId x) { return binary(g, BinaryKind::kPrelu, x, scalar(g, 0.25F)); }),
                      simplify_arithmetic);
  EXPECT_EQ(only_unary(leaky).kind, UnaryKind::kLeakyRelu);
}

TEST(SimplifyArithmetic, PutsTheConstantOnTheRight) {
  const Graph after =
      expect_rewrites(graph_of([](Graph& g, ValueId x) { return mul(g, scalar(g, 3), x); }), simplify_arithmetic);
  EXPECT_TRUE(after.value(only(after, OpType::kBinary).inputs[1]).is_constant());
}

TEST(SimplifyArithmetic, FailsToRewriteADivisionThatWouldRound) {
  expect_unchanged(graph_of([](Graph& g, ValueId x) { return binary(g, BinaryKind::kDiv, x, scalar(g, 3)); }),
                   simplify_arithmetic);
}

TEST(SimplifyArithmetic, FailsToRewriteADivisionByZero) {
  expect_unchanged(graph_of([](Graph& g, ValueId x) { return binary(g, BinaryKind::kDiv, x, scalar(g, 0)); }),
                   simplify_arithmetic);
}

TEST(SimplifyArithmetic, FailsToRewritePRelusOfSeveralSlopes) {
  expect_unchanged(graph_of([](Graph& g, ValueId x) { return binary(g, BinaryKind::kPrelu, x, constant(g, {5})); }),
                   simplify_arithmetic);
}

TEST(MergeClips, FormsClipAndReluFromMaxAndMin) {
  const Graph clip =
      expect_rewrites(graph_of([](Graph& g, ValueId x) {
                        return binary(g, BinaryKind::kMin, binary(g, BinaryKind::kMax, x, scalar(g, 0)), scalar(g, 1));
                      }),
                      merge_clips);
  EXPECT_EQ(only_unary(clip), (ir::UnaryAttrs{UnaryKind::kClip, 0, 1}));
  const Graph relu = expect_rewrites(
      graph_of([](Graph& g, ValueId x) { return unary(g, UnaryKind::kClip, x, 0, INFINITY); }), merge_clips);
  EXPECT_EQ(only_unary(relu).kind, UnaryKind::kRelu);
}

TEST(MergeClips, FailsToMergeWhenTheInnerOneIsReadTwice) {
  expect_unchanged(graph_of([](Graph& g, ValueId x) {
                     const ValueId relu = unary(g, UnaryKind::kRelu, x);
                     return add(g, relu, unary(g, UnaryKind::kClip, relu, 0, 1));
                   }),
                   merge_clips);
}

TEST(MergeClips, FailsToRewriteTheMaximumOfTwoTensors) {
  expect_unchanged(graph_of([](Graph& g, ValueId x) { return binary(g, BinaryKind::kMax, x, constant(g, {5})); }),
                   merge_clips);
}

// 1 + erf(x / sqrt 2)
ValueId erf_gate(Graph& g, ValueId x, bool divide = true, float root = 1.41421354F) {
  const ValueId scaled = divide ? binary(g, BinaryKind::kDiv, x, scalar(g, root)) : mul(g, x, scalar(g, 0.7071F));
  return add(g, unary(g, UnaryKind::kErf, scaled), scalar(g, 1));
}

TEST(FormGelu, MatchesEveryOrderOfOperands) {
  using F = std::function<ValueId(Graph&, ValueId)>;
  const std::vector<F> spellings = {
      [](Graph& g, ValueId x) { return mul(g, mul(g, x, erf_gate(g, x)), scalar(g, 0.5F)); },
      [](Graph& g, ValueId x) { return mul(g, mul(g, x, scalar(g, 0.5F)), erf_gate(g, x)); },
      [](Graph& g, ValueId x) { return mul(g, mul(g, scalar(g, 0.5F), erf_gate(g, x)), x); },
      [](Graph& g, ValueId x) { return mul(g, erf_gate(g, x), mul(g, x, scalar(g, 0.5F))); },
      [](Graph& g, ValueId x) { return binary(g, BinaryKind::kDiv, mul(g, x, erf_gate(g, x)), scalar(g, 2)); },
      [](Graph& g, ValueId x) { return mul(g, x, mul(g, erf_gate(g, x), scalar(g, 0.5F))); },
  };
  for (const F& spelling : spellings) {
    const Graph after = expect_rewrites(graph_of(spelling), form_gelu);
    EXPECT_EQ(only_unary(after).kind, UnaryKind::kGelu);
    EXPECT_EQ(after.node_count(), 1U);
  }
}

TEST(FormGelu, AcceptsRoundedConstants) {
  Graph g = graph_of([](Graph& h, ValueId x) { return mul(h, mul(h, x, scalar(h, 0.5F)), erf_gate(h, x, false)); });
  EXPECT_TRUE(form_gelu(g));
  EXPECT_EQ(only_unary(g).kind, UnaryKind::kGelu);
}

TEST(FormGelu, MatchesTheTanhForms) {
  const Graph cubic = expect_rewrites(
      graph_of([](Graph& g, ValueId x) {
        const ValueId cube = mul(g, binary(g, BinaryKind::kPow, x, scalar(g, 3)), scalar(g, 0.044715F));
        const ValueId inner = mul(g, add(g, x, cube), scalar(g, 0.79788456F));
        return mul(g, mul(g, x, scalar(g, 0.5F)), add(g, unary(g, UnaryKind::kTanh, inner), scalar(g, 1)));
      }),
      form_gelu);
  EXPECT_EQ(only_unary(cubic).kind, UnaryKind::kGeluTanh);
  const Graph quadratic = expect_rewrites(
      graph_of([](Graph& g, ValueId x) {
        const ValueId square = mul(g, mul(g, x, scalar(g, 0.044715F)), x);
        const ValueId inner = mul(g, mul(g, x, scalar(g, 0.79788456F)), add(g, square, scalar(g, 1)));
        return mul(g, mul(g, x, scalar(g, 0.5F)), add(g, unary(g, UnaryKind::kTanh, inner), scalar(g, 1)));
      }),
      form_gelu);
  EXPECT_EQ(only_unary(quadratic).kind, UnaryKind::kGeluTanh);
}

TEST(FormGelu, FailsToFuseWithAnotherConstant) {
  expect_unchanged(
      graph_of([](Graph& g, ValueId x) { return mul(g, mul(g, x, scalar(g, 0.5F)), erf_gate(g, x, true, 1.5F)); }),
      form_gelu);
  expect_unchanged(graph_of([](Graph& g, ValueId x) { return mul(g, mul(g, x, scalar(g, 0.6F)), erf_gate(g, x)); }),
                   form_gelu);
}

TEST(FormGelu, FailsToFuseAGateOfAnotherValue) {
  expect_unchanged(graph_of([](Graph& g, ValueId x) {
                     return mul(g, mul(g, x, scalar(g, 0.5F)), erf_gate(g, unary(g, UnaryKind::kTanh, x)));
                   }),
                   form_gelu);
}

TEST(FormGelu, FailsToFuseWhenAnInnerValueIsReadElsewhere) {
  expect_unchanged(graph_of([](Graph& g, ValueId x) {
                     const ValueId gate = erf_gate(g, x);
                     return add(g, mul(g, mul(g, x, scalar(g, 0.5F)), gate), gate);
                   }),
                   form_gelu);
}

TEST(FormGelu, FailsToFuseWhenAnInnerValueIsAnOutput) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 5});
  const ValueId gate = erf_gate(g, x);
  g.set_outputs({mul(g, mul(g, x, scalar(g, 0.5F)), gate), gate});
  expect_unchanged(g, form_gelu);
}

ValueId relu6_of_x_plus_3(Graph& g, ValueId x) { return unary(g, UnaryKind::kClip, add(g, x, scalar(g, 3)), 0, 6); }

TEST(FormSwish, MatchesSiluMishAndTheHardForms) {
  using F = std::function<ValueId(Graph&, ValueId)>;
  const std::vector<std::pair<UnaryKind, F>> spellings = {
      {UnaryKind::kSilu, [](Graph& g, ValueId x) { return mul(g, x, unary(g, UnaryKind::kSigmoid, x)); }},
      {UnaryKind::kSilu, [](Graph& g, ValueId x) { return mul(g, unary(g, UnaryKind::kSigmoid, x), x); }},
      {UnaryKind::kMish,
       [](Graph& g, ValueId x) { return mul(g, x, unary(g, UnaryKind::kTanh, unary(g, UnaryKind::kSoftplus, x))); }},
      {UnaryKind::kHardSigmoid,
       [](Graph& g, ValueId x) { return binary(g, BinaryKind::kDiv, relu6_of_x_plus_3(g, x), scalar(g, 6)); }},
      {UnaryKind::kHardSigmoid,
       [](Graph& g, ValueId x) { return mul(g, relu6_of_x_plus_3(g, x), scalar(g, 0.166667F)); }},
      {UnaryKind::kHardSigmoid,
       [](Graph& g, ValueId x) {
         return unary(g, UnaryKind::kClip, add(g, mul(g, x, scalar(g, 1.F / 6)), scalar(g, 0.5F)), 0, 1);
       }},
      {UnaryKind::kHardSwish,
       [](Graph& g, ValueId x) { return mul(g, x, unary(g, UnaryKind::kHardSigmoid, x, 1.F / 6, 0.5F)); }},
      {UnaryKind::kHardSwish,
       [](Graph& g, ValueId x) {
         return binary(g, BinaryKind::kDiv, mul(g, x, relu6_of_x_plus_3(g, x)), scalar(g, 6));
       }},
      {UnaryKind::kHardSwish,
       [](Graph& g, ValueId x) {
         return mul(g, x, binary(g, BinaryKind::kDiv, relu6_of_x_plus_3(g, x), scalar(g, 6)));
       }},
  };
  for (const auto& [kind, spelling] : spellings) {
    const Graph after = expect_rewrites(graph_of(spelling), form_swish);
    EXPECT_EQ(only_unary(after).kind, kind);
    EXPECT_EQ(after.node_count(), 1U);
  }
}

TEST(FormSwish, FailsToFuseAGateOfAnotherValue) {
  expect_unchanged(graph_of([](Graph& g, ValueId x) {
                     return mul(g, x, unary(g, UnaryKind::kSigmoid, unary(g, UnaryKind::kExp, x)));
                   }),
                   form_swish);
}

TEST(FormSwish, FailsToFuseWhenTheGateIsReadElsewhere) {
  expect_unchanged(graph_of([](Graph& g, ValueId x) {
                     const ValueId gate = unary(g, UnaryKind::kSigmoid, x);
                     return add(g, mul(g, x, gate), gate);
                   }),
                   form_swish);
}

TEST(FormSwish, FailsToFuseWhenTheGateIsAnOutput) {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 5});
  const ValueId gate = unary(g, UnaryKind::kSigmoid, x);
  g.set_outputs({mul(g, x, gate), gate});
  expect_unchanged(g, form_swish);
}

TEST(FormSwish, FailsToFuseOtherSlopes) {
  expect_unchanged(
      graph_of([](Graph& g, ValueId x) { return mul(g, x, unary(g, UnaryKind::kHardSigmoid, x, 0.2F, 0.5F)); }),
      form_swish);
  expect_unchanged(
      graph_of([](Graph& g, ValueId x) { return binary(g, BinaryKind::kDiv, relu6_of_x_plus_3(g, x), scalar(g, 5)); }),
      form_swish);
}

}  // namespace
}  // namespace xinfer::passes::testing
