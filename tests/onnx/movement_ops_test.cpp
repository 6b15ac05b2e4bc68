// Shapes, data movement, reductions, resizing: opset versions, symbolic targets, values.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model_builder.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::Dim;
using ir::OpType;
using ::testing::HasSubstr;

TEST(ShapeConverter, ResolvesReshapeTargets) {
  const auto shape_for = [](const std::vector<std::int64_t>& target, int opset = 17, int allowzero = 0) {
    ModelBuilder m(opset);
    m.input("x", {-1, 4, 6}).ints("t", target).output("y");
    auto node = m.node("Reshape", {"x", "t"}, {"y"});
    if (allowzero != 0) node.with("allowzero", 1);
    return output_shape(m.read());
  };
  EXPECT_EQ(shape_for({0, -1}), (ir::Shape{Dim::n(), 24}));
  EXPECT_EQ(shape_for({-1, 2, 12}), (ir::Shape{Dim::n(), 2, 12}));
  EXPECT_EQ(shape_for({-1, 6}), (ir::Shape{Dim::n(4), 6}));
  EXPECT_EQ(shape_for({0, 0, 2, -1}, 7), (ir::Shape{Dim::n(), 4, 2, 3}));
  EXPECT_THROW(shape_for({-1, -1}), ModelError);
  EXPECT_THROW(shape_for({-1, 5}), ModelError);
  EXPECT_THROW(shape_for({-2, 24}), ModelError);
  EXPECT_THROW(shape_for({0, -1}, 17, 1), ModelError);
  EXPECT_THROW(shape_for({2, 12}), ModelError);
}

TEST(ShapeConverter, FoldsShapeArithmetic) {
  // x.view(x.shape[0] * 4 / 2, x.shape[2] * 2), as exporters write it
  ModelBuilder m;
  m.input("x", {-1, 4, 6})
      .int_scalar("zero", 0)
      .int_scalar("two", 2)
      .int_scalar("four", 4)
      .ints("axis", {0})
      .output("y");
  m.node("Shape", {"x"}, {"s"});
  m.node("Gather", {"s", "zero"}, {"n"});
  m.node("Gather", {"s", "two"}, {"w"});
  m.node("Mul", {"n", "four"}, {"n4"});
  m.node("Div", {"n4", "two"}, {"n2"});
  m.node("Mul", {"w", "two"}, {"w2"});
  m.node("Unsqueeze", {"n2", "axis"}, {"a"});
  m.node("Unsqueeze", {"w2", "axis"}, {"b"});
  m.node("Concat", {"a", "b"}, {"t"}).with("axis", 0);
  m.node("Reshape", {"x", "t"}, {"y"});
  const ir::Graph graph = m.read();
  EXPECT_EQ(output_shape(graph), (ir::Shape{Dim::n(2), 12}));
  EXPECT_EQ(graph.node_count(), 1U);
}

TEST(ShapeConverter, ExpandsAlongTheBatch) {
  // The class token of a vision transformer: Shape, ConstantOfShape, Mul, Equal, Where, Expand.
  ModelBuilder m;
  m.input("x", {-1, 4, 6})
      .ints("first", {0})
      .ints("ones", {1, 6})
      .ints("minus", {-1})
      .ramp("token", {1, 1, 6})
      .output("y");
  m.node("Shape", {"x"}, {"s"});
  m.node("Gather", {"s", "first"}, {"n"});
  m.node("Concat", {"n", "ones"}, {"t"}).with("axis", 0);
  m.node("Shape", {"t"}, {"len"});
  m.node("ConstantOfShape", {"len"}, {"zeros"});
  m.node("Cast", {"zeros"}, {"zeros64"}).with("to", TensorProto::INT64);
  m.node("Equal", {"t", "minus"}, {"is"});
  m.node("Where", {"is", "zeros64", "t"}, {"target"});
  m.node("Expand", {"token", "target"}, {"e"});
  m.node("Concat", {"e", "x"}, {"y"}).with("axis", 1);
  EXPECT_EQ(output_shape(m.read()), (ir::Shape{Dim::n(), 5, 6}));
}

TEST(ShapeConverter, CutsShapes) {
  ModelBuilder m(15);
  m.input("x", {-1, 4, 6}).output("y");
  m.node("Shape", {"x"}, {"s"}).with("start", -2).with("end", 99);
  m.node("ConstantOfShape", {"s"}, {"c"});
  m.node("Add", {"x", "c"}, {"y"});
  EXPECT_EQ(output_shape(m.read()), (ir::Shape{Dim::n(), 4, 6}));
}

TEST(ShapeConverter, FlattensAndSqueezes) {
  ModelBuilder flat;
  flat.input("x", {-1, 4, 6}).output("y");
  flat.node("Flatten", {"x"}, {"y"}).with("axis", -1);
  EXPECT_EQ(output_shape(flat.read()), (ir::Shape{Dim::n(4), 6}));
  for (const int opset : {11, 13}) {
    ModelBuilder m(opset);
    m.input("x", {-1, 1, 6, 1}).ints("axes", {-1}).ints("front", {0, 2}).output("y");
    if (opset < 13) {
      m.node("Squeeze", {"x"}, {"s"}).with_ints("axes", {-1});
      m.node("Unsqueeze", {"s"}, {"y"}).with_ints("axes", {0, 2});
    } else {
      m.node("Squeeze", {"x", "axes"}, {"s"});
      m.node("Unsqueeze", {"s", "front"}, {"y"});
    }
    EXPECT_EQ(output_shape(m.read()), (ir::Shape{1, Dim::n(), 1, 1, 6}));
  }
  ModelBuilder wrong;
  wrong.input("x", {-1, 4}).ints("axes", {1}).output("y");
  wrong.node("Squeeze", {"x", "axes"}, {"y"});
  EXPECT_THAT(wrong.error(), HasSubstr("is not 1"));
}

TEST(MovementConverter, SlicesInBothForms) {
  const Tensor x = counting({1, 6});
  for (const int opset : {9, 10, 13}) {
    ModelBuilder m(opset);
    m.input("x", {-1, 6}).ints("s", {1}).ints("e", {-1}).ints("a", {1}).ints("st", {2}).output("y");
    if (opset < 10)
      m.node("Slice", {"x"}, {"y"}).with_ints("starts", {1}).with_ints("ends", {-1}).with_ints("axes", {1});
    if (opset >= 10) m.node("Slice", {"x", "s", "e", "a", "st"}, {"y"});
    const std::vector<float> want = opset < 10 ? std::vector<float>{1, 2, 3, 4} : std::vector<float>{1, 3};
    EXPECT_EQ(values_of(m.run({x})[0]), want);
  }
  ModelBuilder back;
  back.input("x", {-1, 6}).ints("s", {-1}).ints("e", {INT64_MIN}).ints("a", {1}).ints("st", {-2}).output("y");
  back.node("Slice", {"x", "s", "e", "a", "st"}, {"y"});
  EXPECT_EQ(values_of(back.run({x})[0]), (std::vector<float>{5, 3, 1}));
  ModelBuilder whole;
  whole.input("x", {-1, 6}).ints("s", {0}).ints("e", {INT64_MAX}).ints("a", {0}).output("y");
  whole.node("Slice", {"x", "s", "e", "a"}, {"t"});
  whole.node("Relu", {"t"}, {"y"});
  EXPECT_EQ(whole.read().node_count(), 1U);
}

TEST(MovementConverter, SplitsInAllForms) {
  const auto shapes = [](ModelBuilder& m) {
    const ir::Graph graph = m.read();
    return std::vector<ir::Shape>{output_shape(graph, 0), output_shape(graph, 1)};
  };
  ModelBuilder attribute(11);
  attribute.input("x", {-1, 5}).output("a").output("b");
  attribute.node("Split", {"x"}, {"a", "b"}).with("axis", 1).with_ints("split", {2, 3});
  ModelBuilder input(13);
  input.input("x", {-1, 5}).ints("s", {2, 3}).output("a").output("b");
  input.node("Split", {"x", "s"}, {"a", "b"}).with("axis", -1);
  const std::vector<ir::Shape> want = {{Dim::n(), 2}, {Dim::n(), 3}};
  EXPECT_EQ(shapes(attribute), want);
  EXPECT_EQ(shapes(input), want);
  ModelBuilder outputs(18);
  outputs.input("x", {-1, 5}).output("a").output("b");
  outputs.node("Split", {"x"}, {"a", "b"}).with("axis", 1).with("num_outputs", 2);
  EXPECT_EQ(shapes(outputs), (std::vector<ir::Shape>{{Dim::n(), 3}, {Dim::n(), 2}}));
  ModelBuilder uneven(13);
  uneven.input("x", {-1, 5}).output("a").output("b");
  uneven.node("Split", {"x"}, {"a", "b"}).with("axis", 1);
  EXPECT_THROW(uneven.read(), ModelError);
}

TEST(MovementConverter, PadsInAllForms) {
  const Tensor x = floats({1, 2}, {1, 2});
  ModelBuilder old(10);
  old.input("x", {-1, 2}).output("y");
  old.node("Pad", {"x"}, {"y"}).with_ints("pads", {0, 1, 0, 2}).with_real("value", 9);
  EXPECT_EQ(values_of(old.run({x})[0]), (std::vector<float>{9, 1, 2, 9, 9}));
  ModelBuilder now(18);
  now.input("x", {-1, 2}).ints("p", {1, 2}).ints("axes", {-1}).output("y");
  now.tensor("v", {}, TensorProto::FLOAT).add_float_data(9);
  now.node("Pad", {"x", "p", "v", "axes"}, {"y"});
  EXPECT_EQ(values_of(now.run({x})[0]), (std::vector<float>{9, 1, 2, 9, 9}));
  ModelBuilder edge(11);
  edge.input("x", {-1, 2}).ints("p", {0, 0, 0, 2}).output("y");
  edge.node("Pad", {"x", "p"}, {"y"}).with_text("mode", "edge");
  EXPECT_EQ(values_of(edge.run({x})[0]), (std::vector<float>{1, 2, 2, 2}));
}

TEST(MovementConverter, RearrangesBlocks) {
  const Tensor x = counting({1, 8, 1, 1});
  for (const char* const mode : {"DCR", "CRD"}) {
    ModelBuilder m;
    m.input("x", {-1, 8, 1, 1}).output("y");
    m.node("DepthToSpace", {"x"}, {"y"}).with("blocksize", 2).with_text("mode", mode);
    const std::vector<float> want =
        mode[0] == 'D' ? std::vector<float>{0, 2, 4, 6, 1, 3, 5, 7} : std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7};
    EXPECT_EQ(values_of(m.run({x})[0]), want) << mode;
  }
  ModelBuilder back;
  back.input("x", {-1, 2, 2, 2}).output("y");
  back.node("SpaceToDepth", {"x"}, {"y"}).with("blocksize", 2);
  EXPECT_EQ(values_of(back.run({counting({1, 2, 2, 2})})[0]), (std::vector<float>{0, 4, 1, 5, 2, 6, 3, 7}));
}

TEST(MovementConverter, TilesTheBatch) {
  ModelBuilder m;
  m.input("x", {-1, 3}).ints("first", {0}).ints("two", {2}).ramp("w", {1, 2}).output("y");
  m.node("Shape", {"x"}, {"s"});
  m.node("Gather", {"s", "first"}, {"n"});
  m.node("Concat", {"n", "two"}, {"r"}).with("axis", 0);
  m.node("Tile", {"w", "r"}, {"t"});
  m.node("Concat", {"x", "t"}, {"y"}).with("axis", 1);
  EXPECT_EQ(output_shape(m.read()), (ir::Shape{Dim::n(), 7}));
}

TEST(ReduceConverter, TakesAxesInBothForms) {
  const Tensor x = counting({1, 2, 3});
  for (const int opset : {11, 13, 18}) {
    ModelBuilder m(opset);
    m.input("x", {-1, 2, 3}).ints("axes", {-1}).output("s").output("m");
    if (opset < 13) m.node("ReduceSum", {"x"}, {"s"}).with_ints("axes", {-1}).with("keepdims", 0);
    if (opset >= 13) m.node("ReduceSum", {"x", "axes"}, {"s"}).with("keepdims", 0);
    if (opset < 18) m.node("ReduceMax", {"x"}, {"m"}).with_ints("axes", {-1});
    if (opset >= 18) m.node("ReduceMax", {"x", "axes"}, {"m"});
    const auto out = m.run({x});
    EXPECT_EQ(values_of(out[0]), (std::vector<float>{3, 12}));
    EXPECT_EQ(values_of(out[1]), (std::vector<float>{2, 5}));
  }
  ModelBuilder noop(18);
  noop.input("x", {-1, 2, 3}).output("y");
  noop.node("ReduceMean", {"x"}, {"y"}).with("noop_with_empty_axes", 1);
  EXPECT_EQ(values_of(noop.run({x})[0]), values_of(x));
  ModelBuilder batch;
  batch.input("x", {-1, 3}).output("y");
  batch.node("ReduceMean", {"x"}, {"y"}).with_ints("axes", {0});
  EXPECT_THROW(batch.read(), UnsupportedError);
}

TEST(ReduceConverter, FindsLargest) {
  const Tensor x = floats({1, 4}, {1, 7, 7, 3});
  ModelBuilder last(12);
  last.input("x", {-1, 4}).output("y");
  last.node("ArgMax", {"x"}, {"y"}).with("axis", 1).with("select_last_index", 1);
  EXPECT_EQ(integers_of(last.run({x})[0]), (std::vector<std::int64_t>{2}));
  for (const int opset : {9, 11}) {
    ModelBuilder m(opset);
    m.input("x", {-1, 4}).ints("k", {2}).output("v").output("i");
    if (opset < 10) m.node("TopK", {"x"}, {"v", "i"}).with("k", 2);
    if (opset >= 10) m.node("TopK", {"x", "k"}, {"v", "i"});
    EXPECT_EQ(integers_of(m.run({x})[1]), (std::vector<std::int64_t>{1, 2}));
  }
}

TEST(ResizeConverter, ReadsAllVersions) {
  const auto attrs_of = [](ModelBuilder& m) {
    const ir::Graph graph = m.read();
    return graph.node(graph.order().front()).as<ir::ResizeAttrs>();
  };
  ModelBuilder seven(7);
  seven.input("x", {-1, 1, 2, 3}).output("y");
  seven.node("Upsample", {"x"}, {"y"}).with_reals("scales", {1, 1, 2, 2});
  EXPECT_EQ(attrs_of(seven).coordinates, ir::CoordinateMode::kAsymmetric);
  EXPECT_EQ(attrs_of(seven).sizes, (std::vector<std::int64_t>{4, 6}));
  ModelBuilder ten(10);
  ten.input("x", {-1, 1, 2, 3}).weight("s", {4}, {1, 1, 2, 2}).output("y");
  ten.node("Resize", {"x", "s"}, {"y"});
  EXPECT_EQ(attrs_of(ten).nearest, ir::NearestMode::kFloor);
  ModelBuilder eleven(11);
  eleven.input("x", {-1, 1, 2, 3}).ints("roi", {}).weight("s", {4}, {1, 1, 1.5F, 2}).output("y");
  eleven.node("Resize", {"x", "roi", "s"}, {"y"}).with_text("mode", "linear");
  EXPECT_EQ(attrs_of(eleven).coordinates, ir::CoordinateMode::kHalfPixel);
  EXPECT_EQ(attrs_of(eleven).sizes, (std::vector<std::int64_t>{3, 6}));
  ModelBuilder eighteen(18);
  eighteen.input("x", {-1, 1, 2, 4}).ints("z", {8, 8}).output("y");
  eighteen.node("Resize", {"x", "", "", "z"}, {"y"})
      .with_ints("axes", {2, 3})
      .with_text("keep_aspect_ratio_policy", "not_larger");
  EXPECT_EQ(attrs_of(eighteen).sizes, (std::vector<std::int64_t>{4, 8}));
  ModelBuilder crop(11);
  crop.input("x", {-1, 1, 2, 4}).weight("s", {4}, {1, 1, 2, 2}).output("y");
  crop.node("Resize", {"x", "", "s"}, {"y"}).with_text("coordinate_transformation_mode", "tf_crop_and_resize");
  EXPECT_THROW(crop.read(), UnsupportedError);
}

TEST(ResizeConverter, TakesSizesThatContainTheBatch) {
  ModelBuilder m(13);
  m.input("x", {-1, 2, 4, 4}).ints("z", {8, 8}).ints("a", {0}).ints("b", {2}).output("y");
  m.node("Shape", {"x"}, {"s"});
  m.node("Slice", {"s", "a", "b"}, {"lead"});
  m.node("Concat", {"lead", "z"}, {"sizes"}).with("axis", 0);
  m.node("Resize", {"x", "", "", "sizes"}, {"y"});
  EXPECT_EQ(output_shape(m.read()), (ir::Shape{Dim::n(), 2, 8, 8}));
}

TEST(FillConverter, MakesConstants) {
  ModelBuilder m;
  m.input("x", {-1, 3, 3}).int_scalar("k", 0).output("upper").output("ranged");
  m.node("Trilu", {"x", "k"}, {"upper"});
  m.node("Constant", {}, {"start"}).with("value_int", 2);
  m.node("Constant", {}, {"limit"}).with("value_int", 5);
  m.node("Constant", {}, {"step"}).with("value_int", 1);
  m.node("Range", {"start", "limit", "step"}, {"r"});
  m.node("Cast", {"r"}, {"f"}).with("to", TensorProto::FLOAT);
  m.node("Add", {"x", "f"}, {"ranged"});
  const auto out = m.run({counting({1, 3, 3}, 1, 1)});
  EXPECT_EQ(values_of(out[0]), (std::vector<float>{1, 2, 3, 0, 5, 6, 0, 0, 9}));
  EXPECT_EQ(values_of(out[1]), (std::vector<float>{3, 5, 7, 6, 8, 10, 9, 11, 13}));
}

TEST(FillConverter, EncodesOneHot) {
  ModelBuilder m;
  m.input("x", {-1, 2}, TensorProto::INT64).int_scalar("d", 3).weight("v", {2}, {0, 5}).output("y");
  m.node("OneHot", {"x", "d", "v"}, {"y"});
  const Tensor x = Tensor::from<std::int64_t>({1, 2}, std::vector<std::int64_t>{1, -1});
  EXPECT_EQ(values_of(m.run({x})[0]), (std::vector<float>{0, 5, 0, 0, 0, 5}));
}

}  // namespace
}  // namespace xinfer::onnx
