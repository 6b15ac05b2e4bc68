#include "ir/shape_values.h"

#include <algorithm>

#include "xinfer/core/errors.h"

namespace xinfer::ir {
namespace {

using Contents = std::vector<Dim>;
constexpr std::int64_t kMostElements = 64;

template <class T>
Contents elements_of(const Tensor& tensor) {
  const auto data = tensor.data<T>();
  return Contents(data.begin(), data.end());
}

/// Minimum or maximum, where N >= 1 decides it.
std::optional<Dim> extreme(const Dim& a, const Dim& b, bool maximum) {
  if (a.batch == b.batch) return (a.value > b.value) == maximum ? a : b;
  const Dim& symbolic = a.batch ? a : b;
  const Dim& constant = a.batch ? b : a;
  // k*N >= k >= c for a positive k; for a negative one k*N <= k <= c.
  if (symbolic.value > 0 && symbolic.value >= constant.value) return maximum ? symbolic : constant;
  if (symbolic.value < 0 && symbolic.value <= constant.value) return maximum ? constant : symbolic;
  return std::nullopt;
}

std::optional<Dim> equal(const Dim& a, const Dim& b) {
  if (a.batch == b.batch) return Dim(a.value == b.value ? 1 : 0);
  const Dim& symbolic = a.batch ? a : b;
  const Dim& constant = a.batch ? b : a;
  // k*N never meets a number of the other sign, nor one that k doesn't divide.
  const bool impossible =
      constant.value == 0 || (constant.value > 0) != (symbolic.value > 0) || constant.value % symbolic.value != 0;
  return impossible ? std::optional<Dim>(Dim(0)) : std::nullopt;
}

std::optional<Dim> combine(BinaryKind kind, const Dim& a, const Dim& b) {
  switch (kind) {
    case BinaryKind::kAdd:
      return add(a, b);
    case BinaryKind::kSub:
      return subtract(a, b);
    case BinaryKind::kMul:
      return multiply(a, b);
    case BinaryKind::kDiv:
      return divide(a, b);
    case BinaryKind::kMax:
      return extreme(a, b, true);
    case BinaryKind::kMin:
      return extreme(a, b, false);
    case BinaryKind::kEqual:
      return equal(a, b);
    default:
      return std::nullopt;
  }
}

/// The i-th element under broadcasting, where a list of one element repeats.
const Dim& at(const Contents& contents, std::size_t i) { return contents.size() == 1 ? contents.front() : contents[i]; }

class Propagation {
 public:
  Propagation(const Graph& graph, const Node& node) : node_(node) {
    for (const ValueId id : node.inputs) {
      inputs_.push_back(id == kNone ? std::nullopt : contents_of(graph, id));
      known_ = known_ && inputs_.back().has_value();
    }
    const Value& out = graph.value(node.outputs.front());
    if (out.shape.is_static()) count_ = out.shape.element_count().value;
  }

  std::optional<Contents> result() const {
    if (!known_ || count_ < 0 || count_ > kMostElements) return std::nullopt;
    switch (node_.op) {
      case OpType::kReshape:
      case OpType::kCast:
        return inputs_[0];
      case OpType::kUnary:
        return node_.as<UnaryAttrs>().kind == UnaryKind::kIdentity ? inputs_[0] : std::nullopt;
      case OpType::kConcat:
        return concat();
      case OpType::kGather:
        return gather();
      case OpType::kSlice:
        return slice();
      case OpType::kBinary:
        return elementwise([&](std::size_t i) {
          return combine(node_.as<BinaryAttrs>().kind, at(*inputs_[0], i), at(*inputs_[1], i));
        });
      case OpType::kWhere:
        return elementwise(
            [&](std::size_t i) -> std::optional<Dim> { return at(*inputs_[at(*inputs_[0], i) == Dim(0) ? 2 : 1], i); });
      default:
        return std::nullopt;
    }
  }

 private:
  Contents concat() const {
    Contents all;
    for (const auto& part : inputs_) all.insert(all.end(), part->begin(), part->end());
    return all;
  }

  std::optional<Contents> gather() const {
    Contents picked;
    const auto size = static_cast<std::int64_t>(inputs_[0]->size());
    for (const Dim& index : *inputs_[1]) {
      if (!index.is_constant()) return std::nullopt;
      const std::int64_t place = index.value < 0 ? index.value + size : index.value;
      if (place < 0 || place >= size) throw ModelError("an index of a shape tensor is out of range");
      picked.push_back((*inputs_[0])[static_cast<std::size_t>(place)]);
    }
    return picked;
  }

  std::optional<Contents> slice() const {
    const auto& attrs = node_.as<SliceAttrs>();
    if (attrs.starts.empty()) return inputs_[0];
    const auto range =
        slice_range(attrs.starts[0], attrs.ends[0], attrs.steps[0], static_cast<std::int64_t>(inputs_[0]->size()));
    Contents picked;
    for (std::int64_t i = 0; i < range.count; ++i) {
      picked.push_back((*inputs_[0])[static_cast<std::size_t>(range.start + i * range.step)]);
    }
    return picked;
  }

  template <class F>
  std::optional<Contents> elementwise(F&& element) const {
    Contents all;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count_); ++i) {
      const std::optional<Dim> one = element(i);
      if (!one) return std::nullopt;
      all.push_back(*one);
    }
    return all;
  }

  const Node& node_;
  std::vector<std::optional<Contents>> inputs_;
  bool known_ = true;
  std::int64_t count_ = -1;
};

bool holds_shapes(const Value& value) {
  return !value.quantization && value.shape.rank() <= 1 &&
         (value.dtype == DataType::kInt64 || value.dtype == DataType::kInt32 || value.dtype == DataType::kBool);
}

}  // namespace

std::optional<std::vector<Dim>> contents_of(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  if (!holds_shapes(value)) return std::nullopt;
  if (!value.constant) return value.symbolic.empty() ? std::nullopt : std::optional(value.symbolic);
  if (value.constant->numel() > kMostElements) return std::nullopt;
  switch (value.dtype) {
    case DataType::kInt64:
      return elements_of<std::int64_t>(*value.constant);
    case DataType::kInt32:
      return elements_of<std::int32_t>(*value.constant);
    case DataType::kBool:
      return elements_of<bool>(*value.constant);
    default:
      return std::nullopt;
  }
}

bool propagate_contents(Graph& graph, Node& node) {
  for (const ValueId id : node.outputs) graph.value(id).symbolic.clear();
  const bool depends = std::any_of(node.inputs.begin(), node.inputs.end(),
                                   [&](ValueId id) { return id != kNone && !graph.value(id).symbolic.empty(); });
  Value& out = graph.value(node.outputs.front());
  if (!depends || node.outputs.size() != 1 || !holds_shapes(out)) return false;
  try {
    auto contents = Propagation(graph, node).result();
    if (!contents) return false;
    out.symbolic = std::move(*contents);
    return !out.symbolic.empty();
  } catch (const UnsupportedError&) {
    return false;  // not linear in N: whoever needs the contents will say so
  }
}

}  // namespace xinfer::ir
