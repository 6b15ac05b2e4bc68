// Integer convolutions, linear layers and matrix products: exact where all scales are powers of two.
#include <algorithm>
#include <cmath>

#include "cpu/harness.h"
#include "kernels/isa.h"

namespace xinfer::cpu::testing {
namespace {

using ir::OpType;
using enum ir::UnaryKind;
constexpr DataType kS8 = DataType::kInt8;
constexpr DataType kU8 = DataType::kUInt8;
constexpr DataType kF32 = DataType::kFloat32;

struct Case {
  std::int64_t in, out, groups, kernel, stride, dilation, pad;
  DataType type;
};

void PrintTo(const Case& c, std::ostream* os) {
  *os << c.in << "->" << c.out << " g" << c.groups << " k" << c.kernel << " s" << c.stride << " d" << c.dilation << " p"
      << c.pad << " " << name_of(c.type);
}

ir::ConvAttrs attrs_of(const Case& c, std::size_t spatial = 2) {
  ir::ConvAttrs attrs;
  attrs.strides.assign(spatial, c.stride);
  attrs.dilations.assign(spatial, c.dilation);
  attrs.pads.assign(2 * spatial, c.pad);
  attrs.groups = c.groups;
  return attrs;
}

/// Scales for output channels: powers of two, or any numbers.
ir::Quantization weight_scales(Random& random, std::int64_t channels, bool exact, int axis = 0) {
  ir::Quantization q;
  q.axis = axis;
  for (std::int64_t i = 0; i < channels; ++i) {
    q.scales.push_back(exact ? 1.0F / static_cast<float>(1 << (8 + i % 3)) : random.real(0.002F, 0.01F));
  }
  return q;
}

Tensor bias_of(Random& random, std::int64_t channels, bool exact) {
  Tensor t(kF32, {channels});
  for (float& x : t.data<float>()) x = exact ? static_cast<float>(random.integer(-64, 64)) / 64.0F : random.real(-1, 1);
  return t;
}

ir::ValueId add_conv(ir::Graph& g, Random& random, const std::string& name, ir::ValueId x, const Case& c,
                     DataType output, float output_scale, bool exact, ir::ValueId residual = ir::kNone,
                     ir::Epilogue epilogue = {}) {
  const auto w =
      g.add_constant(name + ".w", random.integers(kS8, {c.out, c.in / c.groups, c.kernel, c.kernel}, -127, 127),
                     weight_scales(random, c.out, exact));
  const auto b = g.add_constant(name + ".b", bias_of(random, c.out, exact));
  ir::ConvAttrs attrs = attrs_of(c);
  attrs.epilogue = epilogue;
  std::vector<ir::ValueId> inputs{x, w, b};
  if (residual != ir::kNone) inputs.push_back(residual);
  const auto y = g.add(OpType::kConv, name, inputs, attrs);
  if (output != kF32) make_quantized(g, y, output, output_scale);
  return y;
}

class Int8Conv : public ::testing::TestWithParam<Case> {};

TEST_P(Int8Conv, IsExactWithPowersOfTwo) {
  const Case& c = GetParam();
  Random random(4);
  ir::Graph g;
  const auto x = quantized_input(g, "x", c.type, {ir::Dim::n(), c.in, 9, 10}, 0.125F);
  std::vector<ir::ValueId> outputs;
  for (const DataType output : {kS8, kU8, kF32}) {
    outputs.push_back(
        add_conv(g, random, std::string("conv.") + std::string(name_of(output)), x, c, output, 0.25F, true));
  }
  g.set_outputs(outputs);
  const auto steps = check_random(g, {.relative = 1e-6});
  for (const StepInfo& step : steps) EXPECT_NE(step.implementation, "reference") << step.node;
}

TEST_P(Int8Conv, IsCloseWithAnyScales) {
  const Case& c = GetParam();
  Random random(4);
  ir::Graph g;
  const auto x = quantized_input(g, "x", c.type, {ir::Dim::n(), c.in, 9, 10}, 0.0173F);
  g.set_outputs({add_conv(g, random, "conv", x, c, kS8, 0.037F, false, ir::kNone, {kRelu})});
  check_random(g, {.off_by_one = 0.001});
}

INSTANTIATE_TEST_SUITE_P(Shapes, Int8Conv,
                         ::testing::Values(Case{1, 1, 1, 1, 1, 1, 0, kU8}, Case{3, 17, 1, 3, 2, 1, 1, kU8},
                                           Case{3, 17, 1, 3, 2, 1, 1, kS8}, Case{17, 3, 1, 1, 1, 1, 0, kS8},
                                           Case{130, 17, 1, 1, 2, 1, 0, kU8}, Case{17, 130, 1, 3, 1, 2, 2, kS8},
                                           Case{64, 32, 1, 5, 1, 1, 2, kU8}, Case{17, 17, 17, 3, 1, 1, 1, kU8},
                                           Case{130, 130, 130, 5, 2, 1, 2, kS8}, Case{32, 32, 4, 3, 1, 1, 1, kU8},
                                           Case{6, 12, 3, 3, 1, 1, 1, kS8}));

struct EpilogueCase {
  ir::Epilogue epilogue;
  bool folds;  ///< the result is exact with powers of two
};

class Int8Epilogue : public ::testing::TestWithParam<EpilogueCase> {};

TEST_P(Int8Epilogue, WithAndWithoutResidual) {
  const EpilogueCase& e = GetParam();
  for (const std::int64_t groups : {1, 24}) {
    Random random(6);
    ir::Graph g;
    const auto x = quantized_input(g, "x", kU8, {ir::Dim::n(), 24, 6, 7}, 1 / 64.0F);
    const auto r = quantized_input(g, "r", kS8, {ir::Dim::n(), 24, 6, 7}, 1 / 32.0F);
    const Case c{24, 24, groups, 3, 1, 1, 1, kU8};
    const auto plain = add_conv(g, random, "plain", x, c, kS8, 1 / 16.0F, true, ir::kNone, e.epilogue);
    const auto with = add_conv(g, random, "with", x, c, kU8, 1 / 32.0F, true, r, e.epilogue);
    g.set_outputs({plain, with});
    const auto steps = check_random(g, {.off_by_one = e.folds ? 0.0 : 0.001});
    expect_fast(steps, "plain");
    expect_fast(steps, "with");
  }
}

INSTANTIATE_TEST_SUITE_P(Activations, Int8Epilogue,
                         ::testing::Values(EpilogueCase{{kIdentity}, true}, EpilogueCase{{kRelu}, true},
                                           EpilogueCase{{kClip, 0, 6}, true}, EpilogueCase{{kLeakyRelu, 0.25F}, true},
                                           EpilogueCase{{kHardSwish}, false},
                                           EpilogueCase{{kHardSigmoid, 0.25F, 0.5F}, true},
                                           EpilogueCase{{kSigmoid}, false}, EpilogueCase{{kSilu}, false},
                                           EpilogueCase{{kTanh}, false}, EpilogueCase{{kGelu}, false},
                                           EpilogueCase{{kGeluTanh}, false}));

TEST(Int8Residual, InPlaceAndCopied) {
  Random random(8);
  ir::Graph g;
  const auto x = quantized_input(g, "x", kU8, {ir::Dim::n(), 32, 8, 8}, 1 / 64.0F);
  const Case c{32, 32, 1, 3, 1, 1, 1, kU8};
  const auto a = add_conv(g, random, "a", x, c, kU8, 1 / 16.0F, true, ir::kNone, {kRelu});
  const auto b = add_conv(g, random, "b", a, c, kU8, 1 / 16.0F, true, a, {kRelu});  // `a` lives on
  const auto d = add_conv(g, random, "d", b, c, kU8, 1 / 16.0F, true, a, {kRelu});  // `a` dies
  const auto e = add_conv(g, random, "e", d, c, kS8, 1 / 8.0F, true, b);
  g.set_outputs({e});
  check_random(g);
  check(g, random_inputs(g, 2, 5), {}, {.threads = 1, .keep_values = true});
}

TEST(Int8Conv, LargeSumsDontSaturate) {
  // 255 * 127 twice is beyond 16 bits: every product at its extreme.
  ir::Graph g;
  const auto x = quantized_input(g, "x", kU8, {ir::Dim::n(), 64, 4, 4}, 1.0F);
  Tensor w(kS8, {32, 64, 3, 3});
  for (auto& v : w.data<std::int8_t>()) v = 127;
  const auto weights = g.add_constant("w", w, ir::Quantization{{1.0F}, {}, -1});
  const auto y = g.add(OpType::kConv, "conv", {x, weights}, attrs_of({64, 32, 1, 3, 1, 1, 1, kU8}));
  const Tensor single = [] {
    Tensor t(kS8, {64, 1, 3, 3});
    for (auto& v : t.data<std::int8_t>()) v = -127;
    return t;
  }();
  const auto dw = g.add_constant("dw", single, ir::Quantization{{1.0F}, {}, -1});
  const auto z = g.add(OpType::kConv, "depthwise", {x, dw}, attrs_of({64, 64, 64, 3, 1, 1, 1, kU8}));
  g.set_outputs({y, z});
  Tensor full(kU8, {1, 64, 4, 4});
  for (auto& v : full.data<std::uint8_t>()) v = 255;
  check(g, {full}, {.relative = 0});
}

TEST(Int8Conv, InOneDimension) {
  Random random(4);
  ir::Graph g;
  const auto x = quantized_input(g, "x", kU8, {ir::Dim::n(), 16, 20}, 0.125F);
  const auto w = g.add_constant("w", random.integers(kS8, {24, 16, 3}, -127, 127), weight_scales(random, 24, true));
  const auto y = g.add(OpType::kConv, "conv", {x, w}, attrs_of({16, 24, 1, 3, 1, 1, 1, kU8}, 1));
  make_quantized(g, y, kS8, 0.25F);
  g.set_outputs({y});
  expect_fast(check_random(g), "conv");
}

TEST(Int8Conv, ForeignZeroPointIsLeftToOthers) {
  Random random(4);
  ir::Graph g;
  const auto x = quantized_input(g, "x", kU8, {ir::Dim::n(), 4, 5, 5}, 0.125F);
  g.value(x).quantization->zero_points = {128};
  const auto y = add_conv(g, random, "conv", x, {4, 4, 1, 1, 1, 1, 0, kU8}, kS8, 0.25F, true);
  g.set_outputs({y});
  const auto program = compile(std::make_shared<ir::Graph>(g), 1);
  const StepInfo& step = program->steps().at(0);
  EXPECT_EQ(step.implementation, "reference");
  EXPECT_FALSE(step.refusals.empty());
}

TEST(Int8ConvTranspose, IsExactWithPowersOfTwo) {
  Random random(4);
  for (const DataType type : {kU8, kS8}) {
    ir::Graph g;
    const auto x = quantized_input(g, "x", type, {ir::Dim::n(), 16, 5, 6}, 0.125F);
    const auto w =
        g.add_constant("w", random.integers(kS8, {16, 20, 4, 4}, -127, 127), weight_scales(random, 20, true, 1));
    const auto b = g.add_constant("b", bias_of(random, 20, true));
    ir::ConvAttrs attrs = attrs_of({16, 20, 1, 4, 2, 1, 1, type});
    const auto y = g.add(OpType::kConvTranspose, "deconv", {x, w, b}, attrs);
    make_quantized(g, y, kS8, 0.25F);
    g.set_outputs({y});
    check_random(g);
  }
}

TEST(Int8Linear, IsExactWithPowersOfTwo) {
  for (const DataType type : {kU8, kS8}) {
    for (const std::int64_t depth : {3, 64, 130}) {
      Random random(4);
      ir::Graph g;
      const auto x = quantized_input(g, "x", type, {ir::Dim::n(), 5, depth}, 0.125F);
      const auto w = g.add_constant("w", random.integers(kS8, {17, depth}, -127, 127), weight_scales(random, 17, true));
      const auto b = g.add_constant("b", bias_of(random, 17, true));
      const auto r = quantized_input(g, "r", kS8, {ir::Dim::n(), 5, 17}, 0.5F);
      const auto f = g.add_input("f", kF32, {ir::Dim::n(), 5, 17});
      const auto plain = g.add(OpType::kLinear, "plain", {x, w, b}, ir::LinearAttrs{});
      const auto relu = g.add(OpType::kLinear, "relu", {x, w, b}, ir::LinearAttrs{{kRelu}});
      make_quantized(g, relu, kU8, 0.25F);
      const auto sum = g.add(OpType::kLinear, "sum", {x, w, b, r}, ir::LinearAttrs{});
      make_quantized(g, sum, kS8, 0.5F);
      const auto real = g.add(OpType::kLinear, "real", {x, w, b, f}, ir::LinearAttrs{});
      g.set_outputs({plain, relu, sum, real});
      const auto steps = check_random(g, {.relative = 1e-6});
      for (const StepInfo& step : steps) EXPECT_NE(step.implementation, "reference") << step.node;
    }
  }
}

TEST(Int8Linear, GeluIsClose) {
  Random random(4);
  ir::Graph g;
  const auto x = quantized_input(g, "x", kS8, {ir::Dim::n(), 33, 96}, 0.02F);
  const auto w = g.add_constant("w", random.integers(kS8, {128, 96}, -127, 127), weight_scales(random, 128, false));
  const auto b = g.add_constant("b", bias_of(random, 128, false));
  const auto y = g.add(OpType::kLinear, "y", {x, w, b}, ir::LinearAttrs{{kGelu}});
  make_quantized(g, y, kS8, 0.05F);
  g.set_outputs({y});
  expect_fast(check_random(g, {.off_by_one = 0.001}), "y");
}

/// A Linear, a product with constants, a sum with others, and a Quantize, as channel migration leaves them.
ir::Graph linear_with_tail(ir::UnaryKind activation, ir::UnaryKind clamp, DataType type, bool one_number) {
  Random random(4);
  ir::Graph g;
  const auto x = quantized_input(g, "x", kS8, {ir::Dim::n(), 9, 96}, 1.0F / 64);
  const auto w = g.add_constant("w", random.integers(kS8, {130, 96}, -127, 127), weight_scales(random, 130, true));
  const auto b = g.add_constant("b", bias_of(random, 130, true));
  auto y = g.add(OpType::kLinear, "linear", {x, w, b}, ir::LinearAttrs{{activation}});
  g.value(y).dtype = kF32;
  Tensor factors(kF32, one_number ? Sizes{} : Sizes{130}), amounts(kF32, one_number ? Sizes{1} : Sizes{1, 130});
  for (float& factor : factors.data<float>()) factor = std::ldexp(1.0F, random.integer(-2, 2));
  for (float& amount : amounts.data<float>()) amount = static_cast<float>(random.integer(-8, 8)) / 4;
  y = g.add(OpType::kBinary, "scaled", {y, g.add_constant("factors", factors)},
            ir::BinaryAttrs{ir::BinaryKind::kMul, {}});
  y = g.add(OpType::kBinary, "lifted", {g.add_constant("amounts", amounts), y},
            ir::BinaryAttrs{ir::BinaryKind::kAdd, {clamp}});
  y = g.add(OpType::kQuantize, "bytes", {y});
  make_quantized(g, y, type, 1.0F / 8);
  g.set_outputs({y});
  return g;
}

TEST(Int8Linear, TakesWhatLiesBeforeAQuantize) {
  const bool fuses = kernels::detect_isa() == kernels::Isa::kAvx512Vnni;
  const auto expect_folded = [&](const std::vector<StepInfo>& steps) {
    for (const char* name : {"scaled", "lifted", "bytes"}) {
      const auto step = std::ranges::find(steps, name, &StepInfo::node);
      ASSERT_NE(step, steps.end());
      if (fuses) {
        EXPECT_EQ(step->implementation, "folded into linear") << name;
      }
    }
  };
  for (const bool one_number : {false, true}) {
    // Powers of two: every rounding is the reference's.
    expect_folded(check_random(linear_with_tail(kIdentity, kIdentity, kS8, one_number)));
    expect_folded(check_random(linear_with_tail(kRelu, kIdentity, kU8, one_number)));
    expect_folded(check_random(linear_with_tail(kIdentity, kRelu, kU8, one_number)));
    expect_folded(check_random(linear_with_tail(kGelu, kRelu, kU8, one_number), {.off_by_one = 0.001}));
  }
}

TEST(Int8Linear, LeavesATailThatOthersSee) {
  // A ReLU that signed bytes don't make good.
  const auto clamped = check_random(linear_with_tail(kIdentity, kRelu, kS8, false));
  EXPECT_EQ(std::ranges::find(clamped, "scaled", &StepInfo::node)->implementation, "own_binary");
  // A second reader of the product.
  ir::Graph g = linear_with_tail(kIdentity, kIdentity, kS8, false);
  g.set_outputs({g.outputs()[0], g.find_value("scaled")});
  const auto steps = check_random(g);
  EXPECT_EQ(std::ranges::find(steps, "scaled", &StepInfo::node)->implementation, "own_binary");
  // Observers see every value.
  const ir::Graph seen = linear_with_tail(kGelu, kRelu, kU8, false);
  for (const StepInfo& step : check(seen, random_inputs(seen, 2, 5), {.off_by_one = 0.001}, {.keep_values = true})) {
    EXPECT_NE(step.implementation, "folded into linear") << step.node;
  }
}

TEST(Int8MatMul, IsExactWithPowersOfTwo) {
  for (const DataType a_type : {kU8, kS8}) {
    for (const DataType b_type : {kU8, kS8}) {
      for (const bool transposed : {false, true}) {
        ir::Graph g;
        const auto a = quantized_input(g, "a", a_type, {ir::Dim::n(), 2, 9, 33}, 0.125F);
        const auto b = quantized_input(
            g, "b", b_type, transposed ? ir::Shape{ir::Dim::n(), 2, 17, 33} : ir::Shape{ir::Dim::n(), 2, 33, 17},
            0.0625F);
        ir::MatMulAttrs attrs;
        attrs.transpose_b = transposed;
        attrs.alpha = 0.125F;
        const auto real = g.add(OpType::kMatMul, "real", {a, b}, attrs);
        const auto y = g.add(OpType::kMatMul, "y", {a, b}, attrs);
        make_quantized(g, y, kS8, 2.0F);
        g.set_outputs({y, real});
        const auto steps = check_random(g, {.relative = 1e-6});
        expect_fast(steps, "y");
        expect_fast(steps, "real");
      }
    }
  }
}

}  // namespace
}  // namespace xinfer::cpu::testing
