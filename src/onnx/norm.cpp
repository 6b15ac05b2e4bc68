// Normalisations and softmax.
#include <fmt/format.h>

#include <numeric>

#include "onnx/converters.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::BinaryKind;
using ir::OpType;
using ir::ReduceKind;
using ir::UnaryKind;
using ir::ValueId;

void batch_normalization(NodeContext& c) {
  c.expect_inputs(5, 5);
  if (c.attributes().flag("training_mode", false)) {
    throw UnsupportedError("it is in training mode; export the model with model.eval()");
  }
  if (c.opset() < 9 && !c.attributes().flag("spatial", true)) throw UnsupportedError("spatial=0 is not supported");
  c.expect_unused_from(1, "training statistics");
  for (std::size_t i = 1; i < 5; ++i) c.expect_finite(c.input(i));
  ir::NormAttrs attrs;
  attrs.epsilon = c.attributes().real("epsilon", 1e-5F);
  c.finish(OpType::kBatchNorm, {c.input(0), c.input(1), c.input(2), c.input(3), c.input(4)}, attrs);
}

/// A scale or bias that broadcasts to `wanted`, in exactly that shape.
ValueId fit_parameter(NodeContext& c, ValueId parameter, const ir::Shape& wanted) {
  if (parameter == ir::kNone || c.shape(parameter) == wanted) return parameter;
  c.expect_finite(parameter);
  if (c.shape(parameter).element_count() == wanted.element_count()) return c.reshape(parameter, wanted);
  return c.emit(OpType::kExpand, {parameter}, ir::ShapeAttrs{wanted});
}

ir::Shape tail(const ir::Shape& shape, std::size_t axis) {
  return ir::Shape(std::vector<ir::Dim>(shape.begin() + static_cast<std::ptrdiff_t>(axis), shape.end()));
}

void layer_normalization(NodeContext& c) {
  c.expect_inputs(2, 3);
  c.expect_unused_from(1, "Mean or InvStdDev");
  const ValueId x = c.input(0);
  const std::size_t axis = c.axis(c.attributes().integer("axis", -1), c.rank(x));
  const ir::Shape normalized = tail(c.shape(x), axis);
  ir::NormAttrs attrs;
  attrs.axis = static_cast<std::int64_t>(axis);
  attrs.epsilon = c.attributes().real("epsilon", 1e-5F);
  std::vector<ValueId> inputs = {x, fit_parameter(c, c.input(1), normalized)};
  if (c.has(2)) inputs.push_back(fit_parameter(c, c.input(2), normalized));
  c.finish(OpType::kLayerNorm, inputs, attrs);
}

/// scale * x / sqrt(mean(x^2) + epsilon) over the axes from `axis` on.
void rms_normalization(NodeContext& c) {
  c.expect_inputs(2, 2);
  const ValueId x = c.input(0);
  const std::size_t axis = c.axis(c.attributes().integer("axis", -1), c.rank(x));
  std::vector<std::int64_t> axes(c.rank(x) - axis);
  std::iota(axes.begin(), axes.end(), static_cast<std::int64_t>(axis));
  const ValueId power = c.reduce(ReduceKind::kMean, c.binary(BinaryKind::kMul, x, x), axes, true);
  const ValueId shifted = c.binary(BinaryKind::kAdd, power, c.scalar(c.attributes().real("epsilon", 1e-5F)));
  const ValueId normalized = c.binary(BinaryKind::kDiv, x, c.unary(UnaryKind::kSqrt, shifted));
  c.finish(OpType::kBinary, {normalized, c.input(1)}, ir::BinaryAttrs{BinaryKind::kMul, {}});
}

void instance_normalization(NodeContext& c) {
  c.expect_inputs(3, 3);
  const ValueId x = c.input(0);
  ir::NormAttrs attrs;
  attrs.epsilon = c.attributes().real("epsilon", 1e-5F);
  attrs.groups = c.fixed_dim(x, 1);
  c.finish(OpType::kGroupNorm, {x, c.input(1), c.input(2)}, attrs);
}

/// Parameters of one element a group, as opset 18 has them, repeated for each channel of the group.
ValueId per_channel(NodeContext& c, ValueId parameter, std::int64_t groups, std::int64_t channels) {
  if (c.opset() >= 21 || groups == channels) return parameter;
  if (groups < 1 || channels % groups != 0) {
    throw ModelError(fmt::format("{} channels can't be parted into {} groups", channels, groups));
  }
  const ValueId column = c.reshape(parameter, {groups, 1});
  const ValueId repeated = c.emit(OpType::kExpand, {column}, ir::ShapeAttrs{{groups, channels / groups}});
  return c.reshape(repeated, {channels});
}

void group_normalization(NodeContext& c) {
  c.expect_inputs(3, 3);
  const ValueId x = c.input(0);
  const std::int64_t channels = c.fixed_dim(x, 1);
  ir::NormAttrs attrs;
  attrs.epsilon = c.attributes().real("epsilon", 1e-5F);
  attrs.groups = c.attributes().required_integer("num_groups");
  const ValueId scale = per_channel(c, c.input(1), attrs.groups, channels);
  const ValueId bias = per_channel(c, c.input(2), attrs.groups, channels);
  c.finish(OpType::kGroupNorm, {x, scale, bias}, attrs);
}

void lp_normalization(NodeContext& c) {
  c.expect_inputs(1, 1);
  const std::int64_t p = c.attributes().integer("p", 2);
  if (p != 1 && p != 2) throw ModelError(fmt::format("norm p={} is not 1 or 2", p));
  const ValueId x = c.input(0);
  const auto axis = static_cast<std::int64_t>(c.axis(c.attributes().integer("axis", -1), c.rank(x)));
  const ValueId norm = c.reduce(p == 1 ? ReduceKind::kL1 : ReduceKind::kL2, x, {axis}, true);
  c.finish(OpType::kBinary, {x, norm}, ir::BinaryAttrs{BinaryKind::kDiv, {}});
}

void mean_variance_normalization(NodeContext& c) {
  c.expect_inputs(1, 1);
  const ValueId x = c.input(0);
  const auto axes = c.axes(c.attributes().integers("axes").value_or(std::vector<std::int64_t>{0, 2, 3}), c.rank(x));
  const ValueId centred = c.binary(BinaryKind::kSub, x, c.reduce(ReduceKind::kMean, x, axes, true));
  const ValueId variance = c.reduce(ReduceKind::kMean, c.binary(BinaryKind::kMul, centred, centred), axes, true);
  const ValueId deviation = c.binary(BinaryKind::kAdd, c.unary(UnaryKind::kSqrt, variance), c.scalar(1e-9F));
  c.finish(OpType::kBinary, {centred, deviation}, ir::BinaryAttrs{BinaryKind::kDiv, {}});
}

/// x / (bias + alpha * mean of x^2 over `size` neighbouring channels)^beta. The mean is an average pool that counts the
/// padding, along the channels as if they were rows.
void lrn(NodeContext& c) {
  c.expect_inputs(1, 1);
  const ValueId x = c.input(0);
  if (c.rank(x) < 3) throw ModelError(fmt::format("its input has rank {}; (N, C, spatial...) is needed", c.rank(x)));
  const std::int64_t size = c.attributes().required_integer("size");
  if (size < 1 || size > kMaxSize) throw ModelError(fmt::format("size {} is not usable", size));
  const ir::Shape shape = c.shape(x);
  std::int64_t area = 1;
  for (std::size_t i = 2; i < shape.rank(); ++i) area *= c.fixed_dim(x, i);
  const ValueId rows = c.reshape(c.binary(BinaryKind::kMul, x, x), {shape[0], 1, shape[1], area});
  ir::PoolAttrs pool;
  pool.kernel = {size, 1};
  pool.strides = {1, 1};
  pool.dilations = {1, 1};
  pool.pads = {(size - 1) / 2, 0, size / 2, 0};
  pool.count_include_pad = true;
  const ValueId mean = c.reshape(c.emit(OpType::kAveragePool, {rows}, pool), shape);
  const ValueId scaled = c.binary(BinaryKind::kMul, mean, c.scalar(c.attributes().real("alpha", 1e-4F)));
  const ValueId shifted = c.binary(BinaryKind::kAdd, scaled, c.scalar(c.attributes().real("bias", 1)));
  const ValueId divisor = c.binary(BinaryKind::kPow, shifted, c.scalar(c.attributes().real("beta", 0.75F)));
  c.finish(OpType::kBinary, {x, divisor}, ir::BinaryAttrs{BinaryKind::kDiv, {}});
}

/// Before opset 13 the axes from `axis` on are flattened into one, and softmax runs over that.
void softmax_of(NodeContext& c, bool log) {
  c.expect_inputs(1, 1);
  const ValueId x = c.input(0);
  const std::size_t rank = c.rank(x);
  const std::size_t axis = c.axis(c.attributes().integer("axis", c.opset() < 13 ? 1 : -1), rank);
  if (c.opset() >= 13 || axis + 1 == rank) {
    return c.finish(OpType::kSoftmax, {x}, ir::SoftmaxAttrs{static_cast<std::int64_t>(axis), log});
  }
  const ir::Shape shape = c.shape(x);
  std::vector<ir::Dim> rows(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(axis));
  rows.push_back(tail(shape, axis).element_count());
  const ValueId flat = c.reshape(x, ir::Shape(rows));
  const ValueId y = c.emit(OpType::kSoftmax, {flat}, ir::SoftmaxAttrs{static_cast<std::int64_t>(axis), log});
  c.finish(OpType::kReshape, {y}, ir::ShapeAttrs{shape});
}

void softmax(NodeContext& c) { softmax_of(c, false); }
void log_softmax(NodeContext& c) { softmax_of(c, true); }

constexpr ConverterEntry kEntries[] = {
    {"BatchNormalization", batch_normalization},
    {"LayerNormalization", layer_normalization},
    {"RMSNormalization", rms_normalization},
    {"InstanceNormalization", instance_normalization},
    {"GroupNormalization", group_normalization},
    {"LpNormalization", lp_normalization},
    {"MeanVarianceNormalization", mean_variance_normalization},
    {"LRN", lrn},
    {"Softmax", softmax},
    {"LogSoftmax", log_softmax},
};

}  // namespace

std::span<const ConverterEntry> norm_converters() { return kEntries; }

}  // namespace xinfer::onnx
