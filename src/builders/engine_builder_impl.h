#pragma once
// What an EngineBuilder holds: the user's choices, and the steps of a build.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "builders/gpu_parts.h"
#include "builders/int8_job.h"
#include "builders/judge.h"
#include "engine/engine_file.h"
#include "quantize/options.h"
#include "xinfer/builders/engine_builder.h"
#include "xinfer/core/errors.h"

namespace xinfer::builders {

struct EngineBuilder::Impl {
  std::string onnx_path;
  std::shared_ptr<INT8Calibrator> calibrator;
  std::int64_t max_batch = 1;
  RangeMethod method = RangeMethod::kAuto;
  std::string cache_path;
  runtime::Device calibration_device = runtime::Device::kCpu;
  std::vector<quantize::PrecisionOverride> precisions;
  std::map<std::string, std::vector<std::int64_t>> input_shapes;
  std::optional<Preprocessing> preprocessing;
  std::vector<std::string> labels;
  int threads = 0;
  int effort = 1;
  std::set<Repair> repairs_off;
  bool measure_layers = false;
  std::optional<double> budget;
  std::shared_ptr<INT8Calibrator> validation;
  int validation_top = 1;
  std::string metric_name;
  Metric metric;
  std::int64_t check_samples = 100;
  ProgressCallback progress;
  std::string dump_folder;
  GpuOptions gpu;
  BuildReport report;

  void tell(BuildStage stage, std::int64_t done, std::int64_t total) const {
    if (progress && !progress(stage, done, total)) throw CancelledError("the build was stopped; nothing was written");
  }
  bool repairs(Repair repair) const { return effort > 0 && !repairs_off.contains(repair); }
  quantize::PlanOptions plan_options() const;
  std::shared_ptr<const ir::Graph> read_model();
  engine::EngineFile make_file(ir::Graph graph) const;
  void check(const std::shared_ptr<const ir::Graph>& float_graph, const engine::EngineFile& quantized);
  void add_gpu_parts(engine::EngineFile& file);
  engine::EngineFile build();

  // The steps of an INT8 build, in this order (engine_builder_data.cpp, _int8.cpp, _accuracy.cpp).
  engine::EngineFile build_int8(const std::shared_ptr<const ir::Graph>& model);
  Int8Job start(const std::shared_ptr<const ir::Graph>& model) const;
  /// Reads the data once, to look through them and to keep samples; does nothing where nobody wants samples.
  void survey(Int8Job& job);
  /// Rescales channels, where the data could be surveyed.
  void balance(Int8Job& job);
  /// From the cache, when `use_cache` and it matches, or by calibrating.
  void find_ranges(Int8Job& job, bool use_cache);
  /// Adds to the plan which layers stay in half precision because INT8 measured slower (engine_builder_speed.cpp).
  void leave_out_slow_layers(Int8Job& job);
  /// By the rule asked for or, in `auto`, by the error that each range causes.
  void choose_ranges(Int8Job& job);
  quantize::LayerChoices reconstruct(const Int8Job& job, const quantize::PlanOptions& plan);
  /// What an earlier build fitted to the same data, where there is a cache.
  void load_fitted(Int8Job& job);
  /// Fits the layers of the plan, or takes them from the cache; keeps the cache up to date.
  void fit_layers(Int8Job& job);
  /// Chooses precisions inside the accuracy budget, and scores the outcome where there is something to score it by.
  void search(Int8Job& job);
  void describe(const Int8Job& job);
  void measure(Int8Job& job, const engine::EngineFile& file);
  void time_layers(const ir::Graph& model, const engine::EngineFile& file, const std::vector<Tensor>& inputs);
  const std::map<std::string, double>& sensitivities(Int8Job& job);
  std::unique_ptr<Judge> make_judge(const Int8Job& job, const quantize::SampleRunner& float_network) const;
};

}  // namespace xinfer::builders
