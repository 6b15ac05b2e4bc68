#include "builders/latency_model.h"

#include <algorithm>

#include "ir/cost.h"

namespace xinfer::builders {
namespace {

struct Rates {
  double float_ops, int8_ops;  ///< operations a millisecond
  double bytes;                ///< moved in a millisecond
  double float_size;           ///< bytes of a real
  double start_ms;             ///< of any node
};

// Measured on such machines in large layers; see docs/performance.md.
constexpr Rates kCpuRates{3.6e8, 1.4e9, 2e7, 4, 0.002};
constexpr Rates kGpuRates{6.5e11, 1.4e12, 2.9e9, 2, 0.002};

}  // namespace

double modelled_ms(const ir::Graph& float_graph, const ir::Node& node, quantize::Precision precision,
                   Hardware hardware) {
  const Rates& rates = hardware == Hardware::kGpu ? kGpuRates : kCpuRates;
  const ir::Cost cost = ir::cost_of(float_graph, node, 1);
  const bool int8 = precision == quantize::Precision::kInt8;
  const double bytes = cost.bytes / 4 * (int8 ? 1 : rates.float_size);  // cost_of() counted four a real
  return rates.start_ms + std::max(cost.operations() / (int8 ? rates.int8_ops : rates.float_ops), bytes / rates.bytes);
}

}  // namespace xinfer::builders
