// Models that carry their own quantization.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "ir/verifier.h"
#include "model_builder.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::OpType;
using ::testing::HasSubstr;

void scalar(ModelBuilder& m, const std::string& name, float value) {
  m.tensor(name, {}, TensorProto::FLOAT).add_float_data(value);
}
void zero_point(ModelBuilder& m, const std::string& name, int type, int value) {
  m.tensor(name, {}, type).add_int32_data(value);
}

TEST(QuantConverter, RoundTripsActivations) {
  ModelBuilder m;
  m.input("x", {-1, 4}).output("y");
  scalar(m, "s", 0.5F);
  zero_point(m, "z", TensorProto::UINT8, 10);
  m.node("QuantizeLinear", {"x", "s", "z"}, {"q"});
  m.node("DequantizeLinear", {"q", "s", "z"}, {"y"});
  const ir::Graph graph = m.read();
  EXPECT_NO_THROW(ir::verify(graph, "after reading"));
  const ir::Value& q = graph.value(graph.node(graph.order().front()).outputs[0]);
  EXPECT_EQ(q.dtype, DataType::kUInt8);
  EXPECT_EQ(q.quantization->zero_points, (std::vector<std::int32_t>{10}));
  // Rounds half to even, saturates at 0 and 255.
  EXPECT_EQ(values_of(m.run({floats({1, 4}, {0.25F, 0.75F, -100, 1000})})[0]), (std::vector<float>{0, 1, -5, 122.5F}));
}

TEST(QuantConverter, KeepsWeightsAsIntegers) {
  for (const char* const op : {"MatMul", "Conv"}) {
    ModelBuilder m;
    const bool conv = op[0] == 'C';
    m.input("x", conv ? std::vector<std::int64_t>{-1, 2, 1} : std::vector<std::int64_t>{-1, 2}).output("y");
    TensorProto& w =
        m.tensor("w", conv ? std::vector<std::int64_t>{3, 2, 1} : std::vector<std::int64_t>{2, 3}, TensorProto::INT8);
    for (const int v : {1, 2, 3, 4, 5, -6}) w.add_int32_data(v);
    m.weight("s", {3}, {1, 0.5F, 2});
    m.node("DequantizeLinear", {"w", "s"}, {"wf"}).with("axis", conv ? 0 : 1);
    m.node(op, {"x", "wf"}, {"y"});
    const ir::Graph graph = m.read();
    EXPECT_NO_THROW(ir::verify(graph, "after reading"));
    EXPECT_EQ(count_of(graph, OpType::kDequantize), 1);
    EXPECT_EQ(count_of(graph, conv ? OpType::kConv : OpType::kLinear), 1);
    const ir::Value& integers = graph.value(graph.node(graph.order().front()).inputs[0]);
    EXPECT_EQ(integers.dtype, DataType::kInt8);
    EXPECT_EQ(integers.quantization->axis, 0);
    const auto y = values_of(
        m.run({floats(conv ? std::vector<std::int64_t>{1, 2, 1} : std::vector<std::int64_t>{1, 2}, {1, 10})})[0]);
    EXPECT_EQ(y, conv ? (std::vector<float>{21, 21.5F, -110}) : (std::vector<float>{41, 26, -114}));
  }
}

TEST(QuantConverter, QuantizesConstants) {
  ModelBuilder m;
  m.input("x", {-1, 2}).weight("w", {2, 2}, {0.4F, -0.6F, 100, 0}).output("y");
  scalar(m, "s", 0.5F);
  zero_point(m, "z", TensorProto::INT8, 0);
  m.node("QuantizeLinear", {"w", "s", "z"}, {"q"});
  m.node("DequantizeLinear", {"q", "s", "z"}, {"wf"});
  m.node("MatMul", {"x", "wf"}, {"y"});
  EXPECT_EQ(count_of(m.read(), OpType::kQuantize), 0);
  EXPECT_EQ(values_of(m.run({floats({1, 2}, {1, 1})})[0]), (std::vector<float>{64, -0.5F}));
}

TEST(QuantConverter, DecomposesQLinearConv) {
  ModelBuilder m;
  m.input("x", {-1, 1, 2, 2}).output("y");
  scalar(m, "s", 0.5F);
  zero_point(m, "z", TensorProto::UINT8, 0);
  zero_point(m, "wz", TensorProto::INT8, 0);
  m.tensor("w", {1, 1, 1, 1}, TensorProto::INT8).add_int32_data(4);
  m.tensor("b", {1}, TensorProto::INT32).add_int32_data(2);
  m.node("QuantizeLinear", {"x", "s", "z"}, {"q"});
  m.node("QLinearConv", {"q", "s", "z", "w", "s", "wz", "s", "z", "b"}, {"r"});
  m.node("DequantizeLinear", {"r", "s", "z"}, {"y"});
  EXPECT_NO_THROW(ir::verify(m.read(), "after reading"));
  EXPECT_EQ(values_of(m.run({floats({1, 1, 2, 2}, {0, 1, 2, 3})})[0]), (std::vector<float>{0.5F, 2.5F, 4.5F, 6.5F}));
}

TEST(QuantConverter, RefusesWhatItCannotHold) {
  const auto error_with = [](float scale, int type, const char* op) {
    ModelBuilder m(21);
    m.input("x", {-1, 4}).output("y");
    scalar(m, "s", scale);
    zero_point(m, "z", type, 0);
    m.node(op, {"x", "s", "z"}, {"y"});
    return m.error();
  };
  EXPECT_THAT(error_with(0, TensorProto::INT8, "QuantizeLinear"), HasSubstr("finite and positive"));
  EXPECT_THAT(error_with(-1, TensorProto::INT8, "QuantizeLinear"), HasSubstr("finite and positive"));
  EXPECT_THAT(error_with(std::numeric_limits<float>::infinity(), TensorProto::INT8, "QuantizeLinear"),
              HasSubstr("finite and positive"));
  EXPECT_THAT(error_with(1, TensorProto::INT16, "QuantizeLinear"), HasSubstr("8-bit"));
  EXPECT_THAT(error_with(1, TensorProto::INT8, "DequantizeLinear"), HasSubstr("can't be dequantized"));
  ModelBuilder dynamic;
  dynamic.input("x", {-1, 4}).output("y");
  dynamic.node("DynamicQuantizeLinear", {"x"}, {"y", "s", "z"});
  EXPECT_THAT(dynamic.error(), HasSubstr("dynamically quantized"));
  ModelBuilder other;
  other.input("x", {-1, 4}).output("y");
  scalar(other, "s", 1);
  scalar(other, "t", 2);
  other.node("QuantizeLinear", {"x", "s"}, {"q"});
  other.node("DequantizeLinear", {"q", "t"}, {"y"});
  EXPECT_THAT(other.error(), HasSubstr("another scale"));
}

}  // namespace
}  // namespace xinfer::onnx
