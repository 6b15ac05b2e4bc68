// The plain kernels: every shape and type that the others leave over.

#include "cuda/batch_axes.h"
#include "cuda/layers.h"

namespace xinfer::cuda {
namespace {

using testing::check;
using testing::CheckOptions;
using testing::conv_graph;
using testing::ConvCase;
using testing::linear_graph;
using testing::LinearCase;
using testing::matmul_graph;
using testing::MatMulCase;
using testing::Random;
using testing::Tolerance;
using enum ir::UnaryKind;

constexpr auto kS8 = DataType::kInt8;
constexpr auto kU8 = DataType::kUInt8;
constexpr auto kF32 = DataType::kFloat32;
constexpr auto kConv = ir::OpType::kConv;
constexpr auto kTransposed = ir::OpType::kConvTranspose;
constexpr Tolerance kTight{2e-5};

/// Exact for integers; f32 stored as such, tightly; and as halves.
void check_all(const ir::Graph& graph, DataType type, const std::string& implementation, ir::OpType op) {
  CheckOptions options{.implementation = implementation, .op = op};
  if (type != kF32) return check(graph, Tolerance::exact(), options);
  check(graph, Tolerance::half(), options);
  options.real = Element::kF32;
  check(graph, kTight, options);
}

ir::ConvAttrs attrs(testing::Sizes strides, testing::Sizes dilations, testing::Sizes pads, std::int64_t groups = 1,
                    testing::Sizes output_padding = {}) {
  return {std::move(strides), std::move(dilations), std::move(pads), std::move(output_padding), groups, {}};
}

class DirectConv : public ::testing::TestWithParam<ConvCase> {};
TEST_P(DirectConv, EqualsTheReference) {
  const ConvCase& c = GetParam();
  check_all(conv_graph(c), c.type, "direct_conv", c.op);
}

INSTANTIATE_TEST_SUITE_P(
    Dense, DirectConv,
    ::testing::Values(ConvCase{{1, 5, 7}, 1, {1, 1}}, ConvCase{{130, 6, 5}, 17, {1, 1}, {}, kF32, kF32},
                      ConvCase{{17, 12, 9}, 130, {3, 3}, attrs({2, 1}, {1, 2}, {0, 2, 1, 1})},
                      ConvCase{{3, 12, 9}, 66, {3, 3}, attrs({2, 1}, {1, 2}, {0, 2, 1, 1}), kF32, kF32, kF32},
                      ConvCase{{20, 9, 8}, 18, {3, 3}, attrs({1, 1}, {1, 1}, {1, 1, 1, 1}), kU8, kU8, kS8},
                      // A filter too large for the tensor core kernel, one axis, three axes.
                      ConvCase{{5, 30, 4}, 6, {19, 1}, attrs({1, 1}, {1, 1}, {9, 0, 9, 0})},
                      ConvCase{{24, 37}, 20, {5}, attrs({2}, {2}, {3, 4})},
                      ConvCase{{5, 4, 6, 7}, 18, {2, 3, 3}, attrs({1, 2, 1}, {2, 1, 1}, {1, 0, 1, 1, 2, 1})},
                      ConvCase{
                          {5, 4, 6, 7}, 18, {2, 3, 3}, attrs({1, 2, 1}, {2, 1, 1}, {1, 0, 1, 1, 2, 1}), kF32, kF32},
                      // Most of it saturates.
                      ConvCase{{64, 9, 8}, 40, {1, 1}, {}, kS8, kS8, {}, kConv, 64}));

INSTANTIATE_TEST_SUITE_P(
    Groups, DirectConv,
    ::testing::Values(ConvCase{{12, 9, 8}, 18, {3, 3}, attrs({1, 1}, {1, 1}, {1, 1, 1, 1}, 3)},
                      ConvCase{{12, 9, 8}, 18, {3, 3}, attrs({1, 1}, {1, 1}, {1, 1, 1, 1}, 3), kU8, kS8, kS8},
                      ConvCase{{12, 9, 8}, 18, {3, 3}, attrs({2, 1}, {1, 1}, {1, 1, 1, 1}, 6), kF32, kF32, kF32},
                      ConvCase{{6, 9, 8}, 48, {3, 3}, attrs({1, 2}, {1, 1}, {1, 1, 1, 1}, 3)},
                      ConvCase{{17, 9, 8}, 17, {1, 1}, attrs({}, {}, {}, 17)},
                      ConvCase{{6, 4, 5, 6}, 12, {2, 2, 2}, attrs({}, {}, {}, 2)}));

INSTANTIATE_TEST_SUITE_P(
    Transposed, DirectConv,
    ::testing::Values(
        ConvCase{{17, 6, 5}, 20, {2, 2}, attrs({2, 2}, {}, {}), kS8, kS8, {}, kTransposed},
        ConvCase{{20, 6, 5}, 3, {3, 4}, attrs({2, 3}, {2, 1}, {1, 0, 2, 1}, 1, {1, 2}), kU8, kS8, {}, kTransposed},
        ConvCase{{7, 6, 5}, 18, {3, 3}, attrs({2, 2}, {}, {1, 1, 1, 1}, 1, {1, 1}), kF32, kF32, {}, kTransposed},
        ConvCase{{12, 6, 5}, 18, {3, 3}, attrs({2, 1}, {}, {1, 1, 1, 1}, 3), kS8, kS8, {}, kTransposed},
        ConvCase{{6, 6, 5}, 32, {3, 3}, attrs({2, 1}, {}, {1, 1, 1, 1}, 2), kS8, kS8, {}, kTransposed},
        ConvCase{{4, 9}, 5, {4}, attrs({3}, {}, {}), kS8, kS8, {}, kTransposed},
        ConvCase{{4, 3, 4, 5}, 6, {2, 3, 2}, attrs({2, 1, 2}, {}, {}), kF32, kF32, {}, kTransposed}));

class DirectActivation : public ::testing::TestWithParam<ir::Epilogue> {};
TEST_P(DirectActivation, IsFused) {
  ConvCase c{{20, 9, 8}, 40, {1, 1}, {}, kS8, kS8, kS8};
  c.attrs.epilogue = GetParam();
  CheckOptions options{.implementation = "direct_conv", .op = kConv};
  const bool exact = GetParam().activation != kSilu && GetParam().activation != kSigmoid;
  check(conv_graph(c), exact ? Tolerance::exact() : Tolerance::half(), options);
}
INSTANTIATE_TEST_SUITE_P(Kinds, DirectActivation,
                         ::testing::Values(ir::Epilogue{kRelu}, ir::Epilogue{kClip, -1, 3}, ir::Epilogue{kHardSwish},
                                           ir::Epilogue{kSigmoid}));

TEST(DirectConv, TakesWeightsThatAreComputed) {
  ir::Graph g;
  const auto x = g.add_input("x", kF32, {ir::Dim::n(), 5, 7, 6});
  const auto w = g.add_input("w", kF32, {9, 5, 3, 2});
  g.set_outputs({g.add(kConv, "conv", {x, w}, attrs({2, 1}, {}, {1, 0, 0, 1}))});
  check_all(g, kF32, "direct_conv", kConv);
}

class DirectLinear : public ::testing::TestWithParam<LinearCase> {};
TEST_P(DirectLinear, EqualsTheReference) {
  check_all(linear_graph(GetParam()), GetParam().type, "direct_linear", ir::OpType::kLinear);
}
INSTANTIATE_TEST_SUITE_P(Shapes, DirectLinear,
                         ::testing::Values(LinearCase{{ir::Dim::n(), 130}, 10},
                                           LinearCase{{ir::Dim::n(), 1}, 3, {kRelu}},
                                           LinearCase{{ir::Dim::n(), 37, 70}, 130, {}, kF32, kF32, kF32},
                                           LinearCase{{ir::Dim::n(), 5, 48}, 64, {}, kU8, kS8, kS8}));

class DirectMatMul : public ::testing::TestWithParam<MatMulCase> {};
TEST_P(DirectMatMul, EqualsTheReference) {
  check_all(matmul_graph(GetParam()), GetParam().a_type, "direct_matmul", ir::OpType::kMatMul);
}
INSTANTIATE_TEST_SUITE_P(
    Shapes, DirectMatMul,
    ::testing::Values(MatMulCase{{ir::Dim::n(), 5, 19}, {ir::Dim::n(), 19, 7}, {false, false, 0.5F}},
                      MatMulCase{{ir::Dim::n(), 2, 70, 33}, {ir::Dim::n(), 2, 65, 70}, {true, true}, kU8, kS8},
                      MatMulCase{{ir::Dim::n(), 19, 5}, {ir::Dim::n(), 19, 7}, {true, false}, kF32, kF32, kF32},
                      MatMulCase{{ir::Dim::n(), 3, 9, 33}, {21, 33}, {false, true}, kS8, kU8, kS8},
                      MatMulCase{{2, 1, 9, 33}, {ir::Dim::n(), 2, 3, 33, 21}, {}, kF32, kF32, kF32}));

TEST(BatchAxes, MergeWhereBothOperandsAllowIt) {
  const auto same = batch_axes({4, 3, 5, 6}, {4, 3, 6, 7}, {4, 3, 5, 7}, 30, 42);
  ASSERT_EQ(same.size(), 1U);
  EXPECT_EQ(same[0].size, 12U);
  EXPECT_EQ(same[0].a, 30);
  EXPECT_EQ(same[0].b, 42);
  const auto broadcast = batch_axes({4, 1, 5, 6}, {3, 6, 7}, {4, 3, 5, 7}, 30, 42);
  ASSERT_EQ(broadcast.size(), 2U);
  EXPECT_EQ(broadcast[0].a, 0);
  EXPECT_EQ(broadcast[0].b, 42);
  EXPECT_EQ(broadcast[1].size, 4U);
  EXPECT_EQ(broadcast[1].a, 30);
  EXPECT_EQ(broadcast[1].b, 0);
  EXPECT_TRUE(batch_axes({5, 6}, {6, 7}, {5, 7}, 30, 42).empty());
}

}  // namespace
}  // namespace xinfer::cuda
