#include "engine/attrs_codec.h"

#include <fmt/format.h>

#include <string>
#include <type_traits>

#include "xinfer/core/errors.h"

namespace xinfer::engine {
namespace {

using Fields = flatbuffers::Vector<flatbuffers::Offset<fb::Field>>;

/// One past the largest number of each enumeration that attributes hold.
template <class E>
constexpr std::int64_t kEnumEnd = -1;
template <>
constexpr std::int64_t kEnumEnd<DataType> = static_cast<std::int64_t>(DataType::kBool) + 1;
template <>
constexpr std::int64_t kEnumEnd<ir::UnaryKind> = static_cast<std::int64_t>(ir::UnaryKind::kIsNan) + 1;
template <>
constexpr std::int64_t kEnumEnd<ir::BinaryKind> = static_cast<std::int64_t>(ir::BinaryKind::kXor) + 1;
template <>
constexpr std::int64_t kEnumEnd<ir::ReduceKind> = static_cast<std::int64_t>(ir::ReduceKind::kLogSumExp) + 1;
template <>
constexpr std::int64_t kEnumEnd<ir::PadMode> = static_cast<std::int64_t>(ir::PadMode::kWrap) + 1;
template <>
constexpr std::int64_t kEnumEnd<ir::ResizeMode> = static_cast<std::int64_t>(ir::ResizeMode::kCubic) + 1;
template <>
constexpr std::int64_t kEnumEnd<ir::CoordinateMode> =
    static_cast<std::int64_t>(ir::CoordinateMode::kHalfPixelSymmetric) + 1;
template <>
constexpr std::int64_t kEnumEnd<ir::NearestMode> = static_cast<std::int64_t>(ir::NearestMode::kCeil) + 1;
template <>
constexpr std::int64_t kEnumEnd<ir::ScatterReduction> = static_cast<std::int64_t>(ir::ScatterReduction::kMin) + 1;

struct Encoder {
  flatbuffers::FlatBufferBuilder& builder;
  std::vector<flatbuffers::Offset<fb::Field>> fields;

  template <class T>
  void operator()(const char* name, const T& value) {
    const auto key = builder.CreateString(name);
    flatbuffers::Offset<flatbuffers::Vector<std::int64_t>> ints;
    flatbuffers::Offset<flatbuffers::Vector<float>> floats;
    flatbuffers::Offset<flatbuffers::Vector<const fb::Dim*>> dims;
    if constexpr (std::is_same_v<T, float>) {
      floats = builder.CreateVector(&value, 1);
    } else if constexpr (std::is_same_v<T, std::vector<float>>) {
      floats = builder.CreateVector(value);
    } else if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
      ints = builder.CreateVector(value);
    } else if constexpr (std::is_same_v<T, ir::Shape>) {
      std::vector<fb::Dim> stored;
      for (const ir::Dim& dim : value) stored.emplace_back(dim.value, dim.batch);
      dims = builder.CreateVectorOfStructs(stored);
    } else {
      static_assert(std::is_enum_v<T> || std::is_integral_v<T>);
      const auto number = static_cast<std::int64_t>(value);
      ints = builder.CreateVector(&number, 1);
    }
    fields.push_back(fb::CreateField(builder, key, ints, floats, dims));
  }
};

struct Decoder {
  const Fields* fields;
  std::size_t used = 0;

  const fb::Field* find(const char* name) {
    if (fields == nullptr) return nullptr;
    for (const fb::Field* field : *fields) {
      if (field->name()->string_view() == name) {
        ++used;
        check_alignment(field->ints());
        check_alignment(field->dims());
        return field;
      }
    }
    return nullptr;
  }

  template <class List>
  static auto single(const char* name, const List* list) {
    if (list == nullptr || list->size() != 1) {
      throw EngineError(fmt::format("attribute '{}' should hold one value", name));
    }
    return list->Get(0);
  }

  template <class T>
  void operator()(const char* name, T& value) {
    const fb::Field* field = find(name);
    if (field == nullptr) return;
    if constexpr (std::is_same_v<T, float>) {
      value = single(name, field->floats());
    } else if constexpr (std::is_same_v<T, std::vector<float>>) {
      value.clear();
      if (field->floats() != nullptr) value.assign(field->floats()->begin(), field->floats()->end());
    } else if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
      value.clear();
      if (field->ints() != nullptr) value.assign(field->ints()->begin(), field->ints()->end());
    } else if constexpr (std::is_same_v<T, ir::Shape>) {
      value.dims().clear();
      if (field->dims() == nullptr) return;
      for (const fb::Dim* dim : *field->dims()) value.dims().emplace_back(dim->value(), dim->batch());
    } else if constexpr (std::is_same_v<T, bool>) {
      value = single(name, field->ints()) != 0;
    } else if constexpr (std::is_enum_v<T>) {
      static_assert(kEnumEnd<T> > 0, "give the enumeration its end above");
      const std::int64_t number = single(name, field->ints());
      if (number < 0 || number >= kEnumEnd<T>) {
        throw EngineError(fmt::format("attribute '{}' has the unknown value {}", name, number),
                          "the file may come from a newer xInfer");
      }
      value = static_cast<T>(number);
    } else {
      value = single(name, field->ints());
    }
  }
};

template <std::size_t I = 0>
ir::Attributes make(std::size_t index) {
  if constexpr (I < std::variant_size_v<ir::Attributes>) {
    return index == I ? ir::Attributes(std::in_place_index<I>) : make<I + 1>(index);
  } else {
    throw EngineError(fmt::format("attribute kind {} is unknown", index));
  }
}

}  // namespace

std::vector<flatbuffers::Offset<fb::Field>> encode(flatbuffers::FlatBufferBuilder& builder,
                                                   const ir::Attributes& attrs) {
  Encoder encoder{builder, {}};
  std::visit([&](const auto& fields) { std::decay_t<decltype(fields)>::visit(fields, encoder); }, attrs);
  return std::move(encoder.fields);
}

ir::Attributes decode(std::size_t index, const Fields* fields) {
  ir::Attributes attrs = make(index);
  Decoder decoder{fields};
  std::visit([&](auto& target) { std::decay_t<decltype(target)>::visit(target, decoder); }, attrs);
  if (fields != nullptr && decoder.used != fields->size()) {
    throw EngineError("an attribute is unknown",
                      "the file may come from a newer xInfer: update it, or rebuild the engine");
  }
  return attrs;
}

}  // namespace xinfer::engine
