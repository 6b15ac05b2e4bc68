// Shape rules of matrix products.
#include <fmt/format.h>

#include "ir/infer.h"
#include "xinfer/core/errors.h"

namespace xinfer::ir::rules {

void linear(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  const Value& w = input(graph, node, 1);
  expect_real(x);
  expect_real(w);
  expect_rank(x, 1);
  if (w.shape.rank() != 2) throw ModelError(fmt::format("the weights must be (O, K), but {} was given", describe(w)));
  expect_fixed(w, 0, 2, "take weights that depend on");
  const std::size_t last = x.shape.rank() - 1;
  const std::int64_t depth = fixed_dim(x, last, "contract");
  if (depth != w.shape[1].value) {
    throw ModelError(fmt::format("the last axis of {} and of the weights {} must be equal", describe(x), describe(w)));
  }
  Shape shape = x.shape;
  shape[last] = w.shape[0];
  if (const Value* bias = optional_input(graph, node, 2)) {
    expect_real(*bias);
    expect_shape(*bias, {w.shape[0]}, "bias");
  }
  if (const Value* residual = optional_input(graph, node, 3)) {
    expect_real(*residual);
    expect_shape(*residual, shape, "residual");
  }
  set_output(graph, node, 0, DataType::kFloat32, std::move(shape));
}

void matmul(Graph& graph, Node& node) {
  const Value& a = input(graph, node, 0);
  const Value& b = input(graph, node, 1);
  const auto& attrs = node.as<MatMulAttrs>();
  expect_rank(a, 2);
  expect_rank(b, 2);
  if (real_type(a) != real_type(b) || real_type(a) == DataType::kBool) {
    throw ModelError(fmt::format("can't multiply {} and {}: their types don't fit", describe(a), describe(b)));
  }
  const std::size_t rank_a = a.shape.rank();
  const std::size_t rank_b = b.shape.rank();
  const Dim rows = a.shape[attrs.transpose_a ? rank_a - 1 : rank_a - 2];
  const Dim depth_a = a.shape[attrs.transpose_a ? rank_a - 2 : rank_a - 1];
  const Dim depth_b = b.shape[attrs.transpose_b ? rank_b - 1 : rank_b - 2];
  const Dim columns = b.shape[attrs.transpose_b ? rank_b - 2 : rank_b - 1];
  if (depth_a != depth_b) {
    throw ModelError(fmt::format("the inner axes of {}{} and {}{} must be equal", describe(a),
                                 attrs.transpose_a ? " transposed" : "", describe(b),
                                 attrs.transpose_b ? " transposed" : ""));
  }
  if (!depth_a.is_constant()) {
    throw UnsupportedError(
        fmt::format("can't contract the batch axis: the inner axes of {} and {} depend on the batch size", describe(a),
                    describe(b)),
        "fix the batch size of the model's inputs");
  }
  const Shape lead_a(std::vector<Dim>(a.shape.begin(), a.shape.end() - 2));
  const Shape lead_b(std::vector<Dim>(b.shape.begin(), b.shape.end() - 2));
  Shape shape = broadcast(lead_a, lead_b);
  shape.dims().push_back(rows);
  shape.dims().push_back(columns);
  set_output(graph, node, 0, real_type(a), std::move(shape));
}

void attention(Graph& graph, Node& node) {
  const Value& q = input(graph, node, 0);
  const Value& k = input(graph, node, 1);
  const Value& v = input(graph, node, 2);
  for (const Value* value : {&q, &k, &v}) {
    expect_real(*value);
    if (value->shape.rank() != 4) {
      throw ModelError(fmt::format("q, k and v must have rank 4, but {} was given", describe(*value)));
    }
    expect_fixed(*value, 1, 4, "attend over");
  }
  const Dim batch = q.shape[0];
  const Dim heads = q.shape[1];
  const Dim keys = k.shape[2];
  expect_shape(k, {batch, heads, keys, q.shape[3]}, "key");
  expect_shape(v, {batch, heads, keys, v.shape[3]}, "value");
  if (const Value* mask = optional_input(graph, node, 3)) {
    expect_real(*mask);
    const Shape scores = {batch, heads, q.shape[2], keys};
    if (broadcast(mask->shape, scores) != scores) {
      throw ModelError(fmt::format("the mask {} can't be broadcast to {}", describe(*mask), to_string(scores)));
    }
  }
  set_output(graph, node, 0, DataType::kFloat32, {batch, heads, q.shape[2], v.shape[3]});
}

}  // namespace xinfer::ir::rules
