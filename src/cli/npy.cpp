#include "cli/npy.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/file.h"
#include "xinfer/core/errors.h"

namespace xinfer::cli {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  throw DataError(fmt::format("'{}': {}", path, why), "save it with numpy.save()");
}

struct HeaderInfo {
  std::string descr;
  std::vector<std::int64_t> shape;
  std::size_t data_begin = 0;
};

/// What stands behind `key`, a colon and spaces in the header's Python dictionary.
std::string_view value_of(std::string_view header, std::string_view key, const std::string& path) {
  const std::size_t at = header.find(key);
  const std::size_t colon = at == std::string_view::npos ? at : header.find_first_not_of(' ', at + key.size());
  if (colon == std::string_view::npos || header[colon] != ':') fail(path, fmt::format("the header has no {}", key));
  const std::size_t value = header.find_first_not_of(' ', colon + 1);
  if (value == std::string_view::npos) fail(path, fmt::format("the header has no {}", key));
  return header.substr(value);
}

/// The text between the character `open` that `text` begins with and the next `close`.
std::string_view enclosed(std::string_view text, char open, char close, const std::string& path) {
  const std::size_t end = text.find(close, 1);
  if (text.front() != open || end == std::string_view::npos) fail(path, "the header is damaged");
  return text.substr(1, end - 1);
}

std::vector<std::int64_t> parse_shape(std::string_view dims, const std::string& path) {
  std::vector<std::int64_t> shape;
  for (std::size_t at = dims.find_first_not_of(", "); at != std::string_view::npos;
       at = dims.find_first_not_of(", ", at)) {
    std::int64_t dim = 0;
    const auto [end, error] = std::from_chars(dims.data() + at, dims.data() + dims.size(), dim);
    if (error != std::errc() || dim < 0) fail(path, fmt::format("the shape ({}) is damaged", dims));
    shape.push_back(dim);
    at = static_cast<std::size_t>(end - dims.data());
  }
  return shape;
}

HeaderInfo parse_header(const std::string& path, const std::string& bytes) {
  if (bytes.size() < 12 || bytes.compare(0, kMagic.size(), kMagic) != 0) fail(path, "this is no .npy file");
  const int major = bytes[6];
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
  const std::size_t begin = major == 1 ? 10 : 12;
  const std::size_t length =
      major == 1 ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
  if (major < 1 || major > 3) fail(path, fmt::format(".npy version {} is unknown", major));
  if (length > bytes.size() - begin) fail(path, "the header is damaged");
  const std::string_view header = std::string_view(bytes).substr(begin, length);
  HeaderInfo info;
  info.data_begin = begin + length;
  info.descr = enclosed(value_of(header, "'descr'", path), '\'', '\'', path);
  if (!value_of(header, "'fortran_order'", path).starts_with("False")) fail(path, "the array is not in C order");
  info.shape = parse_shape(enclosed(value_of(header, "'shape'", path), '(', ')', path), path);
  return info;
}

float half_to_float(std::uint16_t half) {
  const int exponent = (half >> 10) & 0x1F;
  const auto mantissa = static_cast<float>(half & 0x3FF);
  float value = exponent == 0    ? std::ldexp(mantissa, -24)
                : exponent == 31 ? (mantissa == 0 ? INFINITY : NAN)
                                 : std::ldexp(mantissa + 1024, exponent - 25);
  return (half & 0x8000) != 0 ? -value : value;
}

}  // namespace

Tensor read_npy(const std::string& path) {
  std::string bytes;
  try {
    bytes = read_file(path);
  } catch (const Error& error) {
    throw DataError(error.what());
  }
  const HeaderInfo info = parse_header(path, bytes);
  struct Type {
    const char* descr;
    DataType dtype;
    std::size_t size;
  };
  static constexpr Type kTypes[] = {{"<f4", DataType::kFloat32, 4}, {"<f8", DataType::kFloat32, 8},
                                    {"<f2", DataType::kFloat32, 2}, {"|i1", DataType::kInt8, 1},
                                    {"|u1", DataType::kUInt8, 1},   {"<i4", DataType::kInt32, 4},
                                    {"<i8", DataType::kInt64, 8},   {"|b1", DataType::kBool, 1}};
  const Type* type = nullptr;
  for (const Type& candidate : kTypes) {
    if (info.descr == candidate.descr) type = &candidate;
  }
  if (type == nullptr) fail(path, fmt::format("arrays of type '{}' are not supported", info.descr));
  const std::int64_t count = element_count(info.shape);
  const std::size_t available = bytes.size() - info.data_begin;
  if (available / type->size != static_cast<std::size_t>(count) || available % type->size != 0) {
    fail(path, fmt::format("shape {} needs {} values of {} bytes, the file holds {} bytes", to_string(info.shape),
                           count, type->size, available));
  }
  Tensor tensor(type->dtype, info.shape);
  const char* data = bytes.data() + info.data_begin;
  if (size_of(type->dtype) == type->size) {
    if (count > 0) std::memcpy(tensor.raw(), data, tensor.bytes());
    return tensor;
  }
  std::span<float> out = tensor.data<float>();
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (type->size == 8) {
      double value = 0;
      std::memcpy(&value, data + i * 8, 8);
      out[i] = static_cast<float>(value);
    } else {
      std::uint16_t value = 0;
      std::memcpy(&value, data + i * 2, 2);
      out[i] = half_to_float(value);
    }
  }
  return tensor;
}

void write_npy(const std::string& path, const Tensor& tensor) {
  const char* descr = "<f4";
  switch (tensor.dtype()) {
    case DataType::kFloat32:
      break;
    case DataType::kInt8:
      descr = "|i1";
      break;
    case DataType::kUInt8:
      descr = "|u1";
      break;
    case DataType::kInt32:
      descr = "<i4";
      break;
    case DataType::kInt64:
      descr = "<i8";
      break;
    case DataType::kBool:
      descr = "|b1";
      break;
  }
  std::string shape;
  for (const std::int64_t dim : tensor.shape()) shape += fmt::format("{}, ", dim);
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr, shape);
  constexpr std::size_t kPrefix = 10;
  header.append(63 - (kPrefix + header.size()) % 64, ' ');
  header += '\n';
  std::string prefix(kMagic);
  prefix += {'\x01', '\x00', static_cast<char>(header.size() & 0xFF), static_cast<char>(header.size() >> 8)};
  const std::string_view parts[] = {prefix, header, {static_cast<const char*>(tensor.raw()), tensor.bytes()}};
  write_file_atomically(path, parts);
}

}  // namespace xinfer::cli
