#include "quantize/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

#include "ir/quantize_nodes.h"
#include "ir/verifier.h"
#include "quantize/placement.h"
#include "quantize/scales.h"
#include "quantize/weights.h"

namespace xinfer::quantize {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::ValueId;

// Rewrites a copy of the float graph. Ids of the copy's old values and nodes are those of the float graph.
class Rewriter {
 public:
  Rewriter(const Graph& float_graph, const Placement& placement, IntegerForms forms, const PlanOptions& options)
      : source_(float_graph), placement_(placement), forms_(std::move(forms)), options_(options), graph_(float_graph) {
    for (std::size_t i = 0; i < source_.value_count(); ++i) {
      native_.push_back(written_as_integers(source_, placement_, options_, static_cast<ValueId>(i)));
    }
  }

  Graph run() {
    // Types first, so that every border sees both of its sides.
    for (std::size_t i = 0; i < native_.size(); ++i) {
      if (!native_[i]) continue;
      ir::Value& value = graph_.value(static_cast<ValueId>(i));
      value.dtype = forms_[i]->dtype;
      value.quantization = ir::Quantization{{forms_[i]->scale}, {}, -1};
    }
    for (const NodeId id : source_.order()) {
      if (placement_[static_cast<std::size_t>(id)].precision == Precision::kInt8) {
        feed_integers(id);
      } else {
        feed_floats(id);
      }
    }
    std::vector<ValueId> outputs = graph_.outputs();
    const std::vector<std::string> names = graph_.output_names();
    for (ValueId& id : outputs) id = as_float(id);
    graph_.set_outputs(std::move(outputs));
    graph_.set_output_names(names);
    graph_.compact();
    ir::verify(graph_, "quantize");
    return std::move(graph_);
  }

 private:
  void feed_integers(NodeId id) {
    const Node& source = source_.node(id);
    for (const std::size_t i : data_inputs(source_, source)) {
      const ValueId value = source.inputs[i];
      const bool has_form = forms_[static_cast<std::size_t>(value)].has_value();
      if (!has_form && may_stay_float(source_, placement_, options_, source, i)) continue;
      graph_.set_input(id, i, as_integers(value));
    }
    const NodeKind kind = placement_[static_cast<std::size_t>(id)].kind;
    if (kind == NodeKind::kAnchor && source_.value(source.inputs[1]).is_constant()) {
      const auto chosen = options_.layers.find(source.name);
      if (chosen == options_.layers.end()) {
        graph_.set_input(id, 1, weights_of(source));
      } else {
        set_parameters(id, chosen->second);
      }
    }
  }

  void set_parameters(NodeId id, const LayerParameters& layer) {
    const Node& source = source_.node(id);
    const ir::Value& weights = source_.value(source.inputs[1]);
    if (layer.weights.values.shape() != weights.constant->shape()) {
      throw std::logic_error(fmt::format("plan: the weights chosen for '{}' have another shape", source.name));
    }
    // Nodes may share weights.
    const auto [known, is_new] = chosen_.try_emplace(layer.weights.values.raw(), ir::kNone);
    if (is_new) {
      known->second = graph_.add_constant(weights.name + std::string(kWeightsEnding), layer.weights.values,
                                          layer.weights.quantization);
    }
    graph_.set_input(id, 1, known->second);
    if (layer.bias.empty()) return;
    graph_.set_or_append_input(id, 2, graph_.add_constant(source.name + ".bias.corrected", layer.bias));
  }

  void feed_floats(NodeId id) {
    const Node& source = source_.node(id);
    for (std::size_t i = 0; i < source.inputs.size(); ++i) {
      if (source.inputs[i] != ir::kNone) graph_.set_input(id, i, as_float(source.inputs[i]));
    }
  }

  ValueId as_integers(ValueId value) {
    if (native_[static_cast<std::size_t>(value)]) return value;
    const auto known = quantized_.find(value);
    if (known != quantized_.end()) return known->second;
    const IntegerForm& form = *forms_[static_cast<std::size_t>(value)];
    const ValueId result = ir::add_quantize(graph_, source_.value(value).name + ".quantize", value, form.dtype,
                                            ir::Quantization{{form.scale}, {}, -1});
    quantized_.emplace(value, result);
    return result;
  }

  ValueId as_float(ValueId value) {
    if (!native_[static_cast<std::size_t>(value)]) return value;
    const auto known = dequantized_.find(value);
    if (known != dequantized_.end()) return known->second;
    const ValueId result = ir::add_dequantize(graph_, source_.value(value).name + ".dequantize", value);
    dequantized_.emplace(value, result);
    return result;
  }

  ValueId weights_of(const Node& node) {
    const ValueId value = node.inputs[1];
    const int axis = output_channel_axis(node);
    const auto known = weights_.find({value, axis});
    if (known != weights_.end()) return known->second;
    const ir::Value& weights = source_.value(value);
    QuantizedWeights q =
        quantize_weights(*weights.constant, axis, fmt::format("node '{}', weights '{}'", node.name, weights.name));
    const ValueId result =
        graph_.add_constant(weights.name + std::string(kWeightsEnding), std::move(q.values), std::move(q.quantization));
    weights_.emplace(std::pair{value, axis}, result);
    return result;
  }

  const Graph& source_;
  const Placement& placement_;
  const IntegerForms forms_;
  const PlanOptions& options_;
  Graph graph_;
  std::vector<bool> native_;  // by value id: its producer writes integers
  std::map<ValueId, ValueId> quantized_;
  std::map<ValueId, ValueId> dequantized_;
  std::map<std::pair<ValueId, int>, ValueId> weights_;
  std::map<const void*, ValueId> chosen_;  // weights of LayerParameters that are in the graph, by their memory
};

std::string types_of(const Graph& quantized, const std::string& node_name, const std::map<std::string, NodeId>& nodes) {
  const Node& node = quantized.node(nodes.at(node_name));
  return fmt::format("{} -> {}", xinfer::name_of(quantized.value(node.inputs[0]).dtype),
                     xinfer::name_of(quantized.value(node.outputs[0]).dtype));
}

}  // namespace

QuantizedModel quantize(const Graph& float_graph, const Ranges& ranges, const PlanOptions& options) {
  const Placement placement = place(float_graph, &ranges, options);
  IntegerForms forms = choose_forms(float_graph, placement, ranges, options);
  QuantizedModel result;
  result.graph = Rewriter(float_graph, placement, std::move(forms), options).run();

  std::map<std::string, NodeId> nodes;
  for (const NodeId id : result.graph.order()) {
    const Node& node = result.graph.node(id);
    nodes.emplace(node.name, id);
    result.summary.quantize_nodes += node.op == ir::OpType::kQuantize ? 1 : 0;
    result.summary.dequantize_nodes += node.op == ir::OpType::kDequantize ? 1 : 0;
  }
  for (const NodeId id : float_graph.order()) {
    const Node& node = float_graph.node(id);
    const NodeChoice& choice = placement[static_cast<std::size_t>(id)];
    const bool int8 = choice.precision == Precision::kInt8;
    result.decisions.push_back(
        {node.name, node.op, choice.precision, int8 ? types_of(result.graph, node.name, nodes) : choice.reason});
    result.summary.int8_nodes += int8 ? 1 : 0;
    result.summary.float_nodes += choice.precision == Precision::kFloat ? 1 : 0;
    result.summary.index_nodes += choice.precision == Precision::kIndex ? 1 : 0;
  }
  // Quantize and Dequantize nodes that the float graph already had are not borders of this plan.
  for (const NodeDecision& decision : result.decisions) {
    result.summary.quantize_nodes -= decision.op == ir::OpType::kQuantize ? 1 : 0;
    result.summary.dequantize_nodes -= decision.op == ir::OpType::kDequantize ? 1 : 0;
  }
  return result;
}

QuantizedModel quantize(const Graph& float_graph, const CalibrationTable& table, const PlanOptions& options) {
  return quantize(float_graph, table.pick(options.method), options);
}

std::string to_text(const QuantizedModel& model) {
  std::size_t widest = 4;
  for (const NodeDecision& d : model.decisions) widest = std::max(widest, d.node.size());
  std::string text;
  for (const NodeDecision& d : model.decisions) {
    text += fmt::format("{:<{}}  {:<14} {:<6} {}\n", d.node, widest, ir::name_of(d.op), name_of(d.precision), d.reason);
  }
  const PlanSummary& s = model.summary;
  text += fmt::format("{} of {} nodes run in INT8; {} Quantize and {} Dequantize nodes were added\n", s.int8_nodes,
                      s.total(), s.quantize_nodes, s.dequantize_nodes);
  return text;
}

}  // namespace xinfer::quantize
