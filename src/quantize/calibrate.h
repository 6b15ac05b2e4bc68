#pragma once
// Calibration: runs the float graph over a stream of batches and collects the distribution of every activation that a
// plan may need.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "quantize/batches.h"
#include "quantize/histogram.h"
#include "quantize/options.h"
#include "quantize/runner.h"
#include "quantize/table.h"

namespace xinfer::quantize {

struct CalibrateOptions {
  PlanOptions plan;  ///< decides whether a tensor that is always zero matters (see Calibrator::finish)
  double percentile = kDefaultPercentile;
  /// Keep the readers of a tensor that is always zero in float, in place of stopping with an error.
  bool allow_dead_ranges = false;
  std::int64_t total_images = -1;  ///< handed to `progress`; -1: unknown
  /// Called after each image with (images done, total_images); returning false cancels (CancelledError).
  std::function<bool(std::int64_t, std::int64_t)> progress;
  /// Called after each image with its inputs and the largest magnitude of every observed tensor, always in the same
  /// order. Never called with a runner that doesn't look at images one by one (the one for GPUs).
  std::function<void(std::span<const Tensor>, std::span<const float>)> image_maxima;
};

/// What calibration found; the table lacks its key, which the caller knows.
struct CalibrationResult {
  CalibrationTable table;
  std::vector<std::string> dead_tensors;  ///< always zero, and either without INT8 readers or allowed
};

/// The values whose ranges a plan may need: what INT8 nodes read and write once every range counts as known. The same
/// for all plan options, so that a stored table serves them all.
std::vector<ir::ValueId> values_to_observe(const ir::Graph& graph);

/// Collects histograms.
///
/// What a runner counts of an image depends on that image alone, whatever the size of the batches given, and histograms
/// don't depend on the order of what they count. So the result is bit-identical for the same set of images in any order
/// and any batching.
/// Memory: 64 KiB for each observed tensor, whatever the number of images. One thread at a time.
class Calibrator {
 public:
  /// `graph` must outlive the calibrator.
  Calibrator(const ir::Graph& graph, std::shared_ptr<Runner> runner, CalibrateOptions options = {});

  /// Runs all images of a batch: one tensor for each graph input, their first axis being the images. Inputs whose
  /// declared shape doesn't depend on N are handed to every image as they are; if none depends on N, a batch counts as
  /// one image. Throws CalibrationError when a tensor doesn't fit its input, or naming tensor and image when an
  /// activation is NaN or infinite; CancelledError when the progress callback says so.
  void add(std::span<const Tensor> batch);

  std::int64_t images() const { return images_; }
  /// By value name.
  const std::map<std::string, Histogram>& histograms() const { return histograms_; }

  /// Chooses ranges. Throws CalibrationError when no image was added, or naming the tensor when one that feeds an INT8
  /// computation is zero for every image (unless allow_dead_ranges).
  CalibrationResult finish() const;

 private:
  void run(std::span<const Tensor> batch, std::int64_t begin, std::int64_t end);
  /// True when image_maxima() is wanted and the runner could run the image so.
  bool run_and_tell(std::span<const Tensor> image);
  void check_finite(std::span<Histogram* const> histograms, std::int64_t image) const;
  void check_alive(const std::string& name) const;

  const ir::Graph& graph_;
  std::shared_ptr<Runner> runner_;
  CalibrateOptions options_;
  std::int64_t images_ = 0;
  std::map<std::string, Histogram> histograms_;
  std::vector<Histogram*> observed_;   ///< by value id; nullptr for values that don't matter
  std::vector<ir::ValueId> in_order_;  ///< what is observed, as it is computed
};

/// Drains `next` into a Calibrator and finishes it.
CalibrationResult calibrate(const ir::Graph& graph, const std::shared_ptr<Runner>& runner, const BatchSource& next,
                            const CalibrateOptions& options = {});

}  // namespace xinfer::quantize
