#include "quantize/metrics.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

void check_sizes(std::size_t a, std::size_t b) {
  if (a != b) throw Error(fmt::format("can't compare {} values with {}", a, b));
}

}  // namespace

double sqnr_db(std::span<const float> reference, std::span<const float> test) {
  check_sizes(reference.size(), test.size());
  double signal = 0;
  double noise = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double difference = static_cast<double>(reference[i]) - test[i];
    signal += static_cast<double>(reference[i]) * reference[i];
    noise += difference * difference;
  }
  if (noise == 0) return std::numeric_limits<double>::infinity();
  return 10.0 * std::log10(signal / noise);
}

double sqnr_db(const Tensor& reference, const Tensor& test) {
  return sqnr_db(reference.data<float>(), test.data<float>());
}

double cosine_similarity(std::span<const float> reference, std::span<const float> test) {
  check_sizes(reference.size(), test.size());
  double dot = 0;
  double squares_a = 0;
  double squares_b = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    dot += static_cast<double>(reference[i]) * test[i];
    squares_a += static_cast<double>(reference[i]) * reference[i];
    squares_b += static_cast<double>(test[i]) * test[i];
  }
  if (squares_a == 0 && squares_b == 0) return 1.0;
  if (squares_a == 0 || squares_b == 0) return 0.0;
  return dot / std::sqrt(squares_a) / std::sqrt(squares_b);
}

std::int64_t arg_max(std::span<const float> scores) {
  if (scores.empty()) throw Error("the largest of no scores was asked for");
  std::size_t best = 0;
  for (std::size_t i = 1; i < scores.size(); ++i) {
    if (scores[i] > scores[best] || (std::isnan(scores[best]) && !std::isnan(scores[i]))) best = i;
  }
  return static_cast<std::int64_t>(best);
}

bool within_top_k(std::span<const float> scores, std::int64_t wanted, int k) {
  const auto index = static_cast<std::size_t>(wanted);
  if (index >= scores.size()) throw Error(fmt::format("class {} of {} was asked for", wanted, scores.size()));
  if (std::isnan(scores[index])) return false;
  int better = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    better += scores[i] > scores[index] || (i < index && scores[i] == scores[index]) ? 1 : 0;
  }
  return better < k;
}

Agreement::Agreement(int k) : k_(k) {
  if (k < 1) throw Error(fmt::format("top-{} was asked for", k));
}

void Agreement::add(const Tensor& reference, const Tensor& test) {
  if (reference.shape() != test.shape() || reference.rank() < 2 || reference.numel() == 0) {
    throw Error(
        fmt::format("can't compare the classes of {} and {}", to_string(reference.shape()), to_string(test.shape())),
        "give tensors of one shape (rows, classes)");
  }
  const auto classes = static_cast<std::size_t>(reference.numel() / reference.dim(0));
  for (std::int64_t row = 0; row < reference.dim(0); ++row) {
    const std::size_t begin = static_cast<std::size_t>(row) * classes;
    const std::int64_t wanted = arg_max(reference.data<float>().subspan(begin, classes));
    const auto scores = test.data<float>().subspan(begin, classes);
    ++rows_;
    same_ += arg_max(scores) == wanted ? 1 : 0;
    within_ += within_top_k(scores, wanted, k_) ? 1 : 0;
  }
}

double Agreement::top1() const { return rows_ == 0 ? 0.0 : static_cast<double>(same_) / static_cast<double>(rows_); }
double Agreement::top_k() const { return rows_ == 0 ? 0.0 : static_cast<double>(within_) / static_cast<double>(rows_); }

}  // namespace xinfer::quantize
