#pragma once
// Calibration on arrays: what --calib-npy gives.

#include <cstdint>
#include <map>
#include <string>

#include "xinfer/builders/calibrator.h"

namespace xinfer::cli {

/// Feeds named arrays, whose first axis counts samples, in batches.
class ArrayCalibrator : public builders::INT8Calibrator {
 public:
  ArrayCalibrator(std::map<std::string, Tensor> arrays, std::int64_t batch);
  bool next_batch(Batch& batch) override;
  bool reset() override;
  std::int64_t sample_count() const override;
  std::string manifest_hash() const override;

 private:
  std::map<std::string, Tensor> arrays_;
  std::int64_t batch_;
  std::int64_t next_ = 0;
};

}  // namespace xinfer::cli
