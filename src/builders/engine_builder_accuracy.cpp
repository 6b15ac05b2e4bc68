// The builder's steps that measure an INT8 network, and choose precisions by what they measure.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "builders/engine_builder_impl.h"
#include "builders/environment.h"
#include "builders/measurements.h"
#include "builders/plan_search.h"
#include "builders/preprocessing_check.h"
#include "builders/stopwatch.h"
#include "builders/worst_samples.h"
#include "quantize/sensitivity.h"

namespace xinfer::builders {
namespace {

constexpr std::size_t kQualitySamples = 16;   // for a build without a report
constexpr std::size_t kDetailedSamples = 64;  // ... with one
constexpr std::size_t kSensitivitySamples = 8;
constexpr int kProfileRuns = 20;
constexpr std::size_t kNamesShown = 5;

std::span<const quantize::Sample> first(const std::vector<quantize::Sample>& samples, std::size_t most) {
  return std::span(samples).first(std::min(samples.size(), most));
}

/// "3 of 53 layers in float: a, b, c".
std::string in_float(const std::set<std::string>& nodes, std::size_t of) {
  std::vector<std::string> shown(nodes.begin(), nodes.end());
  const bool more = shown.size() > kNamesShown;
  if (more) shown.resize(kNamesShown);
  const std::string names = fmt::format("{}{}", fmt::join(shown, ", "), more ? ", ..." : "");
  return fmt::format("{} of {} nodes in float{}{}", nodes.size(), of, names.empty() ? "" : ": ", names);
}

}  // namespace

std::unique_ptr<Judge> EngineBuilder::Impl::make_judge(const Int8Job& job,
                                                       const quantize::SampleRunner& float_network) const {
  if (metric) return judge_by_metric(*job.model, metric_name, metric);
  if (validation) return judge_by_data(*job.model, validation, validation_top, float_network);
  if (budget) return judge_by_samples(job.kept, float_network);
  return nullptr;
}

const std::map<std::string, double>& EngineBuilder::Impl::sensitivities(Int8Job& job) {
  if (job.sensitivities) return *job.sensitivities;
  quantize::SensitivityOptions options;
  options.plan = plan_options();  // without what the budget changed, so that all layers are measured
  options.plan.layers = job.plan.layers;
  options.samples = kSensitivitySamples;
  options.threads = threads;
  options.progress = [this](std::size_t done, std::size_t total) {
    tell(BuildStage::kMeasure, static_cast<std::int64_t>(done), static_cast<std::int64_t>(total));
  };
  job.sensitivities.emplace();
  const auto measured = quantize::measure_sensitivity(job.graph, job.ranges, job.samples, options);
  for (const quantize::LayerSensitivity& layer : measured.layers) {
    job.sensitivities->emplace(layer.node, layer.sqnr_db);
  }
  return *job.sensitivities;
}

void EngineBuilder::Impl::search(Int8Job& job) {
  const quantize::SampleRunner float_network(job.model, threads);
  const std::unique_ptr<Judge> judge = make_judge(job, float_network);
  if (!judge) return;
  tell(BuildStage::kSearch, 0, -1);
  report.quality.metric = judge->metric();
  report.quality.float_score = judge->score(float_network);
  report.quality.budget = budget;
  const auto score_of = [&](const quantize::QuantizedModel& model) {
    return judge->score(quantize::SampleRunner(std::make_shared<ir::Graph>(model.graph), threads));
  };
  if (!budget) {
    report.quality.int8_score = score_of(job.result);
    return;
  }

  const PlanFound found = search_plan({.float_graph = job.graph,
                                       .ranges = job.ranges,
                                       .plan = job.plan,
                                       .judge = *judge,
                                       .float_score = *report.quality.float_score,
                                       .budget = *budget,
                                       .hardware = gpu.wanted ? Hardware::kGpu : Hardware::kCpu,
                                       .threads = threads,
                                       .sensitivities = [&] { return sensitivities(job); },
                                       .progress = [this](std::int64_t done) { tell(BuildStage::kSearch, done, -1); }});
  double score = found.score;
  if (!found.float_nodes.empty()) {
    quantize::PlanOptions plan = with_float_nodes(job.plan, found.float_nodes);
    job.result = quantize::quantize(*job.graph, job.ranges, plan);
    // Weights that made up for layers now in float: fitted anew, kept when that is no worse.
    plan.layers = reconstruct(job, plan);
    quantize::QuantizedModel fitted = quantize::quantize(*job.graph, job.ranges, plan);
    const double fitted_score = score_of(fitted);
    if (fitted_score >= score) {
      score = fitted_score;
      job.result = std::move(fitted);
      job.plan = std::move(plan);
    }
  }
  report.quality.int8_score = score;
  report.quality.pareto = found.points;
  const double drop = *report.quality.float_score - score;
  for (ParetoPoint& point : report.quality.pareto) {
    if (point.chosen) point.drop = drop;
  }
  report.quality.findings.insert(report.quality.findings.begin(), found.findings.begin(), found.findings.end());
  const bool some_int8 = std::ranges::any_of(
      job.result.decisions, [](const quantize::NodeDecision& d) { return d.precision == quantize::Precision::kInt8; });
  if (drop <= *budget && some_int8) return;
  throw CalibrationError(
      fmt::format("no plan with INT8 layers keeps within the accuracy budget of {:g} points ({}): the best found loses "
                  "{:.2f}, with {}",
                  *budget, judge->metric(), drop, in_float(found.float_nodes, job.result.decisions.size())),
      "allow a larger drop, put in more effort (--effort 2), or look at the report of a build without a budget");
}

void EngineBuilder::Impl::measure(Int8Job& job, const engine::EngineFile& file) {
  Quality& quality = report.quality;
  quality.environment = look_around(threads);
  quality.environment.calibration_hash = job.table.key.images;
  if (job.samples.empty()) return;
  const Stopwatch watch;
  const quantize::SampleRunner float_network(job.model, threads);
  const quantize::SampleRunner balanced(job.graph, threads);
  const auto quantized = std::make_shared<const ir::Graph>(file.graph);
  const quantize::SampleRunner int8_network(quantized, threads);
  const Preprocessing& steps = file.preprocessing;
  quality.data.preprocessing = check_preprocessing(float_network, job.samples, steps, quality.findings);

  quantize::QualityOptions options;
  options.threads = threads;
  options.progress = [this](std::size_t done, std::size_t total) {
    tell(BuildStage::kMeasure, static_cast<std::int64_t>(done), static_cast<std::int64_t>(total));
  };
  const auto samples = first(job.samples, measure_layers ? kDetailedSamples : kQualitySamples);
  const quantize::NetworkQuality measured = quantize::measure_quality(balanced, int8_network, samples, options);
  for (const quantize::OutputQuality& output : measured.outputs) {
    quality.outputs.push_back(
        {output.name, output.error.sqnr_db(), output.cosine_mean, output.cosine_min, output.kl_divergence});
  }
  const MeasuredNetwork network{*job.graph, quantized, report.nodes, measured};
  quality.layers = layer_quality(network);
  if (measure_layers) {
    quality.tensors = tensor_quality(network, balanced, samples, job.table, report.range_method, job.range_methods);
    for (LayerQuality& layer : quality.layers) {
      const auto found = sensitivities(job).find(layer.node);
      if (found != sensitivities(job).end()) layer.sensitivity_db = found->second;
    }
    WorstOptions worst;
    worst.labels = labels;
    worst.preprocessing = steps;
    quality.worst = worst_samples(samples, float_network.run(samples), int8_network.run(samples), worst);
    time_layers(*job.model, file, samples.front().inputs);
  }
  double least = INFINITY;
  for (const OutputQuality& output : quality.outputs) least = std::min(least, output.sqnr_db);
  for (Finding& finding : weak_layers(least, job.sensitivities.value_or(std::map<std::string, double>{}))) {
    quality.findings.push_back(std::move(finding));
  }
  report.measure_seconds = watch.seconds();
}

void EngineBuilder::Impl::time_layers(const ir::Graph& model, const engine::EngineFile& file,
                                      const std::vector<Tensor>& inputs) {
  runtime::RuntimeOptions options;
  options.threads = threads;
  const auto int8 = runtime::InferenceEngine(file, options).profile(inputs, kProfileRuns);
  std::vector<runtime::LayerInfo> in_float;
  if (!gpu.wanted) in_float = runtime::InferenceEngine(make_file(model), options).profile(inputs, kProfileRuns);
  add_times(report.quality.layers, int8, in_float);
}

}  // namespace xinfer::builders
