// Reductions: bytes and integers exactly as the reference, floats up to rounding.

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
using K = ir::ReduceKind;

constexpr auto kS8 = DataType::kInt8;
constexpr auto kU8 = DataType::kUInt8;
constexpr auto kF32 = DataType::kFloat32;

struct ReduceCase {
  Sizes in;  ///< without the batch
  Sizes axes;
  K kind = K::kMean;
  DataType type = kS8, result = kS8;
  bool keepdims = true;
  bool images = false;       ///< behind a pool, which leaves the channels innermost
  float out_scale = 0.125F;  ///< the input's is 1/4
};

Graph reduce_graph(const ReduceCase& c) {
  Graph g;
  ir::Shape shape{Dim::n()};
  for (const std::int64_t size : c.in) shape.dims().push_back(size);
  const bool bytes = is_int8_like(c.type);
  auto x = bytes ? quantized_input(g, "x", c.type, shape, 0.25F) : g.add_input("x", c.type, shape);
  if (c.images) {
    const std::size_t axes = c.in.size() - 1;
    x = g.add(OpType::kMaxPool, "pool", {x}, ir::PoolAttrs{Sizes(axes, 1), {}, {}, {}, false, false});
    if (bytes) make_quantized(g, x, c.type, 0.25F);
  }
  const auto y = g.add(OpType::kReduce, "reduce", {x}, ir::ReduceAttrs{c.kind, c.axes, c.keepdims});
  if (is_int8_like(c.result)) make_quantized(g, y, c.result, c.out_scale);
  g.set_outputs({y});
  return g;
}

class Reduce : public ::testing::TestWithParam<ReduceCase> {};
TEST_P(Reduce, EqualsTheReference) {
  check(reduce_graph(GetParam()), GetParam().result == kF32 ? Tolerance::half() : Tolerance::exact());
}

INSTANTIATE_TEST_SUITE_P(Images, Reduce,
                         ::testing::Values(ReduceCase{{130, 7, 7}, {2, 3}, K::kMean, kS8, kS8, true, true},
                                           ReduceCase{{17, 7, 7}, {2, 3}, K::kMean, kU8, kS8, false, true},
                                           ReduceCase{{3, 9, 5}, {2, 3}, K::kMean, kS8, kF32, false, true},
                                           ReduceCase{{130, 7, 7}, {2, 3}, K::kMean, kF32, kF32, false, true},
                                           ReduceCase{{17, 5}, {2}, K::kSum, kU8, kU8, true, true, 2.0F},
                                           ReduceCase{{17, 3, 5, 4}, {2, 3, 4}, K::kMean, kS8, kS8, true, true},
                                           // So many pixels that blocks share an image.
                                           ReduceCase{{17, 40, 41}, {2, 3}, K::kMean, kS8, kS8, true, true},
                                           ReduceCase{{17, 40, 41}, {2, 3}, K::kMean, kF32, kF32, true, true}));

INSTANTIATE_TEST_SUITE_P(Tokens, Reduce,
                         ::testing::Values(ReduceCase{{9, 33}, {1}, K::kMean, kF32, kF32, false},
                                           ReduceCase{{4, 5, 48}, {1, 2}, K::kMean, kS8, kS8},
                                           ReduceCase{{2000, 33}, {1}, K::kMean, kF32, kF32, false}));

INSTANTIATE_TEST_SUITE_P(
    Any, Reduce,
    ::testing::Values(
        ReduceCase{{7, 19}, {2}, K::kMean, kF32, kF32}, ReduceCase{{3, 5000}, {2}, K::kMean, kF32, kF32, false},
        ReduceCase{{3, 4, 5}, {1, 3}, K::kSum, kF32, kF32, false},
        ReduceCase{{3, 4, 5}, {1, 2, 3}, K::kMax, kF32, kF32}, ReduceCase{{3, 40, 5}, {2}, K::kMin, kF32, kF32},
        ReduceCase{{3, 4, 5}, {2}, K::kProd, kF32, kF32}, ReduceCase{{3, 40}, {2}, K::kL1, kF32, kF32, false},
        ReduceCase{{3, 40}, {2}, K::kL2, kF32, kF32}, ReduceCase{{3, 4}, {1}, K::kSumSquare, kF32, kF32},
        ReduceCase{{3, 40}, {1, 2}, K::kLogSumExp, kF32, kF32}, ReduceCase{{3, 4}, {}, K::kSum, kF32, kF32},
        ReduceCase{{7, 19}, {2}, K::kMean, kS8, kS8}, ReduceCase{{7, 19}, {1, 2}, K::kSum, kU8, kF32},
        ReduceCase{{7, 19, 3}, {1, 3}, K::kMax, kS8, kS8},
        ReduceCase{{7, 19}, {2}, K::kMin, kU8, kU8, true, false, 0.5F},
        ReduceCase{{5, 6}, {2}, K::kSum, DataType::kInt64, DataType::kInt64},
        ReduceCase{{5, 60}, {2}, K::kMean, DataType::kInt64, DataType::kInt64},
        ReduceCase{{5, 6}, {1}, K::kMax, DataType::kInt32, DataType::kInt32},
        ReduceCase{{5, 6}, {1, 2}, K::kSumSquare, DataType::kInt32, DataType::kInt32}));

TEST(ReduceLogarithm, TakesTheSumsOfPositives) {
  Graph g;
  const auto x = g.add_input("x", kF32, {Dim::n(), 3, 9});
  g.set_outputs({g.add(OpType::kReduce, "reduce", {x}, ir::ReduceAttrs{K::kLogSum, {2}, true})});
  testing::Random random(3);
  testing::check_inputs(g, {random.floats({2, 3, 9}, 0.125F, 2)}, Tolerance::half());
}

TEST(ReduceFloats, TakeOverAQuantize) {
  for (const bool images : {false, true}) {
    Graph g = reduce_graph({{17, 6, 5}, {2, 3}, K::kMean, kF32, kF32, true, images});
    const auto q = g.add(OpType::kQuantize, "quantized", {g.outputs()[0]});
    make_quantized(g, q, kS8, 1.0F / 64);
    g.set_outputs({q});
    check(g, Tolerance::half());
  }
}

TEST(ReduceFloats, AreTightInSinglePrecision) {
  CheckOptions tight;
  tight.real = Element::kF32;
  check(reduce_graph({{17, 7, 7}, {2, 3}, K::kMean, kF32, kF32, true, true}), {2e-5}, tight);
  check(reduce_graph({{3, 40}, {2}, K::kL2, kF32, kF32}), {2e-5}, tight);
}

}  // namespace
}  // namespace xinfer::cuda
