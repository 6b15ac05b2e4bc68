#pragma once
// What a build measured and mended: the parts of a BuildReport that explain its accuracy.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace xinfer::builders {

/// One problem that was met. Together the phrases make one sentence: "WHERE: CAUSE; REMEDY (COST)".
struct Finding {
  std::string where;   ///< node, tensor or image
  std::string cause;   ///< "one channel's range is 480 times the median"
  std::string remedy;  ///< what was done, with its effect; or what the user can do
  std::string cost;    ///< what it costs; empty when nothing was done
};

/// A node that had a choice of precision. Figures that were not measured are empty.
struct LayerQuality {
  std::string node;
  std::string op;
  std::string precision;                 ///< "int8", "fp16" or "fp32"
  std::optional<double> sqnr_db;         ///< of its output in the INT8 network, against the float network
  std::optional<double> sensitivity_db;  ///< SQNR of the network's outputs when this layer alone runs in INT8
  std::optional<double> int8_ms;         ///< time at batch 1 in the INT8 network
  std::optional<double> float_ms;        ///< ... and in the float network
  std::optional<double> scale{};         ///< of its output, where that is stored in integers
};

/// An f32 output of the network, INT8 against float on some of the calibration samples.
struct OutputQuality {
  std::string output;
  double sqnr_db = 0;
  double cosine_mean = 1;  ///< over samples, each as one vector
  double cosine_min = 1;
  /// For scores of classes: the mean Kullback-Leibler divergence of the INT8 network's distribution, in nats.
  std::optional<double> kl_divergence;
};

/// A tensor that is stored in integers.
struct TensorQuality {
  std::string tensor;
  std::string type;    ///< "s8" or "u8"
  std::string method;  ///< the rule that gave the range: "minmax", "percentile", "entropy", "mse"
  double scale = 0;
  double threshold = 0;  ///< magnitudes above are clipped
  double min = 0, max = 0;
  double zero_share = 0;          ///< share of values that are exactly 0
  double clipped_share = 0;       ///< share of values beyond the threshold
  std::optional<double> sqnr_db;  ///< in the INT8 network, against the float network
  std::vector<double> histogram;  ///< shares of the values in equal bins from `min` to `max`
};

/// How far the ranges are from their final values after so many images, on average over all choices of the images.
struct CurvePoint {
  std::int64_t images = 0;
  double worst_change = 0;   ///< largest relative difference of a tensor's range
  double median_change = 0;  ///< median over tensors
};

/// An image that stands out.
struct ImageRemark {
  std::string image;  ///< path, or the number of the sample
  std::string remark;
};

/// A preprocessing that was tried: what the float model makes of the images with it.
struct PreprocessingTrial {
  std::string name;       ///< "as given", "BGR", "pixels in 0..255", ...
  double confidence = 0;  ///< mean of the largest softmax output, 0..1
  /// How well the answers tell the images apart, 0..1: the mutual information of image and class, as a share of the
  /// largest possible. A network that is surely, but always of the same opinion has none.
  double information = 0;
};

/// The calibration images, examined.
struct DataQuality {
  std::int64_t images = 0;
  /// Images after which half of the ranges are within 5 % of the final ones, and 95 of 100 within 20 %; empty when it
  /// takes more than half of the images.
  std::optional<std::int64_t> converged_after;
  std::vector<CurvePoint> curve;
  std::vector<ImageRemark> stretching;  ///< images that alone widen the range of many tensors
  std::vector<ImageRemark> duplicates;
  std::vector<ImageRemark> constant;  ///< images with (almost) no content
  std::vector<PreprocessingTrial> preprocessing;
};

/// One precision plan that was measured.
struct ParetoPoint {
  double drop = 0;  ///< of the metric against the float model, in points
  double ms = 0;    ///< of one inference at batch 1: modelled, in proportion to the time of the chosen plan
  std::vector<std::string> float_nodes;
  bool chosen = false;
};

/// A sample whose answer the quantization changed most.
struct WorstSample {
  std::string image;
  std::string float_answer;  ///< class name or number with its score, where the model classifies
  std::string int8_answer;
  double sqnr_db = 0;
  std::string thumbnail;  ///< a PNG file's bytes; empty when the sample is no image
};

/// Where the build ran and what it ran on.
struct Environment {
  std::string xinfer;  ///< version
  std::string cpu;     ///< model and instruction set
  std::string gpu;     ///< empty without one
  std::string os;
  int threads = 0;
  std::string date;  ///< UTC, ISO 8601
  std::string calibration_hash;
};

/// Everything above. What was not measured is empty.
struct Quality {
  std::vector<Finding> findings;
  std::vector<OutputQuality> outputs;
  std::vector<LayerQuality> layers;
  std::vector<TensorQuality> tensors;
  DataQuality data;
  std::string metric;  ///< what drop and budget count: "top-1", "top-1 agreement with FP32", "user's metric"
  std::optional<double> float_score, int8_score;  ///< of the metric, in points (0..100 for the built-in ones)
  std::optional<double> budget;                   ///< in points
  std::vector<ParetoPoint> pareto;
  std::vector<WorstSample> worst;
  Environment environment;
};

}  // namespace xinfer::builders
