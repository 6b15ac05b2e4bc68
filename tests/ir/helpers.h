#pragma once
// What the tests of ir share: a graph with inputs by shape, and expectations on shapes and messages.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "ir/graph.h"
#include "ir/printer.h"
#include "ir/quantize_nodes.h"
#include "ir/schema.h"
#include "xinfer/core/errors.h"

namespace xinfer::ir {

inline const Dim N = Dim::n();

/// A graph whose inputs need no names.
struct Sketch {
  Graph graph;

  ValueId in(Shape shape, DataType dtype = DataType::kFloat32) {
    return graph.add_input(fmt::format("x{}", graph.inputs().size()), dtype, std::move(shape));
  }
  /// A constant of zeros.
  ValueId zeros(std::vector<std::int64_t> shape, DataType dtype = DataType::kFloat32) {
    return graph.add_constant("c", Tensor(dtype, std::move(shape)));
  }
  ValueId ints(const std::vector<std::int64_t>& values) {
    return graph.add_constant("i", Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
  }
  /// An s8 input with one scale.
  ValueId quantized(Shape shape, float scale = 0.5F) {
    const ValueId id = in(std::move(shape), DataType::kInt8);
    graph.value(id).quantization = Quantization{{scale}, {}, -1};
    return id;
  }
  const Value& operator[](ValueId id) const { return graph.value(id); }

  /// "f32[N, 3]" of a new node's first output.
  std::string type(OpType op, std::vector<ValueId> inputs, Attributes attrs = NoAttrs{}) {
    return type(graph.add(op, "", std::move(inputs), std::move(attrs)));
  }
  std::string type(ValueId id) const {
    return std::string(name_of(graph.value(id).dtype)) + to_string(graph.value(id).shape);
  }
};

/// Expects `statement` to throw exactly Type with all of the given parts in what().
template <class Type, class F>
void expect_throw(F&& statement, std::initializer_list<const char*> parts) {
  try {
    statement();
    ADD_FAILURE() << "nothing was thrown; expected: " << *parts.begin();
  } catch (const std::exception& error) {
    EXPECT_TRUE(typeid(error) == typeid(Type)) << typeid(error).name() << ": " << error.what();
    for (const char* part : parts) EXPECT_THAT(error.what(), testing::HasSubstr(part));
  }
}

}  // namespace xinfer::ir
