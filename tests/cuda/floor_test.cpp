// Floors of steps: which rate bounds them, and what is counted.
#include "cuda/floor.h"

#include <gtest/gtest.h>

#include "cuda/layers.h"

namespace xinfer::cuda::testing {
namespace {

constexpr gpu::Peak kPeak{1000, 8000, 4000};  // bytes and operations a microsecond

StepInfo step(Element compute, double macs, double bytes) {
  StepInfo info;
  info.compute = compute;
  info.macs = macs;
  info.bytes = bytes;
  return info;
}

TEST(Floors, AreTheLongerOfMovingAndMultiplying) {
  EXPECT_EQ(floor_us(step(Element::kS8, 4000, 500), kPeak), 1);
  EXPECT_EQ(floor_us(step(Element::kU8, 4000, 3000), kPeak), 3);
  EXPECT_EQ(floor_us(step(Element::kF16, 4000, 500), kPeak), 2);
  EXPECT_EQ(floor_us(step(Element::kF16, 0, 500), kPeak), 0.5);
  EXPECT_EQ(floor_us(step(Element::kS64, 0, 500), kPeak), 0.5);
}

TEST(Floors, AreUnknownWhereARateIs) {
  EXPECT_EQ(floor_us(step(Element::kS8, 4000, 500), {0, 8000, 4000}), 0);
  EXPECT_EQ(floor_us(step(Element::kS8, 4000, 500), {1000, 0, 0}), 0) << "bytes alone would flatter it";
  EXPECT_EQ(floor_us(step(Element::kS8, 0, 500), {1000, 0, 0}), 0.5);
  StepInfo host = step(Element::kS8, 4000, 500);
  host.on_host = true;
  EXPECT_EQ(floor_us(host, kPeak), 0);
}

TEST(Floors, CountElementsAsTheyAreStored) {
  ir::Graph g;
  const auto x = g.add_input("x", DataType::kFloat32, {ir::Dim::n(), 40});
  const auto w = g.add_constant("w", Tensor(DataType::kFloat32, {24, 40}));
  const auto hidden = g.add(ir::OpType::kUnary, "relu", {x}, ir::UnaryAttrs{ir::UnaryKind::kRelu});
  const auto y = g.add(ir::OpType::kLinear, "fc", {hidden, w}, ir::LinearAttrs{});
  const auto last = g.add(ir::OpType::kUnary, "tanh", {y}, ir::UnaryAttrs{ir::UnaryKind::kTanh});
  const auto q = g.add_node(ir::OpType::kQuantize, "quantize", {last});
  make_quantized(g, g.node(q).outputs[0], DataType::kInt8, 0.25F);
  g.infer(q);
  g.set_outputs({g.node(q).outputs[0]});
  CompileOptions options;
  options.target = {{80, false}, 108, 163 * 1024};
  const auto program = compile(std::make_shared<const ir::Graph>(g), 3, options);
  ASSERT_EQ(program->infos.size(), 4U);
  EXPECT_EQ(program->infos[1].macs, 3.0 * 24 * 40);
  EXPECT_EQ(program->infos[1].bytes, 2.0 * (3 * 40 + 24 * 40 + 3 * 24)) << "halves, padding not counted";
  EXPECT_EQ(program->infos[2].bytes, 3 * 24 * 2.0 + 3 * 24 * 1.0) << "it writes the quantized value itself";
  EXPECT_EQ(program->infos[3].bytes, 0) << "and nothing is left for this one";
}

}  // namespace
}  // namespace xinfer::cuda::testing
