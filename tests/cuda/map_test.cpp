// Unary, Binary, Where and Cast on the GPU.

#include <cmath>
#include <limits>

#include "cuda/harness.h"

namespace xinfer::cuda {
namespace {

using ir::BinaryKind;
using ir::Dim;
using ir::Graph;
using ir::OpType;
using ir::Shape;
using ir::UnaryKind;
using ir::ValueId;
using testing::check;
using testing::check_inputs;
using testing::CheckOptions;
using testing::make_quantized;
using testing::quantized_input;
using testing::Random;
using testing::Sizes;
using testing::Tolerance;

constexpr auto kF32 = DataType::kFloat32;
constexpr auto kS8 = DataType::kInt8;
constexpr auto kU8 = DataType::kUInt8;
constexpr auto kS32 = DataType::kInt32;
constexpr auto kS64 = DataType::kInt64;
constexpr auto kBool = DataType::kBool;
const CheckOptions kSingle{.real = Element::kF32, .implementation = {}};
constexpr Tolerance kTight{2e-5, 1.0, 0.0};

Shape batched(const Sizes& sizes) {
  Shape shape{Dim::n()};
  for (const std::int64_t size : sizes) shape.dims().push_back(size);
  return shape;
}

/// The same value, stored channels last.
ValueId channels_last(Graph& g, ValueId x) {
  const std::size_t spatial = g.value(x).shape.rank() - 2;
  ir::PoolAttrs attrs;
  attrs.kernel.assign(spatial, 1);
  attrs.strides = attrs.dilations = attrs.kernel;
  attrs.pads.assign(2 * spatial, 0);
  return g.add(OpType::kMaxPool, "pool", {x}, attrs);
}

ValueId quantized(Graph& g, ValueId x, DataType type, float scale) {
  const ValueId y = g.add(OpType::kQuantize, "quantize", {x});
  make_quantized(g, y, type, scale);
  return y;
}

// -- Unary --------------------------------------------------------------------------------------------------------

class UnaryFunction : public ::testing::TestWithParam<ir::UnaryAttrs> {
 protected:
  static Graph graph() {
    Graph g;
    auto x = g.add_input("x", kF32, batched({5, 17}));
    // Within the domain of every function.
    const UnaryKind kind = GetParam().kind;
    if (kind == UnaryKind::kLog || kind == UnaryKind::kSqrt || kind == UnaryKind::kReciprocal ||
        kind == UnaryKind::kAcosh) {
      x = g.add(OpType::kUnary, "abs", {x}, ir::UnaryAttrs{UnaryKind::kAbs});
      x = g.add(OpType::kBinary, "more",
                {x, g.add_constant("one", Tensor::from<float>({}, std::vector<float>{1.125F}))}, ir::BinaryAttrs{});
    }
    if (kind == UnaryKind::kAsin || kind == UnaryKind::kAcos || kind == UnaryKind::kAtanh) {
      x = g.add(OpType::kBinary, "less", {x, g.add_constant("q", Tensor::from<float>({}, std::vector<float>{0.375F}))},
                ir::BinaryAttrs{BinaryKind::kMul, {}});
    }
    g.set_outputs({g.add(OpType::kUnary, "y", {x}, GetParam())});
    return g;
  }
};

// Every function in single precision, where errors show; the same code works on halves.
TEST_P(UnaryFunction, EqualsTheReference) { check(graph(), kTight, kSingle); }

INSTANTIATE_TEST_SUITE_P(
    Kinds, UnaryFunction,
    ::testing::Values(
        ir::UnaryAttrs{UnaryKind::kRelu}, ir::UnaryAttrs{UnaryKind::kClip, -0.5F, 0.75F},
        ir::UnaryAttrs{UnaryKind::kLeakyRelu, 0.125F}, ir::UnaryAttrs{UnaryKind::kElu, 1.5F},
        ir::UnaryAttrs{UnaryKind::kSelu, 1.67F, 1.05F}, ir::UnaryAttrs{UnaryKind::kCelu, 0.75F},
        ir::UnaryAttrs{UnaryKind::kSigmoid}, ir::UnaryAttrs{UnaryKind::kHardSigmoid, 0.2F, 0.5F},
        ir::UnaryAttrs{UnaryKind::kHardSwish}, ir::UnaryAttrs{UnaryKind::kSilu}, ir::UnaryAttrs{UnaryKind::kMish},
        ir::UnaryAttrs{UnaryKind::kGelu}, ir::UnaryAttrs{UnaryKind::kGeluTanh}, ir::UnaryAttrs{UnaryKind::kTanh},
        ir::UnaryAttrs{UnaryKind::kSoftplus}, ir::UnaryAttrs{UnaryKind::kSoftsign}, ir::UnaryAttrs{UnaryKind::kErf},
        ir::UnaryAttrs{UnaryKind::kExp}, ir::UnaryAttrs{UnaryKind::kLog}, ir::UnaryAttrs{UnaryKind::kSqrt},
        ir::UnaryAttrs{UnaryKind::kReciprocal}, ir::UnaryAttrs{UnaryKind::kNegate}, ir::UnaryAttrs{UnaryKind::kAbs},
        ir::UnaryAttrs{UnaryKind::kSign}, ir::UnaryAttrs{UnaryKind::kFloor}, ir::UnaryAttrs{UnaryKind::kCeil},
        ir::UnaryAttrs{UnaryKind::kRound}, ir::UnaryAttrs{UnaryKind::kSin}, ir::UnaryAttrs{UnaryKind::kCos},
        ir::UnaryAttrs{UnaryKind::kAsin}, ir::UnaryAttrs{UnaryKind::kAcos}, ir::UnaryAttrs{UnaryKind::kAtan},
        ir::UnaryAttrs{UnaryKind::kSinh}, ir::UnaryAttrs{UnaryKind::kCosh}, ir::UnaryAttrs{UnaryKind::kAsinh},
        ir::UnaryAttrs{UnaryKind::kAcosh}, ir::UnaryAttrs{UnaryKind::kAtanh}),
    [](const auto& info) { return std::string(ir::name_of(info.param.kind)); });

class UnaryShape : public ::testing::TestWithParam<Sizes> {};

TEST_P(UnaryShape, HalfEqualsTheReference) {
  Graph g;
  const auto x = g.add_input("x", kF32, batched(GetParam()));
  // The second reads what the first has written, padding and all; its own padding is 1 / 0.
  const auto y = g.add(OpType::kUnary, "exp", {x}, ir::UnaryAttrs{UnaryKind::kExp});
  g.set_outputs({g.add(OpType::kUnary, "y", {y}, ir::UnaryAttrs{UnaryKind::kReciprocal})});
  check(g, Tolerance::half());
}

INSTANTIATE_TEST_SUITE_P(Shapes, UnaryShape,
                         ::testing::Values(Sizes{}, Sizes{1}, Sizes{130}, Sizes{3, 16}, Sizes{2, 3, 17},
                                           Sizes{17, 5, 3}, Sizes{2, 3, 2, 5}, Sizes{2, 3, 2, 2, 3}));

TEST(UnaryInt8, IsATableOfTheReference) {
  for (const auto kind : {UnaryKind::kSilu, UnaryKind::kSigmoid, UnaryKind::kLog, UnaryKind::kIdentity}) {
    for (const auto type : {kS8, kU8}) {
      Graph g;
      const auto x = quantized_input(g, "x", type, batched({17, 5}), 0.05F);
      const auto y = g.add(OpType::kUnary, "y", {x}, ir::UnaryAttrs{kind});
      make_quantized(g, y, kind == UnaryKind::kSigmoid ? kU8 : kS8, 0.011F);
      g.set_outputs({y});
      check(g, Tolerance::exact());
    }
  }
}

TEST(UnaryInt8, WorksInChannelsLast) {
  for (const std::int64_t channels : {1, 3, 17, 130}) {
    Graph g;
    const auto x = channels_last(g, quantized_input(g, "x", kS8, batched({channels, 3, 5}), 0.05F));
    const auto y = g.add(OpType::kUnary, "y", {x}, ir::UnaryAttrs{UnaryKind::kTanh});
    make_quantized(g, y, kS8, 0.008F);
    g.set_outputs({y});
    check(g, Tolerance::exact());
  }
}

TEST(UnaryInt8, ReadsAndWritesReals) {
  Graph g;
  const auto x = quantized_input(g, "x", kU8, batched({3, 7}), 0.125F);
  const auto y = g.add(OpType::kUnary, "y", {x}, ir::UnaryAttrs{UnaryKind::kSqrt});
  const auto z = g.add(OpType::kUnary, "z", {y}, ir::UnaryAttrs{UnaryKind::kNegate});
  make_quantized(g, z, kS8, 0.03F);
  g.set_outputs({y, z});
  check(g, Tolerance::half());
  check(g, kTight, kSingle);
}

TEST(Unary, TakesOverAQuantize) {
  Graph g;
  const auto x = g.add_input("x", kF32, batched({17, 5}));
  const auto y = g.add(OpType::kUnary, "y", {x}, ir::UnaryAttrs{UnaryKind::kLeakyRelu, 0.25F});
  g.set_outputs({quantized(g, y, kS8, 0.0625F)});  // many ties
  check(g, Tolerance::exact());
  check(g, Tolerance::exact(), kSingle);
}

TEST(Unary, WorksOnIntegersAndTruths) {
  for (const auto type : {kS8, kU8, kS32, kS64}) {
    Graph g;
    const auto x = g.add_input("x", type, batched({3, 5}));
    const auto negated = type == kU8 ? x : g.add(OpType::kUnary, "n", {x}, ir::UnaryAttrs{UnaryKind::kNegate});
    g.set_outputs({negated == x ? g.add(OpType::kUnary, "i", {x}, ir::UnaryAttrs{}) : negated,
                   g.add(OpType::kUnary, "a", {negated}, ir::UnaryAttrs{UnaryKind::kAbs}),
                   g.add(OpType::kUnary, "s", {negated}, ir::UnaryAttrs{UnaryKind::kSign}),
                   g.add(OpType::kUnary, "r", {negated}, ir::UnaryAttrs{UnaryKind::kRelu}),
                   g.add(OpType::kUnary, "c", {negated}, ir::UnaryAttrs{UnaryKind::kClip, -1.5F, 1e30F})});
    check(g, Tolerance::exact());
  }
  Graph g;
  const auto x = g.add_input("x", kBool, batched({7}));
  g.set_outputs({g.add(OpType::kUnary, "n", {x}, ir::UnaryAttrs{UnaryKind::kNot})});
  check(g, Tolerance::exact());
}

TEST(Unary, FindsNan) {
  Graph g;
  const auto x = g.add_input("x", kF32, batched({3}));
  g.set_outputs({g.add(OpType::kUnary, "n", {x}, ir::UnaryAttrs{UnaryKind::kIsNan})});
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  check_inputs(g, {Tensor::from<float>({2, 3}, std::vector<float>{0, kNan, 1, kNan, INFINITY, -1})},
               Tolerance::exact());
}

// -- Binary -------------------------------------------------------------------------------------------------------

struct BroadcastCase {
  Sizes a, b;             ///< without the batch; one of the output's rank minus 1 has it
  bool constant = false;  ///< b is a constant, without a batch
};

class BinaryBroadcast : public ::testing::TestWithParam<BroadcastCase> {
 protected:
  static Graph graph(DataType type, bool last, BinaryKind kind, DataType result, ir::Epilogue epilogue = {}) {
    const auto& [a_sizes, b_sizes, constant] = GetParam();
    Graph g;
    const auto input = [&](const char* name, const Sizes& sizes, float scale) {
      return type == kF32 ? g.add_input(name, kF32, batched(sizes))
                          : quantized_input(g, name, type, batched(sizes), scale);
    };
    Random random(9);
    auto a = input("a", a_sizes, 0.0625F);
    if (last && a_sizes.size() >= 2 && a_sizes.size() <= 4) a = channels_last(g, a);
    ValueId b;
    if (!constant) {
      b = input("b", b_sizes, 0.03125F);
    } else if (type == kF32) {
      b = g.add_constant("b", random.eighths(b_sizes));
    } else {
      b = g.add_constant("b", random.integers(type, b_sizes, -128, 127), ir::Quantization{{0.03125F}, {}, -1});
    }
    const auto y = g.add(OpType::kBinary, "y", {a, b}, ir::BinaryAttrs{kind, epilogue});
    if (result != kF32) make_quantized(g, y, result, 0.053F);
    g.set_outputs({y});
    return g;
  }
};

TEST_P(BinaryBroadcast, HalfEqualsTheReference) {
  check(graph(kF32, false, BinaryKind::kSub, kF32), Tolerance::half());
  check(graph(kF32, true, BinaryKind::kSub, kF32), Tolerance::half());
}
TEST_P(BinaryBroadcast, SingleEqualsTheReference) { check(graph(kF32, true, BinaryKind::kSub, kF32), kTight, kSingle); }
TEST_P(BinaryBroadcast, IntegersEqualTheReference) {
  check(graph(kS8, false, BinaryKind::kMul, kS8), Tolerance::exact());
  check(graph(kS8, true, BinaryKind::kMul, kS8), Tolerance::exact());
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, BinaryBroadcast,
    ::testing::Values(BroadcastCase{{5}, {5}}, BroadcastCase{{3, 17}, {3, 17}}, BroadcastCase{{3, 17}, {1, 17}},
                      BroadcastCase{{3, 17}, {3, 1}}, BroadcastCase{{1, 17}, {3, 1}}, BroadcastCase{{1, 1}, {3, 32}},
                      BroadcastCase{{3, 4, 5}, {3, 4, 5}}, BroadcastCase{{17, 4, 5}, {17, 1, 1}},
                      BroadcastCase{{130, 3, 3}, {1, 3, 3}}, BroadcastCase{{32, 4, 4}, {1, 1, 1}},
                      BroadcastCase{{1, 4, 5}, {17, 4, 5}}, BroadcastCase{{17, 4, 5}, {17, 4, 1}},
                      BroadcastCase{{17, 4, 5}, {}, true}, BroadcastCase{{17, 4, 5}, {17, 1, 1}, true},
                      BroadcastCase{{17, 4, 5}, {1, 17, 1, 1}, true}, BroadcastCase{{17, 4, 5}, {5}, true},
                      BroadcastCase{{17, 4, 16}, {4, 16}, true}, BroadcastCase{{130}, {130}, true},
                      BroadcastCase{{3, 130}, {1, 3, 130}, true}, BroadcastCase{{2, 3, 2, 3, 5}, {2, 1, 2, 1, 5}}));

struct IntegerCase {
  BinaryKind kind;
  DataType a, b, y;
  ir::Epilogue epilogue = {};
  float scale = 0.05F;  ///< of the output
  double off_by_one = 0;
};

class BinaryInt8 : public ::testing::TestWithParam<IntegerCase> {};

TEST_P(BinaryInt8, EqualsTheReference) {
  const IntegerCase& c = GetParam();
  for (const bool folds : {false, true}) {
    Graph g;
    const auto a = quantized_input(g, "a", c.a, batched({3, 17}), 0.031F);
    const auto b = quantized_input(g, "b", c.b, batched({3, 17}), 0.017F);
    auto y = g.add(OpType::kBinary, "y", {a, b}, ir::BinaryAttrs{c.kind, c.epilogue});
    if (folds && c.y != kF32) y = quantized(g, y, c.y, c.scale);
    if (!folds && c.y != kF32) make_quantized(g, y, c.y, c.scale);
    g.set_outputs({y});
    // Half only where the output is f32: everything before is exact.
    check(g, Tolerance{c.y == kF32 ? 1e-3 : 0.0, 1.0, c.off_by_one});
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, BinaryInt8,
    ::testing::Values(IntegerCase{BinaryKind::kAdd, kS8, kS8, kS8}, IntegerCase{BinaryKind::kAdd, kU8, kS8, kU8},
                      IntegerCase{BinaryKind::kSub, kS8, kU8, kS8}, IntegerCase{BinaryKind::kMul, kU8, kU8, kU8},
                      IntegerCase{BinaryKind::kMul, kS8, kU8, kS8, {}, 0.004F},  // saturates
                      IntegerCase{BinaryKind::kAdd, kS8, kS8, kU8, {UnaryKind::kRelu}},
                      IntegerCase{BinaryKind::kAdd, kS8, kS8, kS8, {UnaryKind::kClip, -1.0F, 2.5F}},
                      IntegerCase{BinaryKind::kSub, kS8, kS8, kS8, {UnaryKind::kLeakyRelu, 0.1F}},
                      IntegerCase{BinaryKind::kAdd, kS8, kS8, kS8, {UnaryKind::kHardSwish}},
                      IntegerCase{BinaryKind::kMul, kS8, kS8, kU8, {UnaryKind::kHardSigmoid, 0.2F, 0.5F}, 0.004F},
                      IntegerCase{BinaryKind::kAdd, kS8, kS8, kS8, {UnaryKind::kSilu}, 0.05F, 0.01},
                      IntegerCase{BinaryKind::kAdd, kS8, kS8, kF32, {UnaryKind::kRelu}},
                      IntegerCase{BinaryKind::kMax, kS8, kU8, kS8}, IntegerCase{BinaryKind::kMin, kS8, kS8, kS8},
                      IntegerCase{BinaryKind::kDiv, kS8, kS8, kS8, {}, 0.05F, 0.01}));

TEST(Binary, AddsSmallAndLargeIntegersAsTheContractSays) {
  // Ties: scales are powers of two, sums fall on halves of a step.
  Graph g;
  const auto a = quantized_input(g, "a", kS8, batched({64}), 0.25F);
  const auto b = quantized_input(g, "b", kS8, batched({64}), 0.25F);
  const auto y = g.add(OpType::kBinary, "y", {a, b}, ir::BinaryAttrs{});
  make_quantized(g, y, kS8, 0.5F);
  g.set_outputs({y});
  check(g, Tolerance::exact());
}

TEST(Binary, ComputesRealFunctions) {
  for (const auto kind : {BinaryKind::kAdd, BinaryKind::kDiv, BinaryKind::kPow, BinaryKind::kMax, BinaryKind::kMin,
                          BinaryKind::kMod, BinaryKind::kFmod, BinaryKind::kPrelu}) {
    Graph g;
    Random random(3);
    auto a = g.add_input("a", kF32, batched({3, 17}));
    if (kind == BinaryKind::kPow) a = g.add(OpType::kUnary, "abs", {a}, ir::UnaryAttrs{UnaryKind::kAbs});
    Tensor divisors = random.eighths({3, 17}, 1, 16);
    for (std::size_t i = 0; i < 51; i += 2) divisors.data<float>()[i] *= -1;
    const auto b = g.add_constant("b", divisors);
    // 0 to a negative power is infinite; stay away from it.
    if (kind == BinaryKind::kPow) {
      a = g.add(OpType::kBinary, "more", {a, g.add_constant("one", Tensor::from<float>({}, std::vector<float>{0.5F}))},
                ir::BinaryAttrs{});
    }
    g.set_outputs({g.add(OpType::kBinary, "y", {a, b}, ir::BinaryAttrs{kind, {}})});
    check(g, Tolerance::half());
    check(g, kTight, kSingle);
  }
}

TEST(Binary, AppliesItsActivationAndTakesOverAQuantize) {
  Graph g;
  const auto a = g.add_input("a", kF32, batched({17, 3}));
  const auto b = g.add_input("b", kF32, batched({17, 1}));
  const auto y = g.add(OpType::kBinary, "y", {a, b}, ir::BinaryAttrs{BinaryKind::kMul, {UnaryKind::kClip, 0.0F, 2.0F}});
  g.set_outputs({quantized(g, y, kU8, 0.03125F)});
  check(g, Tolerance::exact());
  check(g, Tolerance::exact(), kSingle);
}

TEST(Binary, MixesRealsAndIntegersThatStandForReals) {
  Graph g;
  const auto a = quantized_input(g, "a", kS8, batched({17, 3}), 0.125F);
  const auto b = g.add_input("b", kF32, batched({17, 3}));
  g.set_outputs({g.add(OpType::kBinary, "y", {a, b}, ir::BinaryAttrs{BinaryKind::kAdd, {UnaryKind::kRelu}}),
                 g.add(OpType::kBinary, "z", {b, a}, ir::BinaryAttrs{BinaryKind::kLess, {}})});
  check(g, Tolerance::half());
  check(g, kTight, kSingle);
}

TEST(Binary, ComputesWithIntegers) {
  for (const auto type : {kS8, kS64}) {
    Graph g;
    Random random(3);
    const auto a = g.add_input("a", type, batched({3, 5}));
    const auto b = g.add_constant("b", random.integers(type, {3, 5}, 1, 3));
    const auto moved = g.add(OpType::kBinary, "m", {a, b}, ir::BinaryAttrs{BinaryKind::kSub, {}});
    std::vector<ValueId> outputs{moved};
    for (const auto kind :
         {BinaryKind::kAdd, BinaryKind::kMul, BinaryKind::kDiv, BinaryKind::kMod, BinaryKind::kFmod, BinaryKind::kMax,
          BinaryKind::kPow, BinaryKind::kEqual, BinaryKind::kLess, BinaryKind::kGreaterEqual}) {
      outputs.push_back(g.add(OpType::kBinary, "y", {moved, b}, ir::BinaryAttrs{kind, {}}));
    }
    g.set_outputs(outputs);
    check(g, Tolerance::exact());
  }
}

TEST(Binary, RaisesToPowersOfOtherTypes) {
  Graph g;
  const auto a = g.add_input("a", kF32, batched({5}));
  const auto n = g.add_input("n", kS64, batched({5}));
  const auto p = g.add_input("p", kS32, batched({5}));
  g.set_outputs({g.add(OpType::kBinary, "y", {a, n}, ir::BinaryAttrs{BinaryKind::kPow, {}}),
                 g.add(OpType::kBinary, "z", {n, p}, ir::BinaryAttrs{BinaryKind::kPow, {}})});
  check(g, Tolerance::half());
}

TEST(Binary, ComparesAndCombinesTruths) {
  Graph g;
  const auto a = g.add_input("a", kF32, batched({3, 7}));
  const auto b = g.add_input("b", kF32, batched({1, 7}));
  const auto less = g.add(OpType::kBinary, "l", {a, b}, ir::BinaryAttrs{BinaryKind::kLessEqual, {}});
  const auto more = g.add(OpType::kBinary, "m", {a, b}, ir::BinaryAttrs{BinaryKind::kGreater, {}});
  const auto same = g.add(OpType::kBinary, "s", {a, b}, ir::BinaryAttrs{BinaryKind::kEqual, {}});
  g.set_outputs({less, more, same, g.add(OpType::kBinary, "and", {less, same}, ir::BinaryAttrs{BinaryKind::kAnd, {}}),
                 g.add(OpType::kBinary, "or", {more, same}, ir::BinaryAttrs{BinaryKind::kOr, {}}),
                 g.add(OpType::kBinary, "xor", {more, less}, ir::BinaryAttrs{BinaryKind::kXor, {}}),
                 g.add(OpType::kBinary, "eq", {more, less}, ir::BinaryAttrs{BinaryKind::kEqual, {}})});
  check(g, Tolerance::exact());
}

// -- Where and Cast -----------------------------------------------------------------------------------------------

TEST(Where, ChoosesElements) {
  Graph g;
  const auto c = g.add_input("c", kBool, batched({17, 1}));
  const auto a = g.add_input("a", kF32, batched({17, 5}));
  const auto b = g.add_constant("b", Tensor::from<float>({}, std::vector<float>{-2}));
  const auto n = g.add_input("n", kS64, batched({1, 5}));
  const auto q = quantized_input(g, "q", kS8, batched({17, 5}), 0.125F);
  g.set_outputs({g.add(OpType::kWhere, "y", {c, a, b}), g.add(OpType::kWhere, "z", {c, n, n}),
                 g.add(OpType::kWhere, "w", {c, q, a})});
  check(g, Tolerance::exact());
}

TEST(Where, KeepsIntegersThatStandForReals) {
  Graph g;
  const auto c = g.add_input("c", kBool, batched({17, 5, 3}));
  const auto a = channels_last(g, quantized_input(g, "a", kS8, batched({17, 5, 3}), 0.07F));
  const auto b = quantized_input(g, "b", kS8, batched({17, 1, 1}), 0.07F);
  const auto y = g.add(OpType::kWhere, "y", {c, a, b});
  make_quantized(g, y, kS8, 0.07F);
  g.set_outputs({y});
  check(g, Tolerance::exact());
}

TEST(Cast, ConvertsBetweenAllTypes) {
  for (const auto from : {kF32, kS8, kU8, kS32, kS64, kBool}) {
    Graph g;
    const auto x = g.add_input("x", from, batched({3, 5}));
    std::vector<ValueId> outputs;
    for (const auto to : {kF32, kS8, kU8, kS32, kS64, kBool}) {
      outputs.push_back(g.add(OpType::kCast, "y", {x}, ir::CastAttrs{to}));
    }
    g.set_outputs(outputs);
    check(g, Tolerance::exact());
  }
}

TEST(Cast, SaturatesReals) {
  Graph g;
  const auto x = g.add_input("x", kF32, batched({4}));
  std::vector<ValueId> outputs;
  for (const auto to : {kS8, kU8, kS32, kS64}) outputs.push_back(g.add(OpType::kCast, "y", {x}, ir::CastAttrs{to}));
  g.set_outputs(outputs);
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  check_inputs(g,
               {Tensor::from<float>({2, 4}, std::vector<float>{1e30F, -1e30F, kNan, 2.9F, -2.9F, 255.9F, -0.9F, 3e9F})},
               Tolerance::exact());
}

}  // namespace
}  // namespace xinfer::cuda
