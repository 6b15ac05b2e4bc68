#include "ir/extract.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <string>

namespace xinfer::ir {
namespace {

class Extractor {
 public:
  Extractor(const Graph& graph, std::span<const NodeId> nodes)
      : source_(graph), nodes_(nodes), inside_(nodes.begin(), nodes.end()) {}

  Extract run() {
    result_.graph.name = source_.name;
    for (const NodeId id : nodes_) copy(id);
    std::vector<ValueId> outputs;
    for (const NodeId id : nodes_) {
      for (const ValueId out : source_.node(id).outputs) {
        if (!read_outside(out)) continue;
        result_.outputs.push_back(out);
        outputs.push_back(ids_.at(out));
      }
    }
    if (outputs.empty()) throw std::logic_error("extract: nobody reads what these nodes compute");
    result_.graph.set_outputs(std::move(outputs));
    return std::move(result_);
  }

 private:
  bool read_outside(ValueId id) const {
    const auto& users = source_.value(id).consumers;
    return source_.is_output(id) ||
           std::any_of(users.begin(), users.end(), [this](NodeId user) { return !inside_.contains(user); });
  }

  ValueId take(ValueId id) {
    if (id == kNone) return kNone;
    const auto known = ids_.find(id);
    if (known != ids_.end()) return known->second;
    const Value& value = source_.value(id);
    if (value.producer != kNone && inside_.contains(value.producer)) {
      throw std::logic_error("extract: '" + value.name + "' is read before it is computed");
    }
    const ValueId copy = value.is_constant()
                             ? result_.graph.add_constant(value.name, *value.constant, value.quantization)
                             : result_.graph.add_input(value.name, value.dtype, value.shape);
    if (!value.is_constant()) {
      result_.graph.value(copy).quantization = value.quantization;
      result_.inputs.push_back(id);
    }
    ids_.emplace(id, copy);
    return copy;
  }

  void copy(NodeId id) {
    const Node& node = source_.node(id);
    std::vector<ValueId> inputs;
    for (const ValueId input : node.inputs) inputs.push_back(take(input));
    std::vector<std::string> names;
    for (const ValueId out : node.outputs) names.push_back(source_.value(out).name);
    Graph& graph = result_.graph;
    const NodeId copy = graph.add_node(node.op, node.name, std::move(inputs), node.attrs, node.outputs.size(), names);
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId out = graph.node(copy).outputs[i];
      graph.value(out).dtype = source_.value(node.outputs[i]).dtype;
      graph.value(out).quantization = source_.value(node.outputs[i]).quantization;
      ids_.emplace(node.outputs[i], out);
    }
    graph.infer(copy);  // again, now that the outputs' quantization is known
  }

  const Graph& source_;
  std::span<const NodeId> nodes_;
  std::set<NodeId> inside_;
  std::map<ValueId, ValueId> ids_;  // from the source to the piece
  Extract result_;
};

}  // namespace

Extract extract(const Graph& graph, std::span<const NodeId> nodes) { return Extractor(graph, nodes).run(); }

}  // namespace xinfer::ir
