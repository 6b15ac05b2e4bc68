#pragma once
// The table of implementations: for each operator an ordered list, best first, the reference last.

#include <span>
#include <string_view>

#include "cpu/step.h"

namespace xinfer::cpu {

/// One way to compute an operator.
struct Implementation {
  std::string_view name;
  Creation (*create)(const Request&);
  bool writes_quantized = false;  ///< can take over the Quantize that follows (Request::output_override)
  bool takes_tail = false;        ///< and what may lie between (Request::tail)
};

/// Never empty; the last one is the reference.
std::span<const Implementation> implementations_of(ir::OpType op);

// conv_f32.cpp
Creation create_conv_f32(const Request& request);
Creation create_conv_transpose_f32(const Request& request);
// conv_int8.cpp
Creation create_depthwise_int8(const Request& request);
Creation create_conv_int8_dnnl(const Request& request);
Creation create_conv_int8_own(const Request& request);
Creation create_conv_transpose_int8_dnnl(const Request& request);
// linear.cpp
Creation create_linear_f32(const Request& request);
Creation create_linear_int8_dnnl(const Request& request);
Creation create_linear_int8_own(const Request& request);
// matmul.cpp
Creation create_matmul_f32(const Request& request);
Creation create_matmul_sgemm(const Request& request);
Creation create_matmul_int8(const Request& request);
Creation create_matmul_int8_exact(const Request& request);
// attention.cpp
Creation create_attention_f32(const Request& request);
// elementwise.cpp
Creation create_unary_f32(const Request& request);
Creation create_binary_f32(const Request& request);
// elementwise_int8.cpp
Creation create_unary_int8(const Request& request);
Creation create_binary_int8(const Request& request);
// norm.cpp
Creation create_layer_norm(const Request& request);
Creation create_softmax(const Request& request);
Creation create_batch_norm(const Request& request);
Creation create_group_norm(const Request& request);
// pool.cpp
Creation create_pool_f32(const Request& request);
Creation create_pool_int8(const Request& request);
Creation create_mean(const Request& request);
// quantize.cpp
Creation create_quantize(const Request& request);
Creation create_dequantize(const Request& request);
// movement.cpp
Creation create_identity(const Request& request);
Creation create_reshape(const Request& request);
Creation create_transpose(const Request& request);
Creation create_concat(const Request& request);
Creation create_slice(const Request& request);
Creation create_split(const Request& request);
// movement_more.cpp
Creation create_gather(const Request& request);
Creation create_pad(const Request& request);
Creation create_expand(const Request& request);
Creation create_tile(const Request& request);
Creation create_where(const Request& request);
Creation create_cast(const Request& request);
// resize.cpp
Creation create_resize(const Request& request);
// reference_step.cpp
Creation create_reference(const Request& request);

/// Step that changes a value's layout; named "reorder".
std::unique_ptr<Step> create_reorder(DataType type, const Dims& dims, const Layout& from, const Layout& to);

}  // namespace xinfer::cpu
