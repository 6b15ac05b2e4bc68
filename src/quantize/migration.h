#pragma once
// Migration points: places where a layer's data can be scaled channel by channel although nobody in front of it can.

#include <vector>

#include "ir/graph.h"
#include "quantize/balance_flow.h"
#include "quantize/channel_ranges.h"

namespace xinfer::quantize {

/// A Mul by a constant, one number for each channel of the last axis.
struct MigrationPoint {
  ir::NodeId node = ir::kNone;
  ir::ValueId from = ir::kNone;  ///< what it reads
  ir::ValueId to = ir::kNone;    ///< what the linear layers read in place of it
};

///   x ─┬─ Linear (W)          x ─┬─ Mul (1) ─┬─ Linear (W)
///      ├─ Linear (V)     ->      │           └─ Linear (V)
///      └─ Add                    └─ Add
///
/// For each value whose channels `flow` doesn't let be scaled where they are written (the sum behind a normalisation
/// reads them too, or an activation that isn't homogeneous writes them), one point in front of all linear layers with
/// constant weights that read it. Multiplied by ones the graph computes what it did; `ranges` get what is known of x.
std::vector<MigrationPoint> add_migration_points(ir::Graph& graph, ChannelFlow& flow, ChannelRanges& ranges);

///   GELU ── Mul (s) ── Linear (W), bias b      ->      GELU ── Mul (s) ── Add (c), ReLU ── Linear (W), bias b - W c
///
/// Behind an activation that falls a little below zero and rises far above it (GELU, SiLU), integers with a sign waste
/// half of their range. c lifts the activation's least value to zero, so that the tensor gets unsigned integers; the
/// ReLU changes nothing, but shows that. Done where it saves at least 3 dB; float results change by rounding alone.
/// True when it was done somewhere.
bool lift_points(ir::Graph& graph, const std::vector<MigrationPoint>& points, const ChannelRanges& ranges);

/// Takes the points that still multiply by ones out again.
void remove_idle_points(ir::Graph& graph, const std::vector<MigrationPoint>& points);

}  // namespace xinfer::quantize
