#pragma once
// Tensor quality: how much noise quantization adds to every value of a network, and to its outputs.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "quantize/sample_runner.h"

namespace xinfer::quantize {

/// Power of a signal and of the error in it, summed over elements.
struct ErrorSums {
  double signal = 0;
  double noise = 0;

  /// Adds the elements of `reference`, and what `test` differs from them. Throws Error when the sizes differ.
  void add(std::span<const float> reference, std::span<const float> test);
  ErrorSums& operator+=(const ErrorSums& other);
  /// noise / signal: 0 without noise, infinity when only the signal is missing.
  double noise_ratio() const;
  /// 10 log10(signal / noise), as sqnr_db() of metrics.h.
  double sqnr_db() const;
  bool operator==(const ErrorSums&) const = default;
};

struct ValueQuality {
  ErrorSums written;  ///< as the quantized network computes the value; integers times their scale
  /// As INT8 layers read it: what a Quantize node makes of it, or `written` where it is computed in integers. Empty
  /// where nothing reads it in integers.
  std::optional<ErrorSums> in_integers;
};

struct OutputQuality {
  std::string name;  ///< as the outside sees it
  ErrorSums error;
  double cosine_mean = 1;  ///< over the samples, each as one vector
  double cosine_min = 1;
  /// For outputs (rows, classes) with more than one class: the share of rows where both choose the same class, and the
  /// mean Kullback-Leibler divergence of the quantized network's distribution from the float network's, in nats. Scores
  /// become distributions by softmax, unless a Softmax node computed them.
  std::optional<double> top1_agreement;
  std::optional<double> kl_divergence;
};

struct NetworkQuality {
  std::map<std::string, ValueQuality> values;  ///< by name in the float graph; values that both graphs have
  std::vector<OutputQuality> outputs;          ///< the f32 ones, in graph order
};

struct QualityOptions {
  int threads = 0;  ///< samples at a time; 0: one a core
  /// Called with (samples done, samples), from one thread at a time; what it throws ends the measurement.
  std::function<void(std::size_t, std::size_t)> progress;
};

/// Runs both graphs on `samples` and compares every f32 value of the float graph with the value of the same name in the
/// quantized graph, be that f32 or integers with a Quantization. The float graph is the one that was quantized: after
/// rewrites that rescale channels, the rewritten one.
///
/// Sums are taken sample by sample and added in the order of the samples, so that the result depends neither on threads
/// nor on anything but the samples. Memory: all f32 values of one sample for each thread. Throws Error when there are
/// no samples or two values of a name have different shapes; UnsupportedError as cpu::compile does. Thread-safe.
NetworkQuality measure_quality(const SampleRunner& float_runner, const SampleRunner& quantized_runner,
                               std::span<const Sample> samples, const QualityOptions& options = {});

}  // namespace xinfer::quantize
