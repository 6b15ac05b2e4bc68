// GatherElements, GatherNd, ScatterNd and CumSum: moved elements exactly as the reference's, sums to rounding.

#include <cmath>
#include <limits>
#include <numeric>

#include "cuda/harness.h"

namespace xinfer::cuda {
namespace {

using ir::Dim;
using ir::Graph;
using ir::OpType;
using ir::ScatterReduction;
using ir::Shape;
using testing::check;
using testing::check_inputs;
using testing::CheckOptions;
using testing::make_quantized;
using testing::Random;
using testing::Sizes;
using testing::Tolerance;

constexpr auto kS8 = DataType::kInt8;
constexpr auto kU8 = DataType::kUInt8;
constexpr auto kF32 = DataType::kFloat32;
constexpr auto kS32 = DataType::kInt32;
constexpr auto kS64 = DataType::kInt64;
constexpr auto kBool = DataType::kBool;
const CheckOptions kSingle{.real = Element::kF32, .implementation = {}};

Shape batched(const Sizes& sizes) {
  Shape shape{Dim::n()};
  for (const std::int64_t size : sizes) shape.dims().push_back(size);
  return shape;
}
/// `sizes` behind a batch of two.
Sizes of_two(const Sizes& sizes) {
  Sizes shape{2};
  shape.insert(shape.end(), sizes.begin(), sizes.end());
  return shape;
}

/// Tuples into axes of these sizes, half of them counted from the end.
Tensor tuples_into(const Sizes& sizes, Sizes shape, DataType type, Random& random) {
  shape.push_back(static_cast<std::int64_t>(sizes.size()));
  Tensor t(type, shape);
  const auto fill = [&](auto values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto size = static_cast<int>(sizes[i % sizes.size()]);
      values[i] = static_cast<std::decay_t<decltype(values[i])>>(random.integer(-size, size - 1));
    }
  };
  if (type == kS32)
    fill(t.data<std::int32_t>());
  else
    fill(t.data<std::int64_t>());
  return t;
}

// -- GatherElements -------------------------------------------------------------------------------------------------

struct ElementsCase {
  Sizes data, indices;  ///< behind the batch axis
  std::int64_t axis;
  DataType type = kF32;
  DataType index = kS64;
};

class GatherElements : public ::testing::TestWithParam<ElementsCase> {};
TEST_P(GatherElements, EqualsTheReference) {
  const ElementsCase& c = GetParam();
  Graph g;
  const auto x = g.add_input("x", c.type, batched(c.data));
  if (is_int8_like(c.type)) make_quantized(g, x, c.type, 0.5F);
  const auto at = g.add_input("at", c.index, batched(c.indices));
  g.set_outputs({g.add(OpType::kGatherElements, "y", {x, at}, ir::AxisAttrs{c.axis})});
  Random random(3);
  const std::int64_t size = c.data[static_cast<std::size_t>(c.axis) - 1];
  const Sizes flat{element_count(of_two(c.indices))};
  const Tensor indices = tuples_into({size}, flat, c.index, random).reshaped(of_two(c.indices));
  const Tensor data = c.type == kF32 ? random.floats(of_two(c.data)) : random.any(c.type, of_two(c.data));
  check_inputs(g, {data, indices}, Tolerance::exact());
}
INSTANTIATE_TEST_SUITE_P(Cases, GatherElements,
                         ::testing::Values(ElementsCase{{7, 5}, {4, 5}, 1}, ElementsCase{{7, 5}, {7, 9}, 2},
                                           ElementsCase{{7, 5, 3}, {6, 11, 2}, 2, kS8},
                                           ElementsCase{{300, 4}, {300, 4}, 1, kU8},
                                           ElementsCase{{9}, {2}, 1, kS64, kS32}, ElementsCase{{9, 1}, {4, 1}, 1, kS32},
                                           ElementsCase{{4, 3, 5, 2}, {4, 2, 5, 2}, 2, kBool}));

TEST(GatherElements, TakesWhatAPoolWrote) {
  Graph g;
  const auto x = g.add_input("x", kF32, batched({3, 4, 6}));
  const auto at = g.add_input("at", kS64, batched({3, 2, 6}));
  const auto pool = g.add(OpType::kMaxPool, "pool", {x}, ir::PoolAttrs{{1, 1}, {}, {}, {}, false, false});
  const auto y = g.add(OpType::kGatherElements, "y", {pool, at}, ir::AxisAttrs{2});
  g.set_outputs({g.add(OpType::kUnary, "abs", {y}, ir::UnaryAttrs{ir::UnaryKind::kAbs})});
  check(g, Tolerance::exact());
}

// -- GatherNd -------------------------------------------------------------------------------------------------------

struct NdCase {
  Sizes data;
  std::size_t batch_axes, length;  ///< axes that tuples name
  Sizes tuples;                    ///< how many: shape without the batch axes
  DataType type = kF32;
  DataType index = kS64;
};

class GatherNd : public ::testing::TestWithParam<NdCase> {};
TEST_P(GatherNd, EqualsTheReference) {
  const NdCase& c = GetParam();
  Random random(5);
  const auto begin = c.data.begin() + static_cast<std::ptrdiff_t>(c.batch_axes);
  Sizes count(c.data.begin(), begin);
  count.insert(count.end(), c.tuples.begin(), c.tuples.end());
  const Tensor indices = tuples_into({begin, begin + static_cast<std::ptrdiff_t>(c.length)}, count, c.index, random);
  Graph g;
  const auto x = g.add_input("x", c.type, Shape::of(c.data));
  if (is_int8_like(c.type)) make_quantized(g, x, c.type, 0.5F);
  const auto at = g.add_input("at", c.index, Shape::of(indices.shape()));
  const auto y = g.add(OpType::kGatherNd, "y", {x, at}, ir::AxisAttrs{static_cast<std::int64_t>(c.batch_axes)});
  g.set_outputs({y});
  const Tensor data = c.type == kF32 ? random.floats(c.data) : random.any(c.type, c.data);
  check_inputs(g, {data, indices}, Tolerance::exact());
}
// Rows of 1, 2, 4, 8 and 16 bytes and multiples, and whole elements.
INSTANTIATE_TEST_SUITE_P(Cases, GatherNd,
                         ::testing::Values(NdCase{{5, 7, 8}, 0, 2, {11}}, NdCase{{5, 7, 3}, 0, 1, {2, 3}},
                                           NdCase{{5, 7}, 0, 2, {300}}, NdCase{{3, 5, 4, 6}, 1, 2, {2}},
                                           NdCase{{3, 2, 5, 4}, 2, 1, {3, 2}, kF32, kS32},
                                           NdCase{{6, 5, 6}, 0, 2, {4}, kS8}, NdCase{{6, 5}, 0, 1, {9}, kU8},
                                           NdCase{{6, 5, 64}, 0, 2, {70}, kS8}, NdCase{{9, 4}, 0, 1, {5}, kBool},
                                           NdCase{{9, 3}, 0, 1, {5}, kS64}, NdCase{{9, 3}, 1, 1, {4}, kS32}));

// -- ScatterNd ------------------------------------------------------------------------------------------------------

struct ScatterCase {
  Sizes data;
  std::size_t length;  ///< axes that tuples name
  std::int64_t count;  ///< of tuples
  ScatterReduction reduction = ScatterReduction::kNone;
  DataType type = kF32;
  DataType index = kS64;
};

void check_scatter(const ScatterCase& c, const Tensor& indices, Random& random, const CheckOptions& options = {}) {
  Sizes updates{c.count};
  updates.insert(updates.end(), c.data.begin() + static_cast<std::ptrdiff_t>(c.length), c.data.end());
  Graph g;
  const auto x = g.add_input("x", c.type, Shape::of(c.data));
  const auto at = g.add_input("at", c.index, Shape::of(indices.shape()));
  const auto u = g.add_input("u", c.type, Shape::of(updates));
  g.set_outputs({g.add(OpType::kScatterNd, "y", {x, at, u}, ir::ScatterAttrs{c.reduction})});
  const auto fill = [&](const Sizes& shape) {
    Tensor t = random.any(c.type, shape);
    if (c.type == kF32 && c.reduction == ScatterReduction::kMul) {
      // Powers of two: half precision holds their products.
      for (float& factor : t.data<float>())
        factor = std::ldexp(random.integer(0, 1) == 0 ? 1.0F : -1.0F, random.integer(-1, 1));
    }
    return t;
  };
  check_inputs(g, {fill(c.data), indices, fill(updates)}, Tolerance::exact(), options);
}

class ScatterNd : public ::testing::TestWithParam<ScatterCase> {};
TEST_P(ScatterNd, EqualsTheReference) {
  const ScatterCase& c = GetParam();
  Random random(6);
  const Sizes named(c.data.begin(), c.data.begin() + static_cast<std::ptrdiff_t>(c.length));
  // Many tuples name the same place.
  const Tensor indices = tuples_into(named, {c.count}, c.index, random);
  check_scatter(c, indices, random);
  if (c.type == kF32) check_scatter(c, indices, random, kSingle);
}
using R = ScatterReduction;
INSTANTIATE_TEST_SUITE_P(
    Cases, ScatterNd,
    ::testing::Values(ScatterCase{{5, 7, 8}, 2, 60}, ScatterCase{{5, 7}, 2, 20},
                      ScatterCase{{6, 3}, 1, 4, R::kNone, kU8}, ScatterCase{{40, 16}, 1, 100, R::kNone, kS8, kS32},
                      ScatterCase{{7}, 1, 9, R::kNone, kBool}, ScatterCase{{7, 3}, 1, 2, R::kNone, kS64},
                      ScatterCase{{1, 5}, 1, 3}, ScatterCase{{5, 7, 3}, 2, 60, R::kAdd},
                      ScatterCase{{5, 7, 3}, 2, 60, R::kMul}, ScatterCase{{5, 7, 3}, 2, 60, R::kMax},
                      ScatterCase{{5, 7, 3}, 2, 60, R::kMin}, ScatterCase{{1, 5}, 1, 30, R::kAdd},
                      ScatterCase{{300, 2}, 1, 1500, R::kAdd}, ScatterCase{{9, 300, 30}, 3, 3000, R::kAdd},
                      ScatterCase{{9, 4}, 1, 2500, R::kAdd, kS64}, ScatterCase{{9, 4}, 1, 70, R::kAdd, kS8},
                      ScatterCase{{9, 4}, 1, 70, R::kMul, kU8}, ScatterCase{{9, 4}, 1, 70, R::kMul, kS32, kS32},
                      ScatterCase{{9, 4}, 1, 70, R::kMax, kU8}, ScatterCase{{9, 4}, 1, 70, R::kMin, kS8}));

// Terms of very different size: another order would give another sum.
TEST(ScatterNd, AddsInTheOrderOfTheUpdates) {
  Random random(8);
  const std::int64_t count = 5000;
  Graph g;
  const auto x = g.add_input("x", kF32, Shape{3});
  const auto at = g.add_input("at", kS64, Shape{count, 1});
  const auto u = g.add_input("u", kF32, Shape{count});
  g.set_outputs({g.add(OpType::kScatterNd, "y", {x, at, u}, ir::ScatterAttrs{R::kAdd})});
  Tensor terms = random.floats({count});
  for (float& term : terms.data<float>()) term = std::ldexp(term, random.integer(-20, 20));
  check_inputs(g, {random.floats({3}), tuples_into({3}, {count}, kS64, random), terms}, Tolerance::exact(), kSingle);
}

TEST(ScatterNd, KeepsTheBatchApart) {
  Graph g;
  const auto x = g.add_input("x", kF32, Shape{6, Dim::n(4)});
  const auto u = g.add_input("u", kF32, Shape{3, Dim::n(4)});
  const auto at = g.add_constant("at", Tensor::from<std::int64_t>({3, 1}, {4, -6, 1}));
  const auto n = g.add(OpType::kUnary, "n", {x}, ir::UnaryAttrs{ir::UnaryKind::kNegate});
  const auto y = g.add(OpType::kScatterNd, "y", {n, at, u}, ir::ScatterAttrs{});
  g.set_outputs({g.add(OpType::kUnary, "abs", {y}, ir::UnaryAttrs{ir::UnaryKind::kAbs}), n});
  check(g, Tolerance::exact());
}

// -- CumSum ---------------------------------------------------------------------------------------------------------

struct SumCase {
  Sizes in;
  std::int64_t axis;
  bool exclusive = false, reverse = false;
  DataType type = kF32;
};

Graph sum_graph(const SumCase& c) {
  Graph g;
  const auto x = g.add_input("x", c.type, batched(c.in));
  g.set_outputs({g.add(OpType::kCumSum, "y", {x}, ir::CumSumAttrs{c.axis, c.exclusive, c.reverse})});
  return g;
}

class CumSum : public ::testing::TestWithParam<SumCase> {};
TEST_P(CumSum, EqualsTheReference) {
  const SumCase& c = GetParam();
  check(sum_graph(c), c.type == kF32 ? Tolerance::half() : Tolerance::exact());
  // Sums of eighths are exact in any order.
  if (c.type == kF32) check(sum_graph(c), Tolerance::exact(), kSingle);
}
// One thread a column, 32, and 512.
INSTANTIATE_TEST_SUITE_P(Cases, CumSum,
                         ::testing::Values(SumCase{{5}, 1}, SumCase{{3, 8}, 2, true, true}, SumCase{{130}, 1},
                                           SumCase{{3, 129}, 2, true}, SumCase{{300}, 1, false, true},
                                           SumCase{{5000}, 1}, SumCase{{4097}, 1, true, true}, SumCase{{17, 6}, 1},
                                           SumCase{{17, 6}, 1, true, true}, SumCase{{200, 3}, 1, true},
                                           SumCase{{2100, 3}, 1, false, true}, SumCase{{4, 3000}, 1},
                                           SumCase{{70}, 1, false, false, kS64}, SumCase{{3, 5}, 2, true, false, kS32},
                                           SumCase{{1500}, 1, false, true, kU8},
                                           SumCase{{40, 3}, 1, false, false, kS8}));

TEST(CumSum, KeepsSmallTermsOfLongRows) {
  Graph g = sum_graph({{100000}, 1});
  Random random(9);
  check_inputs(g, {random.floats({1, 100000}, 0, 1)}, {2e-7, 1.0, 0}, kSingle);
}

TEST(CumSum, ReadsHalves) {
  Graph g;
  const auto x = g.add_input("x", kF32, batched({60}));
  const auto n = g.add(OpType::kUnary, "n", {x}, ir::UnaryAttrs{ir::UnaryKind::kNegate});
  g.set_outputs({g.add(OpType::kCumSum, "y", {n}, ir::CumSumAttrs{1, false, false})});
  check(g, Tolerance::half());
}

}  // namespace
}  // namespace xinfer::cuda
