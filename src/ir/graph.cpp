#include "ir/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <stdexcept>

#include "ir/schema.h"
#include "ir/shape_values.h"
#include "xinfer/core/errors.h"

namespace xinfer::ir {

ValueId Graph::new_value(const std::string& wanted) {
  const auto id = static_cast<ValueId>(values_.size());
  const std::string base = wanted.empty() ? fmt::format("value_{}", id) : wanted;
  std::string unique = base;
  for (int suffix = 1; !value_names_.emplace(unique, id).second; ++suffix) {
    unique = fmt::format("{}_{}", base, suffix);
  }
  values_.emplace_back();
  values_.back().name = std::move(unique);
  return id;
}

ValueId Graph::add_input(const std::string& name, DataType dtype, Shape shape) {
  const ValueId id = new_value(name);
  value(id).dtype = dtype;
  value(id).shape = std::move(shape);
  inputs_.push_back(id);
  return id;
}

ValueId Graph::add_constant(const std::string& name, Tensor tensor, std::optional<Quantization> quantization) {
  const ValueId id = new_value(name);
  Value& v = value(id);
  v.dtype = tensor.dtype();
  v.shape = Shape::of(tensor.shape());
  v.constant = std::move(tensor);
  v.quantization = std::move(quantization);
  return id;
}

ValueId Graph::add_symbolic(const std::string& name, std::vector<Dim> contents) {
  const ValueId id = new_value(name);
  value(id).dtype = DataType::kInt64;
  value(id).shape = Shape{static_cast<std::int64_t>(contents.size())};
  value(id).symbolic = std::move(contents);
  return id;
}

NodeId Graph::add_node(OpType op, const std::string& name, std::vector<ValueId> inputs, Attributes attrs,
                       std::size_t output_count, const std::vector<std::string>& output_names) {
  const auto id = static_cast<NodeId>(nodes_.size());
  Node node;
  node.op = op;
  node.name = name.empty() ? fmt::format("{}_{}", name_of(op), id) : name;
  for (int suffix = 1; !node_names_.insert(node.name).second; ++suffix) {
    node.name = fmt::format("{}_{}", name.empty() ? std::string(name_of(op)) : name, suffix);
  }
  node.attrs = std::move(attrs);
  node.inputs = std::move(inputs);
  const std::string final_name = node.name;
  nodes_.push_back(std::move(node));
  for (const ValueId input : nodes_.back().inputs) attach(id, input);
  for (std::size_t i = 0; i < output_count; ++i) {
    const ValueId out = new_value(i < output_names.size() ? output_names[i]
                                  : output_count == 1     ? final_name
                                                          : fmt::format("{}:{}", final_name, i));
    value(out).producer = id;
    nodes_.back().outputs.push_back(out);
  }
  try {
    infer(id);
  } catch (...) {
    undo_add_node();
    throw;
  }
  return id;
}

void Graph::undo_add_node() {
  const auto id = static_cast<NodeId>(nodes_.size() - 1);
  const Node& last = nodes_.back();
  for (const ValueId input : last.inputs) detach(id, input);
  for (std::size_t i = 0; i < last.outputs.size(); ++i) {
    value_names_.erase(values_.back().name);
    values_.pop_back();
  }
  node_names_.erase(last.name);
  nodes_.pop_back();
}

ValueId Graph::add(OpType op, const std::string& name, std::vector<ValueId> inputs, Attributes attrs) {
  return node(add_node(op, name, std::move(inputs), std::move(attrs))).outputs.front();
}

void Graph::set_outputs(std::vector<ValueId> outputs) {
  outputs_ = std::move(outputs);
  output_names_.clear();
  for (const ValueId id : outputs_) output_names_.push_back(value(id).name);
}

std::size_t Graph::node_count() const {
  return static_cast<std::size_t>(
      std::count_if(nodes_.begin(), nodes_.end(), [](const Node& n) { return !n.removed; }));
}

bool Graph::is_output(ValueId id) const { return std::find(outputs_.begin(), outputs_.end(), id) != outputs_.end(); }

ValueId Graph::find_value(const std::string& name) const {
  const auto found = value_names_.find(name);
  return found == value_names_.end() ? kNone : found->second;
}

std::vector<NodeId> Graph::order() const {
  // Kahn's algorithm with the smallest id first, so that the order is stable.
  std::vector<int> missing(nodes_.size(), 0);
  std::priority_queue<NodeId, std::vector<NodeId>, std::greater<>> ready;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].removed) continue;
    for (const ValueId input : nodes_[i].inputs) missing[i] += input != kNone && value(input).producer != kNone ? 1 : 0;
    if (missing[i] == 0) ready.push(static_cast<NodeId>(i));
  }
  std::vector<NodeId> result;
  while (!ready.empty()) {
    const NodeId id = ready.top();
    ready.pop();
    result.push_back(id);
    for (const ValueId out : node(id).outputs) {
      for (const NodeId user : value(out).consumers) {
        if (--missing[static_cast<std::size_t>(user)] == 0) ready.push(user);
      }
    }
  }
  if (result.size() != node_count()) throw ModelError(fmt::format("graph '{}' has a cycle", name));
  return result;
}

NodeId Graph::sole_consumer(ValueId id) const {
  const Value& v = value(id);
  return v.consumers.size() == 1 && !is_output(id) ? v.consumers.front() : kNone;
}

void Graph::attach(NodeId node_id, ValueId value_id) {
  if (value_id != kNone) value(value_id).consumers.push_back(node_id);
}

void Graph::detach(NodeId node_id, ValueId value_id) {
  if (value_id == kNone) return;
  auto& users = value(value_id).consumers;
  const auto found = std::find(users.begin(), users.end(), node_id);
  if (found == users.end()) throw std::logic_error("graph: use list of '" + value(value_id).name + "' is broken");
  users.erase(found);
}

void Graph::set_input(NodeId node_id, std::size_t index, ValueId value_id) {
  Node& n = node(node_id);
  detach(node_id, n.inputs.at(index));
  n.inputs[index] = value_id;
  attach(node_id, value_id);
}

void Graph::set_or_append_input(NodeId node_id, std::size_t index, ValueId value_id) {
  Node& n = node(node_id);
  while (n.inputs.size() <= index) n.inputs.push_back(kNone);
  set_input(node_id, index, value_id);
}

void Graph::replace_uses(ValueId from, ValueId to) {
  if (from == to) return;
  const std::vector<NodeId> users = value(from).consumers;
  for (const NodeId user : users) {
    for (std::size_t i = 0; i < node(user).inputs.size(); ++i) {
      if (node(user).inputs[i] == from) set_input(user, i, to);
    }
  }
  std::replace(outputs_.begin(), outputs_.end(), from, to);
}

void Graph::remove_node(NodeId node_id) {
  Node& n = node(node_id);
  for (const ValueId out : n.outputs) {
    if (!value(out).consumers.empty() || is_output(out)) {
      throw std::logic_error("graph: node '" + n.name + "' was removed while '" + value(out).name + "' is in use");
    }
    value(out).producer = kNone;
  }
  for (const ValueId input : n.inputs) detach(node_id, input);
  n.inputs.clear();
  n.removed = true;
}

void Graph::make_constant(ValueId id, Tensor tensor) {
  Value& v = value(id);
  if (v.producer != kNone) {
    auto& outs = node(v.producer).outputs;
    // The producer keeps a fresh, unused output in this place, so that its arity stays right until it is removed.
    const auto slot = std::find(outs.begin(), outs.end(), id) - outs.begin();
    const NodeId producer = v.producer;
    const ValueId stand_in = new_value(v.name + ".unused");
    value(stand_in).producer = producer;
    value(stand_in).dtype = value(id).dtype;
    value(stand_in).shape = value(id).shape;
    node(producer).outputs[static_cast<std::size_t>(slot)] = stand_in;
  }
  Value& target = value(id);
  target.producer = kNone;
  target.dtype = tensor.dtype();
  target.shape = Shape::of(tensor.shape());
  target.symbolic.clear();
  target.constant = std::move(tensor);
}

void Graph::infer(NodeId node_id) {
  const OpSchema& schema = schema_of(node(node_id).op);
  try {
    check_arity(schema, node(node_id));
    schema.infer(*this, node(node_id));
    propagate_contents(*this, node(node_id));
  } catch (const UnsupportedError& error) {
    throw UnsupportedError(fmt::format("node '{}' ({}): {}", node(node_id).name, schema.name, error.what()));
  } catch (const Error& error) {
    throw ModelError(fmt::format("node '{}' ({}): {}", node(node_id).name, schema.name, error.what()));
  }
}

void Graph::infer_all() {
  for (const NodeId id : order()) infer(id);
}

void Graph::compact() {
  std::vector<bool> used(values_.size(), false);
  const auto mark = [&](ValueId id) {
    if (id != kNone) used[static_cast<std::size_t>(id)] = true;
  };
  const std::vector<NodeId> live = order();
  for (const ValueId id : inputs_) mark(id);
  for (const ValueId id : outputs_) mark(id);
  for (const NodeId id : live) {
    for (const ValueId v : node(id).inputs) mark(v);
    for (const ValueId v : node(id).outputs) mark(v);
  }
  std::vector<ValueId> renumbered(values_.size(), kNone);
  std::vector<Value> values;
  value_names_.clear();
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (!used[i]) continue;
    renumbered[i] = static_cast<ValueId>(values.size());
    values.push_back(std::move(values_[i]));
    values.back().consumers.clear();
    values.back().producer = kNone;
    value_names_.emplace(values.back().name, renumbered[i]);
  }
  std::vector<Node> nodes;
  node_names_.clear();
  for (const NodeId id : live) {
    nodes.push_back(std::move(node(id)));
    node_names_.insert(nodes.back().name);
  }
  values_ = std::move(values);
  nodes_ = std::move(nodes);
  const auto map_all = [&](std::vector<ValueId>& ids) {
    for (ValueId& id : ids) id = id == kNone ? kNone : renumbered[static_cast<std::size_t>(id)];
  };
  map_all(inputs_);
  map_all(outputs_);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    map_all(nodes_[i].inputs);
    map_all(nodes_[i].outputs);
    for (const ValueId v : nodes_[i].inputs) attach(static_cast<NodeId>(i), v);
    for (const ValueId v : nodes_[i].outputs) value(v).producer = static_cast<NodeId>(i);
  }
}

}  // namespace xinfer::ir
