#include "cuda/host_format.h"

#include <fmt/format.h>

#include <cstring>
#include <stdexcept>

#include "cuda/half.h"
#include "xinfer/core/errors.h"

namespace xinfer::cuda {
namespace {

/// Calls f(i, at) for each element: i counts in row-major logical order, `at` is its place in memory.
template <class F>
void for_each_place(const Dims& dims, const Format& format, F&& f) {
  const Strides strides = strides_of(dims, format);
  Dims index(dims.size(), 0);
  const std::int64_t count = element_count(dims);
  std::int64_t at = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    f(static_cast<std::size_t>(i), static_cast<std::size_t>(at));
    for (std::size_t axis = dims.size(); axis-- > 0;) {
      at += strides.stride[axis];
      if (++index[axis] < dims[axis]) break;
      at -= strides.stride[axis] * dims[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace

bool may_store(DataType type, Element element) {
  switch (type) {
    case DataType::kFloat32:
      return element == Element::kF32 || element == Element::kF16;
    case DataType::kInt8:
      return element == Element::kS8;
    case DataType::kUInt8:
      return element == Element::kU8;
    case DataType::kInt32:
      return element == Element::kS32;
    case DataType::kInt64:
      return element == Element::kS64;
    case DataType::kBool:
      return element == Element::kBool;
  }
  return false;
}

std::vector<std::byte> encode(const Tensor& tensor, const Format& format) {
  if (!may_store(tensor.dtype(), format.element)) {
    throw std::logic_error(fmt::format("{} can't be stored as {}", xinfer::name_of(tensor.dtype()), to_string(format)));
  }
  std::vector<std::byte> bytes(bytes_of(tensor.shape(), format));
  if (format.element == Element::kF16) {
    const auto values = tensor.data<float>();
    for_each_place(tensor.shape(), format, [&](std::size_t i, std::size_t at) {
      const std::uint16_t bits = half_bits(values[i]);
      std::memcpy(bytes.data() + at * sizeof bits, &bits, sizeof bits);
    });
    return bytes;
  }
  const std::size_t size = size_of(format.element);
  const auto* from = static_cast<const std::byte*>(tensor.raw());
  for_each_place(tensor.shape(), format,
                 [&](std::size_t i, std::size_t at) { std::memcpy(bytes.data() + at * size, from + i * size, size); });
  return bytes;
}

Tensor decode(std::span<const std::byte> bytes, DataType type, const Dims& dims, const Format& format) {
  if (!may_store(type, format.element)) {
    throw std::logic_error(fmt::format("{} is not stored as {}", xinfer::name_of(type), to_string(format)));
  }
  if (bytes.size() < bytes_of(dims, format)) throw Error("too few bytes for a value of the device");
  Tensor tensor(type, dims);
  if (format.element == Element::kF16) {
    const auto values = tensor.data<float>();
    for_each_place(dims, format, [&](std::size_t i, std::size_t at) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, bytes.data() + at * sizeof bits, sizeof bits);
      values[i] = from_half_bits(bits);
    });
    return tensor;
  }
  const std::size_t size = size_of(format.element);
  auto* to = static_cast<std::byte*>(tensor.raw());
  for_each_place(dims, format,
                 [&](std::size_t i, std::size_t at) { std::memcpy(to + i * size, bytes.data() + at * size, size); });
  return tensor;
}

}  // namespace xinfer::cuda
