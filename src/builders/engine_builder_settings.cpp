// The builder's choices: with_...().

#include <fmt/format.h>

#include "builders/engine_builder_impl.h"
#include "ir/schema.h"
#include "quantize/overrides_file.h"

namespace xinfer::builders {
namespace {

quantize::Precision to_internal(Precision precision) {
  return precision == Precision::kInt8 ? quantize::Precision::kInt8 : quantize::Precision::kFloat;
}

}  // namespace

EngineBuilder::EngineBuilder() : impl_(std::make_unique<Impl>()) {}
EngineBuilder::~EngineBuilder() = default;
EngineBuilder::EngineBuilder(EngineBuilder&&) noexcept = default;
EngineBuilder& EngineBuilder::operator=(EngineBuilder&&) noexcept = default;

EngineBuilder& EngineBuilder::from_onnx(const std::string& path) {
  impl_->onnx_path = path;
  return *this;
}

EngineBuilder& EngineBuilder::with_int8(std::shared_ptr<INT8Calibrator> calibrator) {
  if (!calibrator) throw CalibrationError("with_int8() was given no calibrator", "INT8 needs calibration data");
  impl_->calibrator = std::move(calibrator);
  return *this;
}

EngineBuilder& EngineBuilder::with_max_batch_size(std::int64_t size) {
  if (size < 1) throw Error(fmt::format("the maximum batch size must be at least 1, got {}", size));
  impl_->max_batch = size;
  return *this;
}

EngineBuilder& EngineBuilder::with_range_method(RangeMethod method) {
  impl_->method = method;
  return *this;
}

EngineBuilder& EngineBuilder::with_calibration_cache(const std::string& path) {
  impl_->cache_path = path;
  return *this;
}

EngineBuilder& EngineBuilder::with_calibration_device(runtime::Device device) {
  impl_->calibration_device = device;
  return *this;
}

EngineBuilder& EngineBuilder::with_effort(int level) {
  if (level < 0 || level > 2) throw Error(fmt::format("the effort is 0, 1 or 2, not {}", level));
  impl_->effort = level;
  return *this;
}

EngineBuilder& EngineBuilder::with_repair(Repair repair, bool on) {
  if (on) {
    impl_->repairs_off.erase(repair);
  } else {
    impl_->repairs_off.insert(repair);
  }
  return *this;
}

EngineBuilder& EngineBuilder::with_layer_measurements(bool measure) {
  impl_->measure_layers = measure;
  return *this;
}

EngineBuilder& EngineBuilder::with_accuracy_budget(double points) {
  if (!(points >= 0)) throw Error(fmt::format("an accuracy budget can't be {}", points));
  impl_->budget = points;
  return *this;
}

EngineBuilder& EngineBuilder::with_validation(std::shared_ptr<INT8Calibrator> data, int k) {
  if (data == nullptr) throw Error("with_validation() was given no data");
  if (k < 1) throw Error(fmt::format("top-{} accuracy does not exist", k));
  impl_->validation = std::move(data);
  impl_->validation_top = k;
  return *this;
}

EngineBuilder& EngineBuilder::with_metric(std::string name, Metric metric) {
  if (!metric) throw Error("with_metric() was given no metric");
  impl_->metric_name = std::move(name);
  impl_->metric = std::move(metric);
  return *this;
}

EngineBuilder& EngineBuilder::with_precision(const std::string& pattern, Precision precision) {
  impl_->precisions.push_back({quantize::PrecisionOverride::Match::kGlob, pattern, {}, to_internal(precision)});
  return *this;
}

EngineBuilder& EngineBuilder::with_operator_precision(const std::string& op, Precision precision) {
  for (const ir::OpSchema& schema : ir::all_schemas()) {
    if (schema.name != op) continue;
    impl_->precisions.push_back({quantize::PrecisionOverride::Match::kOpType, "", schema.op, to_internal(precision)});
    return *this;
  }
  throw Error(fmt::format("there is no operator '{}'", op), "'xinfer inspect model.onnx' lists the model's");
}

EngineBuilder& EngineBuilder::with_precision_file(const std::string& path) {
  for (quantize::PrecisionOverride& entry : quantize::load_overrides(path))
    impl_->precisions.push_back(std::move(entry));
  return *this;
}

EngineBuilder& EngineBuilder::with_input_shape(const std::string& input, std::vector<std::int64_t> shape) {
  impl_->input_shapes[input] = std::move(shape);
  return *this;
}

EngineBuilder& EngineBuilder::with_preprocessing(Preprocessing preprocessing) {
  impl_->preprocessing = std::move(preprocessing);
  return *this;
}

EngineBuilder& EngineBuilder::with_labels(std::vector<std::string> labels) {
  impl_->labels = std::move(labels);
  return *this;
}

EngineBuilder& EngineBuilder::with_threads(int threads) {
  if (threads < 0) throw Error(fmt::format("the number of threads can't be {}", threads));
  impl_->threads = threads;
  return *this;
}

EngineBuilder& EngineBuilder::with_device(runtime::Device device) {
  impl_->gpu.wanted = device == runtime::Device::kCuda;
  return *this;
}

EngineBuilder& EngineBuilder::with_fp16() {
  impl_->gpu.wanted = true;
  return *this;
}

EngineBuilder& EngineBuilder::with_gpu_archs(const std::vector<std::string>& archs) {
  impl_->gpu.wanted = true;
  impl_->gpu.archs.clear();
  for (const std::string& arch : archs) impl_->gpu.archs.push_back(gpu::parse_arch(arch));
  return *this;
}

EngineBuilder& EngineBuilder::with_batches(std::vector<std::int64_t> batches) {
  impl_->gpu.batches = std::move(batches);
  return *this;
}

EngineBuilder& EngineBuilder::with_tuning(bool tune) {
  impl_->gpu.tune = tune;
  return *this;
}

EngineBuilder& EngineBuilder::with_never_slower(bool on) {
  impl_->gpu.never_slower = on;
  return *this;
}

EngineBuilder& EngineBuilder::with_cpu_fallback(bool allow) {
  impl_->gpu.allow_host = allow;
  return *this;
}

EngineBuilder& EngineBuilder::with_accuracy_check(std::int64_t samples) {
  impl_->check_samples = samples;
  return *this;
}

EngineBuilder& EngineBuilder::with_progress(ProgressCallback callback) {
  impl_->progress = std::move(callback);
  return *this;
}

EngineBuilder& EngineBuilder::with_pass_dumps(const std::string& folder) {
  impl_->dump_folder = folder;
  return *this;
}

}  // namespace xinfer::builders
