#pragma once
// Every rewrite: true when it changed the graph. What each does stands above its definition.

#include "ir/graph.h"

namespace xinfer::passes {

bool fold_constants(ir::Graph& graph);
bool eliminate_dead(ir::Graph& graph);
bool eliminate_identity(ir::Graph& graph);
bool eliminate_common(ir::Graph& graph);
bool simplify_arithmetic(ir::Graph& graph);
bool merge_clips(ir::Graph& graph);
bool form_linear(ir::Graph& graph);
bool unwrap_linear(ir::Graph& graph);
bool split_packed_linear(ir::Graph& graph);
bool unfold_patches(ir::Graph& graph);
bool form_gelu(ir::Graph& graph);
bool form_swish(ir::Graph& graph);
bool form_layer_norm(ir::Graph& graph);
bool form_attention(ir::Graph& graph);
bool form_global_pool(ir::Graph& graph);
bool merge_reshapes(ir::Graph& graph);
bool merge_transposes(ir::Graph& graph);
bool sink_transposes(ir::Graph& graph);
bool move_past_linear(ir::Graph& graph);
bool merge_movements(ir::Graph& graph);
bool absorb_transposes(ir::Graph& graph);
bool fold_batch_norm(ir::Graph& graph);
bool lower_batch_norm(ir::Graph& graph);
bool fuse_scale_and_bias(ir::Graph& graph);
bool fuse_pad(ir::Graph& graph);
bool fuse_residual(ir::Graph& graph);
bool fuse_activation(ir::Graph& graph);

}  // namespace xinfer::passes
