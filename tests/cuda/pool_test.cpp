// Pooling: maxima and averages of bytes exactly as the reference, of floats up to rounding.

#include "cuda/harness.h"

namespace xinfer::cuda {
namespace {

using ir::Dim;
using ir::Graph;
using ir::OpType;
using testing::check;
using testing::CheckOptions;
using testing::make_quantized;
using testing::quantized_input;
using testing::Sizes;
using testing::Tolerance;

constexpr auto kS8 = DataType::kInt8;
constexpr auto kU8 = DataType::kUInt8;
constexpr auto kF32 = DataType::kFloat32;

struct PoolCase {
  OpType op;
  Sizes in;  ///< C, spatial...
  ir::PoolAttrs attrs;
  DataType type = kS8, result = kS8;
  float out_scale = 0.25F;  ///< of an 8-bit average; the input's is 1/4
};

Graph pool_graph(const PoolCase& c) {
  Graph g;
  ir::Shape shape{Dim::n()};
  for (const std::int64_t size : c.in) shape.dims().push_back(size);
  const auto x = c.type == kF32 ? g.add_input("x", kF32, shape) : quantized_input(g, "x", c.type, shape, 0.25F);
  const auto y = g.add(c.op, "pool", {x}, c.attrs);
  if (c.result != kF32) make_quantized(g, y, c.result, c.op == OpType::kMaxPool ? 0.25F : c.out_scale);
  g.set_outputs({y});
  return g;
}

ir::PoolAttrs window(Sizes kernel, Sizes strides, Sizes pads, Sizes dilations = {}, bool ceil = false,
                     bool count_padding = false) {
  return {std::move(kernel), std::move(strides), std::move(dilations), std::move(pads), ceil, count_padding};
}

class Pool : public ::testing::TestWithParam<PoolCase> {};
TEST_P(Pool, EqualsTheReference) {
  check(pool_graph(GetParam()), GetParam().result == kF32 ? Tolerance::half() : Tolerance::exact());
}

constexpr auto kMax = OpType::kMaxPool;
constexpr auto kAverage = OpType::kAveragePool;

INSTANTIATE_TEST_SUITE_P(
    Maximum, Pool,
    ::testing::Values(PoolCase{kMax, {17, 13, 15}, window({3, 3}, {2, 2}, {1, 1, 1, 1})},
                      PoolCase{kMax, {130, 13, 14}, window({3, 3}, {2, 2}, {1, 1, 1, 1}), kU8, kU8},
                      PoolCase{kMax, {3, 13, 14}, window({3, 3}, {2, 2}, {1, 1, 1, 1}), kF32, kF32},
                      PoolCase{kMax, {17, 12, 9}, window({2, 2}, {2, 2}, {0, 0, 0, 0}, {}, true)},
                      PoolCase{kMax, {1, 9, 8}, window({5, 5}, {1, 1}, {2, 2, 2, 2})},
                      PoolCase{kMax, {17, 29}, window({3}, {2}, {1, 1})},
                      // The general kernel: dilation, a large window, three axes.
                      PoolCase{kMax, {17, 13, 15}, window({3, 2}, {1, 2}, {2, 1, 1, 0}, {2, 1}), kU8, kU8},
                      PoolCase{kMax, {17, 9, 9}, window({7, 7}, {1, 1}, {3, 3, 3, 3}), kF32, kF32},
                      PoolCase{kMax, {5, 7, 6, 9}, window({3, 2, 3}, {2, 1, 2}, {1, 0, 1, 1, 1, 1}), kS8, kS8}));

INSTANTIATE_TEST_SUITE_P(
    Average, Pool,
    ::testing::Values(PoolCase{kAverage, {17, 13, 15}, window({2, 2}, {2, 2}, {0, 0, 0, 0})},
                      PoolCase{kAverage, {130, 9, 7}, window({3, 3}, {1, 1}, {1, 1, 1, 1}), kU8, kU8},
                      PoolCase{kAverage, {17, 9, 7}, window({3, 3}, {2, 2}, {1, 1, 1, 1}, {}, true, true), kU8, kS8},
                      PoolCase{kAverage, {17, 9, 8}, window({3, 3}, {2, 2}, {0, 0, 0, 0}, {}, true, true), kS8, kU8},
                      PoolCase{kAverage, {3, 13, 15}, window({3, 2}, {1, 2}, {2, 0, 2, 0}, {2, 1})},
                      PoolCase{kAverage, {17, 8, 8}, window({8, 8}, {8, 8}, {0, 0, 0, 0})},
                      PoolCase{kAverage, {17, 31}, window({4}, {3}, {2, 1})},
                      PoolCase{kAverage, {5, 7, 6, 9}, window({3, 2, 3}, {2, 1, 2}, {1, 0, 1, 1, 1, 1})},
                      PoolCase{kAverage, {17, 9, 7}, window({2, 2}, {1, 1}, {0, 0, 0, 0}), kS8, kF32},
                      PoolCase{kAverage, {17, 9, 7}, window({3, 3}, {2, 2}, {1, 1, 1, 1}), kF32, kF32},
                      // Most of it saturates.
                      PoolCase{kAverage, {17, 9, 7}, window({2, 2}, {1, 1}, {0, 0, 0, 0}), kS8, kS8, 1.0F / 64}));

TEST(PoolFloats, AreTightInSinglePrecision) {
  CheckOptions tight;
  tight.real = Element::kF32;
  check(pool_graph({kMax, {17, 13, 15}, window({3, 3}, {2, 2}, {1, 1, 1, 1}), kF32, kF32}), {0}, tight);
  check(pool_graph({kAverage, {17, 13, 15}, window({3, 3}, {2, 2}, {1, 1, 1, 1}), kF32, kF32}), {2e-5}, tight);
}

}  // namespace
}  // namespace xinfer::cuda
