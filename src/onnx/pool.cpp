// Pooling over windows and over whole images.
#include <fmt/format.h>

#include "onnx/converters.h"
#include "onnx/window.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::OpType;
using ir::ReduceKind;
using ir::ValueId;

ir::PoolAttrs pool_attributes(NodeContext& c, ValueId x) {
  if (c.rank(x) < 3) throw ModelError(fmt::format("its input has rank {}; (N, C, spatial...) is needed", c.rank(x)));
  if (!c.attributes().has("kernel_shape")) throw ModelError("attribute 'kernel_shape' is missing");
  const Window window = read_window(c, x, c.attributes().sizes("kernel_shape", c.rank(x) - 2, 1, 1));
  ir::PoolAttrs attrs;
  attrs.kernel = window.kernel;
  attrs.strides = window.strides;
  attrs.dilations = window.dilations;
  attrs.pads = window.pads;
  attrs.ceil_mode = c.attributes().flag("ceil_mode", false);
  attrs.count_include_pad = c.attributes().flag("count_include_pad", false);
  return attrs;
}

void max_pool(NodeContext& c) {
  c.expect_inputs(1, 1);
  c.expect_unused_from(1, "Indices");
  c.finish(OpType::kMaxPool, {c.input(0)}, pool_attributes(c, c.input(0)));
}

void average_pool(NodeContext& c) {
  c.expect_inputs(1, 1);
  c.finish(OpType::kAveragePool, {c.input(0)}, pool_attributes(c, c.input(0)));
}

void global_pool(NodeContext& c, ReduceKind kind) {
  c.expect_inputs(1, 1);
  const std::size_t rank = c.rank(c.input(0));
  if (rank < 3) throw ModelError(fmt::format("its input has rank {}; (N, C, spatial...) is needed", rank));
  ir::ReduceAttrs attrs;
  attrs.kind = kind;
  for (std::size_t i = 2; i < rank; ++i) attrs.axes.push_back(static_cast<std::int64_t>(i));
  c.finish(OpType::kReduce, {c.input(0)}, attrs);
}

void global_average_pool(NodeContext& c) { global_pool(c, ReduceKind::kMean); }
void global_max_pool(NodeContext& c) { global_pool(c, ReduceKind::kMax); }
void global_lp_pool(NodeContext& c) {
  const std::int64_t p = c.attributes().integer("p", 2);
  if (p != 1 && p != 2) throw UnsupportedError(fmt::format("norm p={} is not supported", p));
  global_pool(c, p == 1 ? ReduceKind::kL1 : ReduceKind::kL2);
}

constexpr ConverterEntry kEntries[] = {{"MaxPool", max_pool},
                                       {"AveragePool", average_pool},
                                       {"GlobalAveragePool", global_average_pool},
                                       {"GlobalMaxPool", global_max_pool},
                                       {"GlobalLpPool", global_lp_pool}};

}  // namespace

std::span<const ConverterEntry> pool_converters() { return kEntries; }

}  // namespace xinfer::onnx
