// Reshape, Transpose, Concat, Slice, Split, Expand, Tile, Pad and Gather on the GPU. They move elements, so that
// everything is exact.

#include <limits>

#include "cuda/harness.h"

namespace xinfer::cuda {
namespace {

using ir::Dim;
using ir::Graph;
using ir::OpType;
using ir::Shape;
using ir::ValueId;
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
constexpr auto kS64 = DataType::kInt64;
constexpr auto kEnd = std::numeric_limits<std::int64_t>::max();
const CheckOptions kSingle{.real = Element::kF32, .implementation = {}};

Shape batched(const Sizes& sizes) {
  Shape shape{Dim::n()};
  for (const std::int64_t size : sizes) shape.dims().push_back(size);
  return shape;
}

ValueId channels_last(Graph& g, ValueId x) {
  const std::size_t spatial = g.value(x).shape.rank() - 2;
  ir::PoolAttrs attrs;
  attrs.kernel.assign(spatial, 1);
  attrs.strides = attrs.dilations = attrs.kernel;
  attrs.pads.assign(2 * spatial, 0);
  return g.add(OpType::kMaxPool, "pool", {x}, attrs);
}

/// How the operand arrives.
enum class Arrival { kSingle, kHalf, kHalfChannelsLast, kBytes, kBytesChannelsLast, kIndices };
constexpr Arrival kArrivals[] = {
    Arrival::kSingle, Arrival::kHalf, Arrival::kHalfChannelsLast, Arrival::kBytes, Arrival::kBytesChannelsLast,
    Arrival::kIndices};

bool is_channels_last(Arrival arrival) {
  return arrival == Arrival::kHalfChannelsLast || arrival == Arrival::kBytesChannelsLast;
}

ValueId arrive(Graph& g, const std::string& name, const Shape& shape, Arrival arrival, float scale = 0.0625F) {
  if (arrival == Arrival::kIndices) return g.add_input(name, kS64, shape);
  const bool bytes = arrival == Arrival::kBytes || arrival == Arrival::kBytesChannelsLast;
  ValueId x = bytes ? quantized_input(g, name, kS8, shape, scale) : g.add_input(name, kF32, shape);
  if (is_channels_last(arrival) && shape.rank() >= 3) x = channels_last(g, x);
  // As an f16 value in the middle of a graph.
  if (arrival == Arrival::kHalf) x = g.add(OpType::kUnary, name + "n", {x}, ir::UnaryAttrs{ir::UnaryKind::kNegate});
  return x;
}

/// One operator on one input, however that arrives.
template <class Attrs>
void check_move(OpType op, const Sizes& sizes, const Attrs& attrs, const CheckOptions& options = {}) {
  for (const Arrival arrival : kArrivals) {
    if (is_channels_last(arrival) && sizes.size() < 2) continue;
    if (is_channels_last(arrival) && sizes.size() > 4) continue;
    Graph g;
    const auto x = arrive(g, "x", batched(sizes), arrival);
    const auto y = g.add(op, "y", {x}, attrs);
    // As an output, and with a reader behind it.
    std::vector<ValueId> outputs{y};
    if (arrival == Arrival::kHalf || arrival == Arrival::kHalfChannelsLast) {
      const auto z = g.add(op, "z", {x}, attrs);
      outputs.push_back(g.add(OpType::kUnary, "r", {z}, ir::UnaryAttrs{ir::UnaryKind::kAbs}));
    }
    g.set_outputs(outputs);
    check(g, Tolerance::exact(), options);
    if (::testing::Test::HasFailure()) {
      ADD_FAILURE() << "arrival " << static_cast<int>(arrival) << " of " << xinfer::to_string(sizes);
      return;
    }
  }
}

TEST(Reshape, RegroupsAxes) {
  const std::pair<Sizes, Sizes> cases[] = {{{6, 4}, {24}},
                                           {{24}, {6, 4}},
                                           {{6, 4}, {8, 3}},
                                           {{2, 3}, {3, 2}},
                                           {{17, 3, 5}, {17, 15}},
                                           {{17, 15}, {17, 3, 5}},
                                           {{32, 1, 1}, {32}},
                                           {{5, 1, 1}, {5}},
                                           {{32, 4, 4}, {512}},
                                           {{3, 5, 7}, {105}},
                                           {{7, 64}, {7, 4, 16}},
                                           {{7, 4, 16}, {7, 64}},
                                           {{7, 20}, {7, 4, 5}},
                                           {{16, 4, 4}, {2, 8, 4, 4}},
                                           {{2, 8, 4, 4}, {16, 4, 4}},
                                           {{17}, {17, 1, 1}},
                                           {{1, 5}, {5, 1}},
                                           {{2, 3, 5, 2, 3}, {30, 6}}};
  for (const auto& [from, to] : cases) check_move(OpType::kReshape, from, ir::ShapeAttrs{batched(to)});
  check_move(OpType::kReshape, {17, 3, 5}, ir::ShapeAttrs{batched({17, 15})}, kSingle);
}

TEST(Reshape, MovesTheBatch) {
  check_move(OpType::kReshape, {6, 16}, ir::ShapeAttrs{Shape{Dim::n(6), 16}});
  check_move(OpType::kReshape, {6, 5}, ir::ShapeAttrs{Shape{Dim::n(30)}});
  Graph g;
  const auto x = g.add_input("x", kF32, Shape{1, 1});
  const auto y = g.add(OpType::kReshape, "y", {x}, ir::ShapeAttrs{Shape{}});
  const auto z = g.add(OpType::kUnary, "z", {y}, ir::UnaryAttrs{ir::UnaryKind::kNegate});
  g.set_outputs({g.add(OpType::kReshape, "w", {z}, ir::ShapeAttrs{Shape{1, 1, 1}})});
  check(g, Tolerance::exact(), {.implementation = {}, .batches = {1}});
}

TEST(Transpose, PermutesAxes) {
  const std::pair<Sizes, Sizes> cases[] = {{{5}, {1, 0}},
                                           {{3, 17}, {0, 2, 1}},
                                           {{32, 16}, {0, 2, 1}},
                                           {{3, 17}, {1, 0, 2}},
                                           {{3, 17}, {2, 1, 0}},
                                           {{17, 4, 5}, {0, 2, 3, 1}},
                                           {{4, 5, 17}, {0, 3, 1, 2}},
                                           {{32, 4, 4}, {0, 2, 3, 1}},
                                           {{4, 4, 32}, {0, 3, 1, 2}},
                                           {{3, 4, 16}, {0, 2, 1, 3}},
                                           {{3, 4, 5}, {0, 2, 1, 3}},
                                           {{3, 4, 5}, {3, 2, 1, 0}},
                                           {{2, 8, 4, 4}, {0, 2, 1, 3, 4}},
                                           {{7, 3, 2, 16}, {2, 0, 3, 1, 4}},
                                           {{2, 3, 2, 3, 5}, {5, 0, 3, 1, 4, 2}}};
  for (const auto& [sizes, perm] : cases) check_move(OpType::kTranspose, sizes, ir::TransposeAttrs{perm});
  check_move(OpType::kTranspose, {17, 4, 5}, ir::TransposeAttrs{{0, 2, 3, 1}}, kSingle);
}

TEST(Slice, TakesParts) {
  check_move(OpType::kSlice, {20}, ir::SliceAttrs{{3}, {17}, {1}, {1}});
  check_move(OpType::kSlice, {48, 3}, ir::SliceAttrs{{16}, {48}, {1}, {1}});
  check_move(OpType::kSlice, {17, 6, 7}, ir::SliceAttrs{{1, 0}, {kEnd, 6}, {2, 3}, {2, 2}});
  check_move(OpType::kSlice, {17, 6, 7}, ir::SliceAttrs{{-1}, {-kEnd}, {3}, {-1}});
  check_move(OpType::kSlice, {17, 6, 7}, ir::SliceAttrs{{5, 2}, {12, 3}, {1, 2}, {3, 1}});
  check_move(OpType::kSlice, {64, 2, 2}, ir::SliceAttrs{{32}, {64}, {1}, {1}});
  check_move(OpType::kSlice, {64, 2, 2}, ir::SliceAttrs{{0}, {kEnd}, {0}, {1}});
  check_move(OpType::kSlice, {5, 6}, ir::SliceAttrs{{4}, {-kEnd}, {1}, {-1}});
}

TEST(Split, GivesEveryPart) {
  struct Case {
    Sizes sizes;
    std::int64_t axis;
    Sizes parts;
  };
  const Case cases[] = {{{48, 3, 3}, 1, {16, 32}},  {{20, 3, 3}, 1, {3, 17}}, {{4, 6, 5}, 2, {1, 2, 3}},
                        {{5, 96}, 2, {32, 32, 32}}, {{5, 21}, 2, {7, 13, 1}}, {{9}, 1, {4, 5}}};
  for (const Case& c : cases) {
    for (const Arrival arrival : kArrivals) {
      if (is_channels_last(arrival) && c.sizes.size() < 2) continue;
      Graph g;
      const auto x = arrive(g, "x", batched(c.sizes), arrival);
      const auto node = g.add_node(OpType::kSplit, "y", {x}, ir::SplitAttrs{c.axis, c.parts}, c.parts.size());
      std::vector<ValueId> outputs = g.node(node).outputs;
      // One part is read on, the others leave.
      if (g.value(x).dtype == kF32) {
        outputs[0] = g.add(OpType::kUnary, "r", {outputs[0]}, ir::UnaryAttrs{ir::UnaryKind::kAbs});
      }
      g.set_outputs(outputs);
      check(g, Tolerance::exact());
    }
  }
}

TEST(Concat, JoinsParts) {
  struct Case {
    std::int64_t axis;
    std::vector<Sizes> parts;
  };
  const Case cases[] = {{1, {{16, 3, 3}, {32, 3, 3}}}, {1, {{3, 3, 5}, {17, 3, 5}, {1, 3, 5}}},
                        {2, {{5, 1, 3}, {5, 4, 3}}},   {3, {{5, 2, 3}, {5, 2, 16}}},
                        {2, {{5, 7}, {5, 9}}},         {1, {{4}, {7}, {16}}},
                        {1, {{24, 2, 2}, {24, 2, 2}}}};
  for (const Case& c : cases) {
    for (const Arrival arrival : kArrivals) {
      if (is_channels_last(arrival) && c.parts[0].size() < 2) continue;
      Graph g;
      std::vector<ValueId> inputs;
      for (std::size_t i = 0; i < c.parts.size(); ++i) {
        // The last one comes in rows in any case.
        const bool plain = i + 1 == c.parts.size() && arrival == Arrival::kHalfChannelsLast;
        inputs.push_back(arrive(g, "x" + std::to_string(i), batched(c.parts[i]), plain ? Arrival::kHalf : arrival));
      }
      const auto y = g.add(OpType::kConcat, "y", inputs, ir::AxisAttrs{c.axis});
      if (g.value(inputs[0]).dtype == kS8) make_quantized(g, y, kS8, 0.0625F);
      std::vector<ValueId> outputs{y};
      if (g.value(y).dtype == kF32) {
        const auto z = g.add(OpType::kConcat, "z", inputs, ir::AxisAttrs{c.axis});
        outputs.push_back(g.add(OpType::kUnary, "r", {z}, ir::UnaryAttrs{ir::UnaryKind::kAbs}));
      }
      g.set_outputs(outputs);
      check(g, Tolerance::exact());
    }
  }
}

TEST(Concat, BringsIntegersToOneScale) {
  for (const bool last : {false, true}) {
    Graph g;
    auto a = quantized_input(g, "a", kS8, batched({17, 3, 3}), 0.05F);
    auto b = quantized_input(g, "b", kU8, batched({16, 3, 3}), 0.02F);
    const auto c = quantized_input(g, "c", kU8, batched({3, 3, 3}), 0.0625F);
    if (last) a = channels_last(g, a), b = channels_last(g, b);
    const auto y = g.add(OpType::kConcat, "y", {a, b, c}, ir::AxisAttrs{1});
    make_quantized(g, y, kU8, 0.03125F);  // c: many saturate, all are whole
    g.set_outputs({y});
    check(g, Tolerance::exact());
  }
}

TEST(Expand, RepeatsAxesOfSizeOne) {
  check_move(OpType::kExpand, {1, 5}, ir::ShapeAttrs{batched({3, 5})});
  check_move(OpType::kExpand, {5, 1}, ir::ShapeAttrs{batched({5, 17})});
  check_move(OpType::kExpand, {17, 1, 1}, ir::ShapeAttrs{batched({17, 3, 5})});
  check_move(OpType::kExpand, {1, 3, 5}, ir::ShapeAttrs{batched({32, 3, 5})});
  Graph g;
  Random random(4);
  const auto x = g.add_input("x", kF32, batched({5, 6}));
  const auto c = g.add_constant("c", random.eighths({5, 1}));
  const auto y = g.add(OpType::kExpand, "y", {c}, ir::ShapeAttrs{batched({5, 6})});
  g.set_outputs({g.add(OpType::kBinary, "z", {x, y}, ir::BinaryAttrs{}), y});
  check(g, Tolerance::exact());
}

TEST(Tile, RepeatsEverything) {
  check_move(OpType::kTile, {3, 5}, ir::TileAttrs{{1, 2, 3}});
  check_move(OpType::kTile, {17, 2, 3}, ir::TileAttrs{{1, 2, 1, 1}});
  check_move(OpType::kTile, {16, 2, 3}, ir::TileAttrs{{2, 1, 3, 2}});
  check_move(OpType::kTile, {7}, ir::TileAttrs{{1, 1}});
}

TEST(Pad, ExtendsAndCrops) {
  using M = ir::PadMode;
  for (const auto mode : {M::kConstant, M::kReflect, M::kEdge, M::kWrap}) {
    check_move(OpType::kPad, {17, 4, 5}, ir::PadAttrs{mode, {0, 0, 1, 2, 0, 0, 3, 2}, 0.5F});
    check_move(OpType::kPad, {17, 4, 5}, ir::PadAttrs{mode, {0, 2, 0, 0, 0, 1, 0, 0}, -1.0F});
  }
  check_move(OpType::kPad, {3, 16}, ir::PadAttrs{M::kConstant, {0, 1, 0, 0, 0, 0}, 2.0F});
  check_move(OpType::kPad, {6, 7, 8}, ir::PadAttrs{M::kConstant, {0, -1, -2, 3, 0, 2, -1, -4}, 2.0F});
  check_move(OpType::kPad, {3, 2, 3, 2, 3}, ir::PadAttrs{M::kConstant, {0, 1, 1, 1, 1, 1, 0, 0, 1, 2, 1, 1}, 1.0F});
  check_move(OpType::kPad, {6}, ir::PadAttrs{M::kConstant, {0, 0, 0, 0}, 1.0F});
}

TEST(Pad, SaturatesItsValueInIntegers) {
  Graph g;
  const auto x = quantized_input(g, "x", kU8, batched({3, 4, 4}), 0.01F);
  g.set_outputs(
      {g.add(OpType::kPad, "y", {x}, ir::PadAttrs{ir::PadMode::kConstant, {0, 0, 1, 1, 0, 0, 1, 1}, 100.0F}),
       g.add(OpType::kPad, "z", {x}, ir::PadAttrs{ir::PadMode::kConstant, {0, 0, 1, 1, 0, 0, 1, 1}, 0.123F})});
  check(g, Tolerance::exact());
}

TEST(Gather, TakesByIndex) {
  struct Case {
    Sizes sizes;
    std::int64_t axis;
    Sizes list;  ///< its shape
  };
  const Case cases[] = {{{6, 16}, 1, {3}},    {{6, 5}, 1, {}},     {{6, 5}, 2, {4}},
                        {{6, 17}, 1, {2, 3}}, {{4, 5, 6}, 2, {2}}, {{17, 3, 3}, 1, {5}},
                        {{9}, 1, {2, 2, 2}},  {{5, 32}, 2, {}},    {{4, 5, 6}, 3, {3, 2}}};
  for (const Case& c : cases) {
    for (const Arrival arrival : kArrivals) {
      if (is_channels_last(arrival) && c.sizes.size() < 2) continue;
      for (const auto type : {kS64, DataType::kInt32}) {
        Graph g;
        Random random(6);
        const auto x = arrive(g, "x", batched(c.sizes), arrival);
        const std::int64_t size = c.sizes[static_cast<std::size_t>(c.axis - 1)];
        const auto list =
            g.add_constant("i", random.integers(type, c.list, -static_cast<int>(size), static_cast<int>(size) - 1));
        const auto y = g.add(OpType::kGather, "y", {x, list}, ir::AxisAttrs{c.axis});
        g.set_outputs({y});
        check(g, Tolerance::exact());
      }
    }
  }
}

TEST(Gather, LooksUpEmbeddings) {
  Graph g;
  Random random(6);
  const auto ids = g.add_input("ids", kS64, batched({5}));  // 0 to 2
  const auto table = g.add_constant("table", random.eighths({3, 24}));
  const auto y = g.add(OpType::kGather, "y", {table, ids}, ir::AxisAttrs{0});
  const auto z = g.add(OpType::kUnary, "z", {y}, ir::UnaryAttrs{ir::UnaryKind::kNegate});
  g.set_outputs({z});
  check(g, Tolerance::exact());
  check(g, Tolerance::exact(), kSingle);
}

TEST(Movement, KeepsChannelsThroughAShuffle) {
  for (const Arrival arrival : {Arrival::kHalfChannelsLast, Arrival::kBytesChannelsLast}) {
    Graph g;
    const auto x = arrive(g, "x", batched({48, 3, 5}), arrival);
    const auto a = g.add(OpType::kReshape, "a", {x}, ir::ShapeAttrs{batched({3, 16, 3, 5})});
    const auto b = g.add(OpType::kTranspose, "b", {a}, ir::TransposeAttrs{{0, 2, 1, 3, 4}});
    const auto c = g.add(OpType::kReshape, "c", {b}, ir::ShapeAttrs{batched({48, 3, 5})});
    g.set_outputs({channels_last(g, c)});
    check(g, Tolerance::exact());
  }
}

TEST(Movement, TurnsImagesIntoSequencesWithoutCopies) {
  Graph g;
  const auto x = arrive(g, "x", batched({32, 4, 4}), Arrival::kHalfChannelsLast);
  const auto a = g.add(OpType::kReshape, "a", {x}, ir::ShapeAttrs{batched({32, 16})});
  const auto b = g.add(OpType::kTranspose, "b", {a}, ir::TransposeAttrs{{0, 2, 1}});
  const auto c = g.add(OpType::kUnary, "c", {b}, ir::UnaryAttrs{ir::UnaryKind::kNegate});
  g.set_outputs({c});
  check(g, Tolerance::exact());
  CompileOptions options;
  options.target = {{90, true}, 132, 227 * 1024};
  const auto program = compile(std::make_shared<const Graph>(g), 2, options);
  int aliases = 0;
  for (const StepInfo& info : program->infos) {
    if (info.implementation == "alias") ++aliases;
  }
  EXPECT_EQ(aliases, 2);
}

}  // namespace
}  // namespace xinfer::cuda
