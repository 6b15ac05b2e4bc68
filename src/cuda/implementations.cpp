#include "cuda/implementations.h"

#include <array>
#include <stdexcept>
#include <vector>

namespace xinfer::cuda {
namespace {

using List = std::vector<Implementation>;

constexpr bool kWritesQuantized = true;

/// Best first.
List list_of(ir::OpType op) {
  using enum ir::OpType;
  switch (op) {
    case kConv:
      return {{"depthwise", create_depthwise, depthwise_tactics},
              {"stem_conv", create_stem_conv, stem_tactics},
              {"wgemm_conv", create_wgemm_conv, wgemm_tactics},
              {"igemm_conv", create_igemm_conv, igemm_tactics},
              {"direct_conv", create_direct_conv}};
    case kConvTranspose:
      return {{"direct_conv", create_direct_conv}};
    case kLinear:
      return {{"wgemm_linear", create_wgemm_linear, wgemm_tactics},
              {"igemm_linear", create_igemm_linear, igemm_tactics},
              {"direct_linear", create_direct_linear}};
    case kMatMul:
      return {{"igemm_matmul", create_igemm_matmul, igemm_tactics}, {"direct_matmul", create_direct_matmul}};
    case kAttention:
      return {{"attention_wgmma", create_attention_wgmma, attention_wgmma_tactics, kWritesQuantized},
              {"attention", create_attention, nullptr, kWritesQuantized},
              {"attention_plain", create_attention_plain, nullptr, kWritesQuantized}};
    case kUnary:
      return {{"unary", create_unary, nullptr, kWritesQuantized}};
    case kBinary:
      return {{"binary", create_binary, nullptr, kWritesQuantized}};
    case kWhere:
      return {{"where", create_where}};
    case kCast:
      return {{"cast", create_cast}};
    case kBatchNorm:
      return {{"batch_norm", create_batch_norm, nullptr, kWritesQuantized}};
    case kLayerNorm:
      return {{"layer_norm", create_layer_norm, layer_norm_tactics, kWritesQuantized}};
    case kGroupNorm:
      return {{"group_norm", create_group_norm, nullptr, kWritesQuantized}};
    case kSoftmax:
      return {{"softmax", create_softmax, nullptr, kWritesQuantized}};
    case kMaxPool:
    case kAveragePool:
      return {{"pool", create_pool}};
    case kReduce:
      return {{"reduce", create_reduce, nullptr, kWritesQuantized}};
    case kArgReduce:
      return {{"arg_reduce", create_arg_reduce}};
    case kTopK:
      return {{"top_k", create_topk}};
    case kConcat:
      return {{"concat", create_concat}};
    case kSplit:
      return {{"split", create_split}};
    case kSlice:
      return {{"slice", create_slice}};
    case kTranspose:
      return {{"transpose", create_transpose}};
    case kReshape:
      return {{"reshape", create_reshape}};
    case kExpand:
      return {{"expand", create_expand}};
    case kTile:
      return {{"tile", create_tile}};
    case kPad:
      return {{"pad", create_pad}};
    case kGather:
      return {{"gather", create_gather}};
    case kResize:
      return {{"resize", create_resize}};
    case kQuantize:
      return {{"quantize", create_quantize}};
    case kDequantize:
      return {{"dequantize", create_dequantize}};
    case kCumSum:
      return {{"cum_sum", create_cum_sum}};
    case kGatherElements:
      return {{"gather_elements", create_gather_elements}};
    case kGatherNd:
      return {{"gather_nd", create_gather_nd}};
    case kScatterNd:
      return {{"scatter_nd", create_scatter_nd}};
  }
  throw std::logic_error("an operator without a list of implementations");
}

}  // namespace

std::span<const Implementation> implementations_of(ir::OpType op) {
  static const auto table = [] {
    std::array<List, ir::kOpTypeCount> lists;
    for (std::size_t i = 0; i < lists.size(); ++i) lists[i] = list_of(static_cast<ir::OpType>(i));
    return lists;
  }();
  return table.at(static_cast<std::size_t>(op));
}

}  // namespace xinfer::cuda
