#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/options.h"
#include "cli/samples.h"
#include "xinfer/core/errors.h"

namespace xinfer::cli {
namespace {

struct Options {
  std::string engine;
  int threads = 0;
  bool all = false, json = false;
  DataOptions data;
  PreprocessingOptions preprocessing;
};

nlohmann::json to_json(const runtime::DriftReport& report) {
  nlohmann::json json = {{"samples", report.samples}, {"tensors", nlohmann::json::array()}};
  for (const runtime::TensorDrift& t : report.tensors) {
    nlohmann::json entry = {{"tensor", t.tensor},     {"type", name_of(t.type)},  {"scale", t.scale},
                            {"elements", t.elements}, {"saturated", t.saturated}, {"share", t.share()},
                            {"limit", t.limit()},     {"drifted", t.drifted()},   {"largest", nullptr}};
    if (std::isfinite(t.largest)) entry["largest"] = t.largest;
    if (t.expected) entry["expected"] = *t.expected;
    json["tensors"].push_back(std::move(entry));
  }
  return json;
}

std::string to_text(const runtime::DriftReport& report, bool all) {
  std::vector<std::vector<std::string>> rows = {{"tensor", "type", "at the end %", "expected %", "largest"}};
  std::size_t drifted = 0;
  for (const runtime::TensorDrift& t : report.tensors) {
    drifted += t.drifted() ? 1 : 0;
    if (!all && !t.drifted()) continue;
    rows.push_back({t.tensor, std::string(name_of(t.type)), fmt::format("{:.3f}", 100 * t.share()),
                    t.expected ? fmt::format("{:.3f}", 100 * *t.expected) : "", fmt::format("{:.2f}", t.largest)});
  }
  std::string text = fmt::format("{} samples, {} tensors in integers\n", report.samples, report.tensors.size());
  if (rows.size() > 1) text += table(rows);
  if (drifted == 0) return text + "no tensor runs over its range more than it should\n";
  return text + fmt::format("{} of {} tensors run over their range: see 'xinfer recalibrate'\n", drifted,
                            report.tensors.size());
}

int drift(const Options& o) {
  runtime::RuntimeOptions options;
  options.device = runtime::Device::kCpu;
  options.threads = o.threads;
  options.drift_sample_period = 1;
  const runtime::InferenceEngine engine(o.engine, options);
  DataOptions data = o.data;
  data.batch = 1;  // of a batch only one sample is watched
  const SampleSource source = open_samples(data, o.preprocessing, engine);
  ProgressBar bar;
  std::int64_t done = 0;
  source.for_each([&](const SampleBatch& sample) {
    throw_if_interrupted();
    engine.infer(sample.inputs);
    bar.update("drift", ++done, source.count);
  });
  bar.finish();
  const runtime::DriftReport report = engine.drift();
  if (report.samples == 0) throw DataError("there were no samples to look at");
  if (report.tensors.empty()) {
    throw EngineError(fmt::format("engine '{}' stores nothing in integers", o.engine), "drift shows in INT8 engines");
  }
  print(o.json ? to_json(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"
               : to_text(report, o.all));
  return 0;
}

}  // namespace

void add_drift(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("drift", "Show which tensors of an INT8 engine run over their integer range on some data");
  command->footer(
      "A tensor counts when more of its values lie at the end of its range than four times the share of the\n"
      "calibration data, and more than 0.1 % (1 % where that share is not known). The exit code is 0 either way.\n"
      "Largest: the largest magnitude, 1 being the end of the range.\n"
      "Example:\n"
      "  xinfer drift model.engine --data new_images/");
  command->add_option("engine", options->engine, "Engine file")->required();
  options->data.add_to(*command, "--data", "Folder of images, flat or one folder a class");
  options->preprocessing.add_to(*command);
  command->add_option("--threads", options->threads, "Threads (default: one a core)");
  command->add_flag("--all", options->all, "List the other tensors too");
  command->add_flag("--json", options->json, "Print all figures as JSON");
  command->callback([options, &action] { action = [options] { return drift(*options); }; });
}

}  // namespace xinfer::cli
