#include <cmath>
#include <limits>
#include <set>

#include "one_node.h"
#include "reference/scalar.h"

namespace xinfer::reference {
namespace {

using ir::OpType;
using K = ir::UnaryKind;
using B = ir::BinaryKind;

struct UnaryCase {
  K kind;
  float alpha, beta, x0, y0, x1, y1;
};

// Expected values were computed from the formulas in ops.h with another language's math library.
const std::vector<UnaryCase> kUnaryCases = {
    {K::kIdentity, 0, 0, 0.5F, 0.5F, -1.5F, -1.5F},
    {K::kRelu, 0, 0, 0.5F, 0.5F, -1.5F, 0},
    {K::kClip, -1, 0.25F, 0.5F, 0.25F, -1.5F, -1},
    {K::kLeakyRelu, 0.1F, 0, 0.5F, 0.5F, -1.5F, -0.15F},
    {K::kElu, 2, 0, 0.5F, 0.5F, -1.5F, -1.55373968F},
    {K::kSelu, 1.6F, 1.05F, 0.5F, 0.525F, -1.5F, -1.30514133F},
    {K::kCelu, 2, 0, 0.5F, 0.5F, -1.5F, -1.05526689F},
    {K::kSigmoid, 0, 0, 0.5F, 0.622459331F, -1.5F, 0.182425524F},
    {K::kHardSigmoid, 0.2F, 0.5F, 0.5F, 0.6F, -1.5F, 0.2F},
    {K::kHardSwish, 0, 0, 0.5F, 0.291666667F, -1.5F, -0.375F},
    {K::kSilu, 0, 0, 0.5F, 0.311229666F, -1.5F, -0.273638286F},
    {K::kMish, 0, 0, 0.5F, 0.375245211F, -1.5F, -0.298099742F},
    {K::kGelu, 0, 0, 0.5F, 0.345731231F, -1.5F, -0.100210802F},
    {K::kGeluTanh, 0, 0, 0.5F, 0.34571401F, -1.5F, -0.100428423F},
    {K::kTanh, 0, 0, 0.5F, 0.462117157F, -1.5F, -0.905148254F},
    {K::kSoftplus, 0, 0, 0.5F, 0.974076984F, -1.5F, 0.201413278F},
    {K::kSoftsign, 0, 0, 0.5F, 0.333333333F, -1.5F, -0.6F},
    {K::kErf, 0, 0, 0.5F, 0.520499878F, -1.5F, -0.966105146F},
    {K::kExp, 0, 0, 0.5F, 1.64872127F, -1.5F, 0.22313016F},
    {K::kLog, 0, 0, 0.5F, -0.693147181F, 3, 1.09861229F},
    {K::kSqrt, 0, 0, 0.5F, 0.707106781F, 4, 2},
    {K::kReciprocal, 0, 0, 0.5F, 2, -1.5F, -0.666666667F},
    {K::kNegate, 0, 0, 0.5F, -0.5F, -1.5F, 1.5F},
    {K::kAbs, 0, 0, 0.5F, 0.5F, -1.5F, 1.5F},
    {K::kSign, 0, 0, 0.5F, 1, -1.5F, -1},
    {K::kFloor, 0, 0, 0.5F, 0, -1.5F, -2},
    {K::kCeil, 0, 0, 0.5F, 1, -1.5F, -1},
    {K::kRound, 0, 0, 0.5F, 0, -1.5F, -2},
    {K::kSin, 0, 0, 0.5F, 0.479425539F, -1.5F, -0.997494987F},
    {K::kCos, 0, 0, 0.5F, 0.877582562F, -1.5F, 0.0707372017F},
    {K::kTan, 0, 0, 0.5F, 0.54630249F, -1.5F, -14.1014199F},
    {K::kAsin, 0, 0, 0.5F, 0.523598776F, -0.25F, -0.252680255F},
    {K::kAcos, 0, 0, 0.5F, 1.04719755F, -0.25F, 1.82347658F},
    {K::kAtan, 0, 0, 0.5F, 0.463647609F, -1.5F, -0.982793723F},
    {K::kSinh, 0, 0, 0.5F, 0.521095305F, -1.5F, -2.12927946F},
    {K::kCosh, 0, 0, 0.5F, 1.12762597F, -1.5F, 2.35240962F},
    {K::kAsinh, 0, 0, 0.5F, 0.481211825F, -1.5F, -1.19476322F},
    {K::kAcosh, 0, 0, 1.5F, 0.96242365F, 3, 1.76274717F},
    {K::kAtanh, 0, 0, 0.5F, 0.549306144F, -0.25F, -0.255412812F},
};

TEST(Unary, MatchesTheFormulas) {
  for (const UnaryCase& c : kUnaryCases) {
    SCOPED_TRACE(std::string(name_of(c.kind)));
    expect_near(output_of(OpType::kUnary, {f32({2}, {c.x0, c.x1})}, ir::UnaryAttrs{c.kind, c.alpha, c.beta}),
                f32({2}, {c.y0, c.y1}), 2e-6F);
  }
}

TEST(Unary, EveryKindIsCovered) {
  std::set<K> covered = {K::kNot, K::kIsNan};  // by the test below: they give bool
  for (const UnaryCase& c : kUnaryCases) covered.insert(c.kind);
  for (int kind = 0; kind <= static_cast<int>(K::kIsNan); ++kind) {
    EXPECT_TRUE(covered.contains(static_cast<K>(kind))) << name_of(static_cast<K>(kind));
  }
}

TEST(Unary, GivesBooleans) {
  expect_near(output_of(OpType::kUnary, {booleans({2}, {1, 0})}, ir::UnaryAttrs{K::kNot}), booleans({2}, {0, 1}));
  expect_near(output_of(OpType::kUnary, {f32({2}, {NAN, 1})}, ir::UnaryAttrs{K::kIsNan}), booleans({2}, {1, 0}));
}

TEST(Unary, WorksOnIntegers) {
  const Tensor x = s64({3}, {-5, 0, 7});
  expect_near(output_of(OpType::kUnary, {x}, ir::UnaryAttrs{K::kAbs}), s64({3}, {5, 0, 7}));
  expect_near(output_of(OpType::kUnary, {x}, ir::UnaryAttrs{K::kSign}), s64({3}, {-1, 0, 1}));
  expect_near(output_of(OpType::kUnary, {x}, ir::UnaryAttrs{K::kNegate}), s64({3}, {5, 0, -7}));
  expect_near(output_of(OpType::kUnary, {x}, ir::UnaryAttrs{K::kClip, -2, std::numeric_limits<float>::infinity()}),
              s64({3}, {-2, 0, 7}));
  EXPECT_THROW(output_of(OpType::kUnary, {x}, ir::UnaryAttrs{K::kExp}), ModelError);
}

TEST(Unary, KeepsNanAndHandlesLargeArguments) {
  EXPECT_TRUE(std::isnan(unary_f32({K::kRelu}, NAN)));
  EXPECT_TRUE(std::isnan(unary_f32({K::kSign}, NAN)));
  EXPECT_FLOAT_EQ(unary_f32({K::kSigmoid}, -1000), 0.0F);
  EXPECT_FLOAT_EQ(unary_f32({K::kSoftplus}, 1000), 1000.0F);
  EXPECT_FLOAT_EQ(unary_f32({K::kMish}, -1000), 0.0F);
}

TEST(Cast, FollowsTheTypes) {
  const auto cast = [](const Tensor& x, DataType to) { return output_of(OpType::kCast, {x}, ir::CastAttrs{to}); };
  expect_near(cast(f32({3}, {0, -0.5F, 2}), DataType::kBool), booleans({3}, {0, 1, 1}));
  expect_near(cast(booleans({2}, {1, 0}), DataType::kFloat32), f32({2}, {1, 0}));
  expect_near(cast(s64({2}, {300, -1}), DataType::kInt32), s32({2}, {300, -1}));
  expect_near(cast(f32({2}, {300, -5}), DataType::kUInt8), u8({2}, {255, 0}));
}

Tensor binary(B kind, const Tensor& a, const Tensor& b, ir::Epilogue epilogue = {}) {
  return output_of(OpType::kBinary, {a, b}, ir::BinaryAttrs{kind, epilogue});
}

TEST(Binary, ComputesFloats) {
  const Tensor a = f32({3}, {7, -7, 2}), b = f32({3}, {2, 2, -3});
  expect_near(binary(B::kAdd, a, b), f32({3}, {9, -5, -1}));
  expect_near(binary(B::kSub, a, b), f32({3}, {5, -9, 5}));
  expect_near(binary(B::kMul, a, b), f32({3}, {14, -14, -6}));
  expect_near(binary(B::kDiv, a, b), f32({3}, {3.5F, -3.5F, -2.0F / 3}));
  expect_near(binary(B::kPow, a, b), f32({3}, {49, 49, 0.125F}));
  expect_near(binary(B::kMax, a, b), f32({3}, {7, 2, 2}));
  expect_near(binary(B::kMin, a, b), f32({3}, {2, -7, -3}));
  expect_near(binary(B::kMod, a, b), f32({3}, {1, 1, -1}));
  expect_near(binary(B::kFmod, a, b), f32({3}, {1, -1, 2}));
  expect_near(binary(B::kPrelu, a, b), f32({3}, {7, -14, 2}));
}

TEST(Binary, ComputesIntegers) {
  const Tensor a = s64({3}, {7, -7, 7}), b = s64({3}, {2, 2, -2});
  expect_near(binary(B::kDiv, a, b), s64({3}, {3, -3, -3}));
  expect_near(binary(B::kMod, a, b), s64({3}, {1, 1, -1}));
  expect_near(binary(B::kFmod, a, b), s64({3}, {1, -1, 1}));
  expect_near(binary(B::kPow, a, s64({1}, {3})), s64({3}, {343, -343, 343}));
  expect_near(binary(B::kPow, s64({3}, {1, -1, 5}), s64({1}, {-3})), s64({3}, {1, -1, 0}));
  expect_near(binary(B::kAdd, u8({1}, {200}), u8({1}, {100})), u8({1}, {44}));
  expect_near(binary(B::kDiv, s32({1}, {std::numeric_limits<std::int32_t>::min()}), s32({1}, {-1})),
              s32({1}, {std::numeric_limits<std::int32_t>::min()}));
  EXPECT_THROW(binary(B::kDiv, a, s64({1}, {0})), ModelError);
}

TEST(Binary, TakesAnExponentOfAnotherType) {
  expect_near(binary(B::kPow, f32({2}, {3, 2}), s64({2}, {2, -1})), f32({2}, {9, 0.5F}));
  expect_near(binary(B::kPow, s32({2}, {4, 2}), f32({2}, {0.5F, 3})), s32({2}, {2, 8}));
}

TEST(Binary, ComparesAndCombines) {
  const Tensor a = f32({3}, {1, 2, 3}), b = f32({1}, {2});
  expect_near(binary(B::kEqual, a, b), booleans({3}, {0, 1, 0}));
  expect_near(binary(B::kLess, a, b), booleans({3}, {1, 0, 0}));
  expect_near(binary(B::kLessEqual, a, b), booleans({3}, {1, 1, 0}));
  expect_near(binary(B::kGreater, a, b), booleans({3}, {0, 0, 1}));
  expect_near(binary(B::kGreaterEqual, a, b), booleans({3}, {0, 1, 1}));
  const Tensor p = booleans({4}, {0, 0, 1, 1}), q = booleans({4}, {0, 1, 0, 1});
  expect_near(binary(B::kAnd, p, q), booleans({4}, {0, 0, 0, 1}));
  expect_near(binary(B::kOr, p, q), booleans({4}, {0, 1, 1, 1}));
  expect_near(binary(B::kXor, p, q), booleans({4}, {0, 1, 1, 0}));
  expect_near(binary(B::kEqual, p, q), booleans({4}, {1, 0, 0, 1}));
}

TEST(Binary, BroadcastsBothWays) {
  expect_near(binary(B::kAdd, f32({2, 1, 2}, {1, 2, 3, 4}), f32({3, 1}, {10, 20, 30})),
              f32({2, 3, 2}, {11, 12, 21, 22, 31, 32, 13, 14, 23, 24, 33, 34}));
  expect_near(binary(B::kMul, f32({}, {3}), f32({2}, {1, 2})), f32({2}, {3, 6}));
}

TEST(Binary, AppliesTheFusedActivation) {
  expect_near(binary(B::kAdd, f32({2}, {1, -5}), f32({2}, {1, 1}), {K::kRelu}), f32({2}, {2, 0}));
}

TEST(Binary, NanWinsMaxAndMin) {
  for (const B kind : {B::kMax, B::kMin}) {
    const auto y = values_of<float>(binary(kind, f32({2}, {NAN, 1}), f32({2}, {1, NAN})));
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]));
  }
}

}  // namespace
}  // namespace xinfer::reference
