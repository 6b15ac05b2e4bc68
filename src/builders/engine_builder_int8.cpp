// The builder's steps that make an INT8 network.

#include <fmt/format.h>

#include <limits>

#include "builders/engine_builder_impl.h"
#include "builders/range_table.h"
#include "builders/sample_stream.h"
#include "builders/stopwatch.h"
#include "quantize/reconstruct.h"

namespace xinfer::builders {
namespace {

constexpr std::int64_t kAnySum = std::numeric_limits<std::int64_t>::max();

}  // namespace

std::vector<quantize::Sample> EngineBuilder::Impl::survey(const ir::Graph& graph, quantize::SampleSet& set) {
  if (effort == 0) return {};
  if (set.offered() > 0) return set.samples();
  // The ranges came from a cache, so nobody has read the data yet.
  const Stopwatch watch;
  SampleStream stream(graph, *calibrator, true);
  while (const auto batch = stream.next()) {
    set.add(*batch, stream.sample_names());
    tell(BuildStage::kSurvey, set.offered(), calibrator->sample_count());
  }
  report.survey_seconds = watch.seconds();
  return set.samples();
}

quantize::LayerChoices EngineBuilder::Impl::reconstruct(const ir::Graph& graph, const quantize::Ranges& ranges,
                                                        const quantize::PlanOptions& plan,
                                                        const std::vector<quantize::Sample>& samples) {
  if (samples.empty()) return {};
  quantize::ReconstructOptions options;
  options.threads = threads;
  if (effort >= 2) options.longest_sum = kAnySum;
  options.progress = [this](std::size_t done, std::size_t total) {
    tell(BuildStage::kQuantize, static_cast<std::int64_t>(done), static_cast<std::int64_t>(total));
  };
  quantize::Reconstruction result = quantize::reconstruct(graph, ranges, plan, samples, options);
  return std::move(result.layers);
}

engine::EngineFile EngineBuilder::Impl::build_int8(const std::shared_ptr<const ir::Graph>& float_graph) {
  quantize::SampleSet set(*float_graph);
  const quantize::CalibrationTable table = ranges(float_graph, set);
  const std::vector<quantize::Sample> samples = survey(*float_graph, set);
  const Stopwatch watch;
  tell(BuildStage::kQuantize, 0, -1);
  quantize::PlanOptions plan = plan_options();
  const quantize::Ranges chosen = table.pick(plan.method);
  plan.layers = reconstruct(*float_graph, chosen, plan, samples);
  quantize::QuantizedModel model = quantize::quantize(*float_graph, chosen, plan);
  report.quantize_seconds = watch.seconds();

  engine::EngineFile file = make_file(std::move(model.graph));
  for (const quantize::NodeDecision& decision : model.decisions) {
    const std::string op(ir::name_of(decision.op));
    const std::string precision = decision.precision == quantize::Precision::kInt8 ? "int8" : "fp32";
    const std::string reason = decision.precision == quantize::Precision::kInt8 ? "" : decision.reason;
    file.decisions.push_back({decision.node, op, precision, reason});
    if (decision.precision == quantize::Precision::kIndex) continue;
    report.nodes.push_back({decision.node, op, precision, reason});
    report.int8_nodes += precision == "int8" ? 1 : 0;
  }
  if (report.int8_nodes == 0) {
    throw CalibrationError("no node of the model can run in INT8: the engine would be a float engine",
                           "see 'xinfer inspect --why' on a float engine, or build with --fp32");
  }
  file.ranges = measure_ranges(std::make_shared<ir::Graph>(file.graph), samples, threads).ranges;
  add_gpu_parts(file);
  check(float_graph, file);
  file.facts.emplace_back("calibration", fmt::format("{} samples, ranges by {}", table.images, report.range_method));
  file.facts.emplace_back("calibration data hash", table.key.images);
  file.facts.emplace_back("int8 nodes", fmt::format("{} of {}", report.int8_nodes, report.nodes.size()));
  if (report.accuracy) {
    file.facts.emplace_back("SQNR on calibration data", fmt::format("{:.2f} dB", report.accuracy->sqnr_db));
    if (report.accuracy->top1_agreement) {
      file.facts.emplace_back("top-1 agreement on calibration data",
                              fmt::format("{:.2f} %", 100 * *report.accuracy->top1_agreement));
    }
  }
  return file;
}

}  // namespace xinfer::builders
