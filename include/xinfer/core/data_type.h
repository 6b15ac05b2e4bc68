#pragma once
// Element types of tensors, and the mapping between them and C++ types.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace xinfer {

enum class DataType : std::uint8_t { kFloat32, kInt8, kUInt8, kInt32, kInt64, kBool };

/// Size of one element in bytes.
constexpr std::size_t size_of(DataType type) {
  switch (type) {
    case DataType::kFloat32:
    case DataType::kInt32:
      return 4;
    case DataType::kInt64:
      return 8;
    case DataType::kInt8:
    case DataType::kUInt8:
    case DataType::kBool:
      return 1;
  }
  return 0;
}

/// Short lower-case name: "f32", "s8", "u8", "s32", "s64", "bool".
std::string_view name_of(DataType type);

/// True for the two types that hold quantized activations and weights.
constexpr bool is_int8_like(DataType type) { return type == DataType::kInt8 || type == DataType::kUInt8; }

/// The DataType that stores C++ type T. Only the types below are specialised.
template <typename T>
struct DataTypeOf;
template <>
struct DataTypeOf<float> {
  static constexpr DataType value = DataType::kFloat32;
};
template <>
struct DataTypeOf<std::int8_t> {
  static constexpr DataType value = DataType::kInt8;
};
template <>
struct DataTypeOf<std::uint8_t> {
  static constexpr DataType value = DataType::kUInt8;
};
template <>
struct DataTypeOf<std::int32_t> {
  static constexpr DataType value = DataType::kInt32;
};
template <>
struct DataTypeOf<std::int64_t> {
  static constexpr DataType value = DataType::kInt64;
};
template <>
struct DataTypeOf<bool> {
  static constexpr DataType value = DataType::kBool;
};

}  // namespace xinfer
