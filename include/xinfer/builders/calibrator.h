#pragma once
// INT8Calibrator: where calibration data comes from.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "xinfer/core/preprocessing.h"
#include "xinfer/core/tensor.h"
#include "xtorch/data_loader.h"

namespace xinfer::builders {

/// Feeds representative inputs to the calibration. Derive from it to calibrate on data of your own: only next_batch()
/// and reset() have to be written.
///
/// The builder reads the whole stream once to look through it, once to collect ranges, and once more to compare the
/// INT8 engine with FP32. Where reset() doesn't allow that it reads it once, and leaves out what needs more (a remark
/// of the report says so). Batches may have any size, also a different one each time: the result depends neither on the
/// batch size nor on the order. Called from one thread at a time.
class INT8Calibrator {
 public:
  /// Tensors by input name, each with a leading batch dimension of the same size. A model of one input may use the
  /// name "".
  using Batch = std::map<std::string, Tensor>;

  virtual ~INT8Calibrator() = default;

  /// Fills `batch` with the next inputs; false at the end. What it throws ends the build.
  virtual bool next_batch(Batch& batch) = 0;
  /// Goes back to the first batch; false when the stream can't be repeated.
  virtual bool reset() = 0;

  /// Number of samples, for progress; -1 when unknown.
  virtual std::int64_t sample_count() const { return -1; }
  /// Names of the samples that next_batch() gave last, e.g. image paths: one each, or none when they have no names.
  /// Findings and reports use them.
  virtual std::vector<std::string> sample_names() const { return {}; }
  /// Classes of the samples that next_batch() gave last: one each, or none. Only data to validate on need them.
  virtual std::vector<std::int64_t> labels() const { return {}; }
  /// How images become inputs; stored in the engine, so that `run` and `validate` do the same. Empty: unknown.
  virtual Preprocessing preprocessing() const { return {}; }
  /// Changes when the data do; part of the calibration cache's key. Empty: the cache can't notice other data.
  virtual std::string manifest_hash() const { return {}; }
  /// Lines to print after calibration, e.g. the images that were skipped and why.
  virtual std::vector<std::string> remarks() const { return {}; }

 protected:
  INT8Calibrator() = default;
  INT8Calibrator(const INT8Calibrator&) = default;
  INT8Calibrator& operator=(const INT8Calibrator&) = default;
};

/// Calibrates on the images of a data loader. It works on a copy of the loader: the caller's is neither read nor kept.
class DataLoaderCalibrator : public INT8Calibrator {
 public:
  /// `input_name` names the model's input; it may stay empty when the model has one input.
  explicit DataLoaderCalibrator(const xt::dataloaders::ExtendedDataLoader& loader, std::string input_name = "");

  bool next_batch(Batch& batch) override;
  bool reset() override;
  std::int64_t sample_count() const override;
  std::vector<std::string> sample_names() const override;
  std::vector<std::int64_t> labels() const override;  ///< where the dataset knows the classes of all of them
  Preprocessing preprocessing() const override;
  std::string manifest_hash() const override;
  std::vector<std::string> remarks() const override;

 private:
  xt::dataloaders::ExtendedDataLoader loader_;
  std::string input_name_;
  std::vector<std::string> names_;    ///< of the last batch
  std::vector<std::int64_t> labels_;  ///< of the last batch
};

}  // namespace xinfer::builders
