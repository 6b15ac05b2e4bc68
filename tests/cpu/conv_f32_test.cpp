// Float convolutions against the reference.
#include <tuple>

#include "cpu/harness.h"

namespace xinfer::cpu::testing {
namespace {

using ir::OpType;
using enum ir::UnaryKind;

struct ConvCase {
  std::int64_t in, out, groups, kernel, stride, dilation, pad;
};

void PrintTo(const ConvCase& c, std::ostream* os) {
  *os << c.in << "->" << c.out << " g" << c.groups << " k" << c.kernel << " s" << c.stride << " d" << c.dilation << " p"
      << c.pad;
}

ir::ConvAttrs attrs_of(const ConvCase& c, std::size_t spatial) {
  ir::ConvAttrs attrs;
  attrs.strides.assign(spatial, c.stride);
  attrs.dilations.assign(spatial, c.dilation);
  attrs.pads.assign(2 * spatial, c.pad);
  attrs.groups = c.groups;
  return attrs;
}

Sizes weight_shape(const ConvCase& c, std::size_t spatial) {
  Sizes shape{c.out, c.in / c.groups};
  shape.insert(shape.end(), spatial, c.kernel);
  return shape;
}

class ConvF32 : public ::testing::TestWithParam<ConvCase> {};

TEST_P(ConvF32, MatchesReference) {
  const ConvCase& c = GetParam();
  Random random(3);
  ir::Graph g;
  const auto x = g.add_input("x", DataType::kFloat32, {ir::Dim::n(), c.in, 11, 9});
  const auto w = g.add_constant("w", random.floats(weight_shape(c, 2)));
  const auto b = g.add_constant("b", random.floats({c.out}));
  const auto y = g.add(OpType::kConv, "conv", {x, w, b}, attrs_of(c, 2));
  g.set_outputs({y});
  expect_fast(check_random(g, {.absolute_scale = 8}), "conv");
}

INSTANTIATE_TEST_SUITE_P(Shapes, ConvF32,
                         ::testing::Values(ConvCase{1, 1, 1, 1, 1, 1, 0}, ConvCase{3, 17, 1, 3, 2, 1, 1},
                                           ConvCase{17, 3, 1, 1, 1, 1, 0}, ConvCase{130, 17, 1, 1, 2, 1, 0},
                                           ConvCase{17, 130, 1, 3, 1, 2, 2}, ConvCase{32, 64, 1, 5, 1, 1, 2},
                                           ConvCase{17, 17, 17, 3, 1, 1, 1}, ConvCase{130, 130, 130, 5, 2, 1, 2},
                                           ConvCase{32, 32, 4, 3, 1, 1, 1}, ConvCase{6, 12, 3, 3, 1, 1, 1},
                                           ConvCase{8, 16, 8, 3, 1, 1, 1}));

class ConvF32Epilogue : public ::testing::TestWithParam<ir::Epilogue> {};

TEST_P(ConvF32Epilogue, IsFused) {
  Random random(3);
  ir::Graph g;
  const auto x = g.add_input("x", DataType::kFloat32, {ir::Dim::n(), 17, 7, 7});
  const auto r = g.add_input("r", DataType::kFloat32, {ir::Dim::n(), 20, 7, 7});
  const auto w = g.add_constant("w", random.floats({20, 17, 3, 3}, -0.3F, 0.3F));
  const auto b = g.add_constant("b", random.floats({20}));
  ir::ConvAttrs attrs = attrs_of({17, 20, 1, 3, 1, 1, 1}, 2);
  attrs.epilogue = GetParam();
  const auto with = g.add(OpType::kConv, "with", {x, w, b, r}, attrs);
  const auto without = g.add(OpType::kConv, "without", {x, w}, attrs);
  g.set_outputs({with, without});
  const auto steps = check_random(g, {.relative = 5e-5});
  expect_fast(steps, "with");
  expect_fast(steps, "without");
}

INSTANTIATE_TEST_SUITE_P(Activations, ConvF32Epilogue,
                         ::testing::Values(ir::Epilogue{kIdentity}, ir::Epilogue{kRelu}, ir::Epilogue{kClip, 0, 6},
                                           ir::Epilogue{kLeakyRelu, 0.1F}, ir::Epilogue{kHardSwish},
                                           ir::Epilogue{kHardSigmoid, 0.2F, 0.5F}, ir::Epilogue{kSigmoid},
                                           ir::Epilogue{kSilu}, ir::Epilogue{kTanh}, ir::Epilogue{kGelu},
                                           ir::Epilogue{kGeluTanh}, ir::Epilogue{kElu, 1}, ir::Epilogue{kMish}));

TEST(ConvF32, WorksInOneAndThreeDimensions) {
  for (const std::size_t spatial : {1U, 3U}) {
    Random random(5);
    ir::Graph g;
    ir::Shape shape{ir::Dim::n(), 5};
    for (std::size_t i = 0; i < spatial; ++i) shape.dims().emplace_back(6);
    const ConvCase c{5, 7, 1, 3, 1, 1, 1};
    const auto x = g.add_input("x", DataType::kFloat32, shape);
    const auto w = g.add_constant("w", random.floats(weight_shape(c, spatial)));
    g.set_outputs({g.add(OpType::kConv, "conv", {x, w}, attrs_of(c, spatial))});
    check_random(g);
  }
}

TEST(ConvF32, ResidualIsKeptWhenItIsStillNeeded) {
  Random random(9);
  ir::Graph g;
  const auto x = g.add_input("x", DataType::kFloat32, {ir::Dim::n(), 16, 8, 8});
  const auto w = g.add_constant("w", random.floats({16, 16, 1, 1}, -0.2F, 0.2F));
  const ir::ConvAttrs attrs = attrs_of({16, 16, 1, 1, 1, 1, 0}, 2);
  const auto a = g.add(OpType::kConv, "a", {x, w}, attrs);
  const auto b = g.add(OpType::kConv, "b", {a, w, ir::kNone, a}, attrs);  // reads `a` twice
  const auto c = g.add(OpType::kConv, "c", {b, w, ir::kNone, a}, attrs);  // `a` dies here
  const auto d = g.add(OpType::kConv, "d", {c, w, ir::kNone, b}, attrs);
  g.set_outputs({d, b});
  check_random(g);
}

TEST(ConvF32, ChainsKeepTheirLayout) {
  Random random(9);
  ir::Graph g;
  const auto x = g.add_input("x", DataType::kFloat32, {ir::Dim::n(), 3, 16, 16});
  const auto w1 = g.add_constant("w1", random.floats({32, 3, 3, 3}));
  const auto w2 = g.add_constant("w2", random.floats({32, 32, 3, 3}, -0.1F, 0.1F));
  const auto a = g.add(OpType::kConv, "a", {x, w1}, attrs_of({3, 32, 1, 3, 1, 1, 1}, 2));
  const auto r = g.add(OpType::kUnary, "r", {a}, ir::UnaryAttrs{kRelu});
  const auto b = g.add(OpType::kConv, "b", {r, w2}, attrs_of({32, 32, 1, 3, 1, 1, 1}, 2));
  const auto s = g.add(OpType::kBinary, "s", {b, r}, ir::BinaryAttrs{});
  const auto m = g.add(OpType::kReduce, "m", {s}, ir::ReduceAttrs{ir::ReduceKind::kMean, {2, 3}, false});
  g.set_outputs({m});
  // The graph's input may have to be brought into the layout of the first convolution; nothing else may move.
  for (const StepInfo& step : check_random(g)) {
    SCOPED_TRACE(step.node + " " + step.implementation + " " + step.layout);
    EXPECT_LE(step.reorders, step.node == "a" ? 1 : 0);
  }
}

class ConvTransposeF32 : public ::testing::TestWithParam<ConvCase> {};

TEST_P(ConvTransposeF32, MatchesReference) {
  const ConvCase& c = GetParam();
  Random random(3);
  ir::Graph g;
  const auto x = g.add_input("x", DataType::kFloat32, {ir::Dim::n(), c.in, 5, 6});
  const auto w = g.add_constant("w", random.floats({c.in, c.out / c.groups, c.kernel, c.kernel}));
  const auto b = g.add_constant("b", random.floats({c.out}));
  ir::ConvAttrs attrs = attrs_of(c, 2);
  attrs.output_padding = {c.stride - 1, 0};
  g.set_outputs({g.add(OpType::kConvTranspose, "deconv", {x, w, b}, attrs)});
  check_random(g);
}

INSTANTIATE_TEST_SUITE_P(Shapes, ConvTransposeF32,
                         ::testing::Values(ConvCase{3, 17, 1, 3, 2, 1, 1}, ConvCase{17, 8, 1, 2, 2, 1, 0},
                                           ConvCase{16, 32, 1, 4, 2, 1, 1}, ConvCase{6, 4, 2, 3, 1, 1, 1}));

}  // namespace
}  // namespace xinfer::cpu::testing
