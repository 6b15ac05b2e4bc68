// Depthwise convolutions: integers exactly as the reference, floats up to rounding.

#include "cuda/implementations.h"
#include "cuda/layers.h"

namespace xinfer::cuda {
namespace {

using testing::check;
using testing::CheckOptions;
using testing::conv_graph;
using testing::ConvCase;
using testing::Sizes;
using testing::Tolerance;
using enum ir::UnaryKind;

constexpr auto kS8 = DataType::kInt8;
constexpr auto kU8 = DataType::kUInt8;
constexpr auto kF32 = DataType::kFloat32;

CheckOptions options(bool all_tactics = false) {
  return {.implementation = "depthwise", .op = ir::OpType::kConv, .all_tactics = all_tactics};
}

/// A case over [channels, height, width], with symmetric padding that leaves more on one side.
ConvCase depthwise(Sizes in, Sizes kernel, Sizes strides, Sizes pads, DataType type = kS8, DataType result = kS8,
                   Sizes dilations = {}) {
  const std::int64_t channels = in[0];
  if (dilations.empty()) dilations.assign(kernel.size(), 1);
  return {std::move(in),
          channels,
          std::move(kernel),
          {std::move(strides), std::move(dilations), std::move(pads), {}, channels, {}},
          type,
          result};
}

class Depthwise : public ::testing::TestWithParam<ConvCase> {};
TEST_P(Depthwise, EqualsTheReference) {
  check(conv_graph(GetParam()), GetParam().result == kF32 ? Tolerance::half() : Tolerance::exact(), options());
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Depthwise,
    ::testing::Values(
        depthwise({3, 9, 7}, {3, 3}, {1, 1}, {1, 1, 1, 1}), depthwise({17, 14, 13}, {3, 3}, {2, 2}, {0, 1, 1, 0}),
        depthwise({130, 8, 9}, {3, 3}, {1, 1}, {2, 2, 2, 2}), depthwise({130, 7, 7}, {3, 3}, {2, 1}, {1, 1, 1, 1}),
        depthwise({24, 1, 1}, {3, 3}, {1, 1}, {1, 1, 1, 1}), depthwise({17, 9, 30}, {5, 5}, {1, 1}, {2, 2, 2, 2}),
        depthwise({17, 9, 11}, {5, 5}, {2, 2}, {2, 2, 2, 2}), depthwise({17, 12, 9}, {7, 7}, {1, 1}, {3, 3, 3, 3}),
        depthwise({17, 12, 9}, {7, 7}, {2, 2}, {3, 3, 3, 3}), depthwise({17, 9, 12}, {2, 4}, {1, 2}, {0, 1, 1, 2}),
        depthwise({17, 9, 12}, {5, 1}, {1, 1}, {2, 0, 2, 0}), depthwise({17, 37}, {3}, {1}, {1, 1})));

INSTANTIATE_TEST_SUITE_P(General, Depthwise,
                         ::testing::Values(depthwise({17, 12, 11}, {3, 3}, {1, 1}, {2, 1, 2, 1}, kS8, kS8, {2, 1}),
                                           depthwise({17, 12, 11}, {3, 3}, {3, 1}, {2, 1, 2, 1}, kU8, kU8, {1, 2}),
                                           depthwise({3, 21, 20}, {9, 9}, {1, 1}, {4, 4, 4, 4}),
                                           depthwise({17, 12, 11}, {3, 3}, {3, 3}, {1, 1, 1, 1}, kF32, kF32)));

INSTANTIATE_TEST_SUITE_P(Types, Depthwise,
                         ::testing::Values(depthwise({17, 9, 7}, {3, 3}, {1, 1}, {1, 1, 1, 1}, kU8, kU8),
                                           depthwise({17, 9, 7}, {3, 3}, {1, 1}, {1, 1, 1, 1}, kU8, kS8),
                                           depthwise({17, 9, 7}, {3, 3}, {1, 1}, {1, 1, 1, 1}, kF32, kF32),
                                           depthwise({17, 9, 7}, {3, 3}, {2, 2}, {1, 1, 1, 1}, kF32, kF32),
                                           depthwise({17, 9, 7}, {5, 5}, {1, 1}, {2, 2, 2, 2}, kF32, kF32),
                                           depthwise({130, 9, 7}, {7, 7}, {1, 1}, {3, 3, 3, 3}, kF32, kF32)));

TEST(DepthwiseVariants, AllEqualTheReference) {
  check(conv_graph(depthwise({34, 15, 14}, {3, 3}, {1, 1}, {1, 1, 1, 1}, kU8)), Tolerance::exact(), options(true));
  check(conv_graph(depthwise({34, 14, 14}, {3, 3}, {2, 2}, {1, 1, 1, 1})), Tolerance::exact(), options(true));
  check(conv_graph(depthwise({34, 14, 14}, {3, 3}, {1, 1}, {1, 1, 1, 1}, kF32, kF32)), Tolerance::half(),
        options(true));
}

TEST(DepthwiseEnd, ActivatesAddsAndSaturates) {
  ConvCase c = depthwise({17, 9, 7}, {3, 3}, {1, 1}, {1, 1, 1, 1}, kU8, kU8);
  c.attrs.epilogue = {kClip, 0, 6};
  check(conv_graph(c), Tolerance::exact(), options());
  c.attrs.epilogue = {kHardSwish, 0, 0};
  check(conv_graph(c), {0, 1, 1e-2}, options());
  c.attrs.epilogue = {};
  c.narrower = 64;
  check(conv_graph(c), Tolerance::exact(), options());
  c.narrower = 1;
  c.residual = kS8;
  check(conv_graph(c), Tolerance::exact(), options());
}

TEST(DepthwiseResult, IsRealWhereTheNextLayerWantsThat) {
  const ConvCase c = depthwise({17, 9, 7}, {3, 3}, {1, 1}, {1, 1, 1, 1}, kS8, kF32);
  check(conv_graph(c), Tolerance::half(), options());
}

TEST(DepthwiseFloats, AreTightInSinglePrecision) {
  CheckOptions tight = options();
  tight.real = Element::kF32;
  check(conv_graph(depthwise({17, 9, 7}, {3, 3}, {1, 1}, {1, 1, 1, 1}, kF32, kF32)), {2e-5}, tight);
  check(conv_graph(depthwise({17, 12, 11}, {3, 3}, {1, 1}, {2, 2, 2, 2}, kF32, kF32, {2, 2})), {2e-5}, tight);
}

std::string refusal_of(const ir::Graph& graph) {
  const ir::Node& node = graph.node(graph.order().front());
  const Request request{
      graph, node, 1, {{90, true}, 132, 227 * 1024}, Element::kF16, std::vector<Format>(node.inputs.size()), ir::kNone};
  const Creation creation = create_depthwise(request, {});
  return std::holds_alternative<Refusal>(creation) ? std::get<Refusal>(creation).reason : "";
}

TEST(DepthwiseRefusal, NamesItsReason) {
  ConvCase several = depthwise({16, 9, 7}, {3, 3}, {1, 1}, {1, 1, 1, 1});
  several.attrs.groups = 8;
  EXPECT_EQ(refusal_of(conv_graph(several)), "no depthwise convolution");
  EXPECT_EQ(refusal_of(conv_graph(depthwise({4, 3, 5, 5}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1, 1, 1, 1}))),
            "three spatial axes");
  ir::Graph zero = conv_graph(depthwise({16, 9, 7}, {3, 3}, {1, 1}, {1, 1, 1, 1}));
  zero.value(zero.inputs()[0]).quantization->zero_points = {3};
  EXPECT_EQ(refusal_of(zero), "the input has no plain scale");
}

}  // namespace
}  // namespace xinfer::cuda
