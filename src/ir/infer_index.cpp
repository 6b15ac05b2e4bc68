// Shape rules of operators that read or write through indices.
#include <fmt/format.h>

#include <algorithm>

#include "ir/infer.h"
#include "xinfer/core/errors.h"

namespace xinfer::ir::rules {
namespace {

/// A tensor with two axes that depend on the batch has a size of N * N.
void expect_one_batch_axis(const Shape& shape) {
  if (std::count_if(shape.begin(), shape.end(), [](const Dim& d) { return d.batch; }) > 1) {
    throw UnsupportedError(fmt::format("the output {} would depend on the batch size twice", to_string(shape)),
                           "fix the batch size of the model's inputs");
  }
}

/// Length of the index tuples of GatherNd and ScatterNd, which address the axes [begin, begin + length) of `data`.
std::size_t tuple_length(const Value& data, const Value& indices, std::size_t begin) {
  expect_indices(indices);
  expect_rank(indices, 1);
  const std::int64_t length = fixed_dim(indices, indices.shape.rank() - 1, "index with");
  if (length < 1 || begin + static_cast<std::size_t>(length) > data.shape.rank()) {
    throw ModelError(
        fmt::format("index tuples of length {} don't fit {} behind {} batch axes", length, describe(data), begin));
  }
  const std::size_t end = begin + static_cast<std::size_t>(length);
  expect_fixed(data, begin, end, "index into");
  return end - begin;
}

/// indices.shape without its last axis, then the axes of `data` from `begin` on.
Shape joined(const Value& indices, const Value& data, std::size_t begin) {
  std::vector<Dim> dims(indices.shape.begin(), indices.shape.end() - 1);
  dims.insert(dims.end(), data.shape.begin() + static_cast<std::ptrdiff_t>(begin), data.shape.end());
  return Shape(std::move(dims));
}

}  // namespace

void gather(Graph& graph, Node& node) {
  const Value& data = input(graph, node, 0);
  const Value& indices = input(graph, node, 1);
  expect_indices(indices);
  const std::size_t axis = fix_axis(node.as<AxisAttrs>().axis, data.shape.rank());
  fixed_dim(data, axis, "gather along");
  std::vector<Dim> dims = data.shape.dims();
  const auto place = dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  dims.insert(place, indices.shape.begin(), indices.shape.end());
  Shape shape(std::move(dims));
  expect_one_batch_axis(shape);
  set_moved(graph, node, 0, data, std::move(shape));
}

void gather_elements(Graph& graph, Node& node) {
  const Value& data = input(graph, node, 0);
  const Value& indices = input(graph, node, 1);
  expect_indices(indices);
  const std::size_t axis = fix_axis(node.as<AxisAttrs>().axis, data.shape.rank());
  fixed_dim(data, axis, "gather along");
  bool fits = indices.shape.rank() == data.shape.rank();
  for (std::size_t i = 0; fits && i < data.shape.rank(); ++i) {
    const Dim& there = data.shape[i];
    const Dim& wanted = indices.shape[i];
    fits = i == axis || wanted == there || (there.batch == wanted.batch && wanted.value <= there.value);
  }
  if (!fits) throw ModelError(fmt::format("the indices {} don't lie within {}", describe(indices), describe(data)));
  set_moved(graph, node, 0, data, indices.shape);
}

void gather_nd(Graph& graph, Node& node) {
  const Value& data = input(graph, node, 0);
  const Value& indices = input(graph, node, 1);
  const std::int64_t given = node.as<AxisAttrs>().axis;
  if (given < 0 || given >= static_cast<std::int64_t>(std::min(data.shape.rank(), indices.shape.rank()))) {
    throw ModelError(fmt::format("{} batch axes don't fit {} and {}", given, describe(data), describe(indices)));
  }
  const auto batch_axes = static_cast<std::size_t>(given);
  const std::size_t length = tuple_length(data, indices, batch_axes);
  if (!std::equal(data.shape.begin(), data.shape.begin() + given, indices.shape.begin())) {
    throw ModelError(
        fmt::format("the first {} axes of {} and {} must be equal", given, describe(data), describe(indices)));
  }
  Shape shape = joined(indices, data, batch_axes + length);
  expect_one_batch_axis(shape);
  set_moved(graph, node, 0, data, std::move(shape));
}

void scatter_nd(Graph& graph, Node& node) {
  const Value& data = input(graph, node, 0);
  const Value& indices = input(graph, node, 1);
  const Value& updates = input(graph, node, 2);
  const std::size_t length = tuple_length(data, indices, 0);
  expect_shape(updates, joined(indices, data, length), "updates");
  if (real_type(updates) != real_type(data)) {
    throw ModelError(fmt::format("{} can't be written into {}", describe(updates), describe(data)));
  }
  set_output(graph, node, 0, real_type(data), data.shape);
}

}  // namespace xinfer::ir::rules
