#include "onnx/tensor_proto.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

struct Half {
  std::uint16_t bits;
};
struct Bfloat {
  std::uint16_t bits;
};

float to_float(Half half) {
  const std::uint32_t sign = (half.bits & 0x8000U) << 16;
  const std::uint32_t exponent = (half.bits >> 10) & 0x1FU;
  const std::uint32_t mantissa = half.bits & 0x3FFU;
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24
    const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | (wide << 23) | (mantissa << 13));
}

float to_float(Bfloat value) { return std::bit_cast<float>(std::uint32_t{value.bits} << 16); }

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, Bfloat>) {
    return to_float(value);
  } else if constexpr (std::is_same_v<From, std::uint64_t>) {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      throw ModelError(fmt::format("value {} doesn't fit a signed 64-bit integer", value));
    }
    return static_cast<To>(value);
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != 0;
  } else {
    return static_cast<To>(value);
  }
}

/// An element from one of the proto's repeated fields, which are wider than the element type.
template <class From, class Field>
From narrow(Field value) {
  if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, Bfloat>) {
    if (value < 0 || value > 0xFFFF) throw ModelError(fmt::format("value {} is no 16-bit pattern", value));
    return From{static_cast<std::uint16_t>(value)};
  } else if constexpr (std::is_integral_v<From> && sizeof(From) < sizeof(Field)) {
    const bool fits = value <= static_cast<Field>(std::numeric_limits<From>::max()) &&
                      (std::is_unsigned_v<Field> || value >= static_cast<Field>(std::numeric_limits<From>::min()));
    if (!fits) throw ModelError(fmt::format("value {} is out of range for its type", value));
    return static_cast<From>(value);
  } else {
    return static_cast<From>(value);
  }
}

std::vector<std::int64_t> checked_shape(const TensorProto& proto) {
  if (proto.dims_size() > kMaxRank) throw ModelError(fmt::format("it has {} dimensions", proto.dims_size()));
  std::int64_t count = 1;
  for (const std::int64_t dim : proto.dims()) {
    if (dim < 0) throw ModelError(fmt::format("it has the negative dimension {}", dim));
    if (dim > kMaxElements || __builtin_mul_overflow(count, dim, &count) || count > kMaxElements) {
      throw ModelError("its shape is too large");
    }
  }
  return {proto.dims().begin(), proto.dims().end()};
}

/// `From` is the element type as stored, `To` as the IR holds it, `Field` the repeated field that may hold it.
template <class From, class To, class Field>
Tensor decode(const TensorProto& proto, const Field& field, ExternalData& external) {
  const std::vector<std::int64_t> shape = checked_shape(proto);
  const auto count = static_cast<std::size_t>(element_count(shape));
  const bool is_external = proto.data_location() == TensorProto::EXTERNAL;
  if (!is_external && !proto.has_raw_data() && static_cast<std::size_t>(field.size()) != count) {
    throw ModelError(
        fmt::format("it has {} values where its shape {} needs {}", field.size(), to_string(shape), count));
  }
  if (!is_external && !proto.has_raw_data()) {
    Tensor result(DataTypeOf<To>::value, shape);
    auto out = result.data<To>();
    for (std::size_t i = 0; i < count; ++i) out[i] = convert<To>(narrow<From>(field.Get(static_cast<int>(i))));
    return result;
  }
  const std::span<const std::byte> bytes = is_external ? external.bytes(proto, count * sizeof(From))
                                                       : std::as_bytes(std::span<const char>(proto.raw_data()));
  if (bytes.size() != count * sizeof(From)) {
    throw ModelError(fmt::format("it has {} bytes of data where its shape {} needs {}", bytes.size(), to_string(shape),
                                 count * sizeof(From)));
  }
  Tensor result(DataTypeOf<To>::value, shape);
  auto out = result.data<To>();
  if constexpr (std::is_same_v<From, To>) {
    if (count > 0) std::memcpy(out.data(), bytes.data(), bytes.size());
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      From element;
      std::memcpy(&element, bytes.data() + i * sizeof(From), sizeof(From));
      out[i] = convert<To>(element);
    }
  }
  return result;
}

Tensor decode_any(const TensorProto& p, ExternalData& external) {
  if (p.has_segment()) throw UnsupportedError("it is stored in segments");
  switch (p.data_type()) {
    case TensorProto::FLOAT:
      return decode<float, float>(p, p.float_data(), external);
    case TensorProto::DOUBLE:
      return decode<double, float>(p, p.double_data(), external);
    case TensorProto::FLOAT16:
      return decode<Half, float>(p, p.int32_data(), external);
    case TensorProto::BFLOAT16:
      return decode<Bfloat, float>(p, p.int32_data(), external);
    case TensorProto::INT8:
      return decode<std::int8_t, std::int8_t>(p, p.int32_data(), external);
    case TensorProto::UINT8:
      return decode<std::uint8_t, std::uint8_t>(p, p.int32_data(), external);
    case TensorProto::INT16:
      return decode<std::int16_t, std::int64_t>(p, p.int32_data(), external);
    case TensorProto::UINT16:
      return decode<std::uint16_t, std::int64_t>(p, p.int32_data(), external);
    case TensorProto::INT32:
      return decode<std::int32_t, std::int32_t>(p, p.int32_data(), external);
    case TensorProto::INT64:
      return decode<std::int64_t, std::int64_t>(p, p.int64_data(), external);
    case TensorProto::UINT32:
      return decode<std::uint32_t, std::int64_t>(p, p.uint64_data(), external);
    case TensorProto::UINT64:
      return decode<std::uint64_t, std::int64_t>(p, p.uint64_data(), external);
    case TensorProto::BOOL:
      return decode<std::uint8_t, bool>(p, p.int32_data(), external);
    default:
      throw UnsupportedError(fmt::format("elements of type {} are not supported", type_name(p.data_type())));
  }
}

}  // namespace

std::string type_name(int onnx_type) {
  static constexpr const char* kNames[] = {"undefined",      "float",    "uint8",        "int8",           "uint16",
                                           "int16",          "int32",    "int64",        "string",         "bool",
                                           "float16",        "double",   "uint32",       "uint64",         "complex64",
                                           "complex128",     "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2",
                                           "float8e5m2fnuz", "uint4",    "int4",         "float4e2m1"};
  if (onnx_type >= 0 && onnx_type < static_cast<int>(std::size(kNames))) return kNames[onnx_type];
  return fmt::format("type {}", onnx_type);
}

DataType ir_type(int onnx_type) {
  switch (onnx_type) {
    case TensorProto::FLOAT:
    case TensorProto::DOUBLE:
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
      return DataType::kFloat32;
    case TensorProto::INT8:
      return DataType::kInt8;
    case TensorProto::UINT8:
      return DataType::kUInt8;
    case TensorProto::INT32:
      return DataType::kInt32;
    case TensorProto::INT16:
    case TensorProto::UINT16:
    case TensorProto::UINT32:
    case TensorProto::INT64:
    case TensorProto::UINT64:
      return DataType::kInt64;
    case TensorProto::BOOL:
      return DataType::kBool;
    default:
      throw UnsupportedError(fmt::format("elements of type {} are not supported", type_name(onnx_type)));
  }
}

Tensor read_tensor(const TensorProto& proto, ExternalData& external) {
  try {
    return decode_any(proto, external);
  } catch (const UnsupportedError& error) {
    throw UnsupportedError(fmt::format("tensor '{}': {}", proto.name(), error.what()));
  } catch (const Error& error) {
    const std::string text = error.what();
    throw ModelError(text.starts_with("tensor '") ? text : fmt::format("tensor '{}': {}", proto.name(), text));
  }
}

void check_finite(const Tensor& tensor, const std::string& name, bool infinity) {
  if (tensor.dtype() != DataType::kFloat32) return;
  const auto values = tensor.data<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i]) || (infinity && std::isinf(values[i]))) {
      throw ModelError(fmt::format("tensor '{}' holds {} at element {}", name, values[i], i),
                       "check the training checkpoint; a network with such weights computes nothing useful");
    }
  }
}

}  // namespace xinfer::onnx
