#pragma once
// Tensor: a dense, row-major, 64-byte aligned block of memory with a type and a shape.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "xinfer/core/data_type.h"

namespace xinfer {

/// Dense row-major tensor in host memory.
///
/// Copying a Tensor copies a handle: both share the same memory (use clone() for a deep copy). Concurrent reads are
/// safe; a write needs exclusive access. A default-constructed Tensor is empty() and has no memory.
class Tensor {
 public:
  Tensor() = default;

  /// Zero-filled tensor. Throws Error when a dimension is negative or the size overflows.
  Tensor(DataType dtype, std::vector<std::int64_t> shape);

  /// Copies `values` (row-major). Throws Error when their count is not the shape's.
  template <typename T>
  static Tensor from(std::vector<std::int64_t> shape, std::span<const T> values);
  template <typename T>
  static Tensor from(std::vector<std::int64_t> shape, const std::vector<T>& values) {
    return from<T>(std::move(shape), std::span<const T>(values));
  }

  /// Tensor over memory kept alive by `owner`; `data` must hold the shape's bytes. Nothing is copied.
  static Tensor view(DataType dtype, std::vector<std::int64_t> shape, void* data, std::shared_ptr<const void> owner);

  bool empty() const { return data_ == nullptr; }
  DataType dtype() const { return dtype_; }
  const std::vector<std::int64_t>& shape() const { return shape_; }
  std::size_t rank() const { return shape_.size(); }
  /// Size of one axis; a negative axis counts from the end. Throws Error when out of range.
  std::int64_t dim(int axis) const;
  std::int64_t numel() const { return numel_; }
  std::size_t bytes() const { return static_cast<std::size_t>(numel_) * size_of(dtype_); }

  /// Typed elements. Throws Error when T is not the tensor's type.
  template <typename T>
  std::span<T> data() {
    check_type(DataTypeOf<T>::value);
    return {static_cast<T*>(data_), static_cast<std::size_t>(numel_)};
  }
  template <typename T>
  std::span<const T> data() const {
    check_type(DataTypeOf<T>::value);
    return {static_cast<const T*>(data_), static_cast<std::size_t>(numel_)};
  }
  void* raw() { return data_; }
  const void* raw() const { return data_; }

  Tensor clone() const;
  /// Same memory under another shape. Throws Error when the element counts differ.
  Tensor reshaped(std::vector<std::int64_t> shape) const;
  /// Rows [begin, end) along the first axis, sharing memory. Throws Error when out of range.
  Tensor rows(std::int64_t begin, std::int64_t end) const;

 private:
  void check_type(DataType wanted) const;

  DataType dtype_ = DataType::kFloat32;
  std::vector<std::int64_t> shape_;
  std::int64_t numel_ = 0;
  void* data_ = nullptr;
  std::shared_ptr<const void> owner_;
};

/// Number of elements of a shape (1 for rank 0). Throws Error on a negative dimension or overflow.
std::int64_t element_count(std::span<const std::int64_t> shape);

/// "[2, 3, 224, 224]".
std::string to_string(std::span<const std::int64_t> shape);

}  // namespace xinfer
