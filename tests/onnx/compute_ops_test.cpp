// Convolutions, matrix products, activations, arithmetic: attributes, opset versions, values.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "model_builder.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::Dim;
using ir::OpType;
using ir::UnaryKind;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

const ir::Node& only(const ir::Graph& graph, OpType op) {
  for (const ir::NodeId id : graph.order()) {
    if (graph.node(id).op == op) return graph.node(id);
  }
  throw std::runtime_error("no such node");
}

/// The output of one operator on x (and other constants, added by `extend`).
Tensor run_one(ModelBuilder& m, const Tensor& x) { return m.run({x})[0]; }

TEST(ConvConverter, ResolvesAutoPad) {
  struct Case {
    const char* mode;
    std::vector<std::int64_t> pads;
  };
  for (const Case& c :
       {Case{"SAME_UPPER", {0, 0, 1, 1}}, Case{"SAME_LOWER", {1, 1, 0, 0}}, Case{"VALID", {0, 0, 0, 0}}}) {
    ModelBuilder m;
    m.input("x", {-1, 2, 8, 8}).ramp("w", {4, 2, 3, 3}).output("y");
    m.node("Conv", {"x", "w"}, {"y"}).with_text("auto_pad", c.mode).with_ints("strides", {2, 2});
    EXPECT_EQ(only(m.read(), OpType::kConv).as<ir::ConvAttrs>().pads, c.pads) << c.mode;
  }
}

TEST(ConvConverter, RefusesContradictions) {
  ModelBuilder m;
  m.input("x", {-1, 2, 8, 8}).ramp("w", {4, 2, 3, 3}).output("y");
  m.node("Conv", {"x", "w"}, {"y"}).with_ints("kernel_shape", {5, 5});
  EXPECT_THAT(m.error(), HasSubstr("kernel_shape [5, 5] contradicts"));
  ModelBuilder strides;
  strides.input("x", {-1, 2, 8, 8}).ramp("w", {4, 2, 3, 3}).output("y");
  strides.node("Conv", {"x", "w"}, {"y"}).with_ints("strides", {2});
  EXPECT_THAT(strides.error(), HasSubstr("'strides' has 1 values"));
}

TEST(ConvConverter, TransposeFitsGivenOutput) {
  ModelBuilder m;
  m.input("x", {-1, 1, 3, 3}).ramp("w", {1, 2, 3, 3}).output("y");
  m.node("ConvTranspose", {"x", "w"}, {"y"}).with_ints("strides", {3, 2}).with_ints("output_shape", {10, 8});
  EXPECT_EQ(output_shape(m.read()), (ir::Shape{Dim::n(), 2, 10, 8}));
  ModelBuilder same;
  same.input("x", {-1, 1, 3, 3}).ramp("w", {1, 2, 3, 3}).output("y");
  same.node("ConvTranspose", {"x", "w"}, {"y"}).with_ints("strides", {2, 2}).with_text("auto_pad", "SAME_UPPER");
  EXPECT_EQ(output_shape(same.read()), (ir::Shape{Dim::n(), 2, 6, 6}));
}

TEST(GemmConverter, FoldsFactorsAndTransposes) {
  for (const bool transposed : {false, true}) {
    ModelBuilder m;
    m.input("x", {-1, 2}).weight("b", {1}, {10}).output("y");
    if (transposed) m.weight("w", {3, 2}, {1, 4, 2, 5, 3, 6});
    if (!transposed) m.weight("w", {2, 3}, {1, 2, 3, 4, 5, 6});
    m.node("Gemm", {"x", "w", "b"}, {"y"})
        .with_real("alpha", 2)
        .with_real("beta", 0.5F)
        .with("transB", transposed ? 1 : 0);
    EXPECT_EQ(m.read().node_count(), 1U);
    EXPECT_EQ(values_of(run_one(m, floats({1, 2}, {1, 10}))), (std::vector<float>{87, 109, 131}));
  }
}

TEST(GemmConverter, MultipliesTwoActivations) {
  ModelBuilder m;
  m.input("x", {2, 3}).ramp("c", {2, 2}).output("y");
  m.node("Relu", {"x"}, {"r"});
  m.node("Gemm", {"x", "r", "c"}, {"y"}).with("transB", 1);
  EXPECT_EQ(count_of(m.read(), OpType::kMatMul), 1);
  EXPECT_EQ(values_of(run_one(m, counting({2, 3}))), (std::vector<float>{5, 15, 16, 53}));
}

TEST(MatMulConverter, KeepsConstantWeightsAsLinear) {
  ModelBuilder m;
  m.input("x", {-1, 2, 2}).weight("w", {2, 3}, {1, 2, 3, 4, 5, 6}).output("y");
  m.node("MatMul", {"x", "w"}, {"y"});
  const ir::Graph graph = m.read();
  EXPECT_EQ(graph.value(only(graph, OpType::kLinear).inputs[1]).shape, (ir::Shape{3, 2}));
  EXPECT_EQ(values_of(run_one(m, floats({1, 2, 2}, {1, 0, 0, 1}))), (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST(MatMulConverter, TakesVectors) {
  ModelBuilder m;
  m.input("x", {-1, 3, 2}).weight("v", {2}, {1, 10}).output("y");
  m.node("MatMul", {"x", "v"}, {"y"});
  EXPECT_EQ(output_shape(m.read()), (ir::Shape{Dim::n(), 3}));
  EXPECT_EQ(values_of(run_one(m, counting({1, 3, 2}))), (std::vector<float>{10, 32, 54}));
}

TEST(EinsumConverter, ContractsTwoOperands) {
  ModelBuilder m;
  m.input("q", {-1, 2, 3, 4}).input("k", {-1, 2, 5, 4}).output("y");
  m.node("Einsum", {"q", "k"}, {"y"}).with_text("equation", "bhid, bhjd -> bhij");
  EXPECT_EQ(output_shape(m.read()), (ir::Shape{Dim::n(), 2, 3, 5}));
  ModelBuilder small;
  small.input("a", {-1, 2}).weight("w", {3, 2}, {1, 2, 3, 4, 5, 6}).output("y");
  small.node("Einsum", {"a", "w"}, {"y"}).with_text("equation", "bi,oi->ob");
  EXPECT_EQ(values_of(run_one(small, floats({1, 2}, {1, 10}))), (std::vector<float>{21, 43, 65}));
  ModelBuilder sum;
  sum.input("a", {-1, 2, 3}).output("y");
  sum.node("Einsum", {"a"}, {"y"}).with_text("equation", "bij->ib");
  EXPECT_EQ(values_of(run_one(sum, counting({1, 2, 3}))), (std::vector<float>{3, 12}));
  ModelBuilder diagonal;
  diagonal.input("a", {-1, 2, 2}).output("y");
  diagonal.node("Einsum", {"a"}, {"y"}).with_text("equation", "bii->bi");
  EXPECT_THROW(diagonal.read(), UnsupportedError);
}

TEST(ActivationConverter, ReadsClipInBothForms) {
  for (const int opset : {7, 10, 11, 13}) {
    ModelBuilder m(opset);
    m.input("x", {-1, 3}).output("y");
    m.tensor("low", {}, TensorProto::FLOAT).add_float_data(0);
    m.tensor("high", {}, TensorProto::FLOAT).add_float_data(6);
    if (opset < 11) m.node("Clip", {"x"}, {"y"}).with_real("min", 0).with_real("max", 6);
    if (opset >= 11) m.node("Clip", {"x", "low", "high"}, {"y"});
    const auto attrs = only(m.read(), OpType::kUnary).as<ir::UnaryAttrs>();
    EXPECT_EQ(attrs, (ir::UnaryAttrs{UnaryKind::kClip, 0, 6})) << opset;
  }
  ModelBuilder relu;
  relu.input("x", {-1, 3}).output("y");
  relu.tensor("low", {}, TensorProto::FLOAT).add_float_data(0);
  relu.node("Clip", {"x", "low"}, {"y"});
  EXPECT_EQ(only(relu.read(), OpType::kUnary).as<ir::UnaryAttrs>().kind, UnaryKind::kRelu);
}

TEST(ActivationConverter, UsesDefaultsOfTheStandard) {
  const auto attrs_of = [](const char* op, int opset) {
    ModelBuilder m(opset);
    m.input("x", {-1, 3}).output("y");
    m.node(op, {"x"}, {"y"});
    return only(m.read(), OpType::kUnary).as<ir::UnaryAttrs>();
  };
  EXPECT_EQ(attrs_of("LeakyRelu", 7), (ir::UnaryAttrs{UnaryKind::kLeakyRelu, 0.01F, 0}));
  EXPECT_EQ(attrs_of("HardSigmoid", 7), (ir::UnaryAttrs{UnaryKind::kHardSigmoid, 0.2F, 0.5F}));
  EXPECT_EQ(attrs_of("Elu", 7), (ir::UnaryAttrs{UnaryKind::kElu, 1, 0}));
  EXPECT_EQ(attrs_of("Gelu", 20), (ir::UnaryAttrs{UnaryKind::kGelu, 0, 0}));
  EXPECT_EQ(attrs_of("Swish", 24), (ir::UnaryAttrs{UnaryKind::kSilu, 0, 0}));
  EXPECT_EQ(attrs_of("HardSwish", 14).kind, UnaryKind::kHardSwish);
}

TEST(ActivationConverter, DecomposesWhatHasNoKind) {
  const Tensor x = floats({1, 5}, {-2, -0.4F, 0, 0.4F, 2});
  ModelBuilder threshold;
  threshold.input("x", {-1, 5}).output("y");
  threshold.node("ThresholdedRelu", {"x"}, {"y"}).with_real("alpha", 1);
  EXPECT_EQ(values_of(run_one(threshold, x)), (std::vector<float>{0, 0, 0, 0, 2}));
  ModelBuilder shrink;
  shrink.input("x", {-1, 5}).output("y");
  shrink.node("Shrink", {"x"}, {"y"}).with_real("bias", 1.5F);
  EXPECT_EQ(values_of(run_one(shrink, x)), (std::vector<float>{-0.5F, 0, 0, 0, 0.5F}));
}

TEST(ElementwiseConverter, ChainsVariadics) {
  const auto run = [](const char* op) {
    ModelBuilder m;
    m.input("x", {-1, 2}).weight("a", {2}, {1, 8}).weight("b", {1}, {3}).output("y");
    m.node(op, {"x", "a", "b"}, {"y"});
    return values_of(m.run({floats({1, 2}, {2, 4})})[0]);
  };
  EXPECT_EQ(run("Sum"), (std::vector<float>{6, 15}));
  EXPECT_EQ(run("Max"), (std::vector<float>{3, 8}));
  EXPECT_EQ(run("Min"), (std::vector<float>{1, 3}));
  EXPECT_EQ(run("Mean"), (std::vector<float>{2, 5}));
}

TEST(ElementwiseConverter, CastsExponentsAndRefusesNarrowCasts) {
  ModelBuilder m;
  m.input("x", {-1, 2}).int_scalar("two", 2).output("y");
  m.node("Pow", {"x", "two"}, {"y"});
  EXPECT_EQ(values_of(run_one(m, floats({1, 2}, {3, -4}))), (std::vector<float>{9, 16}));
  ModelBuilder narrow;
  narrow.input("x", {-1, 2}).output("y");
  narrow.node("Cast", {"x"}, {"y"}).with("to", TensorProto::UINT16);
  EXPECT_THAT(narrow.error(), HasSubstr("casting to uint16"));
  ModelBuilder half;
  half.input("x", {-1, 2}, TensorProto::FLOAT16).output("y");
  half.node("Cast", {"x"}, {"c"}).with("to", TensorProto::FLOAT);
  half.node("Relu", {"c"}, {"y"});
  EXPECT_EQ(half.read().node_count(), 1U);
}

TEST(ElementwiseConverter, DropsDropout) {
  for (const int opset : {7, 12, 17}) {
    ModelBuilder m(opset);
    m.input("x", {-1, 2}).output("y");
    m.node("Dropout", {"x"}, {"d", "mask"});
    m.node("Relu", {"d"}, {"y"});
    EXPECT_EQ(m.read().node_count(), 1U);
  }
  ModelBuilder mask;
  mask.input("x", {-1, 2}).output("mask");
  mask.node("Dropout", {"x"}, {"d", "mask"});
  EXPECT_THROW(mask.read(), UnsupportedError);
}

TEST(NormConverter, RefusesTrainingMode) {
  ModelBuilder m;
  m.input("x", {-1, 2, 4}).ramp("p", {2}).output("y");
  m.node("BatchNormalization", {"x", "p", "p", "p", "p"}, {"y"}).with("training_mode", 1);
  EXPECT_THAT(m.error(), HasSubstr("model.eval()"));
}

TEST(NormConverter, SoftmaxFlattensBeforeOpset13) {
  const Tensor x = counting({1, 2, 3}, 0.5F);
  const auto run = [&](int opset, std::int64_t axis) {
    ModelBuilder m(opset);
    m.input("x", {-1, 2, 3}).output("y");
    m.node("Softmax", {"x"}, {"y"}).with("axis", axis);
    return values_of(m.run({x})[0]);
  };
  float sum = 0;
  for (const float v : run(11, 1)) sum += v;
  EXPECT_NEAR(sum, 1, 1e-6);  // over both axes
  sum = 0;
  for (const float v : run(13, 1)) sum += v;
  EXPECT_NEAR(sum, 3, 1e-6);  // over axis 1 alone
  EXPECT_EQ(run(11, 2), run(13, -1));
}

TEST(NormConverter, GroupNormalizationChangedItsScales) {
  const Tensor x = counting({1, 4, 2});
  ModelBuilder old(18);
  old.input("x", {-1, 4, 2}).weight("s", {2}, {1, 2}).weight("b", {2}, {0, 1}).output("y");
  old.node("GroupNormalization", {"x", "s", "b"}, {"y"}).with("num_groups", 2);
  ModelBuilder now(21);
  now.input("x", {-1, 4, 2}).weight("s", {4}, {1, 1, 2, 2}).weight("b", {4}, {0, 0, 1, 1}).output("y");
  now.node("GroupNormalization", {"x", "s", "b"}, {"y"}).with("num_groups", 2);
  EXPECT_EQ(values_of(run_one(old, x)), values_of(run_one(now, x)));
}

TEST(NormConverter, DecomposesRmsLpAndLrn) {
  const Tensor x = floats({1, 2}, {3, 4});
  ModelBuilder rms(23);
  rms.input("x", {-1, 2}).weight("s", {2}, {1, 2}).output("y");
  rms.node("RMSNormalization", {"x", "s"}, {"y"}).with_real("epsilon", 0);
  const float root = std::sqrt(12.5F);
  EXPECT_THAT(values_of(run_one(rms, x)), Pointwise(FloatNear(1e-6F), std::vector<float>{3 / root, 8 / root}));
  ModelBuilder lp;
  lp.input("x", {-1, 2}).output("y");
  lp.node("LpNormalization", {"x"}, {"y"});
  EXPECT_THAT(values_of(run_one(lp, x)), Pointwise(FloatNear(1e-6F), std::vector<float>{0.6F, 0.8F}));
  ModelBuilder lrn;
  lrn.input("x", {-1, 3, 1, 1}).output("y");
  lrn.node("LRN", {"x"}, {"y"}).with("size", 3).with_real("alpha", 3).with_real("beta", 1);
  // x / (1 + sum of the neighbours' squares)
  EXPECT_THAT(values_of(run_one(lrn, floats({1, 3, 1, 1}, {1, 2, 3}))),
              Pointwise(FloatNear(1e-6F), std::vector<float>{1.0F / 6, 2.0F / 15, 3.0F / 14}));
}

TEST(MicrosoftConverter, KnowsTheFusedOperators) {
  ModelBuilder m;
  m.input("x", {-1, 2}).ramp("b", {2}).weight("s", {2}, {1, 1}).output("y");
  m.node("BiasGelu", {"x", "b"}, {"g"}).domain("com.microsoft");
  m.node("SkipLayerNormalization", {"g", "x", "s", "b"}, {"y"}).domain("com.microsoft");
  const ir::Graph graph = m.read();
  EXPECT_EQ(count_of(graph, OpType::kLayerNorm), 1);
  EXPECT_EQ(only(graph, OpType::kUnary).as<ir::UnaryAttrs>().kind, UnaryKind::kGelu);
}

TEST(AttentionConverter, SplitsPackedHeads) {
  ModelBuilder m(23);
  m.input("q", {-1, 5, 8}).output("y");
  m.node("Attention", {"q", "q", "q"}, {"y"}).with("q_num_heads", 2).with("kv_num_heads", 2);
  const ir::Graph graph = m.read();
  EXPECT_EQ(output_shape(graph), (ir::Shape{Dim::n(), 5, 8}));
  EXPECT_FLOAT_EQ(only(graph, OpType::kAttention).as<ir::AttentionAttrs>().scale, 0.5F);
}

}  // namespace
}  // namespace xinfer::onnx
