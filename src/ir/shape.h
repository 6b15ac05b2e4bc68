#pragma once
// Shapes with a symbolic batch: every dimension is a constant, or a constant times the batch size N.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace xinfer::ir {

/// One dimension: `value`, or `value * N` when `batch` is set (N is the batch size, unknown until run time).
struct Dim {
  std::int64_t value = 0;
  bool batch = false;

  constexpr Dim() = default;
  constexpr Dim(std::int64_t constant) : value(constant) {}  // NOLINT: a number is a dimension
  constexpr Dim(std::int64_t factor, bool times_batch) : value(factor), batch(times_batch) {}
  static constexpr Dim n(std::int64_t factor = 1) { return {factor, true}; }

  bool is_constant() const { return !batch; }
  std::int64_t at(std::int64_t batch_size) const { return batch ? value * batch_size : value; }
  bool operator==(const Dim&) const = default;
};

/// "7", "N", "64N".
std::string to_string(const Dim& dim);

/// Arithmetic on dimensions; each throws UnsupportedError when the result is not of the form k or k*N.
Dim add(const Dim& a, const Dim& b);
Dim subtract(const Dim& a, const Dim& b);
Dim multiply(const Dim& a, const Dim& b);
/// Integer division towards zero, as ONNX's Div. Throws ModelError when `b` is zero.
Dim divide(const Dim& a, const Dim& b);

/// A list of dimensions. An empty shape is a scalar.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<Dim> dims) : dims_(dims) {}
  explicit Shape(std::vector<Dim> dims) : dims_(std::move(dims)) {}
  static Shape of(const std::vector<std::int64_t>& dims) { return Shape(std::vector<Dim>(dims.begin(), dims.end())); }

  std::size_t rank() const { return dims_.size(); }
  const Dim& operator[](std::size_t axis) const { return dims_[axis]; }
  Dim& operator[](std::size_t axis) { return dims_[axis]; }
  const std::vector<Dim>& dims() const { return dims_; }
  std::vector<Dim>& dims() { return dims_; }
  auto begin() const { return dims_.begin(); }
  auto end() const { return dims_.end(); }

  /// True when no dimension depends on the batch.
  bool is_static() const;
  /// Concrete sizes for a batch of `batch_size`.
  std::vector<std::int64_t> at(std::int64_t batch_size) const;
  /// Product of all dimensions. Throws UnsupportedError when two of them depend on the batch.
  Dim element_count() const;
  bool operator==(const Shape&) const = default;

 private:
  std::vector<Dim> dims_;
};

/// "[N, 3, 224, 224]".
std::string to_string(const Shape& shape);

/// Numpy broadcasting of two shapes. Throws ModelError when they don't fit.
Shape broadcast(const Shape& a, const Shape& b);

/// Turns a possibly negative axis into [0, rank). Throws ModelError when out of range.
std::size_t normalize_axis(std::int64_t axis, std::size_t rank);

/// The elements start, start + step, ... (`count` of them) that a slice selects.
struct SliceRange {
  std::int64_t start = 0;
  std::int64_t step = 1;
  std::int64_t count = 0;
};

/// Clamps the start and end of one axis of `size` elements as ONNX's Slice does (negative ones count from the end).
/// Throws ModelError when `step` is zero.
SliceRange slice_range(std::int64_t start, std::int64_t end, std::int64_t step, std::int64_t size);

}  // namespace xinfer::ir
