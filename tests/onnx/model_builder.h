#pragma once
// Builds small ONNX models for the reader's tests.

#include <fmt/format.h>

#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include "onnx/proto.h"
#include "onnx/reader.h"
#include "reference/reference.h"

namespace xinfer::onnx {

/// A node under construction; attributes by type.
class NodeBuilder {
 public:
  explicit NodeBuilder(NodeProto* node) : node_(node) {}
  NodeBuilder& with(const std::string& name, std::int64_t value) {
    AttributeProto* const a = add(name, AttributeProto::INT);
    a->set_i(value);
    return *this;
  }
  NodeBuilder& with_real(const std::string& name, float value) {
    add(name, AttributeProto::FLOAT)->set_f(value);
    return *this;
  }
  NodeBuilder& with_text(const std::string& name, const std::string& value) {
    add(name, AttributeProto::STRING)->set_s(value);
    return *this;
  }
  NodeBuilder& with_ints(const std::string& name, const std::vector<std::int64_t>& values) {
    AttributeProto* const a = add(name, AttributeProto::INTS);
    for (const std::int64_t v : values) a->add_ints(v);
    return *this;
  }
  NodeBuilder& with_reals(const std::string& name, const std::vector<float>& values) {
    AttributeProto* const a = add(name, AttributeProto::FLOATS);
    for (const float v : values) a->add_floats(v);
    return *this;
  }
  NodeBuilder& domain(const std::string& name) {
    node_->set_domain(name);
    return *this;
  }
  NodeProto& proto() { return *node_; }

 private:
  AttributeProto* add(const std::string& name, AttributeProto::AttributeType type) {
    AttributeProto* const a = node_->add_attribute();
    a->set_name(name);
    a->set_type(type);
    return a;
  }
  NodeProto* node_;
};

class ModelBuilder {
 public:
  explicit ModelBuilder(int opset = 17) {
    model.set_ir_version(8);
    model.add_opset_import()->set_version(opset);
    model.mutable_graph()->set_name("test");
  }
  GraphProto& graph() { return *model.mutable_graph(); }

  /// An input; a dimension below 0 is the symbol "d<index>".
  ModelBuilder& input(const std::string& name, const std::vector<std::int64_t>& dims, int type = TensorProto::FLOAT) {
    ValueInfoProto* const info = graph().add_input();
    info->set_name(name);
    auto* const tensor = info->mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(type);
    tensor->mutable_shape();
    for (std::size_t i = 0; i < dims.size(); ++i) {
      auto* const dim = tensor->mutable_shape()->add_dim();
      if (dims[i] < 0) dim->set_dim_param(fmt::format("d{}", i));
      if (dims[i] >= 0) dim->set_dim_value(dims[i]);
    }
    return *this;
  }
  ModelBuilder& output(const std::string& name) {
    graph().add_output()->set_name(name);
    return *this;
  }
  TensorProto& tensor(const std::string& name, const std::vector<std::int64_t>& dims, int type) {
    TensorProto& t = *graph().add_initializer();
    t.set_name(name);
    t.set_data_type(type);
    for (const std::int64_t d : dims) t.add_dims(d);
    return t;
  }
  ModelBuilder& weight(const std::string& name, const std::vector<std::int64_t>& dims,
                       const std::vector<float>& values) {
    TensorProto& t = tensor(name, dims, TensorProto::FLOAT);
    for (const float v : values) t.add_float_data(v);
    return *this;
  }
  /// Counts up: 0, 1, 2, ... times `step`.
  ModelBuilder& ramp(const std::string& name, const std::vector<std::int64_t>& dims, float step = 1) {
    std::vector<float> values(static_cast<std::size_t>(element_count(dims)));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = step * static_cast<float>(i);
    return weight(name, dims, values);
  }
  ModelBuilder& ints(const std::string& name, const std::vector<std::int64_t>& values) {
    TensorProto& t = tensor(name, {static_cast<std::int64_t>(values.size())}, TensorProto::INT64);
    for (const std::int64_t v : values) t.add_int64_data(v);
    return *this;
  }
  ModelBuilder& int_scalar(const std::string& name, std::int64_t value) {
    tensor(name, {}, TensorProto::INT64).add_int64_data(value);
    return *this;
  }
  NodeBuilder node(const std::string& op, const std::vector<std::string>& inputs,
                   const std::vector<std::string>& outputs) {
    NodeProto* const n = graph().add_node();
    n->set_op_type(op);
    n->set_name(fmt::format("{}_{}", op, graph().node_size()));
    for (const std::string& i : inputs) n->add_input(i);
    for (const std::string& o : outputs) n->add_output(o);
    return NodeBuilder(n);
  }
  std::string bytes() const { return model.SerializeAsString(); }
  ir::Graph read(const ReadOptions& options = {}) const {
    const std::string data = bytes();
    return read_bytes(data.data(), data.size(), "test.onnx", options);
  }
  /// Reads and computes the model; the outputs, in order.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs) const { return reference::run(read(), inputs); }
  /// what() of the error that reading throws; empty when it throws none.
  std::string error(const ReadOptions& options = {}) const {
    try {
      read(options);
      return "";
    } catch (const std::exception& e) {
      return e.what();
    }
  }

  ModelProto model;
};

inline Tensor floats(const std::vector<std::int64_t>& shape, const std::vector<float>& values) {
  return Tensor::from<float>(shape, values);
}
/// 0, 1, 2, ... times `step`, plus `start`.
inline Tensor counting(const std::vector<std::int64_t>& shape, float step = 1, float start = 0) {
  Tensor t(DataType::kFloat32, shape);
  for (std::size_t i = 0; i < t.data<float>().size(); ++i) t.data<float>()[i] = start + step * static_cast<float>(i);
  return t;
}
inline std::vector<float> values_of(const Tensor& tensor) {
  return {tensor.data<float>().begin(), tensor.data<float>().end()};
}
inline std::vector<std::int64_t> integers_of(const Tensor& tensor) {
  return {tensor.data<std::int64_t>().begin(), tensor.data<std::int64_t>().end()};
}
inline ir::Shape output_shape(const ir::Graph& graph, std::size_t index = 0) {
  return graph.value(graph.outputs()[index]).shape;
}
inline int count_of(const ir::Graph& graph, ir::OpType op) {
  int count = 0;
  for (const ir::NodeId id : graph.order()) count += graph.node(id).op == op ? 1 : 0;
  return count;
}

}  // namespace xinfer::onnx
