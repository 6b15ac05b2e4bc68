#pragma once
// What the nodes of a network cost in INT8 and in half precision, and the conversions between them.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "quantize/plan.h"

namespace xinfer::builders {

/// Microseconds, one entry for each batch size that counts.
using BatchTimes = std::vector<double>;

/// A node of the float network with its times in both networks.
struct SpeedNode {
  std::string name;
  bool int8 = false;          ///< runs in INT8 in the plan at hand
  bool movable = false;       ///< is in INT8, and nobody asked for a precision of it
  bool writes_float = false;  ///< can write reals where it computes on integers, without a conversion
  BatchTimes int8_us, float_us;
};

/// A tensor of reals between nodes of the float network.
struct SpeedTensor {
  std::string name;
  int producer = -1;         ///< index of a node; -1: an input of the network
  std::vector<int> readers;  ///< indices of nodes
  bool output = false;       ///< read as reals outside
  BatchTimes convert_us;     ///< of one conversion between reals and integers
};

struct SpeedModel {
  std::vector<std::int64_t> batches;
  std::vector<SpeedNode> nodes;
  std::vector<SpeedTensor> tensors;
};

/// Nodes and tensors of `float_graph` as `decisions` (for it, under `plan`) place them, without times.
SpeedModel speed_model(const ir::Graph& float_graph, const std::vector<quantize::NodeDecision>& decisions,
                       const quantize::PlanOptions& plan, std::vector<std::int64_t> batches);

/// Microseconds of each node of a network by name, one map for each of SpeedModel::batches.
using NodeTimes = std::vector<std::map<std::string, double>>;

/// Puts times in: of the float network, and of `quantized`, which was made from it. A conversion takes what the
/// Quantize or Dequantize of its tensor takes in `quantized`; where there is none, what moving its operand (2 bytes an
/// element) and result at `bytes_per_us` takes, and 2 us. A node without a time in one of them can't move.
void add_times(SpeedModel& model, const ir::Graph& float_graph, const ir::Graph& quantized, const NodeTimes& int8,
               const NodeTimes& in_float, double bytes_per_us);

}  // namespace xinfer::builders
