#include "reference/loops.h"

#include <fmt/format.h>

#include <algorithm>

namespace xinfer::reference {

Sizes dense_strides(const Sizes& shape) {
  Sizes strides(shape.size(), 1);
  for (std::size_t axis = shape.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * shape[axis];
  return strides;
}

Sizes broadcast_strides(const Sizes& shape, const Sizes& out) {
  if (shape.size() > out.size()) {
    throw ModelError(fmt::format("shape {} doesn't broadcast to {}", to_string(shape), to_string(out)));
  }
  const Sizes dense = dense_strides(shape);
  const std::size_t lead = out.size() - shape.size();
  Sizes strides(out.size(), 0);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == out[lead + axis]) {
      strides[lead + axis] = dense[axis];
    } else if (shape[axis] != 1) {
      throw ModelError(fmt::format("shape {} doesn't broadcast to {}", to_string(shape), to_string(out)));
    }
  }
  return strides;
}

Sizes broadcast_shapes(const Sizes& a, const Sizes& b) {
  Sizes out(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t da = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t db = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (da != db && da != 1 && db != 1) {
      throw ModelError(fmt::format("shapes {} and {} don't broadcast", to_string(a), to_string(b)));
    }
    out[out.size() - 1 - i] = da == 1 ? db : da;
  }
  return out;
}

AxisView around_axis(const Sizes& shape, std::int64_t axis) {
  const auto rank = static_cast<std::int64_t>(shape.size());
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) throw ModelError(fmt::format("axis {} is outside shape {}", axis, to_string(shape)));
  AxisView view;
  for (std::int64_t i = 0; i < rank; ++i) {
    (i < axis ? view.outer : i == axis ? view.size : view.inner) *= shape[static_cast<std::size_t>(i)];
  }
  return view;
}

std::vector<std::int64_t> read_integers(const Tensor& tensor) {
  if (tensor.dtype() == DataType::kInt64) {
    const auto values = tensor.data<std::int64_t>();
    return {values.begin(), values.end()};
  }
  const auto values = tensor.data<std::int32_t>();
  return {values.begin(), values.end()};
}

void require_f32(const Tensor& tensor, const char* what) {
  if (tensor.dtype() != DataType::kFloat32) {
    throw UnsupportedError(fmt::format("{} must be f32 here, but is {}", what, name_of(tensor.dtype())));
  }
}

}  // namespace xinfer::reference
