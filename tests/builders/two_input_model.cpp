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

}  // namespace

void write_two_input_model(const std::string& path) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name("two_inputs");
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

}  // namespace xinfer::builders::testing
