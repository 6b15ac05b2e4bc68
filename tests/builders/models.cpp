#include "builders/helpers.h"
#include "onnx/proto.h"

namespace xinfer::builders::testing {
namespace {

void add_value(onnx::ValueInfoProto& info, const std::string& name, std::int64_t width) {
  info.set_name(name);
  auto& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  type.mutable_shape()->add_dim()->set_dim_param("batch");
  type.mutable_shape()->add_dim()->set_dim_value(width);
}

void add_weights(onnx::GraphProto& graph, const std::string& name, const Tensor& tensor) {
  auto& stored = *graph.add_initializer();
  stored.set_name(name);
  stored.set_data_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t dim : tensor.shape()) stored.add_dims(dim);
  for (const float value : tensor.data<float>()) stored.add_float_data(value);
}

void add_node(onnx::GraphProto& graph, const std::string& op, const std::string& name,
              const std::vector<std::string>& inputs, const std::string& output) {
  auto& node = *graph.add_node();
  node.set_op_type(op);
  node.set_name(name);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(output);
}

onnx::ModelProto new_model(const std::string& name) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  model.mutable_graph()->set_name(name);
  return model;
}

}  // namespace

void write_two_input_model(const std::string& path) {
  onnx::ModelProto model = new_model("two_inputs");
  onnx::GraphProto& graph = *model.mutable_graph();
  std::uint32_t seed = 10;
  for (const std::string side : {"left", "right"}) {
    add_value(*graph.add_input(), side, 8);
    add_weights(graph, side + "_w", random_tensor({8, 16}, seed++));
    add_weights(graph, side + "_b", random_tensor({16}, seed++));
    add_node(graph, "Gemm", side + "_fc", {side, side + "_w", side + "_b"}, side + "_hidden");
    add_node(graph, "Relu", side + "_relu", {side + "_hidden"}, side + "_active");
  }
  add_node(graph, "Add", "add", {"left_active", "right_active"}, "sum");
  add_weights(graph, "head_w", random_tensor({16, 4}, seed++));
  add_weights(graph, "head_b", random_tensor({4}, seed++));
  add_node(graph, "Gemm", "head", {"sum", "head_w", "head_b"}, "scores");
  add_value(*graph.add_output(), "scores", 4);
  write_file_atomically(path, model.SerializeAsString());
}

void write_outlier_model(const std::string& path) {
  onnx::ModelProto model = new_model("outlier");
  onnx::GraphProto& graph = *model.mutable_graph();
  constexpr std::int64_t kWidth = 16;
  constexpr std::int64_t kLoud = 3;
  Tensor first = random_tensor({8, kWidth}, 20);
  Tensor second = random_tensor({kWidth, kWidth}, 21);
  for (std::int64_t i = 0; i < 8; ++i) first.data<float>()[static_cast<std::size_t>(i * kWidth + kLoud)] *= 1000;
  for (std::int64_t i = 0; i < kWidth; ++i) second.data<float>()[static_cast<std::size_t>(kLoud * kWidth + i)] /= 1000;
  add_value(*graph.add_input(), "x", 8);
  add_weights(graph, "first_w", first);
  add_weights(graph, "second_w", second);
  add_weights(graph, "head_w", random_tensor({kWidth, 4}, 22));
  add_node(graph, "MatMul", "first", {"x", "first_w"}, "first_sums");
  add_node(graph, "Relu", "first_relu", {"first_sums"}, "loud");
  add_node(graph, "MatMul", "second", {"loud", "second_w"}, "second_sums");
  add_node(graph, "Relu", "second_relu", {"second_sums"}, "even");
  add_node(graph, "MatMul", "head", {"even", "head_w"}, "scores");
  add_value(*graph.add_output(), "scores", 4);
  write_file_atomically(path, model.SerializeAsString());
}

void write_large_topk_model(const std::string& path) {
  onnx::ModelProto model = new_model("large_topk");
  onnx::GraphProto& graph = *model.mutable_graph();
  add_value(*graph.add_input(), "x", 6000);
  auto& k = *graph.add_initializer();
  k.set_name("k");
  k.set_data_type(onnx::TensorProto::INT64);
  k.add_dims(1);
  k.add_int64_data(5000);
  add_node(graph, "TopK", "best", {"x", "k"}, "values");
  graph.mutable_node(0)->add_output("places");
  add_weights(graph, "head_w", random_tensor({5000, 4}, 30));
  add_node(graph, "MatMul", "head", {"values", "head_w"}, "scores");
  add_value(*graph.add_output(), "scores", 4);
  add_value(*graph.add_output(), "places", 5000);
  graph.mutable_output(1)->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::INT64);
  write_file_atomically(path, model.SerializeAsString());
}

}  // namespace xinfer::builders::testing
