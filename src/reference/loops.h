#pragma once
// What the plain loops of every operator share: strides, broadcasting, and choosing a C++ type for a DataType.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "xinfer/core/errors.h"
#include "xinfer/core/tensor.h"

namespace xinfer::reference {

using Sizes = std::vector<std::int64_t>;

/// Row-major strides in elements.
Sizes dense_strides(const Sizes& shape);
/// Strides that walk a dense tensor of `shape` while another of shape `out` is walked: 0 along broadcast axes.
Sizes broadcast_strides(const Sizes& shape, const Sizes& out);
/// Numpy broadcasting of two concrete shapes. Throws ModelError when they don't fit.
Sizes broadcast_shapes(const Sizes& a, const Sizes& b);

/// A shape seen as (outer, axis, inner) around one axis.
struct AxisView {
  std::int64_t outer = 1, size = 1, inner = 1;
};
AxisView around_axis(const Sizes& shape, std::int64_t axis);

/// Elements of an s32 or s64 tensor as s64.
std::vector<std::int64_t> read_integers(const Tensor& tensor);

/// Calls f(position, offsets) for every element of `shape` in row-major order; offsets[k] follows strides[k].
template <std::size_t K, class F>
void for_each_offset(const Sizes& shape, const std::array<Sizes, K>& strides, F&& f) {
  const std::int64_t total = element_count(shape);
  const std::size_t rank = shape.size();
  const std::int64_t inner = rank == 0 ? 1 : shape[rank - 1];
  std::array<std::int64_t, K> step{};
  for (std::size_t k = 0; k < K && rank > 0; ++k) step[k] = strides[k][rank - 1];
  std::array<std::int64_t, K> base{};
  Sizes index(rank, 0);
  for (std::int64_t position = 0; position < total;) {
    std::array<std::int64_t, K> at = base;
    for (std::int64_t i = 0; i < inner; ++i, ++position) {
      f(position, at);
      for (std::size_t k = 0; k < K; ++k) at[k] += step[k];
    }
    for (std::size_t axis = rank > 0 ? rank - 1 : 0; axis-- > 0;) {
      for (std::size_t k = 0; k < K; ++k) base[k] += strides[k][axis];
      if (++index[axis] < shape[axis]) break;
      for (std::size_t k = 0; k < K; ++k) base[k] -= strides[k][axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

/// Calls f(T{}) with the C++ type that stores `type`.
template <class F>
decltype(auto) with_type(DataType type, F&& f) {
  switch (type) {
    case DataType::kFloat32:
      return f(float{});
    case DataType::kInt8:
      return f(std::int8_t{});
    case DataType::kUInt8:
      return f(std::uint8_t{});
    case DataType::kInt32:
      return f(std::int32_t{});
    case DataType::kInt64:
      return f(std::int64_t{});
    case DataType::kBool:
      return f(bool{});
  }
  throw UnsupportedError("unknown data type");
}

/// As with_type, for operators that compute: bool is refused.
template <class F>
decltype(auto) with_number(DataType type, F&& f) {
  switch (type) {
    case DataType::kFloat32:
      return f(float{});
    case DataType::kInt8:
      return f(std::int8_t{});
    case DataType::kUInt8:
      return f(std::uint8_t{});
    case DataType::kInt32:
      return f(std::int32_t{});
    case DataType::kInt64:
      return f(std::int64_t{});
    case DataType::kBool:
      break;
  }
  throw UnsupportedError("this operator has no meaning on type " + std::string(name_of(type)));
}

/// An element whose value doesn't matter. Bytes may alias any type, so movers read and write through it.
template <std::size_t N>
using Block = std::array<std::byte, N>;

/// Calls f(Block<n>{}) with the element size of `type`: all that an operator needs that only moves data.
template <class F>
decltype(auto) with_block(DataType type, F&& f) {
  switch (size_of(type)) {
    case 1:
      return f(Block<1>{});
    case 4:
      return f(Block<4>{});
    default:
      return f(Block<8>{});
  }
}

template <class T>
const T* elements(const Tensor& tensor) {
  return static_cast<const T*>(tensor.raw());
}
template <class T>
T* elements(Tensor& tensor) {
  return static_cast<T*>(tensor.raw());
}

/// Throws UnsupportedError saying `what` when the tensor is not f32.
void require_f32(const Tensor& tensor, const char* what);

}  // namespace xinfer::reference
