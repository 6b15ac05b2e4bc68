#include "ir/verifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <unordered_set>

#include "ir/printer.h"
#include "ir/schema.h"

namespace xinfer::ir {
namespace {

class Verifier {
 public:
  Verifier(const Graph& graph, const std::string& stage) : graph_(graph), stage_(stage) {}

  void run() {
    check_ids();
    check_names();
    check_producers();
    check_uses();
    for (std::size_t i = 0; i < graph_.value_count(); ++i) check_value(graph_.value(static_cast<ValueId>(i)));
    for_each_node([&](NodeId, const Node& node) { check_node(node); });
    check_order();
    check_inference();
  }

 private:
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    throw std::logic_error(fmt::format("graph '{}' is broken after {}: {}", graph_.name, stage_,
                                       fmt::format(format, std::forward<Args>(args)...)));
  }

  template <class F>
  void for_each_node(F&& visit) const {
    for (std::size_t i = 0; i < graph_.node_slots(); ++i) {
      const auto id = static_cast<NodeId>(i);
      if (!graph_.node(id).removed) visit(id, graph_.node(id));
    }
  }

  bool valid(ValueId id) const { return id >= 0 && static_cast<std::size_t>(id) < graph_.value_count(); }

  void check_ids() const {
    for_each_node([&](NodeId, const Node& node) {
      for (const ValueId id : node.inputs) {
        if (id != kNone && !valid(id)) fail("node '{}' reads value {}, which does not exist", node.name, id);
      }
      for (const ValueId id : node.outputs) {
        if (!valid(id)) fail("node '{}' writes value {}, which does not exist", node.name, id);
      }
    });
    for (const ValueId id : graph_.outputs()) {
      if (!valid(id)) fail("the graph's outputs hold value {}, which does not exist", id);
    }
    if (graph_.outputs().size() != graph_.output_names().size()) {
      fail("{} outputs have {} names", graph_.outputs().size(), graph_.output_names().size());
    }
  }

  void check_names() const {
    std::unordered_set<std::string> names;
    for (std::size_t i = 0; i < graph_.value_count(); ++i) {
      const auto& value_name = graph_.value(static_cast<ValueId>(i)).name;
      if (value_name.empty() || !names.insert(value_name).second) fail("two values are named '{}'", value_name);
      if (graph_.find_value(value_name) != static_cast<ValueId>(i)) fail("'{}' can't be found by name", value_name);
    }
    names.clear();
    for_each_node([&](NodeId, const Node& node) {
      if (node.name.empty() || !names.insert(node.name).second) fail("two nodes are named '{}'", node.name);
    });
  }

  void check_producers() const {
    std::vector<NodeId> producer(graph_.value_count(), kNone);
    for_each_node([&](NodeId id, const Node& node) {
      for (const ValueId out : node.outputs) {
        NodeId& known = producer[static_cast<std::size_t>(out)];
        if (known != kNone) {
          fail("value '{}' has two producers, '{}' and '{}'", graph_.value(out).name, graph_.node(known).name,
               node.name);
        }
        known = id;
      }
    });
    for (std::size_t i = 0; i < producer.size(); ++i) {
      const Value& value = graph_.value(static_cast<ValueId>(i));
      if (value.producer != producer[i]) fail("value '{}' names the wrong producer", value.name);
      if (producer[i] != kNone && value.is_constant()) fail("the constant '{}' has a producer", value.name);
      if (producer[i] != kNone && is_input(static_cast<ValueId>(i))) fail("the input '{}' has a producer", value.name);
    }
  }

  bool is_input(ValueId id) const {
    return std::find(graph_.inputs().begin(), graph_.inputs().end(), id) != graph_.inputs().end();
  }

  void check_uses() const {
    std::vector<std::vector<NodeId>> users(graph_.value_count());
    for_each_node([&](NodeId id, const Node& node) {
      for (const ValueId in : node.inputs) {
        if (in != kNone) users[static_cast<std::size_t>(in)].push_back(id);
      }
    });
    for (std::size_t i = 0; i < users.size(); ++i) {
      const auto id = static_cast<ValueId>(i);
      const Value& value = graph_.value(id);
      std::vector<NodeId> listed = value.consumers;
      std::sort(listed.begin(), listed.end());
      if (listed != users[i]) fail("the use list of '{}' is wrong", value.name);
      const bool used = !listed.empty() || graph_.is_output(id);
      if (used && value.producer == kNone && !value.is_constant() && !is_input(id)) {
        fail("'{}' is used, but it is no input, no constant, and no node's output", value.name);
      }
    }
  }

  void check_value(const Value& value) const {
    if (value.is_constant()) {
      const Tensor& tensor = *value.constant;
      if (tensor.empty()) fail("the constant '{}' has no memory", value.name);
      if (tensor.dtype() != value.dtype || Shape::of(tensor.shape()) != value.shape) {
        fail("the constant '{}' holds {}{}, but its value is {}{}", value.name, name_of(tensor.dtype()),
             xinfer::to_string(tensor.shape()), name_of(value.dtype), to_string(value.shape));
      }
    }
    for (const Dim& dim : value.shape) {
      if (dim.value < 0) fail("value '{}' has the shape {}", value.name, to_string(value.shape));
    }
    if (value.quantization) check_quantization(value, *value.quantization);
  }

  void check_quantization(const Value& value, const Quantization& q) const {
    if (!is_int8_like(value.dtype) && value.dtype != DataType::kInt32) {
      fail("'{}' has a scale, but its type is {}", value.name, name_of(value.dtype));
    }
    if (q.scales.empty()) fail("the quantized value '{}' has no scale", value.name);
    for (const float scale : q.scales) {
      if (!std::isfinite(scale) || scale <= 0) fail("'{}' has the scale {}", value.name, scale);
    }
    if (q.axis >= static_cast<int>(value.shape.rank())) fail("'{}' has scales along axis {}", value.name, q.axis);
    const Dim wanted = q.per_channel() ? value.shape[static_cast<std::size_t>(q.axis)] : Dim(1);
    if (wanted != Dim(static_cast<std::int64_t>(q.scales.size()))) {
      fail("'{}' has {} scales, but {} are wanted", value.name, q.scales.size(), to_string(wanted));
    }
    if (!q.zero_points.empty() && q.zero_points.size() != q.scales.size()) {
      fail("'{}' has {} scales, but {} zero points", value.name, q.scales.size(), q.zero_points.size());
    }
  }

  void check_node(const Node& node) const {
    const OpSchema& schema = schema_of(node.op);
    try {
      check_arity(schema, node);
    } catch (const std::exception& error) {
      fail("node '{}' ({}): {}", node.name, schema.name, error.what());
    }
    const auto is_quantized = [&](ValueId id) { return graph_.value(id).quantization.has_value(); };
    if (node.op == OpType::kQuantize && !is_quantized(node.outputs[0])) {
      fail("the quantized value '{}' has no scale", graph_.value(node.outputs[0]).name);
    }
    if (schema.quant_role != QuantRole::kMove) return;
    const Value& from = graph_.value(node.inputs[0]);
    for (const ValueId id : node.outputs) {
      const Value& to = graph_.value(id);
      if (!from.quantization && !to.quantization) continue;
      // A per-channel axis may change its place, so that scales are compared without it.
      const bool same = from.quantization && to.quantization && from.dtype == to.dtype &&
                        from.quantization->scales == to.quantization->scales &&
                        from.quantization->zero_points == to.quantization->zero_points;
      if (!same)
        fail("node '{}' ({}) moves '{}' to '{}' but changes the scale", node.name, schema.name, from.name, to.name);
    }
  }

  void check_order() const {
    try {
      graph_.order();
    } catch (const std::exception& error) {
      fail("{}", error.what());
    }
  }

  void check_inference() const {
    Graph copy = graph_;
    for (const NodeId id : graph_.order()) {
      const Node& node = graph_.node(id);
      try {
        copy.infer(id);
      } catch (const std::exception& error) {
        fail("{}", error.what());
      }
      // Compared as text, where a NaN equals itself.
      if (to_string(copy.node(id).attrs) != to_string(node.attrs)) {
        fail("the attributes of node '{}' are not in normal form: {} should be {}", node.name, to_string(node.attrs),
             to_string(copy.node(id).attrs));
      }
      for (const ValueId out : node.outputs) {
        const Value& stored = graph_.value(out);
        const Value& inferred = copy.value(out);
        if (stored.shape != inferred.shape || stored.dtype != inferred.dtype) {
          fail("'{}' is {}{}, but node '{}' ({}) gives {}{}", stored.name, name_of(stored.dtype),
               to_string(stored.shape), node.name, schema_of(node.op).name, name_of(inferred.dtype),
               to_string(inferred.shape));
        }
      }
    }
  }

  const Graph& graph_;
  const std::string& stage_;
};

}  // namespace

void verify(const Graph& graph, const std::string& stage) { Verifier(graph, stage).run(); }

}  // namespace xinfer::ir
