#include "quantize/to_float.h"

#include <algorithm>
#include <stdexcept>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ir/verifier.h"
#include "quantize/placement.h"

namespace xinfer::quantize {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::OpType;
using ir::ValueId;

/// Weights as reals: scale * integer, rounded once.
Tensor dequantize(const Tensor& integers, const ir::Quantization& q) {
  Tensor result(DataType::kFloat32, integers.shape());
  const auto from = integers.data<std::int8_t>();
  const auto to = result.data<float>();
  std::size_t inner = 1;  // elements between two indices of the axis
  for (std::size_t i = static_cast<std::size_t>(q.axis + 1); i < integers.rank(); ++i) {
    inner *= static_cast<std::size_t>(integers.shape()[i]);
  }
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::size_t channel = q.per_channel() ? i / inner % q.scales.size() : 0;
    to[i] = q.scales[channel] * static_cast<float>(from[i]);
  }
  return result;
}

class Undo {
 public:
  Undo(const Graph& quantized, const std::set<std::string>& own)
      : source_(quantized),
        own_(own),
        roles_(quantized.node_slots(), Role::kFloat),
        mapped_(quantized.value_count(), ir::kNone),
        was_integer_(quantized.value_count(), false) {}

  FloatForm run() {
    result_.graph.name = source_.name;
    const std::vector<NodeId> order = source_.order();
    for (const NodeId id : order) classify(id);
    for (const ValueId id : source_.inputs()) {
      const ir::Value& v = source_.value(id);
      define(id, graph().add_input(v.name, v.dtype, v.shape));
    }
    add_constants();
    for (const NodeId id : order) undo(id);
    std::vector<ValueId> outputs;
    for (const ValueId id : source_.outputs()) outputs.push_back(at(id));
    graph().set_outputs(std::move(outputs));
    graph().set_output_names(source_.output_names());
    ir::verify(graph(), "to_float");
    keep_floats();
    return std::move(result_);
  }

 private:
  enum class Role : std::uint8_t { kFloat, kInteger, kBorder };

  Graph& graph() { return result_.graph; }
  Role& role(NodeId id) { return roles_[static_cast<std::size_t>(id)]; }
  void define(ValueId from, ValueId to) { mapped_[static_cast<std::size_t>(from)] = to; }
  ValueId at(ValueId id) const { return id == ir::kNone ? ir::kNone : mapped_[static_cast<std::size_t>(id)]; }
  bool was_integer(ValueId id) const { return id != ir::kNone && was_integer_[static_cast<std::size_t>(id)]; }

  void classify(NodeId id) {
    const Node& node = source_.node(id);
    const bool reads_integers =
        std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId v) { return was_integer(v); });
    const bool foreign = own_.contains(node.name);
    if (!foreign && (node.op == OpType::kQuantize || (node.op == OpType::kDequantize && reads_integers))) {
      role(id) = Role::kBorder;
    } else if (reads_integers) {
      role(id) = Role::kInteger;
    }
    if (role(id) == Role::kFloat || node.op == OpType::kDequantize) return;
    for (const ValueId out : node.outputs) {
      was_integer_[static_cast<std::size_t>(out)] = is_int8_like(source_.value(out).dtype);
    }
  }

  /// In the order in which they stand in the source.
  void add_constants() {
    for (std::size_t i = 0; i < source_.value_count(); ++i) {
      const auto id = static_cast<ValueId>(i);
      const ir::Value& v = source_.value(id);
      if (!v.is_constant()) continue;
      bool weight = false, plain = false;
      for (const NodeId user : v.consumers) {
        const Node& node = source_.node(user);
        for (std::size_t k = 0; k < node.inputs.size(); ++k) {
          if (node.inputs[k] == id) (is_weight(user, k) ? weight : plain) = true;
        }
      }
      if (weight) weights_[id] = graph().add_constant(name_before(v.name), dequantize(*v.constant, *v.quantization));
      if (plain) define(id, graph().add_constant(v.name, *v.constant, v.quantization));
    }
  }

  void undo(NodeId id) {
    const Node& node = source_.node(id);
    if (role(id) == Role::kBorder) {
      define(node.outputs[0], at(node.inputs[0]));
      return;
    }
    std::vector<ValueId> inputs;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      inputs.push_back(is_weight(id, i) ? weights_.at(node.inputs[i]) : at(node.inputs[i]));
    }
    std::vector<std::string> names;
    for (const ValueId out : node.outputs) names.push_back(source_.value(out).name);
    const NodeId made = graph().add_node(node.op, node.name, std::move(inputs), node.attrs, node.outputs.size(), names);
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const ir::Value& out = source_.value(node.outputs[i]);
      const ValueId to = graph().node(made).outputs[i];
      define(node.outputs[i], to);
      if (was_integer(node.outputs[i]) || !out.quantization) continue;
      // Written by a Quantize of the model's own, or by what handles its integers.
      graph().value(to).dtype = out.dtype;
      graph().value(to).quantization = out.quantization;
    }
    if (role(id) == Role::kInteger) {
      note_options(node);
    } else {
      float_nodes_.push_back(made);
    }
  }

  /// True for the integer weights of a layer on integers.
  bool is_weight(NodeId id, std::size_t index) {
    const Node& node = source_.node(id);
    if (index != 1 || !node.has_input(1) || role(id) != Role::kInteger) return false;
    const bool anchor = node.op == OpType::kConv || node.op == OpType::kConvTranspose || node.op == OpType::kLinear ||
                        node.op == OpType::kMatMul;
    const ir::Value& w = source_.value(node.inputs[1]);
    return anchor && w.is_constant() && w.dtype == DataType::kInt8;
  }

  /// The name that the weights had before quantize() named its own.
  std::string name_before(const std::string& name) const {
    if (!name.ends_with(kWeightsEnding)) return name;
    const std::string before = name.substr(0, name.size() - kWeightsEnding.size());
    return source_.find_value(before) == ir::kNone ? before : name;
  }

  void note_options(const Node& node) {
    if (weights_.contains(node.inputs.size() > 1 ? node.inputs[1] : ir::kNone)) {
      const ir::Value& w = source_.value(node.inputs[1]);
      result_.options.layers[node.name] = {{*w.constant, *w.quantization}, {}};
    }
    if (node.op == OpType::kMatMul) result_.options.quantize_matmul = true;
    if ((node.op != OpType::kConv && node.op != OpType::kLinear) || !node.has_input(3)) return;
    if (source_.value(node.outputs[0]).dtype != DataType::kFloat32 || !was_integer(node.inputs[3])) return;
    // A residual that could have stayed float. Where nothing else wanted its integers it was not allowed to.
    const auto& users = source_.value(node.inputs[3]).consumers;
    const bool wanted = std::any_of(users.begin(), users.end(), [&](NodeId user) {
      return role(user) == Role::kInteger && !adds_to_float(user, node);
    });
    if (!wanted) result_.options.float_residuals = false;
  }

  /// Whether `user` reads the residual of `node` only as such and writes f32.
  bool adds_to_float(NodeId user, const Node& node) const {
    const Node& n = source_.node(user);
    const bool layer = n.op == OpType::kConv || n.op == OpType::kLinear;
    return layer && n.has_input(3) && n.inputs[3] == node.inputs[3] && n.inputs[0] != node.inputs[3] &&
           source_.value(n.outputs[0]).dtype == DataType::kFloat32;
  }

  void keep_floats() {
    std::string ignored;
    for (const NodeId id : float_nodes_) {
      const Node& node = graph().node(id);
      const NodeKind kind = kind_of(graph(), node, result_.options, &ignored);
      if (kind == NodeKind::kFloatOnly || kind == NodeKind::kIndex) continue;
      PrecisionOverride entry;
      entry.pattern = node.name;
      result_.options.overrides.push_back(std::move(entry));
    }
  }

  const Graph& source_;
  const std::set<std::string>& own_;
  FloatForm result_;
  std::vector<Role> roles_;                       // by node id of the source
  std::vector<ValueId> mapped_;                   // by value id of the source
  std::vector<bool> was_integer_;                 // by value id of the source: it is f32 now
  std::unordered_map<ValueId, ValueId> weights_;  // real ones, by their integers in the source
  std::vector<NodeId> float_nodes_;               // of the new graph
};

}  // namespace

FloatForm to_float(const Graph& quantized, const std::set<std::string>& own) { return Undo(quantized, own).run(); }

}  // namespace xinfer::quantize
