#pragma once
// What a converter sees of the ONNX node that it turns into IR nodes.

#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "onnx/attributes.h"
#include "onnx/external_data.h"
#include "onnx/folding.h"

namespace xinfer::onnx {

/// State of one reading of a model that all its nodes share.
struct ReadState {
  ir::Graph graph;
  Folder folder;
  int opset = 0;
  bool promoted = false;  ///< a constant leading 1 of the inputs was turned into N: constant targets may have to follow
  ExternalData* external = nullptr;
};

class NodeContext {
 public:
  /// `inputs` has no trailing kNone. `used` says for each of the node's outputs whether anything reads it.
  NodeContext(ReadState& state, const NodeProto& node, std::vector<ir::ValueId> inputs, std::vector<bool> used);

  ir::Graph& graph() { return state_.graph; }
  int opset() const { return state_.opset; }
  bool promoted() const { return state_.promoted; }
  ExternalData& external() { return *state_.external; }
  const AttributeReader& attributes() const { return attributes_; }
  const std::string& op_type() const { return node_.op_type(); }
  const std::string& name() const { return name_; }

  // -- Inputs ---------------------------------------------------------------------------------------------------
  std::size_t input_count() const { return inputs_.size(); }
  bool has(std::size_t index) const { return index < inputs_.size() && inputs_[index] != ir::kNone; }
  /// Throws ModelError when the input is absent.
  ir::ValueId input(std::size_t index) const;
  ir::ValueId optional_input(std::size_t index) const { return has(index) ? inputs_[index] : ir::kNone; }
  /// Throws ModelError when there are fewer or more inputs than that.
  void expect_inputs(std::size_t low, std::size_t high) const;
  const ir::Shape& shape(ir::ValueId id) const { return state_.graph.value(id).shape; }
  std::size_t rank(ir::ValueId id) const { return shape(id).rank(); }
  DataType dtype(ir::ValueId id) const { return state_.graph.value(id).dtype; }
  bool is_constant(ir::ValueId id) const { return state_.graph.value(id).is_constant(); }
  /// Size of one axis. Throws UnsupportedError when it depends on the batch.
  std::int64_t fixed_dim(ir::ValueId id, std::size_t axis) const;
  /// Normalised axis. Throws ModelError when out of range.
  std::size_t axis(std::int64_t axis, std::size_t rank) const { return ir::normalize_axis(axis, rank); }
  /// Normalised, sorted axes without repeats. Throws ModelError on a repeat.
  std::vector<std::int64_t> axes(const std::vector<std::int64_t>& axes, std::size_t rank) const;

  // -- Contents of inputs ---------------------------------------------------------------------------------------
  /// The tensor of a constant input, as a handle: adding nodes may move the value. Throws UnsupportedError saying that
  /// `what` must be known.
  Tensor constant(std::size_t index, const char* what) const;
  /// Contents of a constant integer or float input as numbers.
  std::vector<std::int64_t> integers(std::size_t index, const char* what) const;
  std::vector<float> reals(std::size_t index, const char* what) const;
  std::int64_t integer(std::size_t index, const char* what) const;
  float real(std::size_t index, const char* what) const;
  /// Contents of an integer input that may depend on the batch.
  std::vector<ir::Dim> dims(std::size_t index, const char* what) const;
  /// The same for any value; nothing when its contents are not known.
  std::optional<std::vector<ir::Dim>> contents(ir::ValueId id) const;
  /// Axes that are an attribute before `since` and input `index` from then on; nothing when absent.
  std::optional<std::vector<std::int64_t>> axes_argument(int since, std::size_t index) const;
  /// Throws ModelError when the value is a constant with NaN or infinite elements.
  void expect_finite(ir::ValueId id) const;

  // -- Outputs --------------------------------------------------------------------------------------------------
  std::size_t output_count() const { return used_.size(); }
  bool output_used(std::size_t index) const { return index < used_.size() && used_[index]; }
  /// Throws UnsupportedError when anything reads output `index` or a later one.
  void expect_unused_from(std::size_t index, const char* what) const;
  /// An IR node on the way; folded when its inputs are constants.
  ir::ValueId emit(ir::OpType op, std::vector<ir::ValueId> inputs, ir::Attributes attrs = ir::NoAttrs{});
  std::vector<ir::ValueId> emit_many(ir::OpType op, std::vector<ir::ValueId> inputs, ir::Attributes attrs,
                                     std::size_t outputs);
  /// The IR node that makes the ONNX node's outputs, under their names.
  void finish(ir::OpType op, std::vector<ir::ValueId> inputs, ir::Attributes attrs = ir::NoAttrs{},
              std::size_t outputs = 1);
  /// Declares that output `index` is a shape tensor (rank 1, or 0 for one element) whose contents may depend on the
  /// batch.
  void finish_contents(std::size_t index, std::vector<ir::Dim> contents, std::size_t rank = 1);
  /// Declares that the node's one output is `tensor`.
  void finish_constant(Tensor tensor);
  /// Declares that output `index` is an existing value.
  void alias(std::size_t index, ir::ValueId value);
  const std::vector<ir::ValueId>& results() const { return results_; }

  // -- Shorthands -----------------------------------------------------------------------------------------------
  ir::ValueId scalar(float value);
  ir::ValueId constant_value(Tensor tensor);
  ir::ValueId unary(ir::UnaryKind kind, ir::ValueId x, float alpha = 0, float beta = 0);
  ir::ValueId binary(ir::BinaryKind kind, ir::ValueId a, ir::ValueId b);
  /// Nothing is emitted where the shape (the order, the type) is already that.
  ir::ValueId reshape(ir::ValueId x, ir::Shape shape);
  ir::ValueId transpose(ir::ValueId x, const std::vector<std::int64_t>& perm);
  ir::ValueId cast(ir::ValueId x, DataType to);
  ir::ValueId reduce(ir::ReduceKind kind, ir::ValueId x, std::vector<std::int64_t> axes, bool keepdims);

 private:
  ir::NodeId add(ir::OpType op, const std::string& name, std::vector<ir::ValueId> inputs, ir::Attributes attrs,
                 std::size_t outputs, const std::vector<std::string>& names);

  ReadState& state_;
  const NodeProto& node_;
  AttributeReader attributes_;
  std::string name_;
  std::vector<ir::ValueId> inputs_;
  std::vector<bool> used_;
  std::vector<ir::ValueId> results_;
};

}  // namespace xinfer::onnx
