#pragma once
// SampleSet: a bounded sample of the calibration data, kept in memory for everything that runs the network many times.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "quantize/batches.h"

namespace xinfer::quantize {

/// One image (N = 1), or whatever the model takes.
struct Sample {
  std::vector<Tensor> inputs;  ///< in graph order
  std::string name;            ///< where it comes from; may be empty
};

struct SampleLimits {
  std::size_t count = 128;
  std::size_t bytes = std::size_t{256} << 20;
};

/// Keeps the samples of the smallest content hashes: an arbitrary but fixed choice, which depends neither on the order
/// of the images nor on their batches. Of equal samples one is kept. One thread at a time.
class SampleSet {
 public:
  /// `graph` must outlive the set. Throws Error when `limits.count` is 0.
  explicit SampleSet(const ir::Graph& graph, SampleLimits limits = {});

  /// Offers all images of a batch; `names` has one for each image, or is empty. Throws CalibrationError as
  /// count_images() does.
  void add(std::span<const Tensor> batch, std::span<const std::string> names = {});

  /// Images offered so far, and how many of them were equal to an earlier one among those kept.
  std::int64_t offered() const { return offered_; }
  std::size_t size() const { return kept_.size(); }
  /// What was kept, in the order of hashes: always the same for the same images.
  std::vector<Sample> samples() const;

 private:
  const ir::Graph& graph_;
  SampleLimits limits_;
  std::int64_t offered_ = 0;
  std::map<std::string, Sample> kept_;  ///< by content hash
};

}  // namespace xinfer::quantize
