#include "onnx/attributes.h"

#include <fmt/format.h>

#include "xinfer/core/errors.h"

namespace xinfer::onnx {

const AttributeProto* AttributeReader::find(const char* name) const {
  for (const AttributeProto& attribute : node_->attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

const AttributeProto* AttributeReader::find(const char* name, AttributeProto::AttributeType type) const {
  const AttributeProto* const found = find(name);
  if (found == nullptr) return nullptr;
  if (!found->ref_attr_name().empty()) {
    throw UnsupportedError(fmt::format("attribute '{}' refers to a parameter of a function", name));
  }
  if (found->type() != type) {
    throw ModelError(fmt::format("attribute '{}' has type {} where {} is needed", name,
                                 AttributeProto::AttributeType_Name(found->type()),
                                 AttributeProto::AttributeType_Name(type)));
  }
  return found;
}

std::int64_t AttributeReader::integer(const char* name, std::int64_t otherwise) const {
  const AttributeProto* const a = find(name, AttributeProto::INT);
  return a == nullptr ? otherwise : a->i();
}

std::int64_t AttributeReader::required_integer(const char* name) const {
  const AttributeProto* const a = find(name, AttributeProto::INT);
  if (a == nullptr) throw ModelError(fmt::format("attribute '{}' is missing", name));
  return a->i();
}

float AttributeReader::real(const char* name, float otherwise) const {
  const AttributeProto* const a = find(name, AttributeProto::FLOAT);
  return a == nullptr ? otherwise : a->f();
}

std::string AttributeReader::text(const char* name, const std::string& otherwise) const {
  const AttributeProto* const a = find(name, AttributeProto::STRING);
  return a == nullptr ? otherwise : a->s();
}

std::optional<std::vector<std::int64_t>> AttributeReader::integers(const char* name) const {
  const AttributeProto* const a = find(name, AttributeProto::INTS);
  if (a == nullptr) return std::nullopt;
  return std::vector<std::int64_t>(a->ints().begin(), a->ints().end());
}

std::optional<std::vector<float>> AttributeReader::reals(const char* name) const {
  const AttributeProto* const a = find(name, AttributeProto::FLOATS);
  if (a == nullptr) return std::nullopt;
  return std::vector<float>(a->floats().begin(), a->floats().end());
}

const TensorProto* AttributeReader::tensor(const char* name) const {
  const AttributeProto* const a = find(name, AttributeProto::TENSOR);
  return a == nullptr ? nullptr : &a->t();
}

const GraphProto& AttributeReader::graph(const char* name) const {
  const AttributeProto* const a = find(name, AttributeProto::GRAPH);
  if (a == nullptr) throw ModelError(fmt::format("attribute '{}' is missing", name));
  return a->g();
}

std::vector<std::int64_t> AttributeReader::sizes(const char* name, std::size_t count, std::int64_t otherwise,
                                                 std::int64_t low, std::int64_t high) const {
  auto values = integers(name);
  if (!values || (values->empty() && count > 0)) return std::vector<std::int64_t>(count, otherwise);
  if (values->size() != count) {
    throw ModelError(fmt::format("attribute '{}' has {} values where {} are needed", name, values->size(), count));
  }
  for (const std::int64_t v : *values) {
    if (v < low || v > high) {
      throw ModelError(fmt::format("attribute '{}' holds {}, outside [{}, {}]", name, v, low, high));
    }
  }
  return *std::move(values);
}

}  // namespace xinfer::onnx
