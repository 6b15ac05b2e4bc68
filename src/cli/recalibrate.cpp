#include <fmt/format.h>

#include <memory>

#include "cli/array_calibrator.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/options.h"
#include "engine/engine_file.h"
#include "xinfer/builders/recalibrate.h"
#include "xinfer/core/errors.h"

namespace xinfer::cli {
namespace {

struct Options {
  std::string engine, output;
  builders::RangeMethod method = builders::RangeMethod::kAuto;
  int threads = 0;
  bool json = false;
  DataOptions data;
};

std::shared_ptr<builders::INT8Calibrator> make_calibrator(const Options& o) {
  if (o.data.folder.empty() == o.data.arrays.empty()) {
    throw CLI::ValidationError("--data", "give either --data FOLDER or --data-npy FILE");
  }
  if (!o.data.arrays.empty()) return std::make_shared<ArrayCalibrator>(o.data.load_arrays(), o.data.batch);
  const Preprocessing stored = engine::load(o.engine).preprocessing;
  if (!stored.replayable()) {
    throw EngineError("the engine's preprocessing has a step of the user's own code, which this program can't repeat",
                      "preprocess in your program, and give arrays: --data-npy file.npy");
  }
  const auto images = o.data.open_folder(xt::transforms::from_preprocessing(stored));
  return std::make_shared<builders::DataLoaderCalibrator>(
      xt::dataloaders::ExtendedDataLoader(images, o.data.batch, false, o.data.workers));
}

int recalibrate(const Options& o) {
  ProgressBar bar;
  builders::RecalibrateOptions options;
  options.method = o.method;
  options.threads = o.threads;
  options.progress = [&bar](builders::BuildStage stage, std::int64_t done, std::int64_t total) {
    bar.update(std::string(builders::name_of(stage)), done, total);
    return !interrupted();
  };
  const auto report = builders::recalibrate(o.engine, make_calibrator(o), o.output, options);
  bar.finish();
  print(o.json ? report.to_json() + "\n" : report.to_text());
  return 0;
}

}  // namespace

void add_recalibrate(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("recalibrate", "Fit the scales of an INT8 engine to new images, without its ONNX model");
  command->footer(
      "Weights and the precision of every layer stay as they are; images are preprocessed as the engine says.\n"
      "Example:\n"
      "  xinfer recalibrate model.engine --data new_images/ -o new.engine");
  command->add_option("engine", options->engine, "Engine file")->required();
  options->data.add_to(*command, "--data", "Folder of new images (100-500 are usual), flat or one folder a class");
  add_range_method(*command, options->method);
  command->add_option("-o,--output", options->output, "Engine file to write")->required();
  command->add_option("--threads", options->threads, "Threads (default: one a core)");
  command->add_flag("--json", options->json, "Print the report as JSON");
  command->callback([options, &action] { action = [options] { return recalibrate(*options); }; });
}

}  // namespace xinfer::cli
