#pragma once
// Cost: the least that a node must do, counted from its shapes and types alone.

#include <cstdint>
#include <functional>

#include "ir/graph.h"

namespace xinfer::ir {

struct Cost {
  double macs = 0;   ///< multiply-accumulates of convolutions, linear layers, matrix products and attention; else 0
  double bytes = 0;  ///< operands and results, each moved once
  double operations() const { return 2 * macs; }
  Cost& operator+=(const Cost& other) {
    macs += other.macs;
    bytes += other.bytes;
    return *this;
  }
  bool operator==(const Cost&) const = default;
};

/// Of one node at a batch size. Padding counts as if it were data, as in the usual count of a convolution's operations.
/// Thread-safe.
Cost cost_of(const Graph& graph, const Node& node, std::int64_t batch);
/// The same where elements are not stored in the sizes of their types (reals as halves, say): `element_bytes` gives the
/// bytes of one, for each operand and result.
Cost cost_of(const Graph& graph, const Node& node, std::int64_t batch,
             const std::function<double(ValueId)>& element_bytes);

}  // namespace xinfer::ir
