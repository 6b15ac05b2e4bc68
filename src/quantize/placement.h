#pragma once
// Placement: which nodes run on integers, and why the others don't.

#include <string>
#include <vector>

#include "ir/graph.h"
#include "quantize/options.h"

namespace xinfer::quantize {

/// What a node can do with integers.
enum class NodeKind : std::uint8_t {
  kAnchor,     ///< Conv, ConvTranspose, Linear, MatMul: runs in INT8 whenever it can, since that is what pays
  kLight,      ///< arithmetic with its own output scale: runs in INT8 where that saves conversions
  kMover,      ///< moves or selects data: its output carries its input's scale
  kFloatOnly,  ///< runs in float
  kIndex,      ///< handles no reals
};

struct NodeChoice {
  NodeKind kind = NodeKind::kFloatOnly;
  Precision precision = Precision::kFloat;
  std::string reason;  ///< why it runs in float; for INT8 nodes why it does, in short
};

/// Choices by node id; slots of removed nodes hold defaults.
using Placement = std::vector<NodeChoice>;

/// Decides the precision of every node.
///
/// Anchors run in INT8 unless something forbids it (no range, an override, a weight that is no constant, a sum so long
/// that int32 could overflow). For light nodes and movers the conversions at their border are counted with the node
/// in INT8 and in float, starting from INT8 everywhere and giving up nodes that don't pay until nothing changes.
///
/// `ranges` may be nullptr: then every range counts as known (that tells which tensors to observe). Deterministic.
/// Throws CalibrationError for an override that matches nothing.
Placement place(const ir::Graph& graph, const Ranges* ranges, const PlanOptions& options);

/// Who reads a value, and as what. A residual that may stay float takes whatever form exists and counts as neither.
struct Users {
  bool int8 = false;         ///< a node reads it as integers
  bool int8_anchor = false;  ///< ... and that node is an anchor
  bool real = false;         ///< a node, or the outside, reads it as f32
};
/// Users of `value` other than the node `except`.
Users users_of(const ir::Graph& graph, const Placement& placement, const PlanOptions& options, ir::ValueId value,
               ir::NodeId except = ir::kNone);

/// Kind of `node`, with the reason where it is kFloatOnly.
NodeKind kind_of(const ir::Graph& graph, const ir::Node& node, const PlanOptions& options, std::string* reason);

/// Indices of the inputs that are integers when the node runs in INT8; constants among them are weights.
std::vector<std::size_t> data_inputs(const ir::Graph& graph, const ir::Node& node);

/// True for an INT8 node that can write f32 directly; others only write integers.
bool can_write_float(NodeKind kind, const ir::Node& node);

/// True when input `index` of `node` is a fused residual that may stay float (see PlanOptions::float_residuals).
bool may_stay_float(const ir::Graph& graph, const Placement& placement, const PlanOptions& options,
                    const ir::Node& node, std::size_t index);

/// The range of `value`, or that of the data that movers made it from; nullptr when neither is known or it is dead.
const Range* range_of(const ir::Graph& graph, const Ranges& ranges, ir::ValueId value);

}  // namespace xinfer::quantize
