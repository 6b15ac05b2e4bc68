#pragma once
// Graph: values and the nodes that compute them, in single assignment form.

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ir/ops.h"
#include "ir/shape.h"
#include "xinfer/core/tensor.h"

namespace xinfer::ir {

using ValueId = std::int32_t;
using NodeId = std::int32_t;
inline constexpr std::int32_t kNone = -1;  ///< an absent optional input, or "no producer"

/// How integers stand for reals: real = scale * (integer - zero_point).
struct Quantization {
  std::vector<float> scales;              ///< one, or one for each index along `axis`
  std::vector<std::int32_t> zero_points;  ///< empty means all zero (the only form that our own plans produce)
  int axis = -1;                          ///< -1: per tensor
  bool per_channel() const { return axis >= 0; }
  float scale() const { return scales.front(); }
  bool operator==(const Quantization&) const = default;
};

/// A tensor in the graph: an input, a constant, or a node's output.
struct Value {
  std::string name;  ///< unique in the graph
  DataType dtype = DataType::kFloat32;
  Shape shape;
  std::optional<Tensor> constant;            ///< set for weights and folded values
  std::optional<Quantization> quantization;  ///< set when dtype is an integer that stands for a real
  std::vector<Dim> symbolic;  ///< contents of a small s64 shape tensor that depends on the batch; else empty
  NodeId producer = kNone;
  std::vector<NodeId> consumers;  ///< one entry for each use; a node that reads a value twice stands here twice

  bool is_constant() const { return constant.has_value(); }
};

struct Node {
  OpType op = OpType::kUnary;
  std::string name;             ///< from the model where it has one; unique in the graph
  std::vector<ValueId> inputs;  ///< kNone for an absent optional one
  std::vector<ValueId> outputs;
  Attributes attrs;
  bool removed = false;

  template <class T>
  const T& as() const {
    return std::get<T>(attrs);
  }
  template <class T>
  T& as() {
    return std::get<T>(attrs);
  }
  bool has_input(std::size_t index) const { return index < inputs.size() && inputs[index] != kNone; }
};

/// Owns values and nodes; ids stay valid until compact(). Copyable (constants share their memory). Not thread-safe for
/// writing; reading from several threads is safe.
class Graph {
 public:
  std::string name;

  // -- Building -------------------------------------------------------------------------------------------------
  ValueId add_input(const std::string& name, DataType dtype, Shape shape);
  ValueId add_constant(const std::string& name, Tensor tensor, std::optional<Quantization> quantization = {});
  /// Adds a shape tensor whose contents depend on the batch: an s64 value [contents.size()] without a producer. It only
  /// serves while a model is read: nothing may read it in a finished graph (the verifier sees to it).
  ValueId add_symbolic(const std::string& name, std::vector<Dim> contents);
  /// Adds a node with `output_count` new outputs, named `name` (or `name:i` when several) unless `output_names` says
  /// otherwise, and infers their types and shapes. Names are made unique. Throws ModelError naming the node when its
  /// inputs don't fit the operator; the graph is then as it was before.
  NodeId add_node(OpType op, const std::string& name, std::vector<ValueId> inputs, Attributes attrs = NoAttrs{},
                  std::size_t output_count = 1, const std::vector<std::string>& output_names = {});
  /// Shorthand for a node of one output: returns that output.
  ValueId add(OpType op, const std::string& name, std::vector<ValueId> inputs, Attributes attrs = NoAttrs{});
  /// Declares the graph's outputs; their outside names are the values' names at this moment and survive rewrites.
  void set_outputs(std::vector<ValueId> outputs);
  /// The i-th graph output's name as the outside world sees it.
  const std::vector<std::string>& output_names() const { return output_names_; }
  void set_output_names(std::vector<std::string> names) { output_names_ = std::move(names); }

  // -- Reading --------------------------------------------------------------------------------------------------
  const std::vector<ValueId>& inputs() const { return inputs_; }
  const std::vector<ValueId>& outputs() const { return outputs_; }
  Value& value(ValueId id) { return values_.at(static_cast<std::size_t>(id)); }
  const Value& value(ValueId id) const { return values_.at(static_cast<std::size_t>(id)); }
  Node& node(NodeId id) { return nodes_.at(static_cast<std::size_t>(id)); }
  const Node& node(NodeId id) const { return nodes_.at(static_cast<std::size_t>(id)); }
  std::size_t value_count() const { return values_.size(); }
  std::size_t node_slots() const { return nodes_.size(); }  ///< including removed ones
  std::size_t node_count() const;                           ///< live nodes
  bool is_output(ValueId id) const;
  /// Finds a value by name; kNone when there is none.
  ValueId find_value(const std::string& name) const;
  /// Live nodes, producers before consumers; stable: follows insertion order where the graph leaves a choice.
  /// Throws ModelError on a cycle.
  std::vector<NodeId> order() const;
  /// The node that alone consumes `id`, when `id` is no graph output; else kNone.
  NodeId sole_consumer(ValueId id) const;

  // -- Rewriting ------------------------------------------------------------------------------------------------
  void set_input(NodeId node, std::size_t index, ValueId value);
  /// Appends (or fills an absent) input.
  void set_or_append_input(NodeId node, std::size_t index, ValueId value);
  /// Redirects every use of `from` (graph outputs too) to `to`.
  void replace_uses(ValueId from, ValueId to);
  /// Removes a node; its outputs must have no use left (throws std::logic_error otherwise).
  void remove_node(NodeId node);
  /// Makes `value` a constant: cuts it from its producer.
  void make_constant(ValueId value, Tensor tensor);
  /// Runs the schema's shape rule again on one node (its outputs are updated).
  void infer(NodeId node);
  /// Infers all nodes again, in order. Use after changing an input's shape.
  void infer_all();
  /// Drops removed nodes and unused values and renumbers everything.
  void compact();

 private:
  ValueId new_value(const std::string& wanted);
  void undo_add_node();
  void attach(NodeId node, ValueId value);
  void detach(NodeId node, ValueId value);

  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<ValueId> inputs_;
  std::vector<ValueId> outputs_;
  std::vector<std::string> output_names_;
  std::unordered_map<std::string, ValueId> value_names_;
  std::unordered_set<std::string> node_names_;
};

}  // namespace xinfer::ir
