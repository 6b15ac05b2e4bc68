// Files, versions, inputs, and what error messages say.
#include "onnx/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "ir/verifier.h"
#include "model_builder.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::Dim;
using ir::OpType;
using ::testing::AllOf;
using ::testing::HasSubstr;

ModelBuilder relu_model(int opset = 17) {
  ModelBuilder m(opset);
  m.input("x", {-1, 4}).output("y");
  m.node("Relu", {"x"}, {"y"});
  return m;
}

std::string error_of(const std::string& path) {
  try {
    read(path);
    return "";
  } catch (const ModelError& e) {
    return e.what();
  }
}

TEST(Reader, ReadsARealModel) {
  const ir::Graph graph = read(XINFER_SOURCE_DIR "/models/fashion_mobilenet_v2.onnx");
  EXPECT_EQ(graph.value(graph.inputs()[0]).shape, (ir::Shape{Dim::n(), 3, 32, 32}));
  EXPECT_EQ(output_shape(graph), (ir::Shape{Dim::n(), 10}));
  EXPECT_EQ(count_of(graph, OpType::kConv), 52);
  EXPECT_NO_THROW(ir::verify(graph, "after reading"));
}

TEST(Reader, NamesMissingEmptyForeignFilesAndFolders) {
  const auto folder = std::filesystem::temp_directory_path() / "xinfer_reader_test";
  std::filesystem::create_directories(folder);
  const std::string empty = folder / "empty.onnx";
  const std::string foreign = folder / "foreign.onnx";
  std::ofstream(empty).close();
  std::ofstream(foreign) << "this is a text, and no model at all";
  EXPECT_THAT(error_of(folder / "absent.onnx"), HasSubstr("absent.onnx"));
  EXPECT_THAT(error_of(folder), HasSubstr(folder.string()));
  EXPECT_THAT(error_of(empty), AllOf(HasSubstr(empty), HasSubstr("empty")));
  EXPECT_THAT(error_of(foreign), AllOf(HasSubstr(foreign), HasSubstr("not a valid ONNX model")));
  std::filesystem::remove_all(folder);
}

TEST(Reader, ChecksOpsetVersions) {
  EXPECT_THROW(relu_model(6).read(), UnsupportedError);
  EXPECT_THROW(relu_model(kMaxOpset + 1).read(), UnsupportedError);
  EXPECT_THAT(relu_model(kMaxOpset + 1).error(), HasSubstr("export the model with opset_version=24"));
  EXPECT_NO_THROW(relu_model(kMinOpset).read());
  EXPECT_NO_THROW(relu_model(kMaxOpset).read());
  ModelBuilder none = relu_model();
  none.model.clear_opset_import();
  EXPECT_THAT(none.error(), HasSubstr("opset_import"));
  ModelBuilder two = relu_model();
  two.model.add_opset_import()->set_version(13);
  EXPECT_THROW(two.read(), ModelError);
}

TEST(Reader, TurnsALeadingOneIntoTheBatchWhereThatWorks) {
  ModelBuilder m;
  m.input("x", {1, 2, 3}).ints("target", {1, 6}).ramp("w", {6, 4}).output("y");
  m.node("Reshape", {"x", "target"}, {"flat"});
  m.node("MatMul", {"flat", "w"}, {"y"});
  EXPECT_EQ(output_shape(m.read()), (ir::Shape{Dim::n(), 4}));
  ReadOptions fixed;
  fixed.symbolic_batch = false;
  EXPECT_EQ(output_shape(m.read(fixed)), (ir::Shape{1, 4}));
}

TEST(Reader, KeepsALeadingOneThatTheModelReliesOn) {
  ModelBuilder m;
  m.input("x", {1, 3}).output("y");
  m.node("ReduceSum", {"x"}, {"y"}).with("keepdims", 1);  // over all axes, so over the batch too
  EXPECT_EQ(m.read().value(m.read().inputs()[0]).shape, (ir::Shape{1, 3}));
  ModelBuilder squeeze;
  squeeze.input("x", {1, 3}).ints("axes", {0}).output("y");
  squeeze.node("Squeeze", {"x", "axes"}, {"y"});
  EXPECT_EQ(output_shape(squeeze.read()), (ir::Shape{3}));
}

TEST(Reader, AsksForOpenDimensions) {
  ModelBuilder m;
  m.input("image", {-1, 3, -1, -1}).output("y");
  m.node("Relu", {"image"}, {"y"});
  EXPECT_THAT(m.error(), AllOf(HasSubstr("[d0, 3, d2, d3]"), HasSubstr("--shape image=Nx3x224x224")));
  ReadOptions options;
  options.input_shapes["image"] = {-1, 3, 8, 8};
  EXPECT_EQ(output_shape(m.read(options)), (ir::Shape{Dim::n(), 3, 8, 8}));
  options.input_shapes["image"] = {-1, 3, 8};
  EXPECT_THAT(m.error(options), HasSubstr("3 dimensions"));
  ReadOptions wrong;
  wrong.input_shapes["picture"] = {-1, 3, 8, 8};
  wrong.input_shapes["image"] = {-1, 3, 8, 8};
  EXPECT_THAT(m.error(wrong), AllOf(HasSubstr("'picture'"), HasSubstr("image")));
}

TEST(Reader, ListsAllUnsupportedNodesAtOnce) {
  ModelBuilder m;
  m.input("x", {-1, 4}).output("y");
  m.node("LSTM", {"x"}, {"a"});
  m.node("Relu", {"a"}, {"b"});
  m.node("Frobnicate", {"b"}, {"c"});
  m.node("Frobnicate", {"c"}, {"d"});
  m.node("Special", {"d"}, {"y"}).domain("my.own");
  EXPECT_THROW(m.read(), UnsupportedError);
  EXPECT_THAT(m.error(), AllOf(HasSubstr("test.onnx: 3 operators"), HasSubstr("LSTM x1"), HasSubstr("Frobnicate x2"),
                               HasSubstr("'Frobnicate_3'"), HasSubstr("my.own.Special")));
}

TEST(Reader, IgnoresWhatNothingNeeds) {
  ModelBuilder m = relu_model();
  m.node("Frobnicate", {"x"}, {"unused"});
  m.tensor("damaged", {5}, TensorProto::FLOAT);
  EXPECT_EQ(m.read().node_count(), 1U);
}

TEST(Reader, NamesTheNodeThatDoesNotFit) {
  ModelBuilder m;
  m.input("x", {-1, 3, 8, 8}).ramp("w", {4, 5, 3, 3}).output("y");
  m.node("Conv", {"x", "w"}, {"y"});
  EXPECT_THAT(m.error(), HasSubstr("test.onnx: node 'Conv_1' (Conv): "));
}

TEST(Reader, RefusesBrokenGraphs) {
  ModelBuilder cycle;
  cycle.input("x", {-1, 4}).output("b");
  cycle.node("Add", {"x", "b"}, {"a"});
  cycle.node("Relu", {"a"}, {"b"});
  EXPECT_THAT(cycle.error(), HasSubstr("cycle"));
  ModelBuilder twice = relu_model();
  twice.node("Tanh", {"x"}, {"y"});
  EXPECT_THAT(twice.error(), HasSubstr("made by two nodes"));
  ModelBuilder missing;
  missing.input("x", {-1, 4}).output("y");
  missing.node("Add", {"x", "ghost"}, {"y"});
  EXPECT_THAT(missing.error(), HasSubstr("'ghost' is made by no node"));
  ModelBuilder absent;
  absent.input("x", {-1, 4}).output("y");
  absent.node("Add", {"", "x"}, {"y"});
  EXPECT_THAT(absent.error(), HasSubstr("input 0 is missing"));
  ModelBuilder shadow = relu_model();
  shadow.graph().mutable_node(0)->set_output(0, "x");
  shadow.graph().mutable_output(0)->set_name("x");
  EXPECT_THROW(shadow.read(), ModelError);
  ModelBuilder type = relu_model();
  type.graph().mutable_node(0)->set_op_type("Softmax");
  NodeBuilder(type.graph().mutable_node(0)).with_text("axis", "last");
  EXPECT_THAT(type.error(), AllOf(HasSubstr("'axis'"), HasSubstr("STRING"), HasSubstr("INT")));
}

TEST(Reader, InlinesABranchWithAKnownCondition) {
  ModelBuilder m;
  m.input("x", {-1, 4}).output("y");
  m.tensor("yes", {}, TensorProto::BOOL).add_int32_data(1);
  NodeProto& node = m.node("If", {"yes"}, {"y"}).proto();
  for (const char* const name : {"then_branch", "else_branch"}) {
    AttributeProto* const a = node.add_attribute();
    a->set_name(name);
    a->set_type(AttributeProto::GRAPH);
    NodeProto* const inner = a->mutable_g()->add_node();
    inner->set_op_type(name[0] == 't' ? "Relu" : "Loop");
    inner->add_input("x");
    inner->add_output("inner");
    a->mutable_g()->add_output()->set_name("inner");
  }
  EXPECT_EQ(count_of(m.read(), OpType::kUnary), 1);
  m.graph().mutable_initializer(0)->set_int32_data(0, 0);
  EXPECT_THAT(m.error(), HasSubstr("Loop x1"));
}

TEST(Reader, GivesOutputsTheirNames) {
  ModelBuilder m;
  m.input("x", {-1, 4}).output("same").output("y").output("again");
  m.node("Identity", {"x"}, {"same"});
  m.node("Relu", {"x"}, {"y"});
  m.node("Identity", {"y"}, {"again"});
  const ir::Graph graph = m.read();
  EXPECT_EQ(graph.output_names(), (std::vector<std::string>{"same", "y", "again"}));
  EXPECT_NO_THROW(ir::verify(graph, "after reading"));
  const auto out = reference::run(graph, std::vector<Tensor>{floats({1, 4}, {-1, 2, -3, 4})});
  EXPECT_EQ(values_of(out[0]), (std::vector<float>{-1, 2, -3, 4}));
  EXPECT_EQ(values_of(out[2]), (std::vector<float>{0, 2, 0, 4}));
}

}  // namespace
}  // namespace xinfer::onnx
