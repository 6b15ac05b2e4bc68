// Damaged and hostile models: an error of ours, or a graph; nothing else.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "core/file.h"
#include "ir/verifier.h"
#include "model_builder.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

/// True when the bytes read as a graph, which then must be well-formed.
bool reads(const std::string& bytes) {
  try {
    ir::verify(read_bytes(bytes.data(), bytes.size(), "hostile.onnx"), "after reading");
    return true;
  } catch (const Error&) {
    return false;
  }
}

ModelBuilder small_model() {
  ModelBuilder m;
  m.input("x", {-1, 2, 8, 8}).ramp("w", {4, 2, 3, 3}, 0.1F).ramp("b", {4}).ramp("fc", {4, 3}, 0.1F).output("y");
  m.ints("first", {0}).ints("rest", {-1}).ints("roi", {}).weight("scales", {4}, {1, 1, 2, 2}).int_scalar("zero", 0);
  m.node("Conv", {"x", "w", "b"}, {"c"}).with_ints("pads", {1, 1, 1, 1}).with_ints("strides", {2, 2});
  m.node("Clip", {"c"}, {"r"});
  m.node("Resize", {"r", "", "scales"}, {"u"}).with_text("mode", "linear");
  m.node("MaxPool", {"u"}, {"p"}).with_ints("kernel_shape", {2, 2}).with_ints("strides", {2, 2});
  m.node("GlobalAveragePool", {"p"}, {"g"});
  m.node("Shape", {"g"}, {"s"});
  m.node("Gather", {"s", "first"}, {"n"});
  m.node("Concat", {"n", "rest"}, {"t"}).with("axis", 0);
  m.node("Reshape", {"g", "t"}, {"f"});
  m.node("Gemm", {"f", "fc"}, {"l"});
  m.node("Softmax", {"l"}, {"y"});
  return m;
}

TEST(Hostile, SmallModelReads) { EXPECT_TRUE(reads(small_model().bytes())) << small_model().error(); }

TEST(Hostile, CutOffModelsAreRefused) {
  const std::string whole = read_file(XINFER_SOURCE_DIR "/models/fashion_mobilenet_v2.onnx");
  ASSERT_TRUE(reads(whole));
  for (std::size_t part = 0; part < 50; ++part) {
    EXPECT_FALSE(reads(whole.substr(0, whole.size() * part / 50))) << "cut at " << part << "/50";
  }
}

TEST(Hostile, CutOffSmallModelsAreRefused) {
  const std::string whole = small_model().bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) reads(whole.substr(0, size));
}

TEST(Hostile, MutatedModelsDoNoHarm) {
  const std::string whole = small_model().bytes();
  std::mt19937 random(20240607);
  int readable = 0;
  for (int i = 0; i < 200; ++i) {
    std::string bytes = whole;
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int c = 0; c < changes; ++c) bytes[random() % bytes.size()] = static_cast<char>(random() & 0xFF);
    readable += reads(bytes) ? 1 : 0;
  }
  EXPECT_GT(readable, 0);
  EXPECT_LT(readable, 200);
}

TEST(Hostile, HugeAttributesAreRefused) {
  for (const char* const name : {"strides", "dilations", "pads", "kernel_shape"}) {
    for (const std::int64_t value : {kHuge, -kHuge - 1, std::int64_t{0}, std::int64_t{-1}}) {
      ModelBuilder m;
      m.input("x", {-1, 2, 8, 8}).output("y");
      auto node = m.node("MaxPool", {"x"}, {"y"});
      const std::string attribute = name;
      if (attribute != "kernel_shape") node.with_ints("kernel_shape", {2, 2});
      node.with_ints(name, std::vector<std::int64_t>(attribute == "pads" ? 4 : 2, value));
      EXPECT_EQ(reads(m.bytes()), attribute == "pads" && value == 0) << name << " " << value;
    }
  }
}

TEST(Hostile, HugeResultsAreNotAllocated) {
  ModelBuilder tile;
  tile.ramp("w", {4, 4}).ints("repeats", {1 << 30, 1 << 30}).output("y");
  tile.node("Tile", {"w", "repeats"}, {"y"});
  EXPECT_FALSE(reads(tile.bytes()));
  ModelBuilder expand;
  expand.input("x", {-1, 1}).ints("target", {1, kHuge}).output("y");
  expand.node("Expand", {"x", "target"}, {"y"});
  EXPECT_FALSE(reads(expand.bytes()));
  ModelBuilder range;
  range.int_scalar("a", 0).int_scalar("b", kHuge).int_scalar("c", 1).output("y");
  range.node("Range", {"a", "b", "c"}, {"y"});
  EXPECT_FALSE(reads(range.bytes()));
  ModelBuilder fill;
  fill.ints("s", {1 << 20, 1 << 20, 1 << 20}).output("y");
  fill.node("ConstantOfShape", {"s"}, {"y"});
  EXPECT_FALSE(reads(fill.bytes()));
  ModelBuilder input;
  input.input("x", {kHuge, kHuge}).output("y");
  input.node("Relu", {"x"}, {"y"});
  EXPECT_FALSE(reads(input.bytes()));
  // A chain that would grow without end if each step were computed.
  ModelBuilder chain;
  chain.ramp("v0", {64, 64}).output("v40");
  for (int i = 0; i < 40; ++i) {
    chain.node("Concat", {fmt::format("v{}", i), fmt::format("v{}", i)}, {fmt::format("v{}", i + 1)}).with("axis", 0);
  }
  EXPECT_FALSE(reads(chain.bytes()));
}

TEST(Hostile, OddRanksAndAxes) {
  const std::vector<std::vector<std::int64_t>> shapes = {{}, {-1}, {-1, 3}, {-1, 0}, {-1, 3, 1}};
  for (const char* const op : {"Conv",
                               "MaxPool",
                               "AveragePool",
                               "GlobalAveragePool",
                               "BatchNormalization",
                               "Softmax",
                               "LayerNormalization",
                               "Transpose",
                               "Concat",
                               "Split",
                               "Gather",
                               "MatMul",
                               "Gemm",
                               "Flatten",
                               "Squeeze",
                               "Unsqueeze",
                               "ReduceMean",
                               "ArgMax",
                               "TopK",
                               "Pad",
                               "Resize",
                               "DepthToSpace",
                               "Einsum",
                               "InstanceNormalization",
                               "GroupNormalization",
                               "LRN",
                               "Tile",
                               "Slice",
                               "Expand",
                               "Reshape",
                               "CumSum",
                               "OneHot",
                               "Trilu",
                               "EyeLike",
                               "GatherND",
                               "ScatterND",
                               "DequantizeLinear",
                               "QuantizeLinear",
                               "QLinearConv",
                               "Attention"}) {
    for (const auto& shape : shapes) {
      for (const std::int64_t axis : {std::int64_t{0}, std::int64_t{-9}, kHuge}) {
        for (std::size_t inputs = 0; inputs < 5; ++inputs) {
          ModelBuilder m(23);
          m.input("x", shape).ints("i", {axis}).output("y");
          const std::vector<std::string> names = {"x", "i", "i", "i", "x"};
          m.node(op, {names.begin(), names.begin() + static_cast<std::ptrdiff_t>(inputs)}, {"y"}).with("axis", axis);
          reads(m.bytes());
        }
      }
    }
  }
}

TEST(Hostile, DeepNestingIsRefused) {
  ModelBuilder m;
  m.input("x", {-1, 4}).output("y");
  m.tensor("yes", {}, TensorProto::BOOL).add_int32_data(1);
  GraphProto* graph = &m.graph();
  const std::string result = "y";
  for (int depth = 0; depth < 60; ++depth) {
    NodeProto* const node = graph->add_node();
    node->set_op_type("If");
    node->add_input("yes");
    node->add_output(result);
    AttributeProto* const a = node->add_attribute();
    a->set_name("then_branch");
    a->set_type(AttributeProto::GRAPH);
    graph = a->mutable_g();
    graph->add_output()->set_name(result);
  }
  EXPECT_FALSE(reads(m.bytes()));
}

}  // namespace
}  // namespace xinfer::onnx
