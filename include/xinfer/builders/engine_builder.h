#pragma once
// EngineBuilder: from an ONNX file to an engine.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "xinfer/builders/build_options.h"
#include "xinfer/builders/build_report.h"
#include "xinfer/builders/calibrator.h"
#include "xinfer/runtime/inference_engine.h"

namespace xinfer::builders {

/// Collects choices, then builds:
///
///   EngineBuilder builder;
///   builder.from_onnx("model.onnx").with_int8(calibrator).with_max_batch_size(32);
///   BuildReport report = builder.build_and_save("model.engine");
///
/// Without with_int8() it builds a float engine. One builder belongs to one thread; it may build several times.
class EngineBuilder {
 public:
  EngineBuilder();
  ~EngineBuilder();
  EngineBuilder(EngineBuilder&&) noexcept;
  EngineBuilder& operator=(EngineBuilder&&) noexcept;

  /// The model; read when building.
  EngineBuilder& from_onnx(const std::string& path);
  /// Quantizes to INT8 with ranges from `calibrator`. Throws CalibrationError when it is null.
  EngineBuilder& with_int8(std::shared_ptr<INT8Calibrator> calibrator);
  /// Largest batch that the engine takes (default 1). Throws Error below 1.
  EngineBuilder& with_max_batch_size(std::int64_t size);
  /// How ranges are chosen (default kAuto).
  EngineBuilder& with_range_method(RangeMethod method);
  /// Keeps ranges in this text file: used when it matches model, preprocessing and images, else written anew. What is
  /// fitted to the data lies beside it, in `path`.fit, with a key of its own.
  EngineBuilder& with_calibration_cache(const std::string& path);
  /// Where calibration runs the float model: kCpu (default; kAuto means the same), or kCuda: on the first GPU, in
  /// single precision. Ranges differ by float rounding only. On a GPU, batches of 16 images or a multiple are fastest.
  /// Building throws DeviceError where there is no GPU, and UnsupportedError naming a node that it doesn't take.
  EngineBuilder& with_calibration_device(runtime::Device device);
  /// How much work goes into accuracy. 0: weights are rounded to nearest. 1 (default): weights and biases are chosen
  /// layer by layer, which takes seconds to a minute. 2: in the longest sums too, which takes minutes for large
  /// networks. Throws Error for other values.
  EngineBuilder& with_effort(int level);
  /// Switches a repair off, or on again. All are on by default; effort 0 does without any.
  EngineBuilder& with_repair(Repair repair, bool on);
  /// What tensors and layers are worth, layer by layer, for the report: their noise, what each alone does to the
  /// outputs, and their time. Takes as long as some hundred inferences. Default: no.
  EngineBuilder& with_layer_measurements(bool measure);
  /// Keeps layers in float until the engine loses at most `points` of its metric against the float model: as few, and
  /// as cheap ones, as the search finds. Building throws CalibrationError, saying what was best, where no plan is good
  /// enough. The metric is that of with_metric() or with_validation(); without them the share of calibration samples
  /// whose best class changes or, for a model without class scores, the mean cosine between its outputs (x 100).
  /// Throws Error for a negative or NaN budget.
  EngineBuilder& with_accuracy_budget(double points);
  /// Data to measure the drop on, other than those that calibrate. With labels the metric is top-k accuracy (1 <= k),
  /// without them agreement with the float model. Throws Error when `data` is null or k below 1.
  EngineBuilder& with_validation(std::shared_ptr<INT8Calibrator> data, int k = 1);
  /// A metric of the caller's, e.g. mean average precision; `name` stands in reports. It wins over with_validation().
  /// Throws Error when `metric` is empty.
  EngineBuilder& with_metric(std::string name, Metric metric);
  /// Sets the precision of the nodes whose name matches `pattern` (with * and ?). Building throws Error when nothing
  /// matches. Later calls win over earlier ones.
  EngineBuilder& with_precision(const std::string& pattern, Precision precision);
  /// The same for all nodes of an operator: "Conv", "Linear", ... Throws Error for a name that is none.
  EngineBuilder& with_operator_precision(const std::string& op, Precision precision);
  /// The same from a JSON file: [{"node": "features.3", "precision": "float"}, {"pattern": "head.*", ...},
  /// {"operator": "Linear", ...}]. Read at once; throws Error naming the file and what is wrong with it.
  EngineBuilder& with_precision_file(const std::string& path);
  /// Fixes the shape of an input; -1 stands for the batch.
  EngineBuilder& with_input_shape(const std::string& input, std::vector<std::int64_t> shape);
  /// Preprocessing to store in a float engine (an INT8 one takes its calibrator's), or to override that with.
  EngineBuilder& with_preprocessing(Preprocessing preprocessing);
  /// Class names, in the order of the outputs.
  EngineBuilder& with_labels(std::vector<std::string> labels);
  /// Threads for calibration and checks; 0: as many as OpenMP would use.
  EngineBuilder& with_threads(int threads);
  /// Builds for NVIDIA GPUs (kCuda) or for the CPU only (kCpu, kAuto: the default). An engine for GPUs runs on CPUs
  /// too.
  EngineBuilder& with_device(runtime::Device device);
  /// Half precision, which is what engines for GPUs store and multiply wherever they don't use INT8: without
  /// with_int8() the whole network. The same as with_device(kCuda).
  EngineBuilder& with_fp16();
  /// Architectures to compile kernels for: "75", "80", "86", "89", "90a", "100a", "120". Default: that of the GPU at
  /// hand. Implies with_device(kCuda). Throws Error for a text that is none.
  EngineBuilder& with_gpu_archs(const std::vector<std::string>& archs);
  /// Batch sizes to compile and tune for (default 1, 2, 4, ... and the maximum); others work too, a little slower.
  EngineBuilder& with_batches(std::vector<std::int64_t> batches);
  /// Whether to time kernels on the GPU at hand (default) or to trust heuristics.
  EngineBuilder& with_tuning(bool tune);
  /// Whether layers that measure slower in INT8, with their conversions, than in half precision stay in half precision
  /// (default: yes). Only in INT8 builds that are tuned on a GPU; layers that a with_..._precision() names stay what
  /// they were asked to be. A change is kept only when the whole network measured faster and no batch size lost by it;
  /// each node that was left out of INT8 says so in its reason.
  EngineBuilder& with_never_slower(bool on);
  /// Whether a node that no GPU kernel takes runs on the host, by plain code that is slow, with its operands copied
  /// from the GPU and back, instead of failing the build (default: no). The report's remarks name each such node.
  EngineBuilder& with_cpu_fallback(bool allow);
  /// Compares INT8 with float after the build on up to `samples` calibration samples (default 100; 0: not at all), and
  /// times both.
  EngineBuilder& with_accuracy_check(std::int64_t samples);
  EngineBuilder& with_progress(ProgressCallback callback);
  /// Writes the graph after every pass into this folder, as text and Graphviz.
  EngineBuilder& with_pass_dumps(const std::string& folder);

  /// Builds in memory. Throws ModelError, CalibrationError, CancelledError or another Error.
  runtime::InferenceEngine build();
  /// Builds and writes the engine file; nothing is left behind when it fails. Throws as build() does.
  BuildReport build_and_save(const std::string& path);
  /// Calibrates and writes the ranges to `path`, without building an engine. Throws as build() does.
  BuildReport calibrate_and_save(const std::string& path);
  /// What the last build did.
  const BuildReport& report() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace xinfer::builders
