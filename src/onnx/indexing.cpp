// Gather and scatter.
#include <fmt/format.h>

#include "onnx/converters.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::OpType;

ir::AxisAttrs axis_of(NodeContext& c) {
  c.expect_inputs(2, 2);
  return {static_cast<std::int64_t>(c.axis(c.attributes().integer("axis", 0), c.rank(c.input(0))))};
}

void gather(NodeContext& c) { c.finish(OpType::kGather, {c.input(0), c.input(1)}, axis_of(c)); }
void gather_elements(NodeContext& c) { c.finish(OpType::kGatherElements, {c.input(0), c.input(1)}, axis_of(c)); }

void gather_nd(NodeContext& c) {
  c.expect_inputs(2, 2);
  const std::int64_t batch_axes = c.opset() < 12 ? 0 : c.attributes().integer("batch_dims", 0);
  c.finish(OpType::kGatherNd, {c.input(0), c.input(1)}, ir::AxisAttrs{batch_axes});
}

ir::ScatterReduction reduction_of(const std::string& name) {
  if (name == "none") return ir::ScatterReduction::kNone;
  if (name == "add") return ir::ScatterReduction::kAdd;
  if (name == "mul") return ir::ScatterReduction::kMul;
  if (name == "max") return ir::ScatterReduction::kMax;
  if (name == "min") return ir::ScatterReduction::kMin;
  throw ModelError(fmt::format("reduction '{}' is unknown", name));
}

void scatter_nd(NodeContext& c) {
  c.expect_inputs(3, 3);
  const ir::ScatterAttrs attrs{reduction_of(c.attributes().text("reduction", "none"))};
  c.finish(OpType::kScatterNd, {c.input(0), c.input(1), c.input(2)}, attrs);
}

constexpr ConverterEntry kEntries[] = {
    {"Gather", gather}, {"GatherElements", gather_elements}, {"GatherND", gather_nd}, {"ScatterND", scatter_nd}};

}  // namespace

std::span<const ConverterEntry> indexing_converters() { return kEntries; }

}  // namespace xinfer::onnx
