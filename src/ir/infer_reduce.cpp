// Shape rules of operators that work along axes: normalisations, softmax, reductions.
#include <fmt/format.h>

#include "ir/infer.h"
#include "xinfer/core/errors.h"

namespace xinfer::ir::rules {
namespace {

void check_channel_params(const Graph& graph, const Node& node, const Dim& channels) {
  static constexpr std::string_view kRoles[] = {"input", "scale", "bias", "mean", "variance"};
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    const Value& param = input(graph, node, i);
    expect_real(param);
    expect_shape(param, {channels}, kRoles[i]);
  }
}

}  // namespace

void batch_norm(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  expect_real(x);
  expect_rank(x, 2);
  check_channel_params(graph, node, fixed_dim(x, 1, "normalise by channel along"));
  set_output(graph, node, 0, DataType::kFloat32, x.shape);
}

void layer_norm(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  expect_real(x);
  const std::size_t axis = fix_axis(node.as<NormAttrs>().axis, x.shape.rank());
  expect_fixed(x, axis, x.shape.rank(), "normalise over");
  const Shape normalized(std::vector<Dim>(x.shape.begin() + static_cast<std::ptrdiff_t>(axis), x.shape.end()));
  for (const std::size_t i : {1, 2}) {
    if (const Value* param = optional_input(graph, node, i)) {
      expect_real(*param);
      expect_shape(*param, normalized, i == 1 ? "scale" : "bias");
    }
  }
  set_output(graph, node, 0, DataType::kFloat32, x.shape);
}

void group_norm(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  expect_real(x);
  expect_rank(x, 2);
  expect_fixed(x, 1, x.shape.rank(), "normalise over");
  const std::int64_t channels = x.shape[1].value;
  const std::int64_t groups = node.as<NormAttrs>().groups;
  if (groups < 1 || channels % groups != 0) {
    throw ModelError(fmt::format("the channels of {} can't be parted into {} groups", describe(x), groups));
  }
  check_channel_params(graph, node, channels);
  set_output(graph, node, 0, DataType::kFloat32, x.shape);
}

void softmax(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  expect_real(x);
  fixed_dim(x, fix_axis(node.as<SoftmaxAttrs>().axis, x.shape.rank()), "normalise over");
  set_output(graph, node, 0, DataType::kFloat32, x.shape);
}

void reduce(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  if (x.dtype == DataType::kBool) throw ModelError(fmt::format("can't reduce {}", describe(x)));
  const auto& attrs = node.as<ReduceAttrs>();
  std::vector<bool> reduced(x.shape.rank(), false);
  for (std::size_t i = 0; i < attrs.axes.size(); ++i) {
    const std::int64_t axis = attrs.axes[i];
    if (axis < 0 || axis >= static_cast<std::int64_t>(reduced.size()) || (i > 0 && axis <= attrs.axes[i - 1])) {
      throw ModelError(fmt::format("the axes must be sorted and lie within {}; axis {} does not", describe(x), axis));
    }
    fixed_dim(x, static_cast<std::size_t>(axis), "reduce");
    reduced[static_cast<std::size_t>(axis)] = true;
  }
  std::vector<Dim> dims;
  for (std::size_t axis = 0; axis < reduced.size(); ++axis) {
    if (!reduced[axis]) dims.push_back(x.shape[axis]);
    if (reduced[axis] && attrs.keepdims) dims.emplace_back(1);
  }
  set_output(graph, node, 0, real_type(x), Shape(std::move(dims)));
}

void arg_reduce(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  auto& attrs = node.as<ArgReduceAttrs>();
  const std::size_t axis = fix_axis(attrs.axis, x.shape.rank());
  if (fixed_dim(x, axis, "search along") < 1) {
    throw ModelError(fmt::format("axis {} of {} is empty", axis, describe(x)));
  }
  std::vector<Dim> dims = x.shape.dims();
  dims[axis] = 1;
  if (!attrs.keepdims) dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  set_output(graph, node, 0, DataType::kInt64, Shape(std::move(dims)));
}

void top_k(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  auto& attrs = node.as<TopKAttrs>();
  const std::size_t axis = fix_axis(attrs.axis, x.shape.rank());
  const std::int64_t size = fixed_dim(x, axis, "search along");
  if (attrs.k < 0 || attrs.k > size) {
    throw ModelError(fmt::format("k is {}, but axis {} of {} has {} elements", attrs.k, axis, describe(x), size));
  }
  Shape shape = x.shape;
  shape[axis] = attrs.k;
  set_output(graph, node, 0, real_type(x), shape);
  set_output(graph, node, 1, DataType::kInt64, shape);
}

void cum_sum(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  if (x.dtype == DataType::kBool) throw ModelError(fmt::format("can't sum {}", describe(x)));
  fixed_dim(x, fix_axis(node.as<CumSumAttrs>().axis, x.shape.rank()), "sum along");
  set_output(graph, node, 0, real_type(x), x.shape);
}

}  // namespace xinfer::ir::rules
