#include "builders/engine_check.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/engine_file.h"
#include "quantize/metrics.h"

namespace xinfer::builders {
namespace {

using Clock = std::chrono::steady_clock;

double time_once(const runtime::InferenceEngine& engine, const std::vector<Tensor>& inputs,
                 std::vector<Tensor>& outputs) {
  const auto begin = Clock::now();
  engine.infer_into(inputs, outputs);
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Alternates between both engines, so that other load on the machine hits them alike.
SpeedCheck measure_speed(const runtime::InferenceEngine& float_engine, const runtime::InferenceEngine& int8_engine,
                         const std::vector<Tensor>& inputs) {
  constexpr int kMinRounds = 5;
  constexpr int kMaxRounds = 50;
  constexpr std::chrono::milliseconds kBudget(1500);
  std::vector<Tensor> float_outputs = float_engine.infer(inputs);
  std::vector<Tensor> int8_outputs = int8_engine.infer(inputs);
  std::vector<double> float_ms;
  std::vector<double> int8_ms;
  const auto begin = Clock::now();
  for (int round = 0; round < kMaxRounds && (round < kMinRounds || Clock::now() - begin < kBudget); ++round) {
    float_ms.push_back(time_once(float_engine, inputs, float_outputs));
    int8_ms.push_back(time_once(int8_engine, inputs, int8_outputs));
  }
  return {1, median(float_ms), median(int8_ms)};
}

/// Elements along the first axis of an input for one sample; 0 when the input does not depend on the batch.
std::int64_t rows_of_sample(const runtime::InferenceEngine& engine, std::size_t input) {
  const ir::Graph& graph = engine.file().graph;
  const ir::Shape& shape = graph.value(graph.inputs()[input]).shape;
  return shape.is_static() ? 0 : shape[0].value;
}

std::int64_t count_samples(const runtime::InferenceEngine& engine, const std::vector<Tensor>& batch) {
  for (std::size_t k = 0; k < batch.size(); ++k) {
    const std::int64_t rows = rows_of_sample(engine, k);
    if (rows > 0) return batch[k].dim(0) / rows;
  }
  return 1;
}

std::vector<Tensor> take_sample(const runtime::InferenceEngine& engine, const std::vector<Tensor>& batch,
                                std::int64_t index) {
  std::vector<Tensor> sample;
  for (std::size_t k = 0; k < batch.size(); ++k) {
    const std::int64_t rows = rows_of_sample(engine, k);
    sample.push_back(rows == 0 ? batch[k] : batch[k].rows(index * rows, (index + 1) * rows));
  }
  return sample;
}

bool is_class_scores(const Tensor& output) {
  return output.dtype() == DataType::kFloat32 && output.rank() == 2 && output.dim(1) > 1;
}

}  // namespace

CheckResult check_engine(const runtime::InferenceEngine& float_engine, const runtime::InferenceEngine& int8_engine,
                         SampleStream& stream, std::int64_t samples,
                         const std::function<void(std::int64_t)>& progress) {
  CheckResult result;
  double signal = 0;
  double noise = 0;
  quantize::Agreement agreement;
  bool classifier = true;
  while (result.accuracy.samples < samples) {
    const auto batch = stream.next();
    if (!batch) break;
    const std::int64_t take = std::min(count_samples(float_engine, *batch), samples - result.accuracy.samples);
    for (std::int64_t i = 0; i < take; ++i) {
      const std::vector<Tensor> single = take_sample(float_engine, *batch, i);
      const std::vector<Tensor> wanted = float_engine.infer(single);
      const std::vector<Tensor> got = int8_engine.infer(single);
      for (std::size_t o = 0; o < got.size(); ++o) {
        if (got[o].dtype() != DataType::kFloat32) continue;
        const auto a = wanted[o].data<float>();
        const auto b = got[o].data<float>();
        for (std::size_t k = 0; k < a.size(); ++k) {
          const double difference = static_cast<double>(a[k]) - b[k];
          signal += static_cast<double>(a[k]) * a[k];
          noise += difference * difference;
        }
      }
      classifier = classifier && is_class_scores(got.front());
      if (classifier) agreement.add(wanted.front(), got.front());
      if (result.accuracy.samples == 0) result.speed = measure_speed(float_engine, int8_engine, single);
      ++result.accuracy.samples;
      progress(result.accuracy.samples);
    }
  }
  result.accuracy.sqnr_db = noise == 0 ? INFINITY : 10 * std::log10(signal / noise);
  if (classifier && agreement.rows() > 0) result.accuracy.top1_agreement = agreement.top1();
  return result;
}

}  // namespace xinfer::builders
