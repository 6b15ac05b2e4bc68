#pragma once
// Judges: what an INT8 network is worth.

#include <memory>
#include <string>
#include <vector>

#include "quantize/sample_runner.h"
#include "xinfer/builders/build_options.h"
#include "xinfer/builders/calibrator.h"

namespace xinfer::builders {

/// Scores networks of one model, all on the same data, in points: more is better.
class Judge {
 public:
  virtual ~Judge() = default;
  /// For people: "top-1", "top-1 agreement with FP32".
  virtual std::string metric() const = 0;
  /// The same for any number of threads, and for any order of the data. Throws what running and reading throw.
  virtual double score(const quantize::SampleRunner& network) const = 0;

 protected:
  Judge() = default;
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;
};

/// By samples without labels: the share of them whose best class is that of `float_network` or, where the model's first
/// output is no list of class scores, the mean cosine between the f32 outputs of both; x 100. Keeps the samples and
/// what it needs of the float network's answers. Throws Error when there are no samples or no f32 outputs.
std::unique_ptr<Judge> judge_by_samples(std::vector<quantize::Sample> samples,
                                        const quantize::SampleRunner& float_network);

/// By data of the user's. With labels: the share of samples whose class is among the k best. Without:
/// judge_by_samples() of up to 2048 samples. `graph` gives the model's inputs and must outlive the judge. Throws
/// CalibrationError when the data don't fit, hold nothing, or can't be repeated, and when labels meet a model without
/// class scores.
std::unique_ptr<Judge> judge_by_data(const ir::Graph& graph, std::shared_ptr<INT8Calibrator> data, int k,
                                     const quantize::SampleRunner& float_network);

/// By a metric of the user's. Throws Error when it gives NaN or an infinite score.
std::unique_ptr<Judge> judge_by_metric(const ir::Graph& graph, std::string name, Metric metric);

}  // namespace xinfer::builders
