#include "builders/range_table.h"

#include <mutex>

#include "quantize/sample_runner.h"
#include "runtime/drift.h"

namespace xinfer::builders {

MeasuredRanges measure_ranges(const std::shared_ptr<const ir::Graph>& quantized,
                              std::span<const quantize::Sample> samples, int threads) {
  MeasuredRanges result;
  if (samples.empty()) return result;
  const runtime::SaturationWatch watch(*quantized);
  runtime::SaturationWatch::Counts counts = watch.zeros();
  std::mutex mutex;
  const quantize::SampleRunner runner(quantized, threads);
  result.outputs = runner.run(samples, [&](std::size_t, ir::ValueId id, const Tensor& tensor) {
    runtime::SaturationWatch::Counts found = watch.zeros();
    watch.count(id, {static_cast<const std::byte*>(tensor.raw()), tensor.bytes()}, 1, found);
    const std::lock_guard lock(mutex);  // sums and maxima: the order doesn't matter
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i].add(found[i]);
  });
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const runtime::SaturationWatch::Watched& t = watch.tensors()[i];
    const double share = counts[i].elements == 0
                             ? 0
                             : static_cast<double>(counts[i].saturated) / static_cast<double>(counts[i].elements);
    result.ranges.push_back({t.name, t.threshold(), share});
  }
  return result;
}

}  // namespace xinfer::builders
