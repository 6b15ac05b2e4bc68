#pragma once
// Internal to ir: the shape rule of each operator, and what the rules share.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace xinfer::ir::rules {

// infer_window.cpp
void conv(Graph& graph, Node& node);
void conv_transpose(Graph& graph, Node& node);
void max_pool(Graph& graph, Node& node);
void average_pool(Graph& graph, Node& node);
void resize(Graph& graph, Node& node);
// infer_matrix.cpp
void linear(Graph& graph, Node& node);
void matmul(Graph& graph, Node& node);
void attention(Graph& graph, Node& node);
// infer_elementwise.cpp
void unary(Graph& graph, Node& node);
void binary(Graph& graph, Node& node);
void where(Graph& graph, Node& node);
void cast(Graph& graph, Node& node);
void quantize(Graph& graph, Node& node);
void dequantize(Graph& graph, Node& node);
// infer_reduce.cpp
void batch_norm(Graph& graph, Node& node);
void layer_norm(Graph& graph, Node& node);
void group_norm(Graph& graph, Node& node);
void softmax(Graph& graph, Node& node);
void reduce(Graph& graph, Node& node);
void arg_reduce(Graph& graph, Node& node);
void top_k(Graph& graph, Node& node);
void cum_sum(Graph& graph, Node& node);
// infer_move.cpp
void concat(Graph& graph, Node& node);
void split(Graph& graph, Node& node);
void slice(Graph& graph, Node& node);
void transpose(Graph& graph, Node& node);
void reshape(Graph& graph, Node& node);
void expand(Graph& graph, Node& node);
void tile(Graph& graph, Node& node);
void pad(Graph& graph, Node& node);
// infer_index.cpp
void gather(Graph& graph, Node& node);
void gather_elements(Graph& graph, Node& node);
void gather_nd(Graph& graph, Node& node);
void scatter_nd(Graph& graph, Node& node);

// -- Shared by the rules (infer.cpp) ------------------------------------------------------------------------------

/// "'x' (f32[N, 3, 224, 224])".
std::string describe(const Value& value);

/// The value of input `index`, which the arity check has found to be there.
const Value& input(const Graph& graph, const Node& node, std::size_t index);
/// The same, or nullptr when the optional input is absent.
const Value* optional_input(const Graph& graph, const Node& node, std::size_t index);

/// The type of the numbers that a value stands for: f32 for a quantized one, else its dtype.
DataType real_type(const Value& value);
/// Throws ModelError unless the value is f32 or quantized.
void expect_real(const Value& value);
/// Throws ModelError unless the value is s64 or s32.
void expect_indices(const Value& value);
void expect_rank(const Value& value, std::size_t at_least);
/// Throws ModelError unless `value` has exactly `shape`; `role` says what the value is to the operator ("bias").
void expect_shape(const Value& value, const Shape& shape, std::string_view role);

/// The size of an axis that must not depend on the batch. Throws UnsupportedError when it does; `purpose` completes
/// "can't ... the batch axis": "slide a window over", "reduce".
std::int64_t fixed_dim(const Value& value, std::size_t axis, std::string_view purpose);
/// The same test for a list of axes [begin, end).
void expect_fixed(const Value& value, std::size_t begin, std::size_t end, std::string_view purpose);

/// Makes `axis` non-negative in place and returns it.
std::size_t fix_axis(std::int64_t& axis, std::size_t rank);

/// Fills an empty list with `count` times `fallback`. Throws ModelError when a given list has another length, or an
/// entry outside [smallest, 2^31), which also keeps sums and products of the rules within 64 bits.
void fill(std::vector<std::int64_t>& list, std::size_t count, std::int64_t fallback, std::int64_t smallest,
          std::string_view name);

/// Sets an output's shape, and its dtype unless it has a Quantization of its own.
void set_output(Graph& graph, const Node& node, std::size_t index, DataType dtype, Shape shape);
/// The same for an operator that only moves the data of `x`: its Quantization is handed on. `quantized_axis` is where
/// a per-channel axis ends up; -1 when the operator can't keep one (UnsupportedError then).
void set_moved(Graph& graph, const Node& node, std::size_t index, const Value& x, Shape shape, int quantized_axis = -1);

}  // namespace xinfer::ir::rules
