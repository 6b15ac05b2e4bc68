#pragma once
// The table of implementations: for each operator an ordered list, best first.

#include <span>
#include <string_view>

#include "cuda/step.h"

namespace xinfer::cuda {

/// One way to compute an operator.
struct Implementation {
  std::string_view name;
  Creation (*create)(const Request&, const Tactic&);
  /// Variants in the order of the heuristic's preference, the first to be used untuned; nullptr: one variant, Tactic{}.
  std::vector<Tactic> (*tactics)(const Request&) = nullptr;
  bool writes_quantized = false;  ///< can take over the Quantize that follows (Request::output_override)
};

/// Never empty.
std::span<const Implementation> implementations_of(ir::OpType op);

// igemm.cpp: implicit GEMM with mma.sync, on every architecture
Creation create_igemm_conv(const Request& request, const Tactic& tactic);
Creation create_igemm_linear(const Request& request, const Tactic& tactic);
Creation create_igemm_matmul(const Request& request, const Tactic& tactic);
std::vector<Tactic> igemm_tactics(const Request& request);
// wgemm.cpp: the same with TMA and wgmma, on Hopper
Creation create_wgemm_conv(const Request& request, const Tactic& tactic);
Creation create_wgemm_linear(const Request& request, const Tactic& tactic);
std::vector<Tactic> wgemm_tactics(const Request& request);
// direct_conv.cpp: plain loops; any type, group, or ConvTranspose
Creation create_direct_conv(const Request& request, const Tactic& tactic);
Creation create_direct_linear(const Request& request, const Tactic& tactic);
Creation create_direct_matmul(const Request& request, const Tactic& tactic);
// depthwise.cpp
Creation create_depthwise(const Request& request, const Tactic& tactic);
std::vector<Tactic> depthwise_tactics(const Request& request);
// stem.cpp: first layers of up to four channels
Creation create_stem_conv(const Request& request, const Tactic& tactic);
std::vector<Tactic> stem_tactics(const Request& request);
// pool.cpp, reduce.cpp, resize.cpp
Creation create_pool(const Request& request, const Tactic& tactic);
Creation create_reduce(const Request& request, const Tactic& tactic);
Creation create_resize(const Request& request, const Tactic& tactic);
// map.cpp: every output element from a fixed number of input elements
Creation create_unary(const Request& request, const Tactic& tactic);
Creation create_binary(const Request& request, const Tactic& tactic);
Creation create_where(const Request& request, const Tactic& tactic);
Creation create_cast(const Request& request, const Tactic& tactic);
Creation create_quantize(const Request& request, const Tactic& tactic);
Creation create_dequantize(const Request& request, const Tactic& tactic);
// movement.cpp
Creation create_reshape(const Request& request, const Tactic& tactic);
Creation create_transpose(const Request& request, const Tactic& tactic);
Creation create_concat(const Request& request, const Tactic& tactic);
Creation create_slice(const Request& request, const Tactic& tactic);
Creation create_split(const Request& request, const Tactic& tactic);
Creation create_expand(const Request& request, const Tactic& tactic);
Creation create_tile(const Request& request, const Tactic& tactic);
Creation create_pad(const Request& request, const Tactic& tactic);
Creation create_gather(const Request& request, const Tactic& tactic);
// indexing.cpp
Creation create_gather_elements(const Request& request, const Tactic& tactic);
Creation create_gather_nd(const Request& request, const Tactic& tactic);
Creation create_scatter_nd(const Request& request, const Tactic& tactic);
// norm.cpp
Creation create_layer_norm(const Request& request, const Tactic& tactic);
std::vector<Tactic> layer_norm_tactics(const Request& request);
Creation create_group_norm(const Request& request, const Tactic& tactic);
Creation create_batch_norm(const Request& request, const Tactic& tactic);
Creation create_softmax(const Request& request, const Tactic& tactic);
// attention_wgmma.cpp: with TMA and wgmma, on Hopper; attention.cpp: on the tensor cores; in float, anything
Creation create_attention_wgmma(const Request& request, const Tactic& tactic);
std::vector<Tactic> attention_wgmma_tactics(const Request& request);
Creation create_attention(const Request& request, const Tactic& tactic);
Creation create_attention_plain(const Request& request, const Tactic& tactic);
// cumsum.cpp
Creation create_cum_sum(const Request& request, const Tactic& tactic);
// search.cpp
Creation create_topk(const Request& request, const Tactic& tactic);
Creation create_arg_reduce(const Request& request, const Tactic& tactic);

/// The step between two formats of one value (element type f32 <-> f16, order, padding).
std::unique_ptr<Step> create_reformat(const Dims& dims, const Format& from, const Format& to);

}  // namespace xinfer::cuda
