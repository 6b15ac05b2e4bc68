#include "onnx/context.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ir/shape_values.h"
#include "onnx/tensor_proto.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

/// The graph names its node in front of the reason; the importer names the ONNX node, which is what the user knows.
std::string without_node(const std::string& message) {
  const std::size_t end = message.find("): ");
  return message.starts_with("node '") && end != std::string::npos ? message.substr(end + 3) : message;
}

void check_size(const ir::Value& value) {
  std::int64_t count = 1;
  for (const ir::Dim& d : value.shape) {
    if (d.value < 0 || d.value > kMaxElements || __builtin_mul_overflow(count, d.value, &count) ||
        count > kMaxElements) {
      throw ModelError(fmt::format("the result's shape {} is not usable", ir::to_string(value.shape)));
    }
  }
}

template <class T>
std::vector<std::int64_t> as_integers(const Tensor& tensor) {
  const auto data = tensor.data<T>();
  return {data.begin(), data.end()};
}

}  // namespace

NodeContext::NodeContext(ReadState& state, const NodeProto& node, std::vector<ir::ValueId> inputs,
                         std::vector<bool> used)
    : state_(state),
      node_(node),
      attributes_(node),
      name_(!node.name().empty()     ? node.name()
            : node.output_size() > 0 ? fmt::format("{}_{}", node.op_type(), node.output(0))
                                     : node.op_type()),
      inputs_(std::move(inputs)),
      used_(std::move(used)),
      results_(used_.size(), ir::kNone) {}

// -- Inputs -----------------------------------------------------------------------------------------------------

ir::ValueId NodeContext::input(std::size_t index) const {
  if (!has(index)) throw ModelError(fmt::format("input {} is missing", index));
  return inputs_[index];
}

void NodeContext::expect_inputs(std::size_t low, std::size_t high) const {
  if (inputs_.size() < low || inputs_.size() > high) {
    throw ModelError(low == high ? fmt::format("it has {} inputs instead of {}", inputs_.size(), low)
                                 : fmt::format("it has {} inputs instead of {} to {}", inputs_.size(), low, high));
  }
}

std::int64_t NodeContext::fixed_dim(ir::ValueId id, std::size_t axis) const {
  if (axis >= rank(id)) {
    throw ModelError(fmt::format("'{}' has rank {}, too low for axis {}", state_.graph.value(id).name, rank(id), axis));
  }
  const ir::Dim& dim = shape(id)[axis];
  if (!dim.is_constant()) {
    throw UnsupportedError(fmt::format("axis {} of '{}' {} depends on the batch", axis, state_.graph.value(id).name,
                                       ir::to_string(shape(id))));
  }
  return dim.value;
}

std::vector<std::int64_t> NodeContext::axes(const std::vector<std::int64_t>& given, std::size_t rank) const {
  std::vector<std::int64_t> result;
  for (const std::int64_t a : given) result.push_back(static_cast<std::int64_t>(axis(a, rank)));
  std::sort(result.begin(), result.end());
  const auto repeat = std::adjacent_find(result.begin(), result.end());
  if (repeat != result.end()) throw ModelError(fmt::format("axis {} is named twice", *repeat));
  return result;
}

// -- Contents of inputs -----------------------------------------------------------------------------------------

Tensor NodeContext::constant(std::size_t index, const char* what) const {
  const ir::Value& value = state_.graph.value(input(index));
  if (!value.is_constant()) {
    throw UnsupportedError(fmt::format("the {} ('{}') must be constant, but the model computes it", what, value.name));
  }
  return *value.constant;
}

std::vector<std::int64_t> NodeContext::integers(std::size_t index, const char* what) const {
  const Tensor tensor = constant(index, what);
  if (tensor.rank() > 1) throw ModelError(fmt::format("the {} has rank {} instead of 1", what, tensor.rank()));
  switch (tensor.dtype()) {
    case DataType::kInt64:
      return as_integers<std::int64_t>(tensor);
    case DataType::kInt32:
      return as_integers<std::int32_t>(tensor);
    case DataType::kUInt8:
      return as_integers<std::uint8_t>(tensor);
    case DataType::kInt8:
      return as_integers<std::int8_t>(tensor);
    default:
      throw ModelError(
          fmt::format("the {} has type {} instead of an integer one", what, xinfer::name_of(tensor.dtype())));
  }
}

std::vector<float> NodeContext::reals(std::size_t index, const char* what) const {
  const Tensor tensor = constant(index, what);
  if (tensor.dtype() != DataType::kFloat32) {
    const std::vector<std::int64_t> values = integers(index, what);
    return {values.begin(), values.end()};
  }
  const auto data = tensor.data<float>();
  return {data.begin(), data.end()};
}

std::int64_t NodeContext::integer(std::size_t index, const char* what) const {
  const auto values = integers(index, what);
  if (values.size() != 1) throw ModelError(fmt::format("the {} has {} values instead of 1", what, values.size()));
  return values.front();
}

float NodeContext::real(std::size_t index, const char* what) const {
  const auto values = reals(index, what);
  if (values.size() != 1) throw ModelError(fmt::format("the {} has {} values instead of 1", what, values.size()));
  return values.front();
}

std::optional<std::vector<ir::Dim>> NodeContext::contents(ir::ValueId id) const {
  return ir::contents_of(state_.graph, id);
}

std::vector<ir::Dim> NodeContext::dims(std::size_t index, const char* what) const {
  auto known = contents(input(index));
  if (known) return *std::move(known);
  const auto values = integers(index, what);  // says why they are not known
  return {values.begin(), values.end()};
}

std::optional<std::vector<std::int64_t>> NodeContext::axes_argument(int since, std::size_t index) const {
  if (opset() < since) return attributes_.integers("axes");
  if (!has(index)) return std::nullopt;
  return integers(index, "axes");
}

void NodeContext::expect_finite(ir::ValueId id) const {
  if (id == ir::kNone) return;
  const ir::Value& value = state_.graph.value(id);
  if (value.is_constant()) check_finite(*value.constant, value.name, true);
}

// -- Outputs ----------------------------------------------------------------------------------------------------

void NodeContext::expect_unused_from(std::size_t index, const char* what) const {
  for (std::size_t i = index; i < used_.size(); ++i) {
    if (used_[i]) throw UnsupportedError(fmt::format("its output {} ({}) is used", i, what));
  }
}

ir::NodeId NodeContext::add(ir::OpType op, const std::string& name, std::vector<ir::ValueId> inputs,
                            ir::Attributes attrs, std::size_t outputs, const std::vector<std::string>& names) {
  try {
    const ir::NodeId node = state_.graph.add_node(op, name, std::move(inputs), std::move(attrs), outputs, names);
    for (const ir::ValueId out : state_.graph.node(node).outputs) check_size(state_.graph.value(out));
    return node;
  } catch (const UnsupportedError& error) {
    throw UnsupportedError(without_node(error.what()));
  } catch (const Error& error) {
    throw ModelError(without_node(error.what()));
  }
}

std::vector<ir::ValueId> NodeContext::emit_many(ir::OpType op, std::vector<ir::ValueId> inputs, ir::Attributes attrs,
                                                std::size_t outputs) {
  const std::string name = fmt::format("{}/{}", name_, ir::name_of(op));
  const ir::NodeId node = add(op, name, std::move(inputs), std::move(attrs), outputs, {});
  const std::vector<ir::ValueId> made = state_.graph.node(node).outputs;
  state_.folder.fold(state_.graph, node);
  return made;
}

ir::ValueId NodeContext::emit(ir::OpType op, std::vector<ir::ValueId> inputs, ir::Attributes attrs) {
  return emit_many(op, std::move(inputs), std::move(attrs), 1).front();
}

void NodeContext::finish(ir::OpType op, std::vector<ir::ValueId> inputs, ir::Attributes attrs, std::size_t outputs) {
  std::vector<std::string> names;
  for (int i = 0; i < node_.output_size() && i < static_cast<int>(outputs); ++i) names.push_back(node_.output(i));
  const ir::NodeId node = add(op, name_, std::move(inputs), std::move(attrs), outputs, names);
  const std::vector<ir::ValueId> made = state_.graph.node(node).outputs;
  state_.folder.fold(state_.graph, node);
  for (std::size_t i = 0; i < made.size() && i < results_.size(); ++i) results_[i] = made[i];
}

void NodeContext::finish_contents(std::size_t index, std::vector<ir::Dim> contents, std::size_t rank) {
  if (index >= results_.size()) return;
  const std::string& name = node_.output(static_cast<int>(index));
  const bool fixed = std::all_of(contents.begin(), contents.end(), [](const ir::Dim& d) { return d.is_constant(); });
  if (fixed) {
    std::vector<std::int64_t> values;
    for (const ir::Dim& d : contents) values.push_back(d.value);
    std::vector<std::int64_t> shape;
    if (rank == 1) shape.push_back(static_cast<std::int64_t>(values.size()));
    results_[index] = state_.graph.add_constant(name, Tensor::from<std::int64_t>(shape, values));
    return;
  }
  const ir::ValueId list = state_.graph.add_symbolic(name, std::move(contents));
  results_[index] = rank == 1 ? list : reshape(list, {});
}

void NodeContext::finish_constant(Tensor tensor) {
  if (!results_.empty()) results_[0] = state_.graph.add_constant(node_.output(0), std::move(tensor));
}

void NodeContext::alias(std::size_t index, ir::ValueId value) {
  if (index < results_.size()) results_[index] = value;
}

// -- Shorthands -------------------------------------------------------------------------------------------------

ir::ValueId NodeContext::scalar(float value) {
  return constant_value(Tensor::from<float>({}, std::vector<float>{value}));
}

ir::ValueId NodeContext::constant_value(Tensor tensor) {
  return state_.graph.add_constant(name_ + "/const", std::move(tensor));
}

ir::ValueId NodeContext::unary(ir::UnaryKind kind, ir::ValueId x, float alpha, float beta) {
  return emit(ir::OpType::kUnary, {x}, ir::UnaryAttrs{kind, alpha, beta});
}

ir::ValueId NodeContext::binary(ir::BinaryKind kind, ir::ValueId a, ir::ValueId b) {
  return emit(ir::OpType::kBinary, {a, b}, ir::BinaryAttrs{kind, {}});
}

ir::ValueId NodeContext::reshape(ir::ValueId x, ir::Shape target) {
  return shape(x) == target ? x : emit(ir::OpType::kReshape, {x}, ir::ShapeAttrs{std::move(target)});
}

ir::ValueId NodeContext::transpose(ir::ValueId x, const std::vector<std::int64_t>& perm) {
  return std::is_sorted(perm.begin(), perm.end()) ? x : emit(ir::OpType::kTranspose, {x}, ir::TransposeAttrs{perm});
}

ir::ValueId NodeContext::cast(ir::ValueId x, DataType to) {
  return dtype(x) == to ? x : emit(ir::OpType::kCast, {x}, ir::CastAttrs{to});
}

ir::ValueId NodeContext::reduce(ir::ReduceKind kind, ir::ValueId x, std::vector<std::int64_t> axes, bool keepdims) {
  return emit(ir::OpType::kReduce, {x}, ir::ReduceAttrs{kind, std::move(axes), keepdims});
}

}  // namespace xinfer::onnx
