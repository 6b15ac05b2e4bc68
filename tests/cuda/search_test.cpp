// TopK and ArgReduce: values and indices exactly as the reference, ties too.

#include <limits>

#include "cuda/harness.h"

namespace xinfer::cuda {
namespace {

using ir::Dim;
using ir::Graph;
using ir::OpType;
using testing::check;
using testing::check_inputs;
using testing::make_quantized;
using testing::quantized_input;
using testing::Random;
using testing::Sizes;
using testing::Tolerance;

constexpr auto kS8 = DataType::kInt8;
constexpr auto kU8 = DataType::kUInt8;
constexpr auto kF32 = DataType::kFloat32;

ir::ValueId input_of(Graph& g, DataType type, const Sizes& in) {
  ir::Shape shape{Dim::n()};
  for (const std::int64_t size : in) shape.dims().push_back(size);
  return is_int8_like(type) ? quantized_input(g, "x", type, shape, 0.25F) : g.add_input("x", type, shape);
}

struct TopKCase {
  Sizes in;
  std::int64_t axis, k;
  bool largest = true;
  DataType type = kF32;
};

Graph topk_graph(const TopKCase& c) {
  Graph g;
  const auto x = input_of(g, c.type, c.in);
  const auto node = g.add_node(OpType::kTopK, "top", {x}, ir::TopKAttrs{c.axis, c.k, c.largest, true}, 2);
  g.set_outputs(g.node(node).outputs);
  return g;
}

class TopK : public ::testing::TestWithParam<TopKCase> {};
TEST_P(TopK, EqualsTheReference) { check(topk_graph(GetParam()), Tolerance::exact()); }

// Multiples of 1/8 up to 2: each of the 33 values comes many times in the longer rows.
INSTANTIATE_TEST_SUITE_P(Cases, TopK,
                         ::testing::Values(TopKCase{{5, 100}, 2, 5}, TopKCase{{5, 100}, 2, 100, false},
                                           TopKCase{{1}, 1, 1}, TopKCase{{37, 3}, 1, 4, false}, TopKCase{{1000}, 1, 5},
                                           TopKCase{{9000}, 1, 300}, TopKCase{{4097, 2}, 1, 1, false},
                                           TopKCase{{70000}, 1, 1000}, TopKCase{{9000}, 1, 5, true, kS8},
                                           TopKCase{{60}, 1, 7, false, kU8},
                                           TopKCase{{60}, 1, 7, true, DataType::kInt32}));

struct ArgCase {
  Sizes in;
  std::int64_t axis;
  bool is_max = true, last = false, keepdims = true;
  DataType type = kF32;
  bool images = false;  ///< behind a pool, which leaves the channels innermost
};

Graph arg_graph(const ArgCase& c) {
  Graph g;
  auto x = input_of(g, c.type, c.in);
  if (c.images) {
    x = g.add(OpType::kMaxPool, "pool", {x}, ir::PoolAttrs{{1, 1}, {}, {}, {}, false, false});
    if (is_int8_like(c.type)) make_quantized(g, x, c.type, 0.25F);
  }
  g.set_outputs({g.add(OpType::kArgReduce, "arg", {x}, ir::ArgReduceAttrs{c.axis, c.keepdims, c.last, c.is_max})});
  return g;
}

class ArgReduce : public ::testing::TestWithParam<ArgCase> {};
TEST_P(ArgReduce, EqualsTheReference) { check(arg_graph(GetParam()), Tolerance::exact()); }

INSTANTIATE_TEST_SUITE_P(Cases, ArgReduce,
                         ::testing::Values(ArgCase{{5, 100}, 2}, ArgCase{{5, 100}, 2, false, true, false},
                                           ArgCase{{1}, 1}, ArgCase{{37, 6}, 1, true, true},
                                           ArgCase{{7, 6}, 1, false, false, false}, ArgCase{{3000}, 1},
                                           ArgCase{{21, 9, 7}, 1, true, false, true, kF32, true},
                                           ArgCase{{21, 9, 7}, 1, false, false, false, kS8, true},
                                           ArgCase{{60}, 1, true, true, true, kU8},
                                           ArgCase{{60}, 1, false, false, true, DataType::kInt32}));

TEST(Search, KnowsZerosAndNan) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const Tensor zeros = Tensor::from<float>({1, 6}, std::vector<float>{-1, -0.0F, 0, -0.0F, -2, 0});
  const Tensor nan = Tensor::from<float>({1, 6}, std::vector<float>{1, kNan, 3, kNan, -2, 0});
  const Tensor first = Tensor::from<float>({1, 6}, std::vector<float>{kNan, 1, 3, kNan, -2, 0});
  for (const Tensor& x : {zeros, nan, first}) {
    for (const bool up : {false, true}) {
      check_inputs(topk_graph({{6}, 1, 4, up}), {x}, Tolerance::exact());
      check_inputs(arg_graph({{6}, 1, up}), {x}, Tolerance::exact());
    }
  }
}

}  // namespace
}  // namespace xinfer::cuda
