// Softmax on the GPU.

#include <cmath>
#include <limits>

#include "cuda/harness.h"

namespace xinfer::cuda {
namespace {

using ir::Dim;
using ir::Graph;
using ir::OpType;
using ir::Shape;
using testing::check;
using testing::check_inputs;
using testing::CheckOptions;
using testing::make_quantized;
using testing::Random;
using testing::Sizes;
using testing::Tolerance;

constexpr auto kF32 = DataType::kFloat32;
const CheckOptions kSingle{.real = Element::kF32, .implementation = {}};
constexpr Tolerance kTight{2e-5, 1.0, 1e-2};

struct SoftmaxCase {
  Sizes in;  ///< without the batch
  std::int64_t axis = -1;
  bool log = false;
  std::optional<DataType> quantized = {};
  bool channels_last = false;  ///< the value arrives so
};

Graph softmax_graph(const SoftmaxCase& c) {
  Graph g;
  Shape shape{Dim::n()};
  for (const std::int64_t size : c.in) shape.dims().push_back(size);
  auto x = g.add_input("x", kF32, shape);
  if (c.channels_last) x = g.add(OpType::kMaxPool, "pool", {x}, ir::PoolAttrs{{1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}});
  auto y = g.add(OpType::kSoftmax, "softmax", {x}, ir::SoftmaxAttrs{c.axis, c.log});
  if (c.quantized) {
    y = g.add(OpType::kQuantize, "quantized", {y});
    make_quantized(g, y, *c.quantized, c.log ? 0.05F : 1.0F / 255);
  }
  g.set_outputs({y});
  return g;
}

class Softmax : public ::testing::TestWithParam<SoftmaxCase> {};
TEST_P(Softmax, HalfEqualsTheReference) { check(softmax_graph(GetParam()), Tolerance::half()); }
TEST_P(Softmax, SingleEqualsTheReference) { check(softmax_graph(GetParam()), kTight, kSingle); }

INSTANTIATE_TEST_SUITE_P(Columns, Softmax,
                         ::testing::Values(SoftmaxCase{{5, 1}}, SoftmaxCase{{3, 17}}, SoftmaxCase{{7, 130}},
                                           SoftmaxCase{{1000}}, SoftmaxCase{{3, 1024}}, SoftmaxCase{{2, 3000}},
                                           SoftmaxCase{{8200}}, SoftmaxCase{{2, 8211}}));
INSTANTIATE_TEST_SUITE_P(Axes, Softmax,
                         ::testing::Values(SoftmaxCase{{17, 5}, 1}, SoftmaxCase{{4, 6, 7}, 2},
                                           SoftmaxCase{{21, 5, 6}, 1, false, {}, true},
                                           SoftmaxCase{{21, 5, 6}, 2, false, {}, true},
                                           SoftmaxCase{{21, 5, 6}, 3, false, {}, true}));
INSTANTIATE_TEST_SUITE_P(Logarithms, Softmax,
                         ::testing::Values(SoftmaxCase{{3, 100}, -1, true}, SoftmaxCase{{2, 1500}, -1, true},
                                           SoftmaxCase{{17, 5}, 1, true}, SoftmaxCase{{8300}, -1, true}));
INSTANTIATE_TEST_SUITE_P(Quantized, Softmax,
                         ::testing::Values(SoftmaxCase{{3, 17}, -1, false, DataType::kUInt8},
                                           SoftmaxCase{{3, 200}, -1, true, DataType::kInt8},
                                           SoftmaxCase{{17, 5}, 1, false, DataType::kUInt8}));

Tensor rows_of(std::int64_t rows, std::int64_t columns) { return Random(9).eighths({rows, columns}); }

TEST(SoftmaxValues, LargeInputsDoNotOverflow) {
  for (const std::int64_t columns : {40, 1500, 8300}) {
    Tensor x = rows_of(2, columns);
    for (float& value : x.data<float>()) value += 30000;  // exact in half only up to multiples of 16
    x.data<float>()[3] = 30016;
    for (float& value : x.data<float>()) value = 16 * std::round(value / 16);
    const Graph g = softmax_graph({{columns}});
    check_inputs(g, {x}, Tolerance::half());
    check_inputs(g, {x}, kTight, kSingle);
  }
}

TEST(SoftmaxValues, MinusInfinityIsZero) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const std::int64_t columns : {40, 1500, 8300}) {
    Tensor x = rows_of(3, columns);
    auto values = x.data<float>();
    for (std::int64_t i = 0; i < columns - 2; ++i) values[static_cast<std::size_t>(i)] = -kInfinity;
    // The last row has nothing else: 0 / 0.
    for (std::int64_t i = 2 * columns; i < 3 * columns; ++i) values[static_cast<std::size_t>(i)] = -kInfinity;
    const Graph g = softmax_graph({{columns}});
    check_inputs(g, {x}, Tolerance::half());
    check_inputs(g, {x}, kTight, kSingle);
  }
}

}  // namespace
}  // namespace xinfer::cuda
