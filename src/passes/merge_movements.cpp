#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace xinfer::passes {
namespace {

using ir::Dim;

bool is_movement(const Node& node) { return node.op == OpType::kReshape || node.op == OpType::kTranspose; }

// a / b when b divides a at every batch size.
std::optional<Dim> quotient(const Dim& a, const Dim& b) {
  if (b.value == 0 || a.value % b.value != 0 || (b.batch && !a.batch)) return std::nullopt;
  return Dim(a.value / b.value, a.batch && !b.batch);
}

// Follows a chain of Reshapes and Transposes as a permutation of factors of the source's axes. An axis of size 1 has
// no factors.
class Layout {
 public:
  using Axis = std::vector<int>;  // ids of factors, outermost first

  explicit Layout(const ir::Shape& source) {
    for (const Dim& dim : source) {
      Axis axis;
      if (dim != Dim(1)) axis.push_back(new_factor(dim));
      source_.push_back(axis);
    }
    now_ = source_;
  }

  void transpose(const std::vector<std::int64_t>& perm) {
    std::vector<Axis> moved;
    for (const std::int64_t axis : perm) moved.push_back(now_[static_cast<std::size_t>(axis)]);
    now_ = std::move(moved);
  }

  // False when the factors and the new axes have no common refinement.
  bool reshape(const ir::Shape& shape) {
    Axis open = flat(now_);
    std::reverse(open.begin(), open.end());
    std::vector<Axis> axes;
    for (const Dim& dim : shape) {
      Axis axis;
      Dim rest = dim;
      while (rest != Dim(1)) {
        if (open.empty()) return false;
        const int factor = open.back();
        if (const auto left = quotient(rest, size(factor))) {
          rest = *left;
          open.pop_back();
        } else if (const auto inner = quotient(size(factor), rest)) {
          open.back() = split(factor, rest, *inner);
          rest = Dim(1);
        } else {
          return false;
        }
        axis.push_back(factor);
      }
      axes.push_back(axis);
    }
    if (!open.empty()) return false;
    now_ = std::move(axes);
    return true;
  }

  const std::vector<Axis>& source() const { return source_; }
  const std::vector<Axis>& now() const { return now_; }
  static Axis flat(const std::vector<Axis>& axes) {
    Axis all;
    for (const Axis& axis : axes) all.insert(all.end(), axis.begin(), axis.end());
    return all;
  }
  Dim size_of(const Axis& axis) const {
    Dim product(1);
    for (const int factor : axis) product = ir::multiply(product, size(factor));
    return product;
  }

 private:
  Dim size(int factor) const { return sizes_[static_cast<std::size_t>(factor)]; }
  int new_factor(const Dim& dim) {
    sizes_.push_back(dim);
    return static_cast<int>(sizes_.size()) - 1;
  }
  // Cuts a factor in two; returns the inner one, which every list gets right behind the outer one.
  int split(int factor, const Dim& outer, const Dim& inner) {
    sizes_[static_cast<std::size_t>(factor)] = outer;
    const int added = new_factor(inner);
    for (Axis& axis : source_) refine(axis, factor, added);
    return added;
  }
  static void refine(Axis& axis, int factor, int added) {
    const auto found = std::find(axis.begin(), axis.end(), factor);
    if (found != axis.end()) axis.insert(found + 1, added);
  }

  std::vector<Dim> sizes_;
  std::vector<Axis> source_, now_;
};

// True when each group's factors stand side by side, in this order, in `sequence`.
bool are_runs_of(const Layout::Axis& sequence, const std::vector<Layout::Axis>& groups) {
  return std::all_of(groups.begin(), groups.end(), [&](const Layout::Axis& group) {
    return std::search(sequence.begin(), sequence.end(), group.begin(), group.end()) != sequence.end() || group.empty();
  });
}

// The longest groups of factors that stay side by side from the source to the end, in source order.
std::vector<Layout::Axis> common_runs(const Layout::Axis& source, const Layout::Axis& now) {
  std::vector<Layout::Axis> runs;
  for (const int factor : source) {
    if (!runs.empty()) {
      const auto before = std::find(now.begin(), now.end(), runs.back().back());
      if (before + 1 != now.end() && *(before + 1) == factor) {
        runs.back().push_back(factor);
        continue;
      }
    }
    runs.push_back({factor});
  }
  return runs;
}

// Positions of the groups, ordered by where `sequence` has them; empty groups last.
std::vector<std::int64_t> order_along(const Layout::Axis& sequence, const std::vector<Layout::Axis>& groups) {
  std::vector<std::int64_t> order(groups.size());
  std::iota(order.begin(), order.end(), 0);
  const auto place = [&](std::int64_t group) {
    const auto& factors = groups[static_cast<std::size_t>(group)];
    return factors.empty() ? sequence.end() : std::find(sequence.begin(), sequence.end(), factors.front());
  };
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) { return place(a) < place(b); });
  return order;
}

// Reshape to `first`, Transpose by `perm` (none when empty), Reshape to the end's shape: what differs is done.
struct Steps {
  ir::Shape first;
  std::vector<std::int64_t> perm;
};

ir::Shape transposed(const ir::Shape& shape, const std::vector<std::int64_t>& perm) {
  std::vector<Dim> dims;
  for (const std::int64_t axis : perm) dims.push_back(shape[static_cast<std::size_t>(axis)]);
  return ir::Shape(dims);
}

Steps plan(const Layout& layout, const ir::Shape& source, const ir::Shape& end) {
  const Layout::Axis before = Layout::flat(layout.source());
  const Layout::Axis after = Layout::flat(layout.now());
  if (before == after) return {end, {}};
  if (are_runs_of(after, layout.source())) return {source, order_along(after, layout.source())};
  if (are_runs_of(before, layout.now())) {
    const std::vector<std::int64_t> order = order_along(before, layout.now());
    std::vector<std::int64_t> perm(order.size());
    for (std::size_t i = 0; i < order.size(); ++i)
      perm[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
    return {transposed(end, order), perm};
  }
  const std::vector<Layout::Axis> runs = common_runs(before, after);
  std::vector<Dim> dims;
  for (const Layout::Axis& run : runs) dims.push_back(layout.size_of(run));
  return {ir::Shape(dims), order_along(after, runs)};
}

// The chain of movements that ends in `id`, first one first.
std::vector<NodeId> chain_to(const Graph& graph, NodeId id) {
  std::vector<NodeId> chain{id};
  while (true) {
    const ValueId value = graph.node(chain.back()).inputs[0];
    const NodeId before = producer_of(graph, value);
    if (before == kNone || !is_movement(graph.node(before)) || graph.sole_consumer(value) != chain.back()) break;
    chain.push_back(before);
  }
  std::reverse(chain.begin(), chain.end());
  return chain;
}

bool merge(Graph& graph, NodeId id) {
  const ValueId out = graph.node(id).outputs[0];
  if (!is_movement(graph.node(id)) || !is_float(graph, out)) return false;
  const NodeId next = graph.sole_consumer(out);
  if (next != kNone && is_movement(graph.node(next))) return false;  // its turn comes at the chain's end
  const std::vector<NodeId> chain = chain_to(graph, id);
  if (chain.size() < 2) return false;
  ValueId source = graph.node(chain.front()).inputs[0];
  const ir::Shape shape = graph.value(source).shape;
  const ir::Shape end = graph.value(out).shape;
  if (std::any_of(shape.begin(), shape.end(), [](const Dim& d) { return d.value == 0; })) return false;
  Layout layout(shape);
  for (const NodeId step : chain) {
    if (graph.node(step).op == OpType::kTranspose) {
      layout.transpose(graph.node(step).as<ir::TransposeAttrs>().perm);
    } else if (!layout.reshape(graph.node(step).as<ir::ShapeAttrs>().shape)) {
      return false;
    }
  }
  const Steps steps = plan(layout, shape, end);
  const bool ends_in_reshape = steps.perm.empty() || transposed(steps.first, steps.perm) != end;
  const std::size_t count = steps.perm.empty() ? 1U : (steps.first != shape) + 1U + ends_in_reshape;
  if (count >= chain.size()) return false;
  const std::string name = graph.node(id).name;
  if (!steps.perm.empty()) {
    if (steps.first != shape) {
      source = graph.add(OpType::kReshape, name + ".split", {source}, ir::ShapeAttrs{steps.first});
    }
    const ir::TransposeAttrs perm{steps.perm};
    if (!ends_in_reshape) {
      rewrite(graph, id, OpType::kTranspose, {source}, perm);
      return true;
    }
    source = graph.add(OpType::kTranspose, name + ".move", {source}, perm);
  }
  rewrite(graph, id, OpType::kReshape, {source}, ir::ShapeAttrs{end});
  return true;
}

}  // namespace

//   x ── Reshape | Transpose ── Reshape | Transpose ── ... ── y          x ── [Reshape] ── [Transpose] ── [Reshape] ──
//   y
//
// Each node of the chain is read by the next alone, on f32. The chain is followed as a permutation of factors of x's
// axes; it is rewritten when that needs fewer nodes. Axes without a common refinement (2 x 3 against 3 x 2, moved)
// stay.
bool merge_movements(Graph& graph) { return for_each_node(graph, merge); }

}  // namespace xinfer::passes
