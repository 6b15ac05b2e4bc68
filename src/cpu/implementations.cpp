#include "cpu/implementations.h"

#include <array>
#include <stdexcept>
#include <vector>

namespace xinfer::cpu {
namespace {

using List = std::vector<Implementation>;

constexpr bool kWritesQuantized = true;
constexpr bool kTakesTail = true;

/// The lists without the reference, which table() appends to each. An empty list: an operator at the rim of networks,
/// where the reference is fast enough.
List fast_implementations(ir::OpType op) {
  using enum ir::OpType;
  switch (op) {
    case kConv:
      return {{"conv_f32", create_conv_f32},
              {"depthwise_int8", create_depthwise_int8},
              {"conv_int8_dnnl", create_conv_int8_dnnl},
              {"conv_int8_own", create_conv_int8_own}};
    case kConvTranspose:
      return {{"conv_transpose_f32", create_conv_transpose_f32},
              {"conv_transpose_int8_dnnl", create_conv_transpose_int8_dnnl}};
    case kLinear:
      return {{"linear_f32", create_linear_f32},
              {"linear_int8_dnnl", create_linear_int8_dnnl, false, kTakesTail},
              {"linear_int8_own", create_linear_int8_own}};
    case kMatMul:
      return {{"matmul_f32", create_matmul_f32},
              {"matmul_sgemm", create_matmul_sgemm},
              {"matmul_int8", create_matmul_int8},
              {"matmul_int8_exact", create_matmul_int8_exact}};
    case kAttention:
      return {{"attention_f32", create_attention_f32, kWritesQuantized}};
    case kUnary:
      return {{"identity", create_identity},
              {"unary_int8", create_unary_int8},
              {"unary_f32", create_unary_f32, kWritesQuantized}};
    case kBinary:
      return {{"binary_int8", create_binary_int8}, {"binary_f32", create_binary_f32, kWritesQuantized}};
    case kWhere:
      return {{"where", create_where}};
    case kCast:
      return {{"cast", create_cast}};
    case kBatchNorm:
      return {{"batch_norm", create_batch_norm}};
    case kLayerNorm:
      return {{"layer_norm", create_layer_norm, kWritesQuantized}};
    case kGroupNorm:
      return {{"group_norm", create_group_norm}};
    case kSoftmax:
      return {{"softmax", create_softmax, kWritesQuantized}};
    case kMaxPool:
    case kAveragePool:
      return {{"pool_f32", create_pool_f32}, {"pool_int8", create_pool_int8}};
    case kReduce:
      return {{"mean", create_mean, kWritesQuantized}};
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
    case kArgReduce:
    case kTopK:
    case kCumSum:
    case kGatherElements:
    case kGatherNd:
    case kScatterNd:
      return {};
  }
  throw std::logic_error("an operator without a list of implementations");
}

}  // namespace

std::span<const Implementation> implementations_of(ir::OpType op) {
  static const auto table = [] {
    std::array<List, ir::kOpTypeCount> lists;
    for (std::size_t i = 0; i < lists.size(); ++i) {
      lists[i] = fast_implementations(static_cast<ir::OpType>(i));
      lists[i].push_back({"reference", create_reference});
    }
    return lists;
  }();
  return table.at(static_cast<std::size_t>(op));
}

}  // namespace xinfer::cpu
