#include "xinfer/builders/recalibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "builders/class_scores.h"
#include "builders/gpu_parts.h"
#include "builders/range_table.h"
#include "builders/sample_stream.h"
#include "core/file.h"
#include "cuda/prepare.h"
#include "cuda/tuned.h"
#include "engine/engine_file.h"
#include "quantize/calibrate.h"
#include "quantize/choose_ranges.h"
#include "quantize/metrics.h"
#include "quantize/plan.h"
#include "quantize/sample_runner.h"
#include "quantize/to_float.h"
#include "runtime/drift.h"
#include "xinfer/core/errors.h"

namespace xinfer::builders {
namespace {

using GraphPtr = std::shared_ptr<const ir::Graph>;
using Watched = runtime::SaturationWatch::Watched;

/// Facts that speak of the data that an engine was calibrated on.
constexpr const char* kCalibrationFact = "calibration";
constexpr const char* kDataFact = "calibration data hash";
constexpr const char* kRecalibratedFact = "recalibrated";
constexpr const char* kMeasuredFacts[] = {"SQNR on calibration data", "top-1 agreement on calibration data"};

std::map<std::string, Watched> ranges_of(const ir::Graph& graph) {
  std::map<std::string, Watched> result;
  const runtime::SaturationWatch watch(graph);
  for (const Watched& t : watch.tensors()) result.emplace(t.name, t);
  return result;
}

/// Compares outputs with those of the float form.
RecalibrationAccuracy compare(const std::vector<std::vector<Tensor>>& wanted,
                              const std::vector<std::vector<Tensor>>& got) {
  double signal = 0, noise = 0;
  quantize::Agreement agreement;
  bool classifier = true;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    for (std::size_t k = 0; k < wanted[i].size(); ++k) {
      if (wanted[i][k].dtype() != DataType::kFloat32) continue;
      const auto a = wanted[i][k].data<float>();
      const auto b = got[i][k].data<float>();
      for (std::size_t e = 0; e < a.size(); ++e) {
        const double difference = static_cast<double>(a[e]) - b[e];
        signal += static_cast<double>(a[e]) * a[e];
        noise += difference * difference;
      }
    }
    classifier = classifier && is_class_scores(wanted[i].front());
    if (classifier) agreement.add(wanted[i].front(), got[i].front());
  }
  RecalibrationAccuracy result;
  result.sqnr_db = noise == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(signal / noise);
  if (classifier && agreement.rows() > 0) result.top1_agreement = agreement.top1();
  return result;
}

/// Whether the kernels compiled for `before` are all that `after` needs.
bool same_kernels(const GraphPtr& before, const GraphPtr& after, const engine::CudaParts& parts) {
  const std::map<std::string, std::string> host_nodes = cuda::host_nodes_of(parts);
  std::set<std::string> names;
  for (const ir::NodeId id : after->order()) names.insert(after->node(id).name);
  for (const auto& [node, reason] : host_nodes) {
    if (!names.contains(node)) return false;
  }
  std::set<std::string> archs;
  for (const engine::DeviceKernel& kernel : parts.kernels) archs.insert(kernel.arch);
  const auto kernels_of = [&](const GraphPtr& graph, gpu::Arch arch, std::int64_t batch) {
    cuda::CompileOptions options;
    options.target = cuda::typical_target(arch);
    options.chooser = cuda::chooser_of(parts.choices, arch, batch);
    options.host_nodes = host_nodes;
    std::set<std::string> hashes;
    for (const gpu::KernelSource& source : cuda::compile(graph, batch, options)->kernels()) {
      hashes.insert(gpu::hash_of(source));
    }
    return hashes;
  };
  for (const std::string& name : archs) {
    const gpu::Arch arch = gpu::parse_arch(name);
    for (const std::int64_t batch : parts.batches) {
      const auto had = kernels_of(before, arch, batch);
      const auto wants = kernels_of(after, arch, batch);
      if (!std::includes(had.begin(), had.end(), wants.begin(), wants.end())) return false;
    }
  }
  return true;
}

class Recalibration {
 public:
  Recalibration(const std::string& path, std::shared_ptr<INT8Calibrator> calibrator, const RecalibrateOptions& options)
      : calibrator_(std::move(calibrator)), options_(options), file_(engine::load(path)) {
    report_.engine = path;
    report_.range_method = name_of(options.method);
    check_engine();
    std::set<std::string> own;
    for (const engine::Decision& d : file_.decisions) own.insert(d.node);  // what the plan added has no decision
    form_ = quantize::to_float(file_.graph, own);
    before_ = std::make_shared<ir::Graph>(file_.graph);
    float_graph_ = std::make_shared<ir::Graph>(form_.graph);
  }

  RecalibrationReport run(const std::string& output) {
    const quantize::Ranges ranges = choose(calibrate());
    tell(BuildStage::kQuantize, 0, -1);
    quantize::QuantizedModel model = quantize::quantize(*float_graph_, ranges, form_.options);
    check_precisions(model);
    file_.graph = std::move(model.graph);
    const auto after = std::make_shared<ir::Graph>(file_.graph);
    measure(after);
    renew_gpu_parts(after);
    renew_facts();
    tell(BuildStage::kSave, 0, -1);
    engine::save(file_, output);
    report_.output = output;
    return std::move(report_);
  }

 private:
  void tell(BuildStage stage, std::int64_t done, std::int64_t total) const {
    if (options_.progress && !options_.progress(stage, done, total)) {
      throw CancelledError("the recalibration was stopped; nothing was written");
    }
  }

  void check_engine() const {
    const bool int8 = std::any_of(file_.decisions.begin(), file_.decisions.end(),
                                  [](const engine::Decision& d) { return d.precision == "int8"; });
    if (!int8) {
      throw EngineError(fmt::format("engine '{}' has no layer in INT8, so no scales to fit", report_.engine),
                        "build an INT8 engine: xinfer build model.onnx --int8 --calib images/ -o model.engine");
    }
    const Preprocessing given = calibrator_->preprocessing();
    if (given.empty() || given == file_.preprocessing) return;
    throw CalibrationError(fmt::format("the data were preprocessed by \"{}\", but the engine was built for \"{}\"",
                                       to_string(given), to_string(file_.preprocessing)),
                           "preprocess them as the engine says");
  }

  quantize::CalibrationTable calibrate() {
    quantize::CalibrateOptions options;
    options.plan = form_.options;
    options.allow_dead_ranges = true;  // choose() deals with them
    options.total_images = calibrator_->sample_count();
    options.progress = [this](std::int64_t done, std::int64_t total) {
      tell(BuildStage::kCalibrate, done, total);
      return true;
    };
    quantize::SampleSet set(*float_graph_);
    quantize::Calibrator collector(*float_graph_, quantize::cpu_runner(float_graph_, options_.threads), options);
    SampleStream stream(*float_graph_, *calibrator_, true);
    while (const auto batch = stream.next()) {
      collector.add(*batch);
      set.add(*batch, stream.sample_names());
    }
    quantize::CalibrationResult result = collector.finish();
    samples_ = set.samples();
    report_.samples = result.table.images;
    for (const std::string& line : calibrator_->remarks()) report_.remarks.push_back(line);
    return std::move(result.table);
  }

  quantize::Ranges choose(const quantize::CalibrationTable& table) {
    quantize::PlanOptions plan = form_.options;
    plan.method = quantize::range_method(name_of(options_.method));
    quantize::Ranges ranges = quantize::choose_ranges(float_graph_, table, plan, samples_, options_.threads).ranges;
    for (const auto& [name, old] : ranges_of(*before_)) {
      const auto found = ranges.find(name);
      if (found == ranges.end() || !found->second.dead()) continue;
      const bool is_unsigned = old.type == DataType::kUInt8;
      found->second = {old.scale * 127.0F, is_unsigned ? old.threshold() : 0.0F, is_unsigned};
      report_.remarks.push_back(fmt::format("'{}' was zero for all new samples: it keeps its scale", name));
    }
    return ranges;
  }

  /// The plan kept everything in float that was in float; here the other half.
  void check_precisions(const quantize::QuantizedModel& model) const {
    std::map<std::string, std::string> old;
    for (const engine::Decision& d : file_.decisions) old.emplace(d.node, d.precision);
    for (const quantize::NodeDecision& d : model.decisions) {
      const auto found = old.find(d.node);
      const bool was_int8 = found != old.end() && found->second == "int8";
      if (was_int8 == (d.precision == quantize::Precision::kInt8)) continue;
      throw CalibrationError(fmt::format("node '{}' can't keep its precision: {}", d.node, d.reason),
                             "calibrate on data that resemble those of the application");
    }
  }

  void measure(const GraphPtr& after) {
    tell(BuildStage::kCheck, 0, -1);
    const auto wanted = quantize::SampleRunner(float_graph_, options_.threads).run(samples_);
    const MeasuredRanges old = measure_ranges(before_, samples_, options_.threads);
    MeasuredRanges fresh = measure_ranges(after, samples_, options_.threads);
    report_.compared = static_cast<std::int64_t>(samples_.size());
    report_.before = compare(wanted, old.outputs);
    report_.after = compare(wanted, fresh.outputs);
    file_.ranges = std::move(fresh.ranges);

    std::map<std::string, double> clipped;
    for (const engine::TensorRangeInfo& r : old.ranges) clipped.emplace(r.name, r.clipped_share);
    const auto now = ranges_of(*after);
    const runtime::SaturationWatch watch(*before_);
    for (const Watched& t : watch.tensors()) {
      const auto found = now.find(t.name);
      if (found == now.end()) continue;
      report_.changes.push_back(
          {t.name, t.threshold(), found->second.threshold(), t.type != found->second.type, clipped.at(t.name)});
    }
  }

  void renew_gpu_parts(const GraphPtr& after) {
    if (!file_.cuda || same_kernels(before_, after, *file_.cuda)) return;
    GpuOptions gpu;
    gpu.wanted = true;
    gpu.tune = false;
    gpu.allow_host = !file_.cuda->host_nodes.empty();
    gpu.batches = file_.cuda->batches;
    std::set<std::string> archs;
    for (const engine::DeviceKernel& kernel : file_.cuda->kernels) archs.insert(kernel.arch);
    for (const std::string& arch : archs) gpu.archs.push_back(gpu::parse_arch(arch));
    BuildReport prepared;
    prepare_for_gpus(file_, gpu, prepared,
                     [this](std::int64_t done, std::int64_t total) { tell(BuildStage::kPrepareGpu, done, total); });
    report_.remarks.insert(report_.remarks.end(), prepared.remarks.begin(), prepared.remarks.end());
    report_.remarks.emplace_back(
        "the new ranges need other GPU kernels: they were compiled, with rules in place of timing to choose among "
        "them");
  }

  void renew_facts() {
    const std::string hash = calibrator_->manifest_hash();
    auto& facts = file_.facts;
    const auto outdated = [](const auto& fact) {
      return fact.first == kRecalibratedFact ||
             std::find(std::begin(kMeasuredFacts), std::end(kMeasuredFacts), fact.first) != std::end(kMeasuredFacts);
    };
    facts.erase(std::remove_if(facts.begin(), facts.end(), outdated), facts.end());
    for (auto& [key, value] : facts) {
      if (key == kCalibrationFact)
        value = fmt::format("{} samples, ranges by {}", report_.samples, report_.range_method);
      if (key == kDataFact) value = hash;
    }
    facts.emplace_back(kRecalibratedFact,
                       fmt::format("on {} samples, data hash {}", report_.samples, hash.empty() ? "unknown" : hash));
  }

  std::shared_ptr<INT8Calibrator> calibrator_;
  const RecalibrateOptions& options_;
  engine::EngineFile file_;
  quantize::FloatForm form_;
  GraphPtr before_, float_graph_;
  std::vector<quantize::Sample> samples_;
  RecalibrationReport report_;
};

}  // namespace

RecalibrationReport recalibrate(const std::string& engine_path, const std::shared_ptr<INT8Calibrator>& calibrator,
                                const std::string& output_path, const RecalibrateOptions& options) {
  if (calibrator == nullptr) throw CalibrationError("recalibrate() was given no calibrator");
  check_writable(output_path);  // before the long work, not after it
  return Recalibration(engine_path, calibrator, options).run(output_path);
}

}  // namespace xinfer::builders
