#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "builders/engine_builder_impl.h"
#include "builders/engine_check.h"
#include "builders/model_hash.h"
#include "builders/sample_stream.h"
#include "builders/stopwatch.h"
#include "core/file.h"
#include "engine/engine_file.h"
#include "ir/printer.h"
#include "onnx/reader.h"
#include "passes/pipeline.h"
#include "quantize/table.h"
#include "xinfer/core/errors.h"
#include "xinfer/core/version.h"

namespace xinfer::builders {
namespace {

constexpr const char* kCpuTarget = "cpu-x86_64";

quantize::RangeMethod to_internal(RangeMethod method) {
  switch (method) {
    case RangeMethod::kAuto:
      return quantize::RangeMethod::kAuto;
    case RangeMethod::kMinMax:
      return quantize::RangeMethod::kMinMax;
    case RangeMethod::kPercentile:
      return quantize::RangeMethod::kPercentile;
    case RangeMethod::kEntropy:
      return quantize::RangeMethod::kEntropy;
    case RangeMethod::kMse:
      return quantize::RangeMethod::kMse;
  }
  throw Error("unknown range method");
}

/// Scales modelled latencies to the time that the chosen plan took.
void fit_latencies(std::vector<ParetoPoint>& points, double chosen_ms) {
  const auto chosen = std::ranges::find_if(points, &ParetoPoint::chosen);
  if (chosen == points.end() || chosen->ms <= 0) return;
  const double factor = chosen_ms / chosen->ms;
  for (ParetoPoint& point : points) point.ms *= factor;
}

}  // namespace

quantize::PlanOptions EngineBuilder::Impl::plan_options() const {
  quantize::PlanOptions options;
  options.method = to_internal(method);
  options.overrides = precisions;
  return options;
}

std::shared_ptr<const ir::Graph> EngineBuilder::Impl::read_model() {
  if (onnx_path.empty()) throw ModelError("no model was given", "call from_onnx() before building");
  const Stopwatch watch;
  tell(BuildStage::kRead, 0, -1);
  onnx::ReadOptions options;
  options.input_shapes = input_shapes;
  auto graph = std::make_shared<ir::Graph>(onnx::read(onnx_path, options));
  passes::PipelineOptions pipeline;
  if (!dump_folder.empty()) {
    std::filesystem::create_directories(dump_folder);
    const auto dump = [folder = dump_folder](int index, const char* name, const ir::Graph& stage) {
      const std::string base = fmt::format("{}/{:02}_{}", folder, index, name);
      write_file_atomically(base + ".txt", ir::to_text(stage));
      write_file_atomically(base + ".dot", ir::to_dot(stage));
    };
    dump(0, "read", *graph);
    pipeline.after_pass = [dump](int index, const char* name, const ir::Graph& stage) { dump(index + 1, name, stage); };
  }
  passes::run_default(*graph, pipeline);
  report.model_hash = content_hash(*graph);
  report.read_seconds = watch.seconds();
  return graph;
}

engine::EngineFile EngineBuilder::Impl::make_file(ir::Graph graph) const {
  engine::EngineFile file;
  file.producer = std::string("xinfer ") + kVersion;
  file.target = kCpuTarget;
  file.max_batch = max_batch;
  file.graph = std::move(graph);
  if (preprocessing) {
    file.preprocessing = *preprocessing;
  } else if (calibrator) {
    file.preprocessing = calibrator->preprocessing();
  }
  file.labels = labels;
  file.facts.emplace_back("model", std::filesystem::path(onnx_path).filename().string());
  file.facts.emplace_back("model hash", report.model_hash);
  file.facts.emplace_back("precision", report.precision);
  return file;
}

void EngineBuilder::Impl::check(const std::shared_ptr<const ir::Graph>& float_graph,
                                const engine::EngineFile& quantized) {
  if (check_samples <= 0) return;
  if (!calibrator->reset()) {
    report.remarks.emplace_back("accuracy was not checked: the calibrator can't repeat its data");
    return;
  }
  const Stopwatch watch;
  runtime::RuntimeOptions options;
  options.threads = threads;
  const runtime::InferenceEngine int8_engine(quantized, options);
  options.device = runtime::Device::kCpu;  // FP32 in full precision, whatever runs the INT8 engine
  const runtime::InferenceEngine float_engine(make_file(*float_graph), options);
  SampleStream stream(*float_graph, *calibrator, false);
  const std::int64_t count = calibrator->sample_count();
  const std::int64_t total = count < 0 ? check_samples : std::min(count, check_samples);
  const CheckResult result = check_engine(float_engine, int8_engine, stream, check_samples,
                                          [&](std::int64_t done) { tell(BuildStage::kCheck, done, total); });
  report.accuracy = result.accuracy;
  report.speed = {result.speed};
  fit_latencies(report.quality.pareto, result.speed.int8_ms);
  if (!gpu.wanted && result.speed.int8_ms > result.speed.fp32_ms) {
    report.remarks.push_back(
        fmt::format("INT8 is slower than FP32 here ({:.2f} against {:.2f} ms): see 'xinfer bench "
                    "--profile' and 'xinfer inspect --why'",
                    result.speed.int8_ms, result.speed.fp32_ms));
  }
  report.check_seconds = watch.seconds();
}

engine::EngineFile EngineBuilder::Impl::build() {
  report = {};
  report.model = onnx_path;
  report.max_batch = max_batch;
  report.target = kCpuTarget;
  check_gpu_options(gpu, max_batch);
  report.precision = calibrator ? "int8" : gpu.wanted ? "fp16" : "fp32";
  report.range_method = name_of(method);
  const std::shared_ptr<const ir::Graph> graph = read_model();
  if (calibrator) return build_int8(graph);
  if (!precisions.empty()) throw Error("with_precision() needs with_int8(): a float engine has one precision");
  if (budget) throw Error("an accuracy budget needs with_int8(): a float engine loses nothing");
  engine::EngineFile file = make_file(*graph);
  add_gpu_parts(file);
  return file;
}

void EngineBuilder::Impl::add_gpu_parts(engine::EngineFile& file) {
  if (!gpu.wanted) return;
  const Stopwatch watch;
  prepare_for_gpus(file, gpu, report,
                   [this](std::int64_t done, std::int64_t total) { tell(BuildStage::kPrepareGpu, done, total); });
  report.gpu_seconds += watch.seconds();
}

runtime::InferenceEngine EngineBuilder::build() {
  runtime::RuntimeOptions options;
  options.threads = impl_->threads;
  return runtime::InferenceEngine(impl_->build(), options);
}

BuildReport EngineBuilder::build_and_save(const std::string& path) {
  check_writable(path);  // before the long work, not after it
  if (!impl_->cache_path.empty()) check_writable(impl_->cache_path);
  const engine::EngineFile file = impl_->build();
  impl_->tell(BuildStage::kSave, 0, -1);
  engine::save(file, path);
  impl_->report.engine = path;
  if (std::filesystem::is_regular_file(path)) impl_->report.engine_bytes = engine::file_size(path);
  return impl_->report;
}

BuildReport EngineBuilder::calibrate_and_save(const std::string& path) {
  check_writable(path);
  if (!impl_->calibrator) throw CalibrationError("calibration needs data", "call with_int8(calibrator) first");
  impl_->report = {};
  impl_->report.model = impl_->onnx_path;
  impl_->report.precision = "int8";
  impl_->report.range_method = name_of(impl_->method);
  const auto graph = impl_->read_model();
  Int8Job job = impl_->start(graph);
  impl_->survey(job);
  impl_->balance(job);
  impl_->find_ranges(job, false);
  quantize::save_table(path, job.table);
  return impl_->report;
}

const BuildReport& EngineBuilder::report() const { return impl_->report; }

}  // namespace xinfer::builders
