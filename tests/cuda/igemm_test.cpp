// The portable implicit GEMM: integers exactly as the reference, halves up to the final rounding.

#include "cuda/igemm.h"

#include "cuda/implementations.h"
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
using testing::Tolerance;
using enum ir::UnaryKind;

constexpr auto kS8 = DataType::kInt8;
constexpr auto kU8 = DataType::kUInt8;
constexpr auto kF32 = DataType::kFloat32;

CheckOptions conv_options() { return {.implementation = "igemm_conv", .op = ir::OpType::kConv}; }
CheckOptions linear_options() { return {.implementation = "igemm_linear", .op = ir::OpType::kLinear}; }
CheckOptions matmul_options() { return {.implementation = "igemm_matmul", .op = ir::OpType::kMatMul}; }

ir::ConvAttrs attrs(testing::Sizes strides, testing::Sizes dilations, testing::Sizes pads, std::int64_t groups = 1) {
  return {std::move(strides), std::move(dilations), std::move(pads), {}, groups, {}};
}

class IgemmConv : public ::testing::TestWithParam<ConvCase> {};
TEST_P(IgemmConv, EqualsTheReference) {
  check(conv_graph(GetParam()), GetParam().type == kF32 ? Tolerance::half() : Tolerance::exact(), conv_options());
}

INSTANTIATE_TEST_SUITE_P(Shapes, IgemmConv,
                         ::testing::Values(
                             // One tap.
                             ConvCase{{1, 5, 7}, 1, {1, 1}}, ConvCase{{130, 9, 7}, 17, {1, 1}},
                             ConvCase{{17, 1, 1}, 130, {1, 1}}, ConvCase{{64, 19, 17}, 96, {1, 1}},
                             // Taps, with every way to leave the image.
                             ConvCase{{3, 13, 11}, 17, {3, 3}, attrs({1, 1}, {1, 1}, {1, 1, 1, 1})},
                             ConvCase{{17, 12, 9}, 130, {3, 3}, attrs({2, 1}, {1, 2}, {0, 2, 1, 1})},
                             ConvCase{{130, 9, 10}, 3, {3, 2}, attrs({1, 3}, {2, 1}, {2, 0, 1, 1})},
                             ConvCase{{3, 23, 25}, 32, {7, 7}, attrs({2, 2}, {1, 1}, {3, 3, 3, 3})},
                             ConvCase{{40, 6, 5}, 48, {5, 3}, attrs({1, 1}, {1, 1}, {4, 2, 4, 2})},
                             ConvCase{{32, 8, 9}, 64, {1, 1}, attrs({2, 2}, {1, 1}, {0, 0, 0, 0})},
                             // One spatial axis.
                             ConvCase{{24, 37}, 20, {5}, attrs({2}, {2}, {3, 4})},
                             // Groups.
                             ConvCase{{48, 9, 8}, 96, {3, 3}, attrs({1, 1}, {1, 1}, {1, 1, 1, 1}, 3)},
                             ConvCase{{64, 7, 7}, 32, {1, 1}, attrs({1, 1}, {1, 1}, {0, 0, 0, 0}, 2)}));

INSTANTIATE_TEST_SUITE_P(
    Types, IgemmConv,
    ::testing::Values(ConvCase{{35, 9, 8}, 33, {3, 3}, attrs({1, 1}, {1, 1}, {1, 1, 1, 1}), kU8, kU8},
                      ConvCase{{35, 9, 8}, 33, {3, 3}, attrs({1, 1}, {1, 1}, {1, 1, 1, 1}), kU8, kS8},
                      ConvCase{{35, 9, 8}, 33, {3, 3}, attrs({1, 1}, {1, 1}, {1, 1, 1, 1}), kF32, kF32},
                      ConvCase{{48, 9, 8}, 96, {3, 3}, attrs({2, 1}, {1, 1}, {1, 1, 1, 1}, 3), kF32, kF32},
                      ConvCase{{20, 9, 8}, 18, {1, 1}, {}, kF32, kF32, kF32},
                      ConvCase{{35, 9, 8}, 40, {3, 3}, attrs({1, 1}, {1, 1}, {1, 1, 1, 1}), kS8, kS8, kS8},
                      ConvCase{{35, 9, 8}, 40, {1, 1}, {}, kU8, kU8, kS8},
                      ConvCase{{35, 9, 8}, 40, {1, 1}, {}, kS8, kS8, kF32},
                      ConvCase{{48, 9, 8}, 96, {1, 1}, attrs({}, {}, {}, 3), kS8, kS8, kS8},
                      // Most of it saturates.
                      ConvCase{{64, 9, 8}, 40, {1, 1}, {}, kS8, kS8, {}, ir::OpType::kConv, 64},
                      ConvCase{{64, 9, 8}, 40, {1, 1}, {}, kU8, kU8, {}, ir::OpType::kConv, 64}));

TEST(IgemmConvResult, IsHalfWhereTheNextLayerWantsThat) {
  ConvCase c{{35, 9, 8}, 33, {1, 1}, {}, kS8, kF32};
  check(conv_graph(c), Tolerance::half(), conv_options());
  CheckOptions options = conv_options();
  options.real = Element::kF32;  // integers with f32 in between, as a calibration has it
  check(conv_graph(c), {2e-5}, options);
}

class IgemmActivation : public ::testing::TestWithParam<ir::Epilogue> {};
TEST_P(IgemmActivation, IsFused) {
  ConvCase c{{32, 9, 8}, 40, {1, 1}, {}, kS8, kS8, kS8};
  c.attrs.epilogue = GetParam();
  const bool exact = GetParam().activation != kSilu && GetParam().activation != kGelu;
  check(conv_graph(c), exact ? Tolerance::exact() : Tolerance::half(), conv_options());
}
INSTANTIATE_TEST_SUITE_P(Kinds, IgemmActivation,
                         ::testing::Values(ir::Epilogue{kRelu}, ir::Epilogue{kClip, 0, 6},
                                           ir::Epilogue{kLeakyRelu, 0.125F}, ir::Epilogue{kHardSwish},
                                           ir::Epilogue{kSilu}, ir::Epilogue{kGelu}));

// Few outputs and a long K: among the variants are some that split it. Every variant is run.
TEST(IgemmTactics, OfAConvAreAllExact) {
  ConvCase c{{130, 7, 7}, 72, {3, 3}, attrs({1, 1}, {1, 1}, {1, 1, 1, 1}), kS8, kS8, kS8};
  CheckOptions options = conv_options();
  options.all_tactics = true;
  check(conv_graph(c), Tolerance::exact(), options);
}

TEST(IgemmTactics, OfALargerConvAreAllExact) {
  ConvCase c{{64, 40, 41}, 264, {3, 3}, attrs({1, 1}, {1, 1}, {1, 1, 1, 1}), kU8, kU8};
  CheckOptions options = conv_options();
  options.all_tactics = true;
  options.batches = {2};
  check(conv_graph(c), Tolerance::exact(), options);
}

TEST(IgemmTactics, OfALinearAreAllExact) {
  CheckOptions options = linear_options();
  options.all_tactics = true;
  check(linear_graph({{ir::Dim::n(), 600}, 70, {}, kF32, kF32, kF32}), Tolerance::half(), options);
}

TEST(IgemmTactics, OfAMatMulAreAllExact) {
  CheckOptions options = matmul_options();
  options.all_tactics = true;
  options.batches = {2};
  check(matmul_graph({{ir::Dim::n(), 3, 70, 90}, {ir::Dim::n(), 3, 90, 72}, {}, kF32, kF32, kF32}), Tolerance::half(),
        options);
}

// Newer GPUs run Turing's variant too: its instructions, and stages that pass through registers.
TEST(IgemmTuring, IsExact) {
  CheckOptions options = conv_options();
  options.arch = gpu::Arch{75};
  check(conv_graph({{40, 12, 9}, 130, {3, 3}, attrs({2, 1}, {1, 2}, {0, 2, 1, 1}), kU8, kS8, kS8}), Tolerance::exact(),
        options);
  check(conv_graph({{130, 7, 7}, 72, {3, 3}, attrs({1, 1}, {1, 1}, {1, 1, 1, 1}), kF32, kF32, kF32}), Tolerance::half(),
        options);
  options = matmul_options();
  options.arch = gpu::Arch{75};
  check(matmul_graph({{ir::Dim::n(), 2, 40, 65}, {ir::Dim::n(), 2, 65, 137}, {}, kF32, kF32, kF32}), Tolerance::half(),
        options);
  check(matmul_graph({{ir::Dim::n(), 2, 33, 70}, {ir::Dim::n(), 2, 65, 70}, {false, true}, kU8, kS8, kS8}),
        Tolerance::exact(), options);
}

TEST(IgemmTuring, AllTacticsAreExact) {
  CheckOptions options = conv_options();
  options.arch = gpu::Arch{75};
  options.all_tactics = true;
  options.batches = {2};
  check(conv_graph({{64, 14, 13}, 136, {3, 3}, attrs({1, 1}, {1, 1}, {1, 1, 1, 1}), kS8, kS8, kS8}), Tolerance::exact(),
        options);
}

class IgemmLinear : public ::testing::TestWithParam<LinearCase> {};
TEST_P(IgemmLinear, EqualsTheReference) {
  check(linear_graph(GetParam()), GetParam().type == kF32 ? Tolerance::half() : Tolerance::exact(), linear_options());
}
INSTANTIATE_TEST_SUITE_P(Shapes, IgemmLinear,
                         ::testing::Values(LinearCase{{ir::Dim::n(), 130}, 10}, LinearCase{{ir::Dim::n(), 1}, 3},
                                           LinearCase{{ir::Dim::n(), 37, 70}, 130, {kRelu}},
                                           LinearCase{{ir::Dim::n(), 5, 48}, 64, {}, kU8, kS8, kS8},
                                           LinearCase{{ir::Dim::n(), 37, 70}, 131, {}, kF32, kF32},
                                           LinearCase{{ir::Dim::n(), 5, 48}, 64, {}, kF32, kF32, kF32}));

class IgemmMatMul : public ::testing::TestWithParam<MatMulCase> {};
TEST_P(IgemmMatMul, EqualsTheReference) {
  check(matmul_graph(GetParam()), GetParam().a_type == kF32 ? Tolerance::half() : Tolerance::exact(), matmul_options());
}
INSTANTIATE_TEST_SUITE_P(
    Shapes, IgemmMatMul,
    ::testing::Values(
        // Integers with K innermost, ragged everywhere: the padding of both operands must not count.
        MatMulCase{{ir::Dim::n(), 5, 19}, {ir::Dim::n(), 7, 19}, {false, true, 0.5F}},
        MatMulCase{{ir::Dim::n(), 2, 33, 70}, {ir::Dim::n(), 2, 65, 70}, {false, true}, kU8, kS8, kS8},
        MatMulCase{{ir::Dim::n(), 2, 33, 70}, {ir::Dim::n(), 2, 65, 70}, {false, true}, kU8, kU8, kU8},
        // Halves, both ways round.
        MatMulCase{{ir::Dim::n(), 5, 19}, {ir::Dim::n(), 7, 19}, {false, true}, kF32, kF32, kF32},
        MatMulCase{{ir::Dim::n(), 5, 19}, {ir::Dim::n(), 19, 7}, {}, kF32, kF32, kF32},
        MatMulCase{{ir::Dim::n(), 2, 40, 65}, {ir::Dim::n(), 2, 65, 137}, {false, false, 0.125F}, kF32, kF32, kF32},
        // Broadcast leading axes.
        MatMulCase{{ir::Dim::n(), 3, 9, 33}, {21, 33}, {false, true}},
        MatMulCase{{ir::Dim::n(), 3, 9, 33}, {3, 33, 21}, {}, kF32, kF32, kF32},
        MatMulCase{{ir::Dim::n(), 1, 9, 33}, {ir::Dim::n(), 4, 33, 21}, {}, kF32, kF32, kF32},
        MatMulCase{{2, 1, 9, 33}, {ir::Dim::n(), 2, 3, 33, 21}, {}, kF32, kF32, kF32}));

/// The only node's problem at batch 1 on an H100.
std::variant<IgemmProblem, std::string> problem_of(const ir::Graph& graph) {
  const ir::Node& node = graph.node(graph.order().at(0));
  return igemm_problem({graph,
                        node,
                        1,
                        {{90, true}, 132, 227 * 1024},
                        Element::kF16,
                        std::vector<Format>(node.inputs.size()),
                        ir::kNone});
}

TEST(IgemmProblem, RefusesWhatTheKernelCannotDo) {
  const auto reason = [](const ir::Graph& graph) {
    const auto problem = problem_of(graph);
    return std::holds_alternative<std::string>(problem) ? std::get<std::string>(problem) : "";
  };
  EXPECT_EQ(reason(conv_graph({{12, 9, 9}, 12, {3, 3}, attrs({}, {}, {}, 3)})),
            "channels of a group are no multiple of 16");
  EXPECT_EQ(reason(conv_graph({{16, 40, 9}, 16, {17, 1}})), "a filter larger than 16");
  EXPECT_EQ(reason(conv_graph({{16, 5, 9, 9}, 16, {3, 3, 3}})), "three spatial axes");
  EXPECT_EQ(reason(matmul_graph({{5, 19}, {19, 7}})), "8-bit columns of the second operand aren't contiguous");
  EXPECT_EQ(reason(matmul_graph({{19, 5}, {7, 19}, {true, true}})), "the first operand is transposed");
  EXPECT_EQ(reason(conv_graph({{16, 9, 9}, 16, {3, 3}})), "");
}

TEST(IgemmProblem, FoldsTheLeadingAxesOfASharedSecondOperandIntoRows) {
  const auto problem = problem_of(matmul_graph({{4, 3, 9, 33}, {21, 33}, {false, true}}));
  const auto& p = std::get<IgemmProblem>(problem);
  EXPECT_EQ(p.rows, 4 * 3 * 9);
  EXPECT_EQ(p.batches, 1);
}

TEST(IgemmTile, ComesFromValidTacticsOnly) {
  const auto problem = problem_of(conv_graph({{64, 14, 14}, 64, {3, 3}}));
  const auto& p = std::get<IgemmProblem>(problem);
  const Target hopper{{90, true}, 132, 227 * 1024};
  const Target turing{{75, false}, 40, 64 * 1024};
  const auto valid = [&](const Target& target, std::vector<int> values) {
    return std::holds_alternative<IgemmTile>(igemm_tile(p, target, {std::move(values)}));
  };
  EXPECT_TRUE(valid(hopper, {64, 64, 64, 4, 3}));
  EXPECT_TRUE(valid(hopper, {}));
  EXPECT_TRUE(valid(turing, {}));
  EXPECT_FALSE(valid(hopper, {64, 64, 64, 4}));
  EXPECT_FALSE(valid(hopper, {48, 64, 64, 4, 1}));
  EXPECT_FALSE(valid(hopper, {64, 64, 32, 4, 1}));
  EXPECT_FALSE(valid(hopper, {64, 64, 64, 1, 1}));
  EXPECT_FALSE(valid(hopper, {64, 64, 64, 4, 0}));
  EXPECT_FALSE(valid(hopper, {64, 64, 64, 4, 100}));   // more than steps
  EXPECT_FALSE(valid(hopper, {256, 128, 128, 6, 1}));  // shared memory
  EXPECT_FALSE(valid(turing, {64, 64, 64, 4, 1}));     // stages
}

TEST(IgemmTile, IsSplitWhereTheGridIsSmall) {
  const auto small = problem_of(conv_graph({{512, 7, 7}, 128, {3, 3}, attrs({1, 1}, {1, 1}, {1, 1, 1, 1})}));
  const auto large = problem_of(conv_graph({{64, 112, 112}, 256, {1, 1}}));
  const Target hopper{{90, true}, 132, 227 * 1024};
  EXPECT_GT(igemm_tactics(std::get<IgemmProblem>(small), hopper).at(0).values.at(4), 1);
  EXPECT_EQ(igemm_tactics(std::get<IgemmProblem>(large), hopper).at(0).values.at(4), 1);
}

TEST(IgemmWeights, AreOrderedByTapAndPadded) {
  Tensor weights =
      Tensor::from<std::int8_t>({2, 3, 1, 2}, std::vector<std::int8_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  ConvGeometry g;
  g.channels = 3;
  g.outputs = 2;
  g.width.kernel = 2;
  const auto bytes = igemm_weights(weights, g, Element::kS8).make();
  ASSERT_EQ(bytes.size(), 16U * 2 * 16);
  const auto at = [&](std::size_t o, std::size_t tap, std::size_t c) {
    return static_cast<int>(bytes[(o * 2 + tap) * 16 + c]);
  };
  EXPECT_EQ(at(0, 0, 0), 1);
  EXPECT_EQ(at(0, 1, 0), 2);
  EXPECT_EQ(at(0, 0, 2), 5);
  EXPECT_EQ(at(1, 1, 2), 12);
  EXPECT_EQ(at(1, 1, 3), 0);
  EXPECT_EQ(at(2, 0, 0), 0);
}

}  // namespace
}  // namespace xinfer::cuda
