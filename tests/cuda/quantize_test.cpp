// Quantize and Dequantize on the GPU.

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
using testing::quantized_input;
using testing::Random;
using testing::Sizes;
using testing::Tolerance;

constexpr auto kF32 = DataType::kFloat32;
constexpr auto kS8 = DataType::kInt8;
constexpr auto kU8 = DataType::kUInt8;
const CheckOptions kSingle{.real = Element::kF32, .implementation = {}};

Shape batched(const Sizes& sizes) {
  Shape shape{Dim::n()};
  for (const std::int64_t size : sizes) shape.dims().push_back(size);
  return shape;
}

/// A window operator that changes nothing: its operand and result lie channels last.
ir::ValueId pooled(Graph& g, ir::ValueId x) {
  const std::size_t spatial = g.value(x).shape.rank() - 2;
  ir::PoolAttrs attrs;
  attrs.kernel.assign(spatial, 1);
  attrs.strides = attrs.dilations = attrs.kernel;
  attrs.pads.assign(2 * spatial, 0);
  return g.add(OpType::kMaxPool, "pool", {x}, attrs);
}

ir::ValueId quantize(Graph& g, ir::ValueId x, DataType type, ir::Quantization q) {
  const auto y = g.add(OpType::kQuantize, "q", {x});
  g.value(y).dtype = type;
  g.value(y).quantization = std::move(q);
  return y;
}

class QuantizeShape : public ::testing::TestWithParam<Sizes> {};

TEST_P(QuantizeShape, RoundsTiesToEven) {
  for (const auto type : {kS8, kU8}) {
    Graph g;
    const auto x = g.add_input("x", kF32, batched(GetParam()));
    g.set_outputs({quantize(g, x, type, {{0.25F}, {}, -1})});  // every second eighth is a tie
    check(g, Tolerance::exact());
  }
}

class QuantizeImage : public ::testing::TestWithParam<Sizes> {};

TEST_P(QuantizeImage, FeedsWindowsChannelsLast) {
  Graph g;
  const auto x = g.add_input("x", kF32, batched(GetParam()));
  const auto q = pooled(g, quantize(g, x, kS8, {{0.017F}, {}, -1}));
  g.set_outputs({q, g.add(OpType::kDequantize, "d", {q})});
  check(g, Tolerance::exact());
  check(g, Tolerance::exact(), kSingle);
}

const auto kImages =
    ::testing::Values(Sizes{1, 5, 7}, Sizes{3, 8, 8}, Sizes{17, 5, 5}, Sizes{130, 3, 4}, Sizes{5, 2, 3, 3});
INSTANTIATE_TEST_SUITE_P(Images, QuantizeImage, kImages);
INSTANTIATE_TEST_SUITE_P(Images, QuantizeShape, kImages);
INSTANTIATE_TEST_SUITE_P(Rows, QuantizeShape, ::testing::Values(Sizes{}, Sizes{17}, Sizes{3, 130}, Sizes{16, 32}));

TEST(Quantize, ReadsHalvesAndChannelsLast) {
  for (const std::int64_t channels : {3, 17, 32}) {
    Graph g;
    const auto x = pooled(g, g.add_input("x", kF32, batched({channels, 4, 5})));
    g.set_outputs({x, quantize(g, x, kU8, {{0.0625F}, {}, -1})});
    check(g, Tolerance::exact());
  }
}

TEST(Quantize, DividesExactly) {
  // Quotients around ties, where a multiplication by 1 / scale would err.
  constexpr float kScale = 0.1F;
  std::vector<float> values;
  for (int i = -130; i < 130; ++i) {
    const float tie = (static_cast<float>(i) + 0.5F) * kScale;
    values.push_back(tie);
    values.push_back(std::nextafter(tie, 100.0F));
    values.push_back(std::nextafter(tie, -100.0F));
  }
  Graph g;
  const auto x = g.add_input("x", kF32, batched({static_cast<std::int64_t>(values.size())}));
  g.set_outputs({quantize(g, x, kS8, {{kScale}, {}, -1})});
  check_inputs(g, {Tensor::from<float>({1, static_cast<std::int64_t>(values.size())}, values)}, Tolerance::exact());
}

TEST(Quantize, TurnsNanIntoZeroAndSaturates) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Tensor x =
      Tensor::from<float>({2, 4}, std::vector<float>{kNan, kInfinity, -kInfinity, 1e30F, -1e30F, 40, -40, -kNan});
  for (const auto type : {kS8, kU8}) {
    for (const std::vector<std::int32_t>& zeros : {std::vector<std::int32_t>{}, std::vector<std::int32_t>{7}}) {
      Graph g;
      g.set_outputs({quantize(g, g.add_input("x", kF32, batched({4})), type, {{0.25F}, zeros, -1})});
      check_inputs(g, {x}, Tolerance::exact());
    }
  }
}

TEST(Quantize, HonoursZeroPointsAndChannels) {
  for (const Sizes& sizes : {Sizes{3, 5, 4}, Sizes{17, 2, 2}, Sizes{17}, Sizes{20, 6}}) {
    for (const int axis : {0, 1}) {
      for (const bool last : {false, true}) {
        if (last && sizes.size() < 2) continue;
        Graph g;
        auto x = g.add_input("x", kF32, batched(sizes));
        if (last) x = pooled(g, x);
        ir::Quantization q;
        q.axis = axis == 0 ? -1 : 1;
        const std::int64_t count = axis == 0 ? 1 : sizes[0];
        for (std::int64_t i = 0; i < count; ++i) {
          q.scales.push_back(0.02F + 0.01F * static_cast<float>(i % 5));
          q.zero_points.push_back(static_cast<std::int32_t>(i % 11) - 5);
        }
        const auto y = quantize(g, x, kS8, q);
        g.set_outputs({y, g.add(OpType::kDequantize, "d", {y})});
        check(g, Tolerance::exact());
      }
    }
  }
}

TEST(Dequantize, GivesHalvesAndSingles) {
  for (const auto type : {kS8, kU8}) {
    Graph g;
    const auto x = quantized_input(g, "x", type, batched({17, 3}), 0.037F);
    const auto y = g.add(OpType::kDequantize, "d", {x});
    g.set_outputs({y, g.add(OpType::kUnary, "u", {y}, ir::UnaryAttrs{ir::UnaryKind::kAbs})});
    check(g, Tolerance::half());
    check(g, Tolerance::exact(), kSingle);
  }
}

TEST(Dequantize, TakesWideIntegers) {
  Graph g;
  const auto x = g.add_input("x", DataType::kInt32, batched({5}));
  g.value(x).quantization = ir::Quantization{{0.001F}, {3}, -1};
  g.set_outputs({g.add(OpType::kDequantize, "d", {x})});
  check(g, Tolerance::exact(), kSingle);
}

}  // namespace
}  // namespace xinfer::cuda
