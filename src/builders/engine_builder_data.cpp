// The builder's steps that read calibration data.

#include <fmt/format.h>

#include <filesystem>

#include "builders/engine_builder_impl.h"
#include "builders/model_hash.h"
#include "builders/sample_stream.h"
#include "builders/stopwatch.h"
#include "quantize/balance.h"
#include "quantize/calibrate.h"

namespace xinfer::builders {
namespace {

constexpr std::size_t kFittedTo = 128;    // samples that layers are fitted to
constexpr std::size_t kScoredWith = 512;  // samples that score plans, where there are no other data for that

/// Shows a batch to all that look at the data.
void show(Int8Job& job, const ReadAhead& data) {
  job.set.add(data.batch, data.names);
  job.doctor.add(data.batch, data.names);
}

void keep_samples(Int8Job& job) {
  job.surveyed = true;
  job.kept = job.set.samples();
  job.samples = job.kept;  // ordered by their hashes, so that the first ones are a fixed choice too
  if (job.samples.size() > kFittedTo) job.samples.resize(kFittedTo);
}

}  // namespace

Int8Job EngineBuilder::Impl::start(const std::shared_ptr<const ir::Graph>& model) const {
  quantize::SampleLimits limits;
  limits.count = kFittedTo;
  if (budget && !validation && !metric) limits = {kScoredWith, std::size_t{512} << 20};
  Int8Job job(model, limits);
  job.plan = plan_options();
  return job;
}

void EngineBuilder::Impl::survey(Int8Job& job) {
  if (effort == 0 && !measure_layers && !budget) return;
  const Stopwatch watch;
  SampleStream stream(*job.model, *calibrator, true);
  tell(BuildStage::kSurvey, 0, calibrator->sample_count());
  auto first = stream.next();
  if (!first)
    throw CalibrationError("calibration saw no images", "give 100 to 500 images like those of the application");
  ReadAhead data{std::move(*first), stream.sample_names()};
  if (!calibrator->reset()) {
    job.read_ahead = std::move(data);
    report.remarks.emplace_back("channels were not balanced: the calibrator can't repeat its data");
    return;
  }
  SampleStream again(*job.model, *calibrator, false);
  while (auto batch = again.next()) {
    show(job, {std::move(*batch), again.sample_names()});
    tell(BuildStage::kSurvey, job.set.offered(), calibrator->sample_count());
  }
  keep_samples(job);
  report.survey_seconds = watch.seconds();
}

void EngineBuilder::Impl::balance(Int8Job& job) {
  quantize::BalanceOptions options;
  options.equalize = repairs(Repair::kEqualization);
  options.migrate = repairs(Repair::kMigration);
  if (job.samples.empty() || (!options.equalize && !options.migrate)) return;
  const Stopwatch watch;
  const auto total = static_cast<std::int64_t>(job.samples.size());
  const auto progress = [&](std::size_t done) { tell(BuildStage::kBalance, static_cast<std::int64_t>(done), total); };
  const quantize::ChannelRanges channels =
      quantize::measure_channels(quantize::SampleRunner(job.model, threads), job.samples, progress);
  for (const auto& [key, stats] : channels) {
    if (!stats.finite()) return;  // calibration says which tensor and image
  }
  quantize::BalanceResult balanced = quantize::balance(*job.model, channels, options);
  if (balanced.changed) job.graph = std::make_shared<ir::Graph>(std::move(balanced.graph));
  for (quantize::Finding& f : balanced.findings) {
    report.quality.findings.push_back({std::move(f.where), std::move(f.cause), std::move(f.remedy), std::move(f.cost)});
  }
  report.survey_seconds += watch.seconds();
}

void EngineBuilder::Impl::find_ranges(Int8Job& job, bool use_cache) {
  const Stopwatch watch;
  const quantize::TableKey key{content_hash(*job.graph), to_string(calibrator->preprocessing()),
                               calibrator->manifest_hash()};
  SampleStream stream(*job.model, *calibrator, true);
  // Also shows the data to whoever has not seen them in the survey.
  const auto next = [&]() -> std::optional<std::vector<Tensor>> {
    ReadAhead data;
    if (job.read_ahead) {
      data = std::move(*job.read_ahead);
      job.read_ahead.reset();
    } else if (auto batch = stream.next()) {
      data = {std::move(*batch), stream.sample_names()};
    } else {
      return std::nullopt;
    }
    if (!job.surveyed && effort > 0) show(job, data);
    return std::move(data.batch);
  };
  if (use_cache && !cache_path.empty() && std::filesystem::exists(cache_path)) {
    try {
      job.table = quantize::load_table(cache_path, key);
      report.calibration_from_cache = true;
    } catch (const CalibrationError& error) {
      report.remarks.push_back(fmt::format("calibration cache not used, calibrated again: {}", error.what()));
    }
  }
  if (!report.calibration_from_cache) {
    quantize::CalibrateOptions options;
    options.plan = job.plan;
    options.total_images = calibrator->sample_count();
    options.progress = [this](std::int64_t done, std::int64_t total) {
      tell(BuildStage::kCalibrate, done, total);
      return true;
    };
    if (effort > 0) {
      options.image_maxima = [&](std::span<const Tensor> image, std::span<const float> maxima) {
        job.doctor.add_maxima(image, maxima);
      };
    }
    const auto runner = calibration_device == runtime::Device::kCuda ? quantize::cuda_runner(job.graph)
                                                                     : quantize::cpu_runner(job.graph, threads);
    job.table = quantize::calibrate(*job.graph, runner, next, options).table;
    job.table.key = key;
    report.calibration_samples = job.table.images;
    for (const std::string& line : calibrator->remarks()) report.remarks.push_back(line);
    if (use_cache && !cache_path.empty()) quantize::save_table(cache_path, job.table);
  } else if (!job.surveyed && effort > 0) {
    while (next()) {
    }
  }
  if (!job.surveyed && effort > 0) keep_samples(job);
  report.calibrate_seconds = watch.seconds();
}

}  // namespace xinfer::builders
