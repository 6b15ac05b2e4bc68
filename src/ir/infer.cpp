#include "ir/infer.h"

#include <fmt/format.h>

#include <limits>

#include "xinfer/core/errors.h"

namespace xinfer::ir::rules {

std::string describe(const Value& value) {
  return fmt::format("'{}' ({}{})", value.name, name_of(value.dtype), to_string(value.shape));
}

const Value& input(const Graph& graph, const Node& node, std::size_t index) {
  return graph.value(node.inputs.at(index));
}

const Value* optional_input(const Graph& graph, const Node& node, std::size_t index) {
  return node.has_input(index) ? &graph.value(node.inputs[index]) : nullptr;
}

DataType real_type(const Value& value) { return value.quantization ? DataType::kFloat32 : value.dtype; }

void expect_real(const Value& value) {
  if (real_type(value) != DataType::kFloat32) {
    throw ModelError(fmt::format("a float or quantized tensor is wanted, but {} was given", describe(value)));
  }
}

void expect_indices(const Value& value) {
  if (value.quantization || (value.dtype != DataType::kInt64 && value.dtype != DataType::kInt32)) {
    throw ModelError(fmt::format("indices of type s64 or s32 are wanted, but {} was given", describe(value)));
  }
}

void expect_rank(const Value& value, std::size_t at_least) {
  if (value.shape.rank() < at_least) {
    throw ModelError(fmt::format("rank {} or more is wanted, but {} was given", at_least, describe(value)));
  }
}

void expect_shape(const Value& value, const Shape& shape, std::string_view role) {
  if (value.shape != shape) {
    throw ModelError(
        fmt::format("the {} must have shape {}, but {} was given", role, to_string(shape), describe(value)));
  }
}

std::int64_t fixed_dim(const Value& value, std::size_t axis, std::string_view purpose) {
  const Dim& dim = value.shape[axis];
  if (!dim.is_constant()) {
    throw UnsupportedError(
        fmt::format("can't {} the batch axis: axis {} of {} depends on the batch size", purpose, axis, describe(value)),
        "fix the batch size of the model's inputs");
  }
  return dim.value;
}

void expect_fixed(const Value& value, std::size_t begin, std::size_t end, std::string_view purpose) {
  for (std::size_t axis = begin; axis < end; ++axis) fixed_dim(value, axis, purpose);
}

std::size_t fix_axis(std::int64_t& axis, std::size_t rank) {
  const std::size_t fixed = normalize_axis(axis, rank);
  axis = static_cast<std::int64_t>(fixed);
  return fixed;
}

void fill(std::vector<std::int64_t>& list, std::size_t count, std::int64_t fallback, std::int64_t smallest,
          std::string_view name) {
  if (list.empty()) list.assign(count, fallback);
  if (list.size() != count) {
    throw ModelError(fmt::format("{} has {} entries, but {} are wanted", name, list.size(), count));
  }
  for (const std::int64_t entry : list) {
    if (entry < smallest || entry > std::numeric_limits<std::int32_t>::max()) {
      throw ModelError(fmt::format("{} has the entry {}, which is out of range", name, entry));
    }
  }
}

void set_output(Graph& graph, const Node& node, std::size_t index, DataType dtype, Shape shape) {
  Value& out = graph.value(node.outputs.at(index));
  if (!out.quantization) out.dtype = dtype;
  out.shape = std::move(shape);
}

void set_moved(Graph& graph, const Node& node, std::size_t index, const Value& x, Shape shape, int quantized_axis) {
  Value& out = graph.value(node.outputs.at(index));
  if (x.quantization && !out.quantization) {
    Quantization handed_on = *x.quantization;
    if (handed_on.per_channel()) {
      if (quantized_axis < 0) {
        throw UnsupportedError(
            fmt::format("can't move {}, which has a scale for each index of axis {}", describe(x), handed_on.axis),
            "dequantize it first");
      }
      handed_on.axis = quantized_axis;
    }
    out.quantization = std::move(handed_on);
    out.dtype = x.dtype;
  }
  set_output(graph, node, index, x.dtype, std::move(shape));
}

}  // namespace xinfer::ir::rules
