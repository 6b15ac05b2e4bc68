#include "cli/npy.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <regex>

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

HeaderInfo parse_header(const std::string& path, const std::string& bytes) {
  if (bytes.size() < 12 || bytes.compare(0, kMagic.size(), kMagic) != 0) fail(path, "this is no .npy file");
  const int major = bytes[6];
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
  const std::size_t begin = major == 1 ? 10 : 12;
  const std::size_t length =
      major == 1 ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
  if (major < 1 || major > 3) fail(path, fmt::format(".npy version {} is unknown", major));
  // A header that numpy writes is a short dictionary; a long one is no array of ours (and would strain the regex).
  if (length > 4096 || length > bytes.size() - begin) fail(path, "the header is damaged");
  const std::string header = bytes.substr(begin, length);
  HeaderInfo info;
  info.data_begin = begin + length;
  std::smatch match;
  if (!std::regex_search(header, match, std::regex("'descr': *'([^']*)'"))) fail(path, "the header has no 'descr'");
  info.descr = match[1];
  if (!std::regex_search(header, std::regex("'fortran_order': *False"))) fail(path, "the array is not in C order");
  if (!std::regex_search(header, match, std::regex("'shape': *\\(([0-9, ]*)\\)")))
    fail(path, "the header has no 'shape'");
  const std::string dims = match[1];
  const std::regex number("[0-9]{1,18}");
  for (auto it = std::sregex_iterator(dims.begin(), dims.end(), number); it != std::sregex_iterator(); ++it) {
    info.shape.push_back(std::stoll(it->str()));
  }
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
