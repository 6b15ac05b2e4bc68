#pragma once
// recalibrate(): new activation scales for an INT8 engine, without its ONNX model.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "xinfer/builders/build_options.h"
#include "xinfer/builders/calibrator.h"

namespace xinfer::builders {

struct RecalibrateOptions {
  RangeMethod method = RangeMethod::kAuto;  ///< how ranges are chosen
  int threads = 0;                          ///< 0: as many as OpenMP would use
  ProgressCallback progress;
};

/// What became of the range of one tensor.
struct ScaleChange {
  std::string tensor;
  double before = 0;      ///< magnitude at the end of the old range
  double after = 0;       ///< ... and of the new one
  bool new_type = false;  ///< signed integers became unsigned ones, or the other way round
  double clipped = 0;     ///< share of the new data's values at the end of the old range or beyond, 0..1
  double change() const { return after / before - 1; }
};

/// An engine's outputs against those of its float form, on new data.
struct RecalibrationAccuracy {
  double sqnr_db = 0;                    ///< over all outputs
  std::optional<double> top1_agreement;  ///< share of samples with the same largest output; classifiers only
};

struct RecalibrationReport {
  std::string engine;  ///< the old one
  std::string output;  ///< the new one
  std::int64_t samples = 0;
  std::string range_method;
  std::vector<ScaleChange> changes;     ///< every tensor with a range of its own, in the order of computation
  std::int64_t compared = 0;            ///< samples that both engines were compared on
  RecalibrationAccuracy before, after;  ///< with the old and with the new scales
  std::vector<std::string> remarks;     ///< things that the user should know, one line each

  /// For people: how far scales moved, the largest moves, and the accuracy before and after.
  std::string to_text() const;
  /// All of it as JSON.
  std::string to_json() const;
};

/// Fits the activation scales of the INT8 engine `engine_path` to the data of `calibrator` and writes the new engine to
/// `output_path` (which may be the same). Weights, biases, the precision of every layer, preprocessing and labels stay;
/// so do GPU kernels, since scales are no part of them (they are compiled anew, without timing, where a tensor changed
/// between signed and unsigned integers). Calibration runs the float network of the stored, rounded weights on the CPU.
/// The result depends on the set of samples only, not on their order or batches.
///
/// A tensor that is zero for all new samples keeps its scale, with a remark. Throws EngineError for a float engine or a
/// file that is none, CalibrationError for data that don't fit, that were preprocessed in another way than the engine
/// says, or that overflow, CancelledError when `options.progress` says so; nothing is written then.
RecalibrationReport recalibrate(const std::string& engine_path, const std::shared_ptr<INT8Calibrator>& calibrator,
                                const std::string& output_path, const RecalibrateOptions& options = {});

}  // namespace xinfer::builders
