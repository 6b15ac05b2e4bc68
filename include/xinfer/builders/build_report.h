#pragma once
// BuildReport: what a build did, how accurate the engine is, and how fast.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "xinfer/builders/quality.h"

namespace xinfer::builders {

/// The precision that one node got.
struct NodeReport {
  std::string node;
  std::string op;
  std::string precision;  ///< "int8" or "fp32"
  std::string reason;     ///< why it is not in INT8; empty when it is
};

/// The INT8 engine against the float model on the calibration samples. These samples set the ranges, so the figures
/// lean to the good side: validate on other data before you rely on them.
struct AccuracyCheck {
  std::int64_t samples = 0;
  double sqnr_db = 0;                    ///< signal to quantization noise over all outputs, decibels
  std::optional<double> top1_agreement;  ///< share of samples with the same largest output; classifiers only
};

/// Median time of one inference, milliseconds, measured right after the build.
struct SpeedCheck {
  std::int64_t batch = 1;
  double fp32_ms = 0;
  double int8_ms = 0;
};

struct BuildReport {
  std::string model;  ///< path of the ONNX file
  std::string model_hash;
  std::string precision;  ///< "int8", "fp16" or "fp32"
  std::int64_t max_batch = 1;
  std::int64_t calibration_samples = 0;  ///< 0 when the ranges came from a cache
  std::string range_method;
  bool calibration_from_cache = false;
  bool layers_from_cache = false;  ///< fitted by an earlier build, to the same data
  std::vector<NodeReport> nodes;
  std::size_t int8_nodes = 0;
  std::optional<AccuracyCheck> accuracy;
  std::vector<SpeedCheck> speed;
  std::vector<std::string> remarks;  ///< things that the user should know, one line each
  double read_seconds = 0;
  double survey_seconds = 0;  ///< looking through the calibration data, and balancing channels
  double calibrate_seconds = 0;
  double quantize_seconds = 0;
  double measure_seconds = 0;  ///< measuring layers
  double gpu_seconds = 0;      ///< compiling and timing kernels
  double check_seconds = 0;
  std::string target;                     ///< "cpu-x86_64", or "cuda-" and the architectures: "cuda-80,90a"
  std::vector<std::int64_t> gpu_batches;  ///< batch sizes that GPU kernels were compiled for
  std::size_t gpu_kernels = 0;            ///< stored in the engine
  bool gpu_tuned = false;                 ///< measured on a GPU; else heuristics chose
  std::string engine;                     ///< path of the engine file; empty when it was not saved
  std::uint64_t engine_bytes = 0;
  Quality quality;

  /// For people: a short summary, the first findings, and the nodes that are not in INT8, grouped by reason.
  std::string to_text() const;
  /// All of it as JSON. What was not measured, and what is not a finite number, is null; pictures are base64.
  std::string to_json() const;
};

/// Writes the report to `path` at once or not at all: a self-contained HTML page where the name ends in .html, JSON
/// where it ends in .json. Throws Error for other names and when it can't be written.
void write_report(const BuildReport& report, const std::string& path);

/// Throws what write_report would throw for the path: to be called before a long build.
void check_report_path(const std::string& path);

}  // namespace xinfer::builders
