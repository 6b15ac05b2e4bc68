#include "quantize/tensor_quality.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <mutex>

#include "quantize/metrics.h"
#include "quantize/parallel.h"
#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

using ir::Graph;
using ir::ValueId;

// What a value of the quantized graph is compared with, and where the sums go.
struct Comparison {
  ValueId reference = ir::kNone;  // value of the float graph
  bool written = false;           // counts as the value itself, not as what a Quantize node makes of it
};

// By value of the quantized graph; reference == kNone: not compared.
std::vector<Comparison> comparisons(const Graph& float_graph, const Graph& quantized) {
  std::vector<Comparison> result(quantized.value_count());
  for (std::size_t i = 0; i < result.size(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const ir::Value& value = quantized.value(id);
    if (value.is_constant()) continue;
    const ValueId same = float_graph.find_value(value.name);
    if (same == ir::kNone) continue;
    const ir::Value& reference = float_graph.value(same);
    if (reference.is_constant() || reference.dtype != DataType::kFloat32) continue;
    if (value.dtype != DataType::kFloat32 && !value.quantization) continue;
    if (reference.shape != value.shape) {
      throw Error(fmt::format("value '{}' has the shape {} in the float graph, and {} in the quantized graph",
                              value.name, to_string(reference.shape), to_string(value.shape)));
    }
    result[i] = {same, true};
  }
  for (const ir::NodeId id : quantized.order()) {
    const ir::Node& node = quantized.node(id);
    if (node.op != ir::OpType::kQuantize) continue;
    const Comparison& source = result[static_cast<std::size_t>(node.inputs[0])];
    Comparison& made = result[static_cast<std::size_t>(node.outputs[0])];
    if (source.reference != ir::kNone && made.reference == ir::kNone) made = {source.reference, false};
  }
  return result;
}

template <class T>
std::vector<float> to_reals(const Tensor& tensor, float scale, std::int32_t zero_point) {
  std::vector<float> reals;
  reals.reserve(static_cast<std::size_t>(tensor.numel()));
  for (const T x : tensor.data<T>()) {
    reals.push_back(static_cast<float>(static_cast<std::int64_t>(x) - zero_point) * scale);
  }
  return reals;
}

std::vector<float> dequantized(const ir::Value& value, const Tensor& tensor) {
  const ir::Quantization& q = *value.quantization;
  if (q.per_channel()) throw Error(fmt::format("the activation '{}' has a scale for each channel", value.name));
  const std::int32_t zero_point = q.zero_points.empty() ? 0 : q.zero_points.front();
  switch (tensor.dtype()) {
    case DataType::kInt8:
      return to_reals<std::int8_t>(tensor, q.scale(), zero_point);
    case DataType::kUInt8:
      return to_reals<std::uint8_t>(tensor, q.scale(), zero_point);
    case DataType::kInt32:
      return to_reals<std::int32_t>(tensor, q.scale(), zero_point);
    default:
      throw Error(fmt::format("value '{}' stands for reals, but its type is {}", value.name, name_of(tensor.dtype())));
  }
}

// Natural logarithms of the probabilities that `scores` stand for.
std::vector<double> log_probabilities(std::span<const float> scores, bool are_probabilities) {
  std::vector<double> result(scores.begin(), scores.end());
  if (are_probabilities) {
    // A probability may round to zero; its logarithm must not swamp the mean.
    for (double& p : result) p = std::log(std::max(p, 1e-30));
    return result;
  }
  const double largest = *std::max_element(result.begin(), result.end());
  double sum = 0;
  for (const double x : result) sum += std::exp(x - largest);
  for (double& x : result) x -= largest + std::log(sum);
  return result;
}

double divergence(std::span<const float> reference, std::span<const float> test, bool are_probabilities) {
  const std::vector<double> p = log_probabilities(reference, are_probabilities);
  const std::vector<double> q = log_probabilities(test, are_probabilities);
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) sum += std::exp(p[i]) * (p[i] - q[i]);
  return sum;
}

struct OutputSums {
  ErrorSums error;
  double cosine = 1;
  std::int64_t rows = 0;  // of classes; 0: the output holds no classes
  std::int64_t agreeing = 0;
  double divergence = 0;
};

OutputSums compare_output(const Tensor& reference, const Tensor& test, bool are_probabilities) {
  OutputSums sums;
  const auto a = reference.data<float>();
  const auto b = test.data<float>();
  sums.error.add(a, b);
  sums.cosine = cosine_similarity(a, b);
  if (reference.rank() != 2 || reference.dim(1) < 2) return sums;
  sums.rows = reference.dim(0);
  const auto classes = static_cast<std::size_t>(reference.dim(1));
  for (std::size_t begin = 0; begin < a.size(); begin += classes) {
    sums.agreeing += arg_max(a.subspan(begin, classes)) == arg_max(b.subspan(begin, classes)) ? 1 : 0;
    sums.divergence += divergence(a.subspan(begin, classes), b.subspan(begin, classes), are_probabilities);
  }
  return sums;
}

struct SampleSums {
  std::vector<std::optional<ErrorSums>> written, read;  // by value of the float graph
  std::vector<OutputSums> outputs;                      // of `Measurement::outputs`
};

class Measurement {
 public:
  Measurement(const SampleRunner& float_runner, const SampleRunner& quantized_runner)
      : float_runner_(float_runner),
        quantized_runner_(quantized_runner),
        comparisons_(comparisons(float_runner.graph(), quantized_runner.graph())),
        wanted_(float_runner.graph().value_count(), false) {
    for (const Comparison& c : comparisons_) {
      if (c.reference != ir::kNone) wanted_[static_cast<std::size_t>(c.reference)] = true;
    }
    const Graph& graph = float_runner.graph();
    for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
      if (graph.value(graph.outputs()[i]).dtype == DataType::kFloat32) outputs_.push_back(i);
    }
  }

  SampleSums measure(const Sample& sample) const {
    SampleSums sums;
    std::vector<Tensor> reference(wanted_.size());
    const std::span<const Sample> one(&sample, 1);
    const auto expected = float_runner_.run(one, [&](std::size_t, ValueId id, const Tensor& tensor) {
      if (wanted_[static_cast<std::size_t>(id)]) reference[static_cast<std::size_t>(id)] = tensor.clone();
    });
    sums.written.resize(wanted_.size());
    sums.read.resize(wanted_.size());
    const Graph& quantized = quantized_runner_.graph();
    const auto actual = quantized_runner_.run(one, [&](std::size_t, ValueId id, const Tensor& tensor) {
      const Comparison& comparison = comparisons_[static_cast<std::size_t>(id)];
      if (comparison.reference == ir::kNone) return;
      const auto index = static_cast<std::size_t>(comparison.reference);
      if (reference[index].empty()) return;  // the float network never computed it
      const ir::Value& value = quantized.value(id);
      ErrorSums error;
      if (value.quantization) {
        error.add(reference[index].data<float>(), dequantized(value, tensor));
      } else {
        error.add(reference[index].data<float>(), tensor.data<float>());
      }
      if (comparison.written) sums.written[index] = error;
      if (value.quantization) sums.read[index] = error;
    });
    for (const std::size_t i : outputs_) {
      sums.outputs.push_back(compare_output(expected[0].at(i), actual[0].at(i), is_distribution(i)));
    }
    return sums;
  }

  NetworkQuality total(std::span<const SampleSums> samples) const {
    NetworkQuality result;
    const Graph& graph = float_runner_.graph();
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      if (!samples.front().written[i]) continue;
      ValueQuality& quality = result.values[graph.value(static_cast<ValueId>(i)).name];
      for (const SampleSums& sample : samples) {
        quality.written += *sample.written[i];
        if (!sample.read[i]) continue;
        if (!quality.in_integers) quality.in_integers.emplace();
        *quality.in_integers += *sample.read[i];
      }
    }
    for (std::size_t i = 0; i < outputs_.size(); ++i) result.outputs.push_back(total_of_output(samples, i));
    return result;
  }

 private:
  bool is_distribution(std::size_t output) const {
    const Graph& graph = float_runner_.graph();
    const ir::NodeId producer = graph.value(graph.outputs()[output]).producer;
    return producer != ir::kNone && graph.node(producer).op == ir::OpType::kSoftmax;
  }

  OutputQuality total_of_output(std::span<const SampleSums> samples, std::size_t index) const {
    OutputQuality quality;
    quality.name = float_runner_.graph().output_names()[outputs_[index]];
    std::int64_t rows = 0;
    std::int64_t agreeing = 0;
    double divergence = 0;
    double cosines = 0;
    for (const SampleSums& sample : samples) {
      const OutputSums& sums = sample.outputs[index];
      quality.error += sums.error;
      cosines += sums.cosine;
      if (std::isnan(sums.cosine) || sums.cosine < quality.cosine_min) quality.cosine_min = sums.cosine;
      rows += sums.rows;
      agreeing += sums.agreeing;
      divergence += sums.divergence;
    }
    quality.cosine_mean = cosines / static_cast<double>(samples.size());
    if (rows > 0) {
      quality.top1_agreement = static_cast<double>(agreeing) / static_cast<double>(rows);
      quality.kl_divergence = divergence / static_cast<double>(rows);
    }
    return quality;
  }

  const SampleRunner& float_runner_;
  const SampleRunner& quantized_runner_;
  std::vector<Comparison> comparisons_;  // by value of the quantized graph
  std::vector<bool> wanted_;             // by value of the float graph
  std::vector<std::size_t> outputs_;     // the f32 ones among the graph's outputs
};

}  // namespace

void ErrorSums::add(std::span<const float> reference, std::span<const float> test) {
  if (reference.size() != test.size()) {
    throw Error(fmt::format("can't compare {} values with {}", reference.size(), test.size()));
  }
  // Several sums side by side, since one sum of doubles waits for itself.
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> signals{};
  std::array<double, kLanes> noises{};
  std::size_t i = 0;
  const auto count = [&](std::size_t lane, std::size_t at) {
    const double r = reference[at];
    const double difference = r - test[at];
    signals[lane] += r * r;
    noises[lane] += difference * difference;
  };
  for (; i + kLanes <= reference.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) count(lane, i + lane);
  }
  for (; i < reference.size(); ++i) count(0, i);
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    signal += signals[lane];
    noise += noises[lane];
  }
}

ErrorSums& ErrorSums::operator+=(const ErrorSums& other) {
  signal += other.signal;
  noise += other.noise;
  return *this;
}

double ErrorSums::noise_ratio() const { return noise == 0 ? 0.0 : noise / signal; }

double ErrorSums::sqnr_db() const {
  if (noise == 0) return std::numeric_limits<double>::infinity();
  return 10.0 * std::log10(signal / noise);
}

NetworkQuality measure_quality(const SampleRunner& float_runner, const SampleRunner& quantized_runner,
                               std::span<const Sample> samples, const QualityOptions& options) {
  if (samples.empty()) throw Error("quality was to be measured on no samples");
  const Measurement measurement(float_runner, quantized_runner);
  std::vector<SampleSums> sums(samples.size());
  std::mutex mutex;
  std::size_t done = 0;
  parallel_for(samples.size(), options.threads, [&](std::size_t i) {
    sums[i] = measurement.measure(samples[i]);
    const std::lock_guard lock(mutex);
    ++done;
    if (options.progress) options.progress(done, samples.size());
  });
  return measurement.total(sums);
}

}  // namespace xinfer::quantize
