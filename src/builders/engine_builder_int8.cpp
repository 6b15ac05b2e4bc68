// The builder's steps that make an INT8 network.

#include <fmt/format.h>

#include <filesystem>
#include <limits>

#include "builders/engine_builder_impl.h"
#include "builders/range_table.h"
#include "builders/stopwatch.h"
#include "quantize/choose_ranges.h"
#include "quantize/reconstruct.h"

namespace xinfer::builders {
namespace {

constexpr std::int64_t kAnySum = std::numeric_limits<std::int64_t>::max();

/// Beside the calibration cache.
std::string fit_cache_of(const std::string& cache_path) { return cache_path + ".fit"; }

}  // namespace

quantize::LayerChoices EngineBuilder::Impl::reconstruct(const Int8Job& job, const quantize::PlanOptions& plan) {
  quantize::ReconstructOptions options;
  options.adjust_weights = repairs(Repair::kWeightRounding);
  options.correct_bias = repairs(Repair::kBiasCorrection);
  if (job.samples.empty() || (!options.adjust_weights && !options.correct_bias)) return {};
  options.threads = threads;
  if (effort >= 2) options.longest_sum = kAnySum;
  options.progress = [this](std::size_t done, std::size_t total) {
    tell(BuildStage::kQuantize, static_cast<std::int64_t>(done), static_cast<std::int64_t>(total));
  };
  return quantize::reconstruct(*job.graph, job.ranges, plan, job.samples, options).layers;
}

void EngineBuilder::Impl::describe(const Int8Job& job) {
  report.nodes.clear();
  report.int8_nodes = 0;
  for (const quantize::NodeDecision& decision : job.result.decisions) {
    if (decision.precision == quantize::Precision::kIndex) continue;
    const bool int8 = decision.precision == quantize::Precision::kInt8;
    report.nodes.push_back(
        {decision.node, std::string(ir::name_of(decision.op)), int8 ? "int8" : "fp32", int8 ? "" : decision.reason});
    report.int8_nodes += int8 ? 1 : 0;
  }
  if (report.int8_nodes == 0) {
    throw CalibrationError("no node of the model can run in INT8: the engine would be a float engine",
                           "see 'xinfer inspect --why' on a float engine, or build with --fp32");
  }
}

void EngineBuilder::Impl::choose_ranges(Int8Job& job) {
  if (method != RangeMethod::kAuto || job.samples.empty()) {
    job.ranges = job.table.pick(job.plan.method);
    return;
  }
  const std::string key = ranges_key(*job.graph, job.table, job.samples.size(), job.plan);
  if (job.fitted.ranges_key != key) {
    job.fitted = {key, quantize::choose_ranges(job.graph, job.table, job.plan, job.samples, threads), {}, {}};
  }
  job.ranges = job.fitted.ranges.ranges;
  job.range_methods = job.fitted.ranges.methods;
}

void EngineBuilder::Impl::load_fitted(Int8Job& job) {
  const std::string path = fit_cache_of(cache_path);
  if (cache_path.empty() || job.samples.empty() || !std::filesystem::exists(path)) return;
  try {
    job.fitted = load_fit_cache(path, *job.graph);
  } catch (const CalibrationError& error) {
    report.remarks.push_back(fmt::format("cache not used, layers fitted again: {}", error.what()));
  }
}

void EngineBuilder::Impl::fit_layers(Int8Job& job) {
  const std::string how = fmt::format("effort {}, rounding {}, bias {}", effort, repairs(Repair::kWeightRounding),
                                      repairs(Repair::kBiasCorrection));
  const std::string key =
      layers_key(ranges_key(*job.graph, job.table, job.samples.size(), job.plan), job.ranges, job.plan, how);
  report.layers_from_cache = job.fitted.layers_key == key;
  if (!report.layers_from_cache) {
    job.fitted.layers = reconstruct(job, job.plan);
    job.fitted.layers_key = key;
    if (!cache_path.empty() && !job.fitted.layers.empty()) save_fit_cache(fit_cache_of(cache_path), job.fitted);
  }
  job.plan.layers = job.fitted.layers;
}

engine::EngineFile EngineBuilder::Impl::build_int8(const std::shared_ptr<const ir::Graph>& model) {
  Int8Job job = start(model);
  survey(job);
  balance(job);
  find_ranges(job, true);
  report.quality.data = job.doctor.finish(report.quality.findings);

  Stopwatch watch;
  tell(BuildStage::kQuantize, 0, -1);
  load_fitted(job);
  choose_ranges(job);
  leave_out_slow_layers(job);
  fit_layers(job);
  job.result = quantize::quantize(*job.graph, job.ranges, job.plan);
  search(job);
  describe(job);
  report.quantize_seconds = watch.seconds();

  engine::EngineFile file = make_file(job.result.graph);
  for (const quantize::NodeDecision& decision : job.result.decisions) {
    const bool int8 = decision.precision == quantize::Precision::kInt8;
    file.decisions.push_back(
        {decision.node, std::string(ir::name_of(decision.op)), int8 ? "int8" : "fp32", int8 ? "" : decision.reason});
  }
  file.ranges = measure_ranges(std::make_shared<ir::Graph>(file.graph), job.samples, threads).ranges;
  add_gpu_parts(file);
  measure(job, file);
  check(model, file);
  file.facts.emplace_back("calibration",
                          fmt::format("{} samples, ranges by {}", job.table.images, report.range_method));
  file.facts.emplace_back("calibration data hash", job.table.key.images);
  file.facts.emplace_back("int8 nodes", fmt::format("{} of {}", report.int8_nodes, report.nodes.size()));
  if (report.accuracy) {
    file.facts.emplace_back("SQNR on calibration data", fmt::format("{:.2f} dB", report.accuracy->sqnr_db));
    if (report.accuracy->top1_agreement) {
      file.facts.emplace_back("top-1 agreement on calibration data",
                              fmt::format("{:.2f} %", 100 * *report.accuracy->top1_agreement));
    }
  }
  if (report.quality.float_score && report.quality.int8_score) {
    file.facts.emplace_back(report.quality.metric, fmt::format("FP32 {:.2f}, INT8 {:.2f}", *report.quality.float_score,
                                                               *report.quality.int8_score));
  }
  return file;
}

}  // namespace xinfer::builders
