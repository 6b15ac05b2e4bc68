#include "ir/shape.h"

#include <fmt/format.h>

#include <algorithm>

#include "xinfer/core/errors.h"

namespace xinfer::ir {
namespace {

/// Zero times the batch is plain zero, so that equal dimensions compare equal.
Dim normalized(std::int64_t value, bool batch) { return {value, batch && value != 0}; }

[[noreturn]] void throw_overflow(const Dim& a, const char* sign, const Dim& b) {
  throw ModelError(fmt::format("dimension {} {} {} does not fit into 64 bits", to_string(a), sign, to_string(b)));
}

[[noreturn]] void throw_not_linear(const Dim& a, const char* sign, const Dim& b) {
  throw UnsupportedError(fmt::format("dimension {} {} {} is neither a constant nor a multiple of the batch size N",
                                     to_string(a), sign, to_string(b)),
                         "fix the batch size of the model's inputs");
}

}  // namespace

std::string to_string(const Dim& dim) {
  if (!dim.batch) return std::to_string(dim.value);
  return dim.value == 1 ? "N" : fmt::format("{}N", dim.value);
}

Dim add(const Dim& a, const Dim& b) {
  if (a.value == 0) return b;
  if (b.value == 0) return a;
  if (a.batch != b.batch) throw_not_linear(a, "+", b);
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a.value, b.value, &sum)) throw_overflow(a, "+", b);
  return normalized(sum, a.batch);
}

Dim subtract(const Dim& a, const Dim& b) {
  if (b.value == 0) return a;
  if (a.batch != b.batch && a.value != 0) throw_not_linear(a, "-", b);
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(a.value, b.value, &difference)) throw_overflow(a, "-", b);
  return normalized(difference, b.batch);
}

Dim multiply(const Dim& a, const Dim& b) {
  if (a.value == 0 || b.value == 0) return 0;
  if (a.batch && b.batch) throw_not_linear(a, "*", b);
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a.value, b.value, &product)) throw_overflow(a, "*", b);
  return normalized(product, a.batch || b.batch);
}

Dim divide(const Dim& a, const Dim& b) {
  if (b.value == 0) throw ModelError(fmt::format("dimension {} is divided by zero", to_string(a)));
  if (a.value == 0) return 0;
  if (b.value == -1) return subtract(0, b.batch ? divide(a, Dim::n()) : a);
  if (a.batch == b.batch) return a.value / b.value;
  // k*N / c is linear in N only when c divides k; c / (k*N) never is.
  if (!a.batch || a.value % b.value != 0) throw_not_linear(a, "/", b);
  return normalized(a.value / b.value, true);
}

bool Shape::is_static() const {
  return std::all_of(dims_.begin(), dims_.end(), [](const Dim& d) { return d.is_constant(); });
}

std::vector<std::int64_t> Shape::at(std::int64_t batch_size) const {
  std::vector<std::int64_t> sizes;
  sizes.reserve(dims_.size());
  for (const Dim& dim : dims_) sizes.push_back(dim.at(batch_size));
  return sizes;
}

Dim Shape::element_count() const {
  Dim count = 1;
  for (const Dim& dim : dims_) count = multiply(count, dim);
  return count;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.rank(); ++i) text += (i == 0 ? "" : ", ") + to_string(shape[i]);
  return text + "]";
}

Shape broadcast(const Shape& a, const Shape& b) {
  const std::size_t rank = std::max(a.rank(), b.rank());
  std::vector<Dim> dims(rank);
  for (std::size_t i = 0; i < rank; ++i) {
    // Counted from the last axis; a shape that has run out of axes counts as 1.
    const Dim from_a = i < a.rank() ? a[a.rank() - 1 - i] : Dim(1);
    const Dim from_b = i < b.rank() ? b[b.rank() - 1 - i] : Dim(1);
    if (from_a != from_b && from_a != Dim(1) && from_b != Dim(1)) {
      throw ModelError(fmt::format("shapes {} and {} can't be broadcast together", to_string(a), to_string(b)));
    }
    dims[rank - 1 - i] = from_a == Dim(1) ? from_b : from_a;
  }
  return Shape(std::move(dims));
}

std::size_t normalize_axis(std::int64_t axis, std::size_t rank) {
  const auto count = static_cast<std::int64_t>(rank);
  if (axis < -count || axis >= count) {
    throw ModelError(fmt::format("axis {} is out of range for a tensor of rank {}", axis, rank));
  }
  return static_cast<std::size_t>(axis < 0 ? axis + count : axis);
}

SliceRange slice_range(std::int64_t start, std::int64_t end, std::int64_t step, std::int64_t size) {
  if (step == 0) throw ModelError("a slice has step 0");
  if (size == 0) return {0, step, 0};
  const auto from_end = [size](std::int64_t index) { return index < 0 ? index + size : index; };
  SliceRange range{0, step, 0};
  if (step > 0) {
    range.start = std::clamp<std::int64_t>(from_end(start), 0, size);
    const std::int64_t stop = std::clamp<std::int64_t>(from_end(end), 0, size);
    range.count = stop > range.start ? (stop - range.start - 1) / step + 1 : 0;
  } else {
    range.start = std::clamp<std::int64_t>(from_end(start), 0, size - 1);
    const std::int64_t stop = std::clamp<std::int64_t>(from_end(end), -1, size - 1);
    // Divided by the negative step itself, since -step overflows for the smallest integer.
    range.count = range.start > stop ? (stop - range.start + 1) / step + 1 : 0;
  }
  return range;
}

}  // namespace xinfer::ir
