// Resize: nearest moves, linear and cubic sum taps.

#include "cuda/harness.h"

namespace xinfer::cuda {
namespace {

using ir::CoordinateMode;
using ir::Dim;
using ir::Graph;
using ir::OpType;
using ir::ResizeMode;
using testing::check;
using testing::CheckOptions;
using testing::make_quantized;
using testing::quantized_input;
using testing::Sizes;
using testing::Tolerance;

constexpr auto kS8 = DataType::kInt8;
constexpr auto kU8 = DataType::kUInt8;
constexpr auto kF32 = DataType::kFloat32;

struct ResizeCase {
  Sizes in;     ///< C, spatial...
  Sizes sizes;  ///< of the output
  ResizeMode mode = ResizeMode::kNearest;
  CoordinateMode coordinates = CoordinateMode::kHalfPixel;
  DataType type = kS8, result = kS8;
  float out_scale = 0.25F;  ///< as the input's
  bool antialias = false;
};

Graph resize_graph(const ResizeCase& c) {
  Graph g;
  ir::Shape shape{Dim::n()};
  for (const std::int64_t size : c.in) shape.dims().push_back(size);
  const bool bytes = is_int8_like(c.type);
  const auto x = bytes ? quantized_input(g, "x", c.type, shape, 0.25F) : g.add_input("x", c.type, shape);
  ir::ResizeAttrs attrs;
  attrs.mode = c.mode;
  attrs.coordinates = c.coordinates;
  attrs.sizes = c.sizes;
  attrs.antialias = c.antialias;
  const auto y = g.add(OpType::kResize, "resize", {x}, attrs);
  if (is_int8_like(c.result)) make_quantized(g, y, c.result, c.out_scale);
  g.set_outputs({y});
  return g;
}

class Resize : public ::testing::TestWithParam<ResizeCase> {};
TEST_P(Resize, EqualsTheReference) {
  check(resize_graph(GetParam()), GetParam().result == kF32 ? Tolerance::half() : Tolerance::exact());
}

using enum CoordinateMode;
constexpr auto kNearest = ResizeMode::kNearest;
constexpr auto kLinear = ResizeMode::kLinear;
constexpr auto kCubic = ResizeMode::kCubic;

INSTANTIATE_TEST_SUITE_P(
    Nearest, Resize,
    ::testing::Values(ResizeCase{{17, 5, 7}, {10, 14}},
                      ResizeCase{{130, 5, 7}, {8, 4}, kNearest, kAsymmetric, kU8, kU8},
                      ResizeCase{{3, 5, 7}, {9, 20}, kNearest, kAlignCorners, kF32, kF32}, ResizeCase{{3, 9}, {23}},
                      ResizeCase{{3, 4, 5, 2}, {8, 3, 5}},
                      ResizeCase{{3, 5, 7}, {10, 14}, kNearest, kHalfPixel, DataType::kInt64, DataType::kInt64}));

INSTANTIATE_TEST_SUITE_P(Weighted, Resize,
                         ::testing::Values(ResizeCase{{17, 5, 7}, {10, 14}, kLinear},
                                           ResizeCase{{130, 5, 7}, {10, 14}, kLinear, kHalfPixel, kU8, kU8, 0.5F},
                                           ResizeCase{{17, 8, 8}, {4, 16}, kLinear, kAsymmetric, kS8, kU8},
                                           ResizeCase{{17, 5, 5}, {9, 17}, kLinear, kAlignCorners, kS8, kF32},
                                           ResizeCase{{17, 5, 7}, {11, 9}, kLinear, kPytorchHalfPixel, kF32, kF32},
                                           ResizeCase{{3, 9}, {18}, kLinear},
                                           ResizeCase{{3, 4, 5, 2}, {8, 10, 4}, kLinear},
                                           ResizeCase{{17, 6, 8}, {12, 16}, kCubic},
                                           ResizeCase{{17, 6, 8}, {9, 11}, kCubic, kHalfPixel, kF32, kF32},
                                           ResizeCase{{17, 16, 16}, {4, 8}, kLinear, kHalfPixel, kF32, kF32, 1, true},
                                           // Most of it saturates.
                                           ResizeCase{{17, 5, 7}, {10, 14}, kLinear, kHalfPixel, kS8, kS8, 1.0F / 64}));

TEST(ResizeFloats, AreTightInSinglePrecision) {
  CheckOptions tight;
  tight.real = Element::kF32;
  check(resize_graph({{17, 5, 7}, {11, 9}, kLinear, kHalfPixel, kF32, kF32}), {2e-5}, tight);
}

}  // namespace
}  // namespace xinfer::cuda
