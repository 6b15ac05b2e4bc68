#pragma once
// What an EngineBuilder holds: the user's choices, and the steps of a build.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "builders/gpu_parts.h"
#include "engine/engine_file.h"
#include "quantize/plan.h"
#include "quantize/sample_set.h"
#include "quantize/table.h"
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
  std::vector<std::pair<std::string, Precision>> precisions;
  std::map<std::string, std::vector<std::int64_t>> input_shapes;
  std::optional<Preprocessing> preprocessing;
  std::vector<std::string> labels;
  int threads = 0;
  int effort = 1;
  std::int64_t check_samples = 100;
  ProgressCallback progress;
  std::string dump_folder;
  GpuOptions gpu;
  BuildReport report;

  void tell(BuildStage stage, std::int64_t done, std::int64_t total) const {
    if (progress && !progress(stage, done, total)) throw CancelledError("the build was stopped; nothing was written");
  }
  quantize::PlanOptions plan_options() const;
  std::shared_ptr<const ir::Graph> read_model();
  quantize::CalibrationTable run_calibration(const std::shared_ptr<const ir::Graph>& graph,
                                             const quantize::TableKey& key, quantize::SampleSet& set);
  /// From the cache or by calibrating; then `set` is offered all images.
  quantize::CalibrationTable ranges(const std::shared_ptr<const ir::Graph>& graph, quantize::SampleSet& set);
  /// What calibration kept of the data, or what reading the data anew does; empty when the effort is 0.
  std::vector<quantize::Sample> survey(const ir::Graph& graph, quantize::SampleSet& set);
  quantize::LayerChoices reconstruct(const ir::Graph& graph, const quantize::Ranges& ranges,
                                     const quantize::PlanOptions& plan, const std::vector<quantize::Sample>& samples);
  quantize::TableKey table_key(const ir::Graph& graph) const;
  engine::EngineFile make_file(ir::Graph graph) const;
  void check(const std::shared_ptr<const ir::Graph>& float_graph, const engine::EngineFile& quantized);
  void add_gpu_parts(engine::EngineFile& file);
  engine::EngineFile build();
  engine::EngineFile build_int8(const std::shared_ptr<const ir::Graph>& float_graph);
};

}  // namespace xinfer::builders
