#pragma once
// Typed access to a node's attributes.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "onnx/proto.h"

namespace xinfer::onnx {

/// Largest magnitude of a stride, pad, kernel size and the like: keeps all shape arithmetic far from overflow.
inline constexpr std::int64_t kMaxSize = std::int64_t{1} << 20;

/// Attributes of one node. Every getter throws ModelError when the attribute has another type than asked for;
/// UnsupportedError when it refers to a function's parameter.
class AttributeReader {
 public:
  explicit AttributeReader(const NodeProto& node) : node_(&node) {}

  bool has(const char* name) const { return find(name) != nullptr; }
  std::int64_t integer(const char* name, std::int64_t otherwise) const;
  std::int64_t required_integer(const char* name) const;
  /// An integer used as 0 or 1.
  bool flag(const char* name, bool otherwise) const { return integer(name, otherwise ? 1 : 0) != 0; }
  float real(const char* name, float otherwise) const;
  std::string text(const char* name, const std::string& otherwise) const;
  std::optional<std::vector<std::int64_t>> integers(const char* name) const;
  std::optional<std::vector<float>> reals(const char* name) const;
  const TensorProto* tensor(const char* name) const;  ///< null when absent
  const GraphProto& graph(const char* name) const;

  /// `count` integers, each in [low, high]; `otherwise` repeated when the attribute is absent.
  std::vector<std::int64_t> sizes(const char* name, std::size_t count, std::int64_t otherwise, std::int64_t low,
                                  std::int64_t high = kMaxSize) const;

 private:
  const AttributeProto* find(const char* name) const;
  const AttributeProto* find(const char* name, AttributeProto::AttributeType type) const;

  const NodeProto* node_;
};

}  // namespace xinfer::onnx
