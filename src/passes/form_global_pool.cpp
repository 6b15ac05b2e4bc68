#include <algorithm>
#include <numeric>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace xinfer::passes {
namespace {

bool covers_input(const ir::Shape& shape, const ir::PoolAttrs& attrs) {
  for (std::size_t i = 0; i < attrs.kernel.size(); ++i) {
    if (shape[2 + i] != ir::Dim(attrs.kernel[i])) return false;
  }
  const auto all_are = [](const std::vector<std::int64_t>& numbers, std::int64_t wanted) {
    return std::all_of(numbers.begin(), numbers.end(), [&](std::int64_t x) { return x == wanted; });
  };
  return all_are(attrs.pads, 0) && all_are(attrs.dilations, 1);
}

}  // namespace

//   x (N, C, H, W) ── AveragePool, kernel (H, W) ── y (N, C, 1, 1)          x ── Reduce mean over the spatial axes ── y
//
// The kernel covers the whole input, without padding or dilation; one window is left, so strides don't matter.
bool form_global_pool(Graph& graph) {
  return for_each_node(graph, [](Graph& g, NodeId id) {
    if (g.node(id).op != OpType::kAveragePool) return false;
    const ValueId x = g.node(id).inputs[0];
    const ir::Shape& shape = g.value(x).shape;
    if (!is_float(g, x) || !covers_input(shape, g.node(id).as<ir::PoolAttrs>())) return false;
    ir::ReduceAttrs attrs;
    attrs.axes.resize(shape.rank() - 2);
    std::iota(attrs.axes.begin(), attrs.axes.end(), 2);
    rewrite(g, id, OpType::kReduce, {x}, attrs);
    return true;
  });
}

}  // namespace xinfer::passes
