// First layers of up to four channels.

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

CheckOptions options() { return {.implementation = "stem_conv", .op = ir::OpType::kConv, .all_tactics = true}; }

ir::ConvAttrs attrs(Sizes strides, Sizes pads) { return {std::move(strides), {1, 1}, std::move(pads), {}, 1, {}}; }

class Stem : public ::testing::TestWithParam<ConvCase> {};
TEST_P(Stem, EqualsTheReference) {
  check(conv_graph(GetParam()), GetParam().result == kF32 ? Tolerance::half() : Tolerance::exact(), options());
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Stem,
    ::testing::Values(ConvCase{{3, 41, 37}, 64, {7, 7}, attrs({2, 2}, {3, 3, 3, 3}), kU8, kU8},
                      ConvCase{{3, 38, 39}, 32, {3, 3}, attrs({2, 2}, {1, 1, 1, 1}), kS8, kS8},
                      ConvCase{{3, 38, 39}, 17, {3, 3}, attrs({2, 2}, {0, 0, 1, 1}), kS8, kS8},
                      ConvCase{{1, 19, 18}, 130, {5, 5}, attrs({1, 1}, {2, 2, 2, 2}), kU8, kS8},
                      ConvCase{{4, 33, 40}, 96, {4, 4}, attrs({4, 4}, {0, 0, 0, 0}), kS8, kS8},
                      ConvCase{{2, 9, 70}, 70, {2, 5}, attrs({1, 3}, {1, 2, 0, 2}), kS8, kU8},
                      ConvCase{{3, 41, 37}, 64, {7, 7}, attrs({2, 2}, {3, 3, 3, 3}), kF32, kF32},
                      ConvCase{{3, 38, 39}, 33, {3, 3}, attrs({2, 2}, {1, 1, 1, 1}), kF32, kF32},
                      ConvCase{{3, 38, 39}, 32, {3, 3}, attrs({2, 2}, {1, 1, 1, 1}), kS8, kF32},
                      ConvCase{
                          {3, 38, 39}, 32, {3, 3}, attrs({2, 2}, {1, 1, 1, 1}), kS8, kS8, {}, ir::OpType::kConv, 64}));

TEST(StemImage, IsQuantizedToPixels) {
  ir::Graph g;
  const auto x = g.add_input("x", kF32, {ir::Dim::n(), 3, 21, 24});
  const auto q = g.add(ir::OpType::kQuantize, "q", {x});
  testing::make_quantized(g, q, kS8, 1.0F / 32);
  testing::Random random(2);
  const auto w = testing::quantized_weights(g, "w", {24, 3, 3, 3}, 0, random);
  const auto y = g.add(ir::OpType::kConv, "conv", {q, w}, attrs({2, 2}, {1, 1, 1, 1}));
  testing::make_quantized(g, y, kS8, 0.5F);
  g.set_outputs({y});
  check(g, Tolerance::exact(), options());
  CompileOptions compile_options;
  compile_options.target = {{80, false}, 108, 163 * 1024};
  const auto program = compile(std::make_shared<const ir::Graph>(g), 1, compile_options);
  EXPECT_EQ(program->infos.at(0).format, "s8 pixels");
  EXPECT_EQ(program->infos.at(1).reformats, 1);  // the output's alone
}

TEST(StemEnd, Activates) {
  ConvCase c{{3, 38, 39}, 32, {3, 3}, attrs({2, 2}, {1, 1, 1, 1}), kS8, kU8};
  c.attrs.epilogue = {kRelu, 0, 0};
  check(conv_graph(c), Tolerance::exact(), options());
  c.attrs.epilogue = {kHardSwish, 0, 0};
  check(conv_graph(c), {0, 1, 1e-2}, options());
}

std::string refusal_of(const ir::Graph& graph, gpu::Arch arch = {80, false}) {
  const ir::Node& node = graph.node(graph.order().front());
  const Request request{
      graph, node, 1, {arch, 108, 163 * 1024}, Element::kF16, std::vector<Format>(node.inputs.size()), ir::kNone};
  const Creation creation = create_stem_conv(request, {});
  return std::holds_alternative<Refusal>(creation) ? std::get<Refusal>(creation).reason : "";
}

TEST(StemRefusal, NamesItsReason) {
  const ConvCase good{{3, 38, 39}, 32, {3, 3}, attrs({2, 2}, {1, 1, 1, 1})};
  EXPECT_EQ(refusal_of(conv_graph(good)), "");
  EXPECT_EQ(refusal_of(conv_graph(good), {75, false}), "mma.sync with k = 32 needs sm_80");
  EXPECT_EQ(refusal_of(conv_graph({{5, 38, 39}, 32, {3, 3}, attrs({2, 2}, {1, 1, 1, 1})})), "more than four channels");
  EXPECT_EQ(refusal_of(conv_graph({{3, 38, 39}, 32, {16, 16}, attrs({16, 16}, {0, 0, 0, 0})})),
            "the kernel is too large");
  EXPECT_EQ(refusal_of(conv_graph({{3, 38, 39}, 32, {3, 3}, {{1, 1}, {2, 1}, {1, 1, 1, 1}, {}, 1, {}}})),
            "stride or dilation leaves gaps");
}

}  // namespace
}  // namespace xinfer::cuda
