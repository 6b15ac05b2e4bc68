#pragma once
// The plan: from the float graph and the ranges of its tensors to a graph on integers.

#include <string>
#include <vector>

#include "ir/graph.h"
#include "quantize/options.h"
#include "quantize/ranges.h"
#include "quantize/table.h"

namespace xinfer::quantize {

/// What was decided for one node of the float graph.
struct NodeDecision {
  std::string node;
  ir::OpType op = ir::OpType::kConv;
  Precision precision = Precision::kFloat;
  std::string reason;  ///< why it runs in float; for INT8 nodes the types that it reads and writes, "u8 -> s8"
};

struct PlanSummary {
  int int8_nodes = 0;   ///< nodes that compute or move integers
  int float_nodes = 0;  ///< nodes on reals that run in float
  int index_nodes = 0;  ///< nodes on shapes, indices and booleans
  int quantize_nodes = 0;
  int dequantize_nodes = 0;
  int total() const { return int8_nodes + float_nodes; }  ///< nodes that had a choice of precision
};

struct QuantizedModel {
  ir::Graph graph;                      ///< verified; inputs and outputs keep names, order, shapes and f32 types
  std::vector<NodeDecision> decisions;  ///< one for each node of the float graph, in its order
  PlanSummary summary;
};

/// Quantizes `float_graph` (canonical and fused; values are looked up in `ranges` by name).
///
/// INT8 nodes read integers and write integers, or f32 directly where nothing reads their result as integers. Values
/// that cross between float and integers get one Quantize or one Dequantize, whatever the number of their readers.
/// Weights become s8, one scale for each output channel; biases stay f32. Values keep their names. What runs where is
/// decided by place() (placement.h), types and scales by choose_forms() (scales.h). Deterministic and thread-safe.
///
/// Throws CalibrationError for an override that matches nothing or a range that gives no scale, ModelError for weights
/// that are not finite.
QuantizedModel quantize(const ir::Graph& float_graph, const Ranges& ranges, const PlanOptions& options = {});

/// The same, with the ranges that `options.method` chose in `table`.
QuantizedModel quantize(const ir::Graph& float_graph, const CalibrationTable& table, const PlanOptions& options = {});

/// A table for people: a line for each node with precision and reason, and the summary.
std::string to_text(const QuantizedModel& model);

}  // namespace xinfer::quantize
