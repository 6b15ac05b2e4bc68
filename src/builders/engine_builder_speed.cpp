// The builder's step that measures where INT8 pays.

#include <fmt/format.h>

#include <limits>

#include "builders/engine_builder_impl.h"
#include "builders/never_slower.h"
#include "builders/stopwatch.h"
#include "cuda/measure.h"
#include "cuda/prepare.h"
#include "gpu/peak.h"

namespace xinfer::builders {
namespace {

constexpr double kUnknownBandwidth = 1e6;  // bytes a microsecond, where the driver doesn't tell

/// Times networks on the GPU at hand, at all batch sizes that the engine is tuned for.
class SpeedMeter {
 public:
  SpeedMeter(const GpuOptions& gpu, std::vector<std::int64_t> batches, std::function<void()> tick)
      : batches_(std::move(batches)),
        tick_(std::move(tick)),
        compiler_(std::make_shared<gpu::Compiler>()),
        state_(std::make_shared<cuda::DeviceState>(gpu::Device::open(), compiler_)),
        timings_(compiler_->cache_dir().empty() ? "" : compiler_->cache_dir() + "/timings.txt") {
    options_.target = state_->target();
    options_.allow_host = gpu.allow_host;
  }

  std::vector<cuda::NetworkTimes> measure(const ir::Graph& network) {
    const auto graph = std::make_shared<const ir::Graph>(network);
    std::vector<cuda::NetworkTimes> times;
    for (const std::int64_t batch : batches_) {
      times.push_back(cuda::measure_tuned(graph, batch, options_, state_, &timings_, tick_));
    }
    timings_.save();  // the engine's own kernels will be these
    return times;
  }

  const std::vector<std::int64_t>& batches() const { return batches_; }
  double bytes_per_us() const {
    const gpu::Peak peak = gpu::peak_of(state_->device()->info());
    return peak.bytes > 0 ? peak.bytes : kUnknownBandwidth;
  }

 private:
  std::vector<std::int64_t> batches_;
  std::function<void()> tick_;
  std::shared_ptr<gpu::Compiler> compiler_;
  std::shared_ptr<cuda::DeviceState> state_;
  cuda::TimingCache timings_;
  cuda::CompileOptions options_;
};

NodeTimes by_node(const std::vector<cuda::NetworkTimes>& times) {
  NodeTimes result;
  for (const cuda::NetworkTimes& one : times) result.push_back(one.node_us);
  return result;
}

BatchTimes totals(const std::vector<cuda::NetworkTimes>& times) {
  BatchTimes result;
  for (const cuda::NetworkTimes& one : times) result.push_back(one.total_us);
  return result;
}

quantize::PrecisionOverride in_float(const std::string& node, std::string why) {
  return {quantize::PrecisionOverride::Match::kNode, node, {}, quantize::Precision::kFloat, std::move(why)};
}

}  // namespace

void EngineBuilder::Impl::leave_out_slow_layers(Int8Job& job) {
  if (!gpu.never_slower || !tunes_here(gpu)) return;
  const Stopwatch watch;
  std::int64_t done = 0;
  tell(BuildStage::kPrepareGpu, done, -1);
  SpeedMeter meter(gpu, gpu.batches.empty() ? cuda::default_batches(max_batch) : gpu.batches,
                   [&] { tell(BuildStage::kPrepareGpu, ++done, -1); });
  const quantize::QuantizedModel all = quantize::quantize(*job.graph, job.ranges, job.plan);
  const auto int8 = meter.measure(all.graph);
  SpeedModel model = speed_model(*job.graph, all.decisions, job.plan, meter.batches());
  add_times(model, *job.graph, all.graph, by_node(int8), by_node(meter.measure(*job.graph)), meter.bytes_per_us());
  const NeverSlowerResult found = search_never_slower(model, [&](const std::set<std::string>& nodes) {
    if (nodes.empty()) return totals(int8);
    quantize::PlanOptions plan = job.plan;
    for (const std::string& node : nodes) plan.overrides.push_back(in_float(node, ""));
    const quantize::QuantizedModel fewer = quantize::quantize(*job.graph, job.ranges, plan);
    // Lighter nodes follow their neighbours: maybe to the last one.
    if (fewer.summary.int8_nodes == 0) return BatchTimes(int8.size(), std::numeric_limits<double>::infinity());
    return totals(meter.measure(fewer.graph));
  });
  for (const SlowInInt8& slow : found.moved) job.plan.overrides.push_back(in_float(slow.node, slow.reason));
  if (!found.moved.empty()) {
    report.remarks.push_back(
        fmt::format("{} nodes stay in half precision because INT8 measured slower there: {:.1f} "
                    "us in place of {:.1f} at batch {}",
                    found.moved.size(), found.after_us.back(), found.before_us.back(), meter.batches().back()));
  }
  if (found.all_promised) {
    report.remarks.emplace_back(
        "every layer alone measured faster in half precision than in INT8: compare with a build with --fp16");
  }
  report.gpu_seconds += watch.seconds();
}

}  // namespace xinfer::builders
