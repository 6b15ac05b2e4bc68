// Operators that make tensors out of attributes and shapes.
#include <fmt/format.h>

#include <cmath>

#include "onnx/converters.h"
#include "onnx/tensor_proto.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::BinaryKind;
using ir::OpType;
using ir::ValueId;

constexpr std::int64_t kMostFilled = std::int64_t{1} << 24;  ///< elements that a generated tensor may have

void constant(NodeContext& c) {
  const AttributeReader& a = c.attributes();
  Tensor tensor;
  if (const TensorProto* proto = a.tensor("value")) {
    tensor = read_tensor(*proto, c.external());
  } else if (a.has("value_float")) {
    tensor = Tensor::from<float>({}, std::vector<float>{a.real("value_float", 0)});
  } else if (a.has("value_int")) {
    tensor = Tensor::from<std::int64_t>({}, std::vector<std::int64_t>{a.integer("value_int", 0)});
  } else if (const auto reals = a.reals("value_floats")) {
    tensor = Tensor::from<float>({static_cast<std::int64_t>(reals->size())}, *reals);
  } else if (const auto integers = a.integers("value_ints")) {
    tensor = Tensor::from<std::int64_t>({static_cast<std::int64_t>(integers->size())}, *integers);
  } else {
    throw UnsupportedError("its value is a sparse tensor, a string, or missing");
  }
  c.finish_constant(std::move(tensor));
}

/// A scalar that a generated tensor is filled with, from a tensor of one element; zero when absent.
Tensor fill_value(NodeContext& c, DataType otherwise) {
  const TensorProto* const proto = c.attributes().tensor("value");
  if (proto == nullptr) return Tensor(otherwise, {});
  const Tensor value = read_tensor(*proto, c.external());
  if (value.numel() != 1) throw ModelError(fmt::format("its value has {} elements instead of 1", value.numel()));
  return value.reshaped({});
}

void constant_of_shape(NodeContext& c) {
  c.expect_inputs(1, 1);
  const ir::Shape target(c.dims(0, "shape"));
  for (const ir::Dim& d : target) {
    if (d.value < 0) throw ModelError(fmt::format("its shape {} has a negative dimension", ir::to_string(target)));
  }
  const ValueId value = c.constant_value(fill_value(c, DataType::kFloat32));
  if (target.rank() == 0) return c.alias(0, value);
  c.finish(OpType::kExpand, {value}, ir::ShapeAttrs{target});
}

std::int64_t checked_count(double count) {
  if (!(count < static_cast<double>(kMostFilled))) throw UnsupportedError("it has too many elements, or endless ones");
  return std::max<std::int64_t>(static_cast<std::int64_t>(count), 0);
}

void range(NodeContext& c) {
  c.expect_inputs(3, 3);
  for (std::size_t i = 0; i < 3; ++i) {
    if (!c.is_constant(c.input(i))) {
      throw UnsupportedError("its length depends on the batch or the data; export the model with a fixed batch of 1");
    }
  }
  if (c.constant(0, "start").dtype() == DataType::kFloat32) {
    const double start = c.real(0, "start");
    const double step = c.real(2, "step");
    if (step == 0) throw ModelError("its step is 0");
    const std::int64_t count = checked_count(std::ceil((c.real(1, "limit") - start) / step));
    std::vector<float> values;
    for (std::int64_t i = 0; i < count; ++i)
      values.push_back(static_cast<float>(start + static_cast<double>(i) * step));
    return c.finish_constant(Tensor::from<float>({count}, values));
  }
  const std::int64_t start = c.integer(0, "start");
  const std::int64_t step = c.integer(2, "step");
  if (step == 0) throw ModelError("its step is 0");
  const double span = static_cast<double>(c.integer(1, "limit")) - static_cast<double>(start);
  const std::int64_t count = checked_count(std::ceil(span / static_cast<double>(step)));
  if (std::abs(start) > kMaxElements || std::abs(static_cast<double>(step)) > static_cast<double>(kMaxElements))
    throw ModelError("its bounds are too large");
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(start + i * step);
  const Tensor tensor = Tensor::from<std::int64_t>({count}, values);
  if (c.constant(0, "start").dtype() == DataType::kInt64) return c.finish_constant(tensor);
  c.finish(OpType::kCast, {c.constant_value(tensor)}, ir::CastAttrs{c.constant(0, "start").dtype()});
}

/// on where the index (or the index + depth) equals the place along the new axis, else off.
void one_hot(NodeContext& c) {
  c.expect_inputs(3, 3);
  const std::int64_t depth = c.has(1) ? static_cast<std::int64_t>(c.real(1, "depth")) : 0;
  if (depth < 1 || depth > kMostFilled) throw ModelError(fmt::format("its depth is {}", depth));
  const Tensor values = c.constant(2, "values");
  if (values.numel() != 2) throw ModelError("its values are not one pair");
  const std::size_t rank = c.rank(c.input(0)) + 1;
  const std::size_t axis = c.axis(c.attributes().integer("axis", -1), rank);
  ir::Shape with_axis = c.shape(c.input(0));
  with_axis.dims().insert(with_axis.dims().begin() + static_cast<std::ptrdiff_t>(axis), ir::Dim(1));
  const ValueId indices = c.reshape(c.cast(c.input(0), DataType::kInt64), with_axis);
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < depth; ++i) places.push_back(i);
  std::vector<std::int64_t> shape(rank, 1);
  shape[axis] = depth;
  const ValueId forward = c.constant_value(Tensor::from<std::int64_t>(shape, places));
  for (std::int64_t& place : places) place -= depth;
  const ValueId backward = c.constant_value(Tensor::from<std::int64_t>(shape, places));
  const ValueId hit = c.binary(BinaryKind::kOr, c.binary(BinaryKind::kEqual, indices, forward),
                               c.binary(BinaryKind::kEqual, indices, backward));
  const Tensor pair = values.reshaped({2});
  const ValueId off = c.constant_value(pair.rows(0, 1).clone());
  const ValueId on = c.constant_value(pair.rows(1, 2).clone());
  c.finish(OpType::kWhere, {hit, on, off});
}

void eye_like(NodeContext& c) {
  c.expect_inputs(1, 1);
  const ValueId x = c.input(0);
  if (c.rank(x) != 2) throw ModelError(fmt::format("its input has rank {} instead of 2", c.rank(x)));
  const std::int64_t rows = c.fixed_dim(x, 0);
  const std::int64_t columns = c.fixed_dim(x, 1);
  if (rows * columns > kMostFilled) throw UnsupportedError("it has too many elements");
  const std::int64_t k = c.attributes().integer("k", 0);
  const DataType type =
      c.attributes().has("dtype") ? ir_type(static_cast<int>(c.attributes().integer("dtype", 0))) : c.dtype(x);
  Tensor eye(DataType::kFloat32, {rows, columns});
  for (std::int64_t r = 0; r < rows; ++r) {
    if (k >= -r && k < columns - r) eye.data<float>()[static_cast<std::size_t>(r * columns + r + k)] = 1;
  }
  if (type == DataType::kFloat32) return c.finish_constant(eye);
  c.finish(OpType::kCast, {c.constant_value(eye)}, ir::CastAttrs{type});
}

/// Keeps the upper or lower triangle of the last two axes: a selection by a constant mask.
void trilu(NodeContext& c) {
  c.expect_inputs(1, 2);
  const ValueId x = c.input(0);
  if (c.rank(x) < 2) throw ModelError(fmt::format("its input has rank {}, less than 2", c.rank(x)));
  const std::int64_t rows = c.fixed_dim(x, c.rank(x) - 2);
  const std::int64_t columns = c.fixed_dim(x, c.rank(x) - 1);
  if (rows > kMostFilled || columns > kMostFilled || rows * columns > kMostFilled) {
    throw UnsupportedError("it has too many elements");
  }
  const std::int64_t k = c.has(1) ? std::clamp(c.integer(1, "diagonal"), -kMostFilled, kMostFilled) : 0;
  const bool upper = c.attributes().flag("upper", true);
  Tensor mask(DataType::kBool, {rows, columns});
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t col = 0; col < columns; ++col) {
      mask.data<bool>()[static_cast<std::size_t>(r * columns + col)] = upper ? col - r >= k : col - r <= k;
    }
  }
  const ValueId zero = c.constant_value(Tensor(c.dtype(x), {}));
  c.finish(OpType::kWhere, {c.constant_value(mask), x, zero});
}

constexpr ConverterEntry kEntries[] = {{"Constant", constant}, {"ConstantOfShape", constant_of_shape},
                                       {"Range", range},       {"OneHot", one_hot},
                                       {"EyeLike", eye_like},  {"Trilu", trilu}};

}  // namespace

std::span<const ConverterEntry> fill_converters() { return kEntries; }

}  // namespace xinfer::onnx
