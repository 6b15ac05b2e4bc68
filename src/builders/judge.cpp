#include "builders/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "builders/class_scores.h"
#include "builders/sample_stream.h"
#include "quantize/batches.h"
#include "quantize/metrics.h"
#include "xinfer/core/errors.h"

namespace xinfer::builders {
namespace {

using quantize::Sample;
using quantize::SampleRunner;
using Outputs = std::vector<Tensor>;

constexpr quantize::SampleLimits kValidationLimits{2048, std::size_t{512} << 20};

std::vector<Sample> cut(const ir::Graph& graph, const std::vector<Tensor>& batch) {
  std::vector<Sample> samples;
  const std::int64_t count = quantize::count_images(graph, batch);
  for (std::int64_t i = 0; i < count; ++i) samples.push_back({quantize::cut_images(graph, batch, i, i + 1), ""});
  return samples;
}

double percent(std::int64_t part, std::size_t whole) {
  return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

class AgreementJudge : public Judge {
 public:
  AgreementJudge(std::vector<Sample> samples, const std::vector<Outputs>& answers) : samples_(std::move(samples)) {
    for (const Outputs& outputs : answers) classes_.push_back(quantize::arg_max(outputs.front().data<float>()));
  }
  std::string metric() const override { return "top-1 agreement with FP32"; }
  double score(const SampleRunner& network) const override {
    const std::vector<Outputs> answers = network.run(samples_);
    std::int64_t same = 0;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      same += quantize::arg_max(answers[i].front().data<float>()) == classes_[i] ? 1 : 0;
    }
    return percent(same, samples_.size());
  }

 private:
  std::vector<Sample> samples_;
  std::vector<std::int64_t> classes_;  ///< what the float network says
};

class CosineJudge : public Judge {
 public:
  CosineJudge(std::vector<Sample> samples, std::vector<Outputs> answers)
      : samples_(std::move(samples)), wanted_(std::move(answers)) {
    for (std::size_t o = 0; o < wanted_.front().size(); ++o) {
      if (wanted_.front()[o].dtype() == DataType::kFloat32) float_outputs_.push_back(o);
    }
    if (float_outputs_.empty()) throw Error("accuracy can't be measured: the model has no f32 output");
  }
  std::string metric() const override { return "cosine with FP32 (x 100)"; }
  double score(const SampleRunner& network) const override {
    const std::vector<Outputs> answers = network.run(samples_);
    double sum = 0;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      for (const std::size_t o : float_outputs_) {
        sum += quantize::cosine_similarity(wanted_[i][o].data<float>(), answers[i][o].data<float>());
      }
    }
    return 100 * sum / static_cast<double>(answers.size() * float_outputs_.size());
  }

 private:
  std::vector<Sample> samples_;
  std::vector<Outputs> wanted_;  ///< the float network's
  std::vector<std::size_t> float_outputs_;
};

// Top-k accuracy on a labelled stream, read anew for each network: it may be far larger than memory.
class LabelJudge : public Judge {
 public:
  LabelJudge(const ir::Graph& graph, std::shared_ptr<INT8Calibrator> data, int k)
      : graph_(graph), data_(std::move(data)), k_(k) {}
  std::string metric() const override { return fmt::format("top-{}", k_); }
  double score(const SampleRunner& network) const override {
    SampleStream stream(graph_, *data_, false);
    std::int64_t right = 0;
    std::size_t total = 0;
    while (const auto batch = stream.next()) {
      const std::vector<Sample> samples = cut(graph_, *batch);
      const std::vector<std::int64_t> labels = data_->labels();
      if (labels.size() != samples.size()) {
        throw CalibrationError(
            fmt::format("the validation data give {} labels for {} samples", labels.size(), samples.size()));
      }
      const std::vector<Outputs> answers = network.run(samples);
      for (std::size_t i = 0; i < answers.size(); ++i) {
        const auto scores = answers[i].front().data<float>();
        if (labels[i] < 0 || labels[i] >= static_cast<std::int64_t>(scores.size())) {
          throw CalibrationError(
              fmt::format("the validation data hold class {}, but the model has {} classes", labels[i], scores.size()),
              "the folder names, sorted, must be the model's classes in order");
        }
        right += quantize::within_top_k(scores, labels[i], k_) ? 1 : 0;
      }
      total += samples.size();
    }
    return percent(right, std::max<std::size_t>(1, total));
  }

 private:
  const ir::Graph& graph_;
  std::shared_ptr<INT8Calibrator> data_;
  int k_;
};

// Joins what the samples of a batch gave, along the first axis; outputs that don't depend on the batch come from the
// first sample.
std::vector<Tensor> join(const ir::Graph& graph, const std::vector<Outputs>& answers) {
  std::vector<Tensor> joined;
  for (std::size_t o = 0; o < graph.outputs().size(); ++o) {
    const ir::Value& value = graph.value(graph.outputs()[o]);
    if (value.shape.is_static()) {
      joined.push_back(answers.front()[o]);
      continue;
    }
    Tensor whole(value.dtype, value.shape.at(static_cast<std::int64_t>(answers.size())));
    std::byte* to = static_cast<std::byte*>(whole.raw());
    for (const Outputs& one : answers) {
      std::memcpy(to, one[o].raw(), one[o].bytes());
      to += one[o].bytes();
    }
    joined.push_back(std::move(whole));
  }
  return joined;
}

class MetricJudge : public Judge {
 public:
  MetricJudge(const ir::Graph& graph, std::string name, Metric metric)
      : graph_(graph), name_(std::move(name)), metric_(std::move(metric)) {}
  std::string metric() const override { return name_; }
  double score(const SampleRunner& network) const override {
    const double score =
        metric_([&](const std::vector<Tensor>& batch) { return join(graph_, network.run(cut(graph_, batch))); });
    if (!std::isfinite(score)) throw Error(fmt::format("the metric '{}' gave {}, which is no score", name_, score));
    return score;
  }

 private:
  const ir::Graph& graph_;
  std::string name_;
  Metric metric_;
};

}  // namespace

std::unique_ptr<Judge> judge_by_samples(std::vector<Sample> samples, const SampleRunner& float_network) {
  if (samples.empty()) throw Error("accuracy can't be measured: there are no samples");
  std::vector<Outputs> answers = float_network.run(samples);
  if (is_class_scores(answers.front().front())) {
    return std::make_unique<AgreementJudge>(std::move(samples), answers);
  }
  return std::make_unique<CosineJudge>(std::move(samples), std::move(answers));
}

std::unique_ptr<Judge> judge_by_data(const ir::Graph& graph, std::shared_ptr<INT8Calibrator> data, int k,
                                     const SampleRunner& float_network) {
  SampleStream stream(graph, *data, true);
  const auto first = stream.next();
  if (!first) throw CalibrationError("the validation data hold no samples");
  if (!data->labels().empty()) {
    const std::vector<Sample> samples = cut(graph, *first);
    if (!is_class_scores(float_network.run(std::span(samples).first(1)).front().front())) {
      throw CalibrationError("the validation data have labels, but the model's first output is no list of class scores",
                             "give a metric of your own (EngineBuilder::with_metric), or images without class folders");
    }
    return std::make_unique<LabelJudge>(graph, std::move(data), k);
  }
  quantize::SampleSet set(graph, kValidationLimits);
  SampleStream again(graph, *data, false);
  while (const auto batch = again.next()) set.add(*batch, again.sample_names());
  return judge_by_samples(set.samples(), float_network);
}

std::unique_ptr<Judge> judge_by_metric(const ir::Graph& graph, std::string name, Metric metric) {
  return std::make_unique<MetricJudge>(graph, std::move(name), std::move(metric));
}

}  // namespace xinfer::builders
