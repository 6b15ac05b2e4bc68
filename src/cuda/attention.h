#pragma once
// What the attention kernels take: where heads, rows and the mask lie.

#include <string>
#include <variant>

#include "cuda/rounding.h"

namespace xinfer::cuda {

/// AttentionArgs of kernels/attention_rows.cuh, member for member; attention_plain.cu has mask_key more.
struct AttentionArgs {
  gpu::DevicePointer q = 0, k = 0, v = 0, y = 0, mask = 0;
  std::int64_t q_batch = 0, q_head = 0, k_batch = 0, k_head = 0, v_batch = 0, v_head = 0, y_batch = 0, y_head = 0,
               mask_batch = 0, mask_head = 0;
  std::uint32_t q_row = 0, k_row = 0, v_row = 0, y_row = 0, mask_row = 0;
  std::uint32_t heads = 0, queries = 0, keys = 0, depth = 0, values = 0;
  std::uint32_t y_columns = 0;
  std::uint32_t query_tiles = 0;
  float scale = 1;
  float step = 1;
};

/// Attention as a launch of one kernel.
class AttentionStep : public Step {
 public:
  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override;
  /// `args` with the addresses.
  AttentionArgs placed(const Frame& frame) const;

  AttentionArgs args;
  std::int64_t batch = 0;
  std::uint32_t threads = 128, shared_bytes = 0;
  bool plain = false;          ///< attention_plain.cu
  std::uint32_t mask_key = 0;  ///< stride of the mask along the keys
};

/// How the operands lie, where a node can be taken at all.
struct AttentionShape {
  std::int64_t batch, heads, queries, keys, depth, values;
  bool masked, causal;
};

/// Sizes of a node; a string says why neither kernel takes it.
std::variant<AttentionShape, std::string> attention_shape(const Request& request);

/// Sets the formats of q, k, v, of the mask and of the output, and everything in step.args but addresses and
/// query_tiles. `aligned`: rows of q, k, v and of the output start at multiples of 16 bytes, and those of the mask are
/// padded.
void place_operands(AttentionStep& step, const Request& request, const AttentionShape& shape, const Rounding& rounding,
                    bool aligned);

/// Adds XI_SCALE_FIRST and XI_MASK_T, and turns step.args.scale into units of log 2: the kernels on tensor cores.
void define_scores(AttentionStep& step, const AttentionShape& shape, gpu::KernelSource& source);

}  // namespace xinfer::cuda
