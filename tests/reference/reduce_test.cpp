#include <cmath>
#include <limits>

#include "one_node.h"

namespace xinfer::reference {
namespace {

using ir::OpType;
using K = ir::ReduceKind;

Tensor reduce(K kind, const Tensor& x, std::vector<std::int64_t> axes, bool keepdims = false) {
  return output_of(OpType::kReduce, {x}, ir::ReduceAttrs{kind, std::move(axes), keepdims});
}

TEST(Reduce, EveryKindOnFloats) {
  const Tensor x = f32({2, 2}, {1, 2, 3, -4});
  expect_near(reduce(K::kMean, x, {1}), f32({2}, {1.5F, -0.5F}));
  expect_near(reduce(K::kSum, x, {0}), f32({2}, {4, -2}));
  expect_near(reduce(K::kMax, x, {0, 1}), f32({}, {3}));
  expect_near(reduce(K::kMin, x, {0, 1}, true), f32({1, 1}, {-4}));
  expect_near(reduce(K::kProd, x, {1}), f32({2}, {2, -12}));
  expect_near(reduce(K::kL1, x, {1}), f32({2}, {3, 7}));
  expect_near(reduce(K::kL2, x, {1}), f32({2}, {std::sqrt(5.0F), 5}));
  expect_near(reduce(K::kSumSquare, x, {1}), f32({2}, {5, 25}));
  expect_near(reduce(K::kLogSum, f32({2}, {1, 2}), {0}), f32({}, {std::log(3.0F)}));
  expect_near(reduce(K::kLogSumExp, f32({2}, {1000, 1000}), {0}), f32({}, {1000 + std::log(2.0F)}));
}

TEST(Reduce, NoAxesReduceNothing) { expect_near(reduce(K::kL1, f32({2}, {-1, 2}), {}), f32({2}, {1, 2})); }

TEST(Reduce, IntegersStayIntegers) {
  const Tensor x = s64({3}, {-7, 2, 2});
  expect_near(reduce(K::kSum, x, {0}), s64({}, {-3}));
  expect_near(reduce(K::kMean, x, {0}), s64({}, {-1}));
  expect_near(reduce(K::kProd, x, {0}), s64({}, {-28}));
  expect_near(reduce(K::kMax, x, {0}), s64({}, {2}));
  expect_near(reduce(K::kMin, x, {0}), s64({}, {-7}));
  expect_near(reduce(K::kL1, x, {0}), s64({}, {11}));
}

TEST(Reduce, FloatsAccumulateInDouble) {
  std::vector<float> values(1001, 1.0F);
  values[0] = 1e9F;
  expect_near(reduce(K::kSum, f32({1001}, values), {0}), f32({}, {1000001000.0F}), 0);
}

TEST(ArgReduce, BreaksTiesAsAsked) {
  const Tensor x = f32({2, 3}, {2, 5, 5, 1, 1, 4});
  ir::ArgReduceAttrs attrs{1, false};
  expect_near(output_of(OpType::kArgReduce, {x}, attrs), s64({2}, {1, 2}));
  attrs.select_last = true;
  expect_near(output_of(OpType::kArgReduce, {x}, attrs), s64({2}, {2, 2}));
  attrs.is_max = false;
  expect_near(output_of(OpType::kArgReduce, {x}, attrs), s64({2}, {0, 1}));
}

TEST(TopK, TiesKeepTheLowerIndex) {
  const Tensor x = f32({2, 4}, {3, 1, 3, 2, 0, 0, -1, 9});
  const auto largest = outputs_of(OpType::kTopK, {x}, ir::TopKAttrs{1, 3}, {}, 2);
  expect_near(largest[0], f32({2, 3}, {3, 3, 2, 9, 0, 0}));
  expect_near(largest[1], s64({2, 3}, {0, 2, 3, 3, 0, 1}));
  const auto smallest = outputs_of(OpType::kTopK, {x}, ir::TopKAttrs{0, 1, false}, {}, 2);
  expect_near(smallest[0], f32({1, 4}, {0, 0, -1, 2}));
  expect_near(smallest[1], s64({1, 4}, {1, 1, 1, 0}));
}

TEST(CumSum, GoesBothWays) {
  const Tensor x = f32({2, 2}, {1, 2, 3, 4});
  expect_near(output_of(OpType::kCumSum, {x}, ir::CumSumAttrs{0, false, true}), f32({2, 2}, {4, 6, 3, 4}));
  expect_near(output_of(OpType::kCumSum, {x}, ir::CumSumAttrs{1, true}), f32({2, 2}, {0, 1, 0, 3}));
  expect_near(output_of(OpType::kCumSum, {s64({3}, {1, 2, 3})}, ir::CumSumAttrs{0, true, true}), s64({3}, {5, 3, 0}));
}

}  // namespace
}  // namespace xinfer::reference
