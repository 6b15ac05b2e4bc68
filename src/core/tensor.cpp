#include "xinfer/core/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <cstring>
#include <limits>

#include "xinfer/core/errors.h"

namespace xinfer {
namespace {

constexpr std::size_t kAlignment = 64;  // one cache line, and the widest vector register

std::shared_ptr<void> allocate(std::size_t bytes) {
  const std::size_t padded = (bytes + kAlignment - 1) / kAlignment * kAlignment + kAlignment;
  void* memory = std::aligned_alloc(kAlignment, padded);
  if (memory == nullptr) throw Error(fmt::format("out of memory: could not allocate {} bytes for a tensor", bytes));
  std::memset(memory, 0, padded);
  return {memory, [](void* pointer) { std::free(pointer); }};
}

}  // namespace

std::string_view name_of(DataType type) {
  switch (type) {
    case DataType::kFloat32:
      return "f32";
    case DataType::kInt8:
      return "s8";
    case DataType::kUInt8:
      return "u8";
    case DataType::kInt32:
      return "s32";
    case DataType::kInt64:
      return "s64";
    case DataType::kBool:
      return "bool";
  }
  return "?";
}

std::int64_t element_count(std::span<const std::int64_t> shape) {
  std::int64_t count = 1;
  for (const std::int64_t dim : shape) {
    if (dim < 0) throw Error(fmt::format("shape {} has a negative dimension", to_string(shape)));
    // The limit leaves room for 8-byte elements, so that bytes() can't overflow either.
    if (dim != 0 && count > std::numeric_limits<std::int64_t>::max() / 16 / dim) {
      throw Error(fmt::format("shape {} is too large", to_string(shape)));
    }
    count *= dim;
  }
  return count;
}

std::string to_string(std::span<const std::int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

Tensor::Tensor(DataType dtype, std::vector<std::int64_t> shape) : dtype_(dtype), shape_(std::move(shape)) {
  numel_ = element_count(shape_);
  auto memory = allocate(bytes());
  data_ = memory.get();
  owner_ = std::move(memory);
}

template <typename T>
Tensor Tensor::from(std::vector<std::int64_t> shape, std::span<const T> values) {
  Tensor tensor(DataTypeOf<T>::value, std::move(shape));
  if (static_cast<std::size_t>(tensor.numel()) != values.size()) {
    throw Error(fmt::format("shape {} holds {} values, but {} were given", to_string(tensor.shape()), tensor.numel(),
                            values.size()));
  }
  if (!values.empty()) std::memcpy(tensor.raw(), values.data(), tensor.bytes());
  return tensor;
}
template Tensor Tensor::from<float>(std::vector<std::int64_t>, std::span<const float>);
template Tensor Tensor::from<std::int8_t>(std::vector<std::int64_t>, std::span<const std::int8_t>);
template Tensor Tensor::from<std::uint8_t>(std::vector<std::int64_t>, std::span<const std::uint8_t>);
template Tensor Tensor::from<std::int32_t>(std::vector<std::int64_t>, std::span<const std::int32_t>);
template Tensor Tensor::from<std::int64_t>(std::vector<std::int64_t>, std::span<const std::int64_t>);
template Tensor Tensor::from<bool>(std::vector<std::int64_t>, std::span<const bool>);

Tensor Tensor::view(DataType dtype, std::vector<std::int64_t> shape, void* data, std::shared_ptr<const void> owner) {
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.shape_ = std::move(shape);
  tensor.numel_ = element_count(tensor.shape_);
  tensor.data_ = data;
  tensor.owner_ = std::move(owner);
  return tensor;
}

std::int64_t Tensor::dim(int axis) const {
  const int count = static_cast<int>(shape_.size());
  const int index = axis < 0 ? axis + count : axis;
  if (index < 0 || index >= count) throw Error(fmt::format("axis {} is outside shape {}", axis, to_string(shape_)));
  return shape_[static_cast<std::size_t>(index)];
}

Tensor Tensor::clone() const {
  if (empty()) return {};
  Tensor copy(dtype_, shape_);
  std::memcpy(copy.raw(), raw(), bytes());
  return copy;
}

Tensor Tensor::reshaped(std::vector<std::int64_t> shape) const {
  if (element_count(shape) != numel_) {
    throw Error(fmt::format("a tensor of shape {} can't be seen as {}", to_string(shape_), to_string(shape)));
  }
  Tensor other = *this;
  other.shape_ = std::move(shape);
  return other;
}

Tensor Tensor::rows(std::int64_t begin, std::int64_t end) const {
  if (shape_.empty() || begin < 0 || end < begin || end > shape_[0]) {
    throw Error(fmt::format("rows {}..{} are outside shape {}", begin, end, to_string(shape_)));
  }
  Tensor other = *this;
  const std::int64_t row = shape_[0] == 0 ? 0 : numel_ / shape_[0];
  other.shape_[0] = end - begin;
  other.numel_ = row * (end - begin);
  other.data_ = static_cast<std::byte*>(data_) + static_cast<std::size_t>(begin * row) * size_of(dtype_);
  return other;
}

void Tensor::check_type(DataType wanted) const {
  if (wanted != dtype_) {
    throw Error(fmt::format("a tensor of type {} was read as {}", name_of(dtype_), name_of(wanted)));
  }
}

}  // namespace xinfer
