#pragma once
// DataDoctor: examines the images of a calibration set.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "xinfer/builders/quality.h"

namespace xinfer::builders {

/// Finds images that repeat others, that hold (almost) nothing and that stretch the ranges of tensors, and tells
/// whether the images are enough for ranges to settle.
///
/// It is shown every image once (add()), in any pass over the data, and what the images do to the tensors
/// (add_maxima()) in the pass that calibrates; the order of both is free. Nothing that it says depends on the order of
/// the images or on their batches, except the numbers that images without a name get.
/// Memory: about 100 bytes an image, and 4 bytes for each tensor of up to 64 MiB in all: beyond that, the images of the
/// smallest content hashes stand for the rest. One thread at a time.
class DataDoctor {
 public:
  /// `graph` must outlive the doctor; its inputs matter alone.
  explicit DataDoctor(const ir::Graph& graph);

  /// All images of a batch; `names` has one for each, or is empty. Throws CalibrationError as
  /// quantize::count_images() does.
  void add(std::span<const Tensor> batch, std::span<const std::string> names = {});
  /// The largest magnitudes of the observed tensors for one image: what CalibrateOptions::image_maxima gives. Throws
  /// Error when their number changes.
  void add_maxima(std::span<const Tensor> image, std::span<const float> abs_max);

  /// What was found, and a finding for each kind of trouble. Without add_maxima(), nothing is said of ranges.
  DataQuality finish(std::vector<Finding>& findings) const;

 private:
  struct Record {
    std::string hash;
    std::string name;                ///< may be empty
    std::int64_t number = 0;         ///< of the sample in the order of add()
    std::vector<double> deviations;  ///< of each float input
  };

  static std::string label(const Record& record);
  std::vector<const Record*> sorted() const;
  void find_duplicates(DataQuality& quality, std::vector<Finding>& findings) const;
  void find_constants(DataQuality& quality, std::vector<Finding>& findings) const;
  void examine_ranges(DataQuality& quality, std::vector<Finding>& findings) const;

  const ir::Graph& graph_;
  std::vector<Record> records_;
  std::map<std::string, std::vector<float>> maxima_;  ///< by content hash
};

}  // namespace xinfer::builders
