#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "cli/array_calibrator.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/options.h"
#include "xinfer/builders/engine_builder.h"
#include "xinfer/core/errors.h"

namespace xinfer::cli {
namespace {

struct Options {
  std::string model, output, cache, labels, dump_passes;
  bool int8 = false, fp32 = false, fp16 = false, json = false, no_tune = false;
  bool cpu_fallback = false, never_slower = true;
  runtime::Device device = runtime::Device::kCpu, calibration_device = runtime::Device::kCpu;
  std::vector<std::string> gpu_archs;
  std::vector<std::int64_t> batches;
  std::int64_t max_batch = 1, check = 100;
  int threads = 0, effort = 1;
  builders::RangeMethod method = builders::RangeMethod::kAuto;
  std::vector<std::string> precisions, op_precisions, shapes, reports;
  std::string precision_file;
  std::vector<builders::Repair> repairs_off;
  std::optional<double> max_drop;
  int top = 1;
  DataOptions data, evaluation;
  PreprocessingOptions preprocessing;
};

void add_common(CLI::App& command, Options& o) {
  command.add_option("model", o.model, "ONNX model")->required();
  o.data.add_to(command, "--calib", "Folder of calibration images (100-500 are usual), flat or one folder a class");
  o.preprocessing.add_to(command);
  add_range_method(command, o.method);
  command.add_option("--calib-device", o.calibration_device, "Where calibration runs the float model")
      ->transform(device_names(false))
      ->default_str("cpu");
  command.add_option("--shape", o.shapes, "Fixes an input's shape: ids=Nx128 (N: the batch)");
  command.add_option("--threads", o.threads, "Threads (default: one a core)");
  command.add_flag("--json", o.json, "Print the report as JSON");
}

std::shared_ptr<builders::INT8Calibrator> open_data(const DataOptions& data, const std::string& flag,
                                                    const PreprocessingOptions& preprocessing) {
  if (!data.folder.empty() && !data.arrays.empty()) {
    throw CLI::ValidationError(fmt::format("{0} and {0}-npy", flag), "give one of them");
  }
  if (!data.arrays.empty()) return std::make_shared<ArrayCalibrator>(data.load_arrays(), data.batch);
  const auto images = data.open_folder(preprocessing.compose());
  return std::make_shared<builders::DataLoaderCalibrator>(
      xt::dataloaders::ExtendedDataLoader(images, data.batch, false, data.workers));
}

/// Splits "NAME=fp32" or "NAME=int8" at its last equals sign.
std::pair<std::string, builders::Precision> parse_precision(const std::string& flag, const char* form,
                                                            const std::string& text) {
  const std::size_t equals = text.rfind('=');
  const std::string name = equals == std::string::npos ? "" : text.substr(equals + 1);
  if (name != "int8" && name != "fp32") {
    throw CLI::ValidationError(flag, fmt::format("'{0}' is not of the form {1}=fp32 or {1}=int8", text, form));
  }
  return {text.substr(0, equals), name == "int8" ? builders::Precision::kInt8 : builders::Precision::kFloat32};
}

/// What the user says of single layers, and of the accuracy of all of them.
void set_precisions(const Options& o, builders::EngineBuilder& builder) {
  if (!o.int8 && (o.max_drop || o.evaluation.given() || !o.precision_file.empty() || !o.op_precisions.empty())) {
    throw CLI::ValidationError("--max-drop, --eval and --precision-file", "they need --int8");
  }
  for (const builders::Repair repair : o.repairs_off) builder.with_repair(repair, false);
  if (!o.precision_file.empty()) builder.with_precision_file(o.precision_file);
  for (const std::string& text : o.op_precisions) {
    const auto [op, precision] = parse_precision("--op-precision", "OPERATOR", text);
    builder.with_operator_precision(op, precision);
  }
  for (const std::string& text : o.precisions) {
    const auto [pattern, precision] = parse_precision("--precision", "PATTERN", text);
    builder.with_precision(pattern, precision);
  }
  if (o.evaluation.given()) {
    DataOptions evaluation = o.evaluation;
    evaluation.batch = o.data.batch;
    evaluation.workers = o.data.workers;
    evaluation.skip_broken = o.data.skip_broken;
    builder.with_validation(open_data(evaluation, "--eval", o.preprocessing), o.top);
  }
  if (o.max_drop) builder.with_accuracy_budget(*o.max_drop);
}

builders::EngineBuilder make_builder(const Options& o, ProgressBar& bar) {
  builders::EngineBuilder builder;
  builder.from_onnx(o.model).with_range_method(o.method).with_threads(o.threads);
  builder.with_calibration_device(o.calibration_device);
  for (const std::string& text : o.shapes) {
    auto [name, shape] = parse_shape(text);
    builder.with_input_shape(name, std::move(shape));
  }
  builder.with_progress([&bar](builders::BuildStage stage, std::int64_t done, std::int64_t total) {
    bar.update(std::string(builders::name_of(stage)), done, total);
    return !interrupted();
  });
  return builder;
}

int build(const Options& o) {
  const bool for_gpu = o.device == runtime::Device::kCuda || o.fp16 || !o.gpu_archs.empty();
  if (o.int8 + o.fp32 + o.fp16 > 1) throw CLI::ValidationError("--int8, --fp16 and --fp32", "give one of them");
  if (o.fp32 && for_gpu) {
    throw CLI::ValidationError("--fp32", "on GPUs floats are stored as halves: say --fp16, or build for the CPU");
  }
  if (!for_gpu && !o.batches.empty()) throw CLI::ValidationError("--batches", "it needs --device cuda");
  if (!for_gpu && o.cpu_fallback) throw CLI::ValidationError("--allow-cpu-fallback", "it needs --device cuda");
  if (o.int8 && !o.data.given()) {
    throw CLI::ValidationError("--int8", "calibration needs data: give --calib FOLDER or --calib-npy FILE");
  }
  if (!o.int8 && o.calibration_device == runtime::Device::kCuda) {
    throw CLI::ValidationError("--calib-device", "only --int8 calibrates");
  }
  if (!o.int8 && !o.fp32 && !o.fp16) {
    throw CLI::ValidationError("precision", "say --int8 (with --calib), --fp16 (GPUs) or --fp32");
  }
  for (const std::string& path : o.reports) builders::check_report_path(path);
  ProgressBar bar;
  builders::EngineBuilder builder = make_builder(o, bar);
  builder.with_max_batch_size(o.max_batch).with_accuracy_check(o.check).with_effort(o.effort);
  if (for_gpu) {
    builder.with_device(runtime::Device::kCuda).with_tuning(!o.no_tune).with_batches(o.batches);
    builder.with_cpu_fallback(o.cpu_fallback).with_never_slower(o.never_slower);
    if (!o.gpu_archs.empty()) builder.with_gpu_archs(o.gpu_archs);
  }
  if (o.int8) builder.with_int8(open_data(o.data, "--calib", o.preprocessing));
  if (!o.int8 && o.preprocessing.given()) builder.with_preprocessing(o.preprocessing.compose().preprocessing());
  if (!o.cache.empty()) builder.with_calibration_cache(o.cache);
  if (!o.labels.empty()) builder.with_labels(read_labels(o.labels));
  if (!o.dump_passes.empty()) builder.with_pass_dumps(o.dump_passes);
  set_precisions(o, builder);
  builder.with_layer_measurements(o.int8 && !o.reports.empty());
  const builders::BuildReport report = builder.build_and_save(o.output);
  bar.finish();
  for (const std::string& path : o.reports) builders::write_report(report, path);
  print(o.json ? report.to_json() + "\n" : report.to_text());
  return 0;
}

int calibrate(const Options& o) {
  if (!o.data.given()) throw CLI::ValidationError("--calib", "calibration needs data: give --calib or --calib-npy");
  ProgressBar bar;
  builders::EngineBuilder builder = make_builder(o, bar);
  builder.with_int8(open_data(o.data, "--calib", o.preprocessing));
  const builders::BuildReport report = builder.calibrate_and_save(o.output);
  bar.finish();
  if (o.json) {
    print(report.to_json() + "\n");
  } else {
    print(fmt::format("calibrated on {} samples in {:.1f} s: {}\n", report.calibration_samples,
                      report.calibrate_seconds, o.output));
    for (const std::string& remark : report.remarks) print("note: " + remark + "\n");
  }
  return 0;
}

}  // namespace

void add_build(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("build", "Build an engine from an ONNX model");
  command->footer(
      "Examples:\n"
      "  xinfer build model.onnx --int8 --calib images/ --resize 224x224 --mean 0.485,0.456,0.406 \\\n"
      "      --std 0.229,0.224,0.225 --max-batch 32 -o model.engine\n"
      "  xinfer build bert.onnx --int8 --calib-npy ids=ids.npy --calib-npy mask=mask.npy -o bert.engine\n"
      "  xinfer build model.onnx --int8 --calib images/ --eval labelled/ --max-drop 0.5 --report report.html \\\n"
      "      -o model.engine                     (keeps layers in float until at most 0.5 points of top-1 are lost)\n"
      "  xinfer build model.onnx --fp32 -o float.engine\n"
      "  xinfer build model.onnx --int8 --calib images/ --resize 224x224 --device cuda --max-batch 64 -o gpu.engine\n"
      "  xinfer build model.onnx --fp16 --gpu-arch 80,90a --max-batch 64 -o half.engine      (no GPU needed)");
  add_common(*command, *options);
  command->add_flag("--int8", options->int8, "Quantize to INT8; needs calibration data");
  command->add_flag("--fp32", options->fp32, "Keep everything in float");
  command->add_flag("--fp16", options->fp16, "Half precision, on NVIDIA GPUs");
  command->add_option("-o,--output", options->output, "Engine file to write")->required();
  command->add_option("--max-batch", options->max_batch, "Largest batch that the engine takes")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  const std::string gpu_group = "GPU";
  command->add_option("--device", options->device, "What to build for (an engine for GPUs runs on CPUs too)")
      ->transform(device_names(false))
      ->default_str("cpu")
      ->group(gpu_group);
  command
      ->add_option("--gpu-arch", options->gpu_archs,
                   "Architectures to compile for, e.g. 80,90a (default: the GPU at hand)")
      ->delimiter(',')
      ->group(gpu_group);
  command
      ->add_option("--batches", options->batches,
                   "Batch sizes to compile and tune for, e.g. 1,8,32 (default: 1, 2, 4, ... and the maximum)")
      ->delimiter(',')
      ->group(gpu_group);
  command->add_flag("--no-tune", options->no_tune, "Choose kernels by rule, without timing them")->group(gpu_group);
  command
      ->add_flag("--never-slower,!--no-never-slower", options->never_slower,
                 "INT8, tuned: leave layers in half precision that measure slower in INT8 (default: yes)")
      ->group(gpu_group);
  command
      ->add_flag("--allow-cpu-fallback", options->cpu_fallback,
                 "Run nodes that no GPU kernel takes on the CPU, slowly, instead of failing")
      ->group(gpu_group);
  command->add_option("--cache", options->cache,
                      "Calibration cache: used when it matches, else written; fitted layers lie in FILE.fit");
  command->add_option("--precision", options->precisions,
                      "PATTERN=fp32 or PATTERN=int8 for nodes by name, with * and ?");
  command->add_option("--op-precision", options->op_precisions,
                      "OPERATOR=fp32 or OPERATOR=int8 for all nodes of an operator, e.g. Linear=fp32");
  command->add_option("--precision-file", options->precision_file,
                      "The same from a JSON file: [{\"pattern\": \"head.*\", \"precision\": \"float\"}, ...]; "
                      "--op-precision and then --precision win over it");
  const std::string accuracy_group = "Accuracy";
  command
      ->add_option("--max-drop", options->max_drop,
                   "Accuracy budget: keeps layers in float until the engine loses at most so many points of top-1 on "
                   "--eval's labelled images; without labels, of agreement with FP32. Exit code 1 when no plan does")
      ->check(CLI::Range(0.0, 100.0))
      ->group(accuracy_group);
  options->evaluation.add_second_to(
      *command, "--eval", "Folder of images to measure accuracy on, flat or one folder a class", accuracy_group);
  command->add_option("--top", options->top, "Count the label among the so many best classes (5: top-5)")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str()
      ->group(accuracy_group);
  command->add_option("--effort", options->effort, "Work put into accuracy: 0 none, 1 seconds to a minute, 2 minutes")
      ->check(CLI::Range(0, 2))
      ->capture_default_str()
      ->group(accuracy_group);
  std::map<std::string, builders::Repair> repairs;
  for (const auto repair : {builders::Repair::kEqualization, builders::Repair::kMigration,
                            builders::Repair::kWeightRounding, builders::Repair::kBiasCorrection}) {
    repairs.emplace(builders::name_of(repair), repair);
  }
  command->add_option("--no-repair", options->repairs_off, "Leave these repairs out, e.g. equalization,rounding")
      ->transform(
          CLI::CheckedTransformer(repairs, CLI::ignore_case).description("{bias,equalization,migration,rounding}"))
      ->delimiter(',')
      ->group(accuracy_group);
  command->add_option("--labels", options->labels, "Text file of class names, one a line");
  command->add_option("--check", options->check, "Samples to compare INT8 with FP32 on after the build (0: none)")
      ->capture_default_str();
  command->add_option("--report", options->reports, "Write all that was measured to FILE.html or FILE.json (or both)")
      ->type_name("FILE")
      ->allow_extra_args(false);  // else it would take the model's path after it
  command->add_option("--dump-passes", options->dump_passes, "Folder for the graph after every pass");
  command->callback([options, &action] { action = [options] { return build(*options); }; });
}

void add_calibrate(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("calibrate", "Write activation ranges to a calibration cache");
  command->footer(
      "Examples:\n"
      "  xinfer calibrate model.onnx --calib images/ --resize 224x224 -o model.calib\n"
      "  xinfer calibrate model.onnx --calib images/ --resize 224x224 --calib-device cuda -o model.calib");
  add_common(*command, *options);
  command->add_option("-o,--output", options->output, "Calibration cache to write")->required();
  command->callback([options, &action] { action = [options] { return calibrate(*options); }; });
}

}  // namespace xinfer::cli
