#include "ir/verifier.h"

#include <cmath>
#include <functional>
#include <limits>

#include "helpers.h"

namespace xinfer::ir {
namespace {

/// x -> conv (s8 in, s8 out) -> max pool -> dequantize, with a residual-free float branch.
struct Sound {
  Graph graph;
  ValueId x, q, w, y, p, out;
  Sound() {
    graph.name = "sound";
    x = graph.add_input("x", DataType::kFloat32, {N, 1, 4, 4});
    q = add_quantize(graph, "q", x, DataType::kInt8, {{0.5F}, {}, -1});
    w = graph.add_constant("w", Tensor(DataType::kInt8, {2, 1, 1, 1}), Quantization{{0.1F, 0.2F}, {}, 0});
    y = graph.add(OpType::kConv, "y", {q, w}, ConvAttrs{});
    graph.value(y).dtype = DataType::kInt8;
    graph.value(y).quantization = Quantization{{0.25F}, {}, -1};
    PoolAttrs pool;
    pool.kernel = {2, 2};
    p = graph.add(OpType::kMaxPool, "p", {y}, pool);
    out = add_dequantize(graph, "out", p);
    graph.set_outputs({out});
  }
  Node& node(ValueId id) { return graph.node(graph.value(id).producer); }
};

void expect_broken(const std::function<void(Sound&)>& corrupt, std::initializer_list<const char*> parts) {
  Sound sound;
  corrupt(sound);
  expect_throw<std::logic_error>([&] { verify(sound.graph, "the fold pass"); }, parts);
}

TEST(Verifier, AcceptsASoundGraph) {
  Sound sound;
  EXPECT_NO_THROW(verify(sound.graph, "reading"));
  sound.graph.compact();
  EXPECT_NO_THROW(verify(sound.graph, "compacting"));
}

TEST(Verifier, NamesGraphAndStage) {
  expect_broken([](Sound& s) { s.graph.value(s.q).quantization->scales.clear(); },
                {"graph 'sound' is broken after the fold pass"});
}

TEST(Verifier, Ids) {
  expect_broken([](Sound& s) { s.node(s.y).inputs[1] = 1000; }, {"node 'y' reads value 1000"});
  expect_broken([](Sound& s) { s.node(s.y).inputs[1] = -2; }, {"node 'y' reads value -2"});
  expect_broken([](Sound& s) { s.node(s.y).outputs[0] = kNone; }, {"node 'y' writes value -1"});
  expect_broken([](Sound& s) { s.graph.set_output_names({"a", "b"}); }, {"1 outputs have 2 names"});
}

TEST(Verifier, Names) {
  expect_broken([](Sound& s) { s.graph.value(s.y).name = s.graph.value(s.x).name; }, {"two values are named 'x'"});
  expect_broken([](Sound& s) { s.graph.value(s.y).name = "nobody"; }, {"'nobody' can't be found"});
  expect_broken([](Sound& s) { s.node(s.y).name = s.node(s.p).name; }, {"two nodes are named 'p'"});
}

TEST(Verifier, Producers) {
  expect_broken([](Sound& s) { s.node(s.p).outputs[0] = s.y; }, {"'y' has two producers, 'y' and 'p'"});
  expect_broken([](Sound& s) { s.graph.value(s.y).producer = 0; }, {"'y' names the wrong producer"});
  expect_broken([](Sound& s) { s.graph.value(s.y).constant = Tensor(DataType::kInt8, {1}); },
                {"the constant 'y' has a producer"});
  expect_broken(
      [](Sound& s) {
        s.graph.value(s.p).producer = kNone;
        s.node(s.y).outputs.push_back(s.x);
        s.graph.value(s.x).producer = s.graph.value(s.y).producer;
        s.graph.value(s.p).producer = s.graph.value(s.y).producer + 1;
      },
      {"the input 'x' has a producer"});
}

TEST(Verifier, Uses) {
  expect_broken([](Sound& s) { s.graph.value(s.y).consumers.clear(); }, {"use list of 'y'"});
  expect_broken([](Sound& s) { s.graph.value(s.y).consumers.push_back(0); }, {"use list of 'y'"});
  expect_broken([](Sound& s) { s.graph.value(s.y).consumers = {0}; }, {"use list of 'y'"});
  expect_broken([](Sound& s) { s.node(s.p).inputs[0] = s.q; }, {"use list"});
  expect_broken([](Sound& s) { s.graph.value(s.w).constant.reset(); }, {"'w' is used, but it is no input"});
  expect_broken(
      [](Sound& s) {
        const ValueId shape = s.graph.add_symbolic("shape", {N, 1});
        s.graph.add(OpType::kCast, "c", {shape}, CastAttrs{DataType::kInt32});
      },
      {"'shape' is used, but it is no input"});
  expect_broken([](Sound& s) { s.graph.set_outputs({s.graph.add_symbolic("shape", {N})}); }, {"'shape' is used"});
}

TEST(Verifier, ArityAndAttributes) {
  expect_broken([](Sound& s) { s.node(s.p).attrs = NoAttrs{}; }, {"node 'p'", "attributes of another operator"});
  expect_broken([](Sound& s) { s.graph.set_or_append_input(s.graph.value(s.p).producer, 1, s.x); },
                {"node 'p' (MaxPool): has 2 inputs"});
  expect_broken([](Sound& s) { s.graph.set_input(s.graph.value(s.y).producer, 1, kNone); },
                {"node 'y' (Conv): input 1 is missing"});
  expect_broken([](Sound& s) { s.node(s.y).as<ConvAttrs>().strides.clear(); }, {"node 'y'", "not in normal form"});
}

TEST(Verifier, Constants) {
  expect_broken([](Sound& s) { s.graph.value(s.w).shape = {2, 1, 1, 2}; }, {"the constant 'w'", "[2, 1, 1, 2]"});
  expect_broken([](Sound& s) { s.graph.value(s.w).dtype = DataType::kUInt8; }, {"the constant 'w' holds s8"});
  expect_broken([](Sound& s) { s.graph.value(s.w).constant = Tensor(); }, {"the constant 'w' has no memory"});
  expect_broken([](Sound& s) { s.graph.value(s.x).shape[2] = -4; }, {"value 'x' has the shape [N, 1, -4, 4]"});
}

TEST(Verifier, StoredShapes) {
  expect_broken([](Sound& s) { s.graph.value(s.y).shape[2] = 5; }, {"'y' is s8[N, 2, 5, 4]", "gives s8[N, 2, 4, 4]"});
  expect_broken([](Sound& s) { s.graph.value(s.out).dtype = DataType::kInt64; }, {"'out' is s64", "gives f32"});
  expect_broken([](Sound& s) { s.graph.value(s.x).shape = {N, 3, 4, 4}; }, {"'q' is s8[N, 1, 4, 4]"});
  expect_broken([](Sound& s) { s.node(s.p).as<PoolAttrs>().kernel = {9, 9}; }, {"node 'p' (MaxPool)", "kernel 9"});
}

TEST(Verifier, Scales) {
  const auto with_scale = [](float scale) {
    return [scale](Sound& s) { s.graph.value(s.q).quantization->scales = {scale}; };
  };
  expect_broken(with_scale(0), {"'q' has the scale 0"});
  expect_broken(with_scale(-1), {"'q' has the scale -1"});
  expect_broken(with_scale(std::nanf("")), {"'q' has the scale nan"});
  expect_broken(with_scale(std::numeric_limits<float>::infinity()), {"'q' has the scale inf"});
  expect_broken([](Sound& s) { s.graph.value(s.q).quantization.reset(); }, {"'q' has no scale"});
  expect_broken([](Sound& s) { s.graph.value(s.q).dtype = DataType::kFloat32; },
                {"'q' has a scale, but its type is f32"});
  expect_broken([](Sound& s) { s.graph.value(s.w).quantization->scales.pop_back(); }, {"'w' has 1 scales, but 2"});
  expect_broken([](Sound& s) { s.graph.value(s.w).quantization->axis = 4; }, {"'w' has scales along axis 4"});
  expect_broken([](Sound& s) { s.graph.value(s.w).quantization->zero_points = {0}; }, {"'w' has 2 scales, but 1 zero"});
  expect_broken([](Sound& s) { s.graph.value(s.p).quantization->scales = {0.5F}; },
                {"node 'p' (MaxPool) moves 'y' to 'p' but changes the scale"});
  expect_broken([](Sound& s) { s.graph.value(s.p).dtype = DataType::kUInt8; }, {"changes the scale"});
}

TEST(Verifier, Cycles) {
  Graph g;
  const ValueId x = g.add_input("x", DataType::kFloat32, {N, 3});
  const ValueId a = g.add(OpType::kUnary, "a", {x}, UnaryAttrs{UnaryKind::kRelu});
  const ValueId b = g.add(OpType::kUnary, "b", {a}, UnaryAttrs{UnaryKind::kRelu});
  g.set_input(g.value(a).producer, 0, b);
  expect_throw<std::logic_error>([&] { verify(g, "tying a knot"); }, {"tying a knot", "cycle"});
}

}  // namespace
}  // namespace xinfer::ir
