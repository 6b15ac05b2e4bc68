#include "quantize/remainder.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "ir/extract.h"

namespace xinfer::quantize {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::Value;
using ir::ValueId;

bool same_type(const Value& a, const Value& b) {
  return a.dtype == b.dtype && a.shape == b.shape && a.quantization == b.quantization;
}

bool same_constant(const Value& a, const Value& b) {
  if (!same_type(a, b)) return false;
  const Tensor& x = *a.constant;
  const Tensor& y = *b.constant;
  return x.raw() == y.raw() || (x.bytes() == y.bytes() && std::memcmp(x.raw(), y.raw(), x.bytes()) == 0);
}

// Pairs the values of both graphs that are equal for every input.
class Matcher {
 public:
  Matcher(const Graph& base, const Graph& variant)
      : base_(base), variant_(variant), equal_(variant.value_count(), ir::kNone) {
    if (base.inputs().size() != variant.inputs().size() || base.outputs().size() != variant.outputs().size()) {
      throw std::logic_error("remainder: the graphs have different numbers of inputs or outputs");
    }
    for (std::size_t i = 0; i < variant.inputs().size(); ++i) {
      if (!same_type(base.value(base.inputs()[i]), variant.value(variant.inputs()[i]))) {
        throw std::logic_error("remainder: the graphs have different inputs");
      }
      equal_[static_cast<std::size_t>(variant.inputs()[i])] = base.inputs()[i];
    }
    std::unordered_map<std::string, NodeId> nodes;
    for (const NodeId id : base.order()) nodes.emplace(base.node(id).name, id);
    for (const NodeId id : variant.order()) {
      const Node& node = variant.node(id);
      const auto found = nodes.find(node.name);
      if (found == nodes.end() || !same(base.node(found->second), node)) continue;
      for (std::size_t i = 0; i < node.outputs.size(); ++i) {
        equal_[static_cast<std::size_t>(node.outputs[i])] = base.node(found->second).outputs[i];
      }
    }
  }

  /// The value of the base that equals `value` of the variant, or kNone.
  ValueId operator()(ValueId value) const { return equal_[static_cast<std::size_t>(value)]; }

 private:
  bool same(const Node& a, const Node& b) const {
    if (a.op != b.op || a.inputs.size() != b.inputs.size() || a.outputs.size() != b.outputs.size()) return false;
    if (a.attrs != b.attrs) return false;
    for (std::size_t i = 0; i < a.outputs.size(); ++i) {
      if (!same_type(base_.value(a.outputs[i]), variant_.value(b.outputs[i]))) return false;
    }
    for (std::size_t i = 0; i < a.inputs.size(); ++i) {
      if (!same_operand(a.inputs[i], b.inputs[i])) return false;
    }
    return true;
  }

  bool same_operand(ValueId a, ValueId b) const {
    if (a == ir::kNone || b == ir::kNone) return a == b;
    if (base_.value(a).is_constant() != variant_.value(b).is_constant()) return false;
    return variant_.value(b).is_constant() ? same_constant(base_.value(a), variant_.value(b)) : (*this)(b) == a;
  }

  const Graph& base_;
  const Graph& variant_;
  std::vector<ValueId> equal_;  // by value of the variant
};

}  // namespace

Remainder remainder_of(const Graph& base, const Graph& variant) {
  const Matcher equal(base, variant);
  std::vector<NodeId> unknown;
  for (const NodeId id : variant.order()) {
    if (equal(variant.node(id).outputs.front()) == ir::kNone) unknown.push_back(id);
  }
  const auto is_computed = [&](ValueId value) {
    return variant.value(value).producer != ir::kNone && equal(value) == ir::kNone;
  };
  Remainder result;
  std::vector<ValueId> computed;
  if (std::any_of(variant.outputs().begin(), variant.outputs().end(), is_computed)) {
    ir::Extract piece = ir::extract(variant, unknown);
    result.graph = std::move(piece.graph);
    computed = std::move(piece.outputs);
    for (const ValueId value : piece.inputs) result.inputs.push_back(equal(value));
  }
  for (std::size_t i = 0; i < variant.outputs().size(); ++i) {
    const ValueId value = variant.outputs()[i];
    OutputSource& source = result.outputs.emplace_back();
    if (is_computed(value)) {
      const auto found = std::find(computed.begin(), computed.end(), value);
      source.computed = static_cast<std::size_t>(found - computed.begin());
    } else if (equal(value) != base.outputs()[i]) {
      source.known = equal(value);
    }
  }
  return result;
}

}  // namespace xinfer::quantize
