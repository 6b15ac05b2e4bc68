// Reductions, searches and sums along axes.
#include <fmt/format.h>

#include <numeric>

#include "onnx/converters.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::OpType;
using ir::ReduceKind;
using ir::ValueId;

/// Product or sum of a shape tensor that depends on the batch; false when that is not what the node computes.
bool reduce_shape(NodeContext& c, ReduceKind kind, bool keepdims) {
  const ValueId x = c.input(0);
  if (c.graph().value(x).symbolic.empty() || (kind != ReduceKind::kProd && kind != ReduceKind::kSum)) return false;
  ir::Dim total = kind == ReduceKind::kProd ? 1 : 0;
  for (const ir::Dim& d : c.graph().value(x).symbolic) {
    total = kind == ReduceKind::kProd ? ir::multiply(total, d) : ir::add(total, d);
  }
  c.finish_contents(0, {total}, keepdims ? 1 : 0);
  return true;
}

template <ReduceKind kind>
void reduce(NodeContext& c) {
  c.expect_inputs(1, 2);
  const ValueId x = c.input(0);
  const std::size_t rank = c.rank(x);
  const auto given = c.axes_argument(kind == ReduceKind::kSum ? 13 : 18, 1);
  ir::ReduceAttrs attrs;
  attrs.kind = kind;
  attrs.keepdims = c.attributes().flag("keepdims", true);
  if (given && !given->empty()) {
    attrs.axes = c.axes(*given, rank);
  } else if (!c.attributes().flag("noop_with_empty_axes", false)) {
    attrs.axes.resize(rank);
    std::iota(attrs.axes.begin(), attrs.axes.end(), 0);
  }
  if (rank == 1 && attrs.axes.size() == 1 && reduce_shape(c, kind, attrs.keepdims)) return;
  c.finish(OpType::kReduce, {x}, attrs);
}

void arg_reduce(NodeContext& c, bool is_max) {
  c.expect_inputs(1, 1);
  ir::ArgReduceAttrs attrs;
  attrs.axis = static_cast<std::int64_t>(c.axis(c.attributes().integer("axis", 0), c.rank(c.input(0))));
  attrs.keepdims = c.attributes().flag("keepdims", true);
  attrs.select_last = c.attributes().flag("select_last_index", false);
  attrs.is_max = is_max;
  c.finish(OpType::kArgReduce, {c.input(0)}, attrs);
}
void arg_max(NodeContext& c) { arg_reduce(c, true); }
void arg_min(NodeContext& c) { arg_reduce(c, false); }

void top_k(NodeContext& c) {
  c.expect_inputs(c.opset() < 10 ? 1 : 2, c.opset() < 10 ? 1 : 2);
  ir::TopKAttrs attrs;
  attrs.k = c.opset() < 10 ? c.attributes().required_integer("k") : c.integer(1, "number K");
  attrs.axis = static_cast<std::int64_t>(c.axis(c.attributes().integer("axis", -1), c.rank(c.input(0))));
  attrs.largest = c.attributes().flag("largest", true);
  attrs.sorted = c.attributes().flag("sorted", true);
  c.finish(OpType::kTopK, {c.input(0)}, attrs, 2);
}

void cum_sum(NodeContext& c) {
  c.expect_inputs(2, 2);
  ir::CumSumAttrs attrs;
  attrs.axis = static_cast<std::int64_t>(c.axis(c.integer(1, "axis"), c.rank(c.input(0))));
  attrs.exclusive = c.attributes().flag("exclusive", false);
  attrs.reverse = c.attributes().flag("reverse", false);
  c.finish(OpType::kCumSum, {c.input(0)}, attrs);
}

constexpr ConverterEntry kEntries[] = {
    {"ReduceMean", reduce<ReduceKind::kMean>},
    {"ReduceSum", reduce<ReduceKind::kSum>},
    {"ReduceMax", reduce<ReduceKind::kMax>},
    {"ReduceMin", reduce<ReduceKind::kMin>},
    {"ReduceProd", reduce<ReduceKind::kProd>},
    {"ReduceL1", reduce<ReduceKind::kL1>},
    {"ReduceL2", reduce<ReduceKind::kL2>},
    {"ReduceSumSquare", reduce<ReduceKind::kSumSquare>},
    {"ReduceLogSum", reduce<ReduceKind::kLogSum>},
    {"ReduceLogSumExp", reduce<ReduceKind::kLogSumExp>},
    {"ArgMax", arg_max},
    {"ArgMin", arg_min},
    {"TopK", top_k},
    {"CumSum", cum_sum},
};

}  // namespace

std::span<const ConverterEntry> reduce_converters() { return kEntries; }

}  // namespace xinfer::onnx
