#pragma once
// How far the outputs of a quantized model are from those of the float model. All functions are pure and thread-safe.

#include <cstdint>
#include <span>

#include "xinfer/core/tensor.h"

namespace xinfer::quantize {

/// Signal to quantization noise ratio in decibels: 10 log10(sum r^2 / sum (r - t)^2). Infinity when both are equal,
/// -infinity when only the reference is all zero, NaN when a value is NaN. Throws Error when the sizes differ.
double sqnr_db(std::span<const float> reference, std::span<const float> test);
double sqnr_db(const Tensor& reference, const Tensor& test);

/// Cosine of the angle between both; 1 when both are all zero, 0 when one is. Throws Error when the sizes differ.
double cosine_similarity(std::span<const float> reference, std::span<const float> test);

/// Index of the largest value, the first one on a tie; NaN is never the largest. Throws Error when `scores` is empty.
std::int64_t arg_max(std::span<const float> scores);

/// Counts over rows of class scores, (rows, classes); accumulate batch by batch.
class Agreement {
 public:
  /// `k` of top-k, at least 1. Throws Error otherwise.
  explicit Agreement(int k = 5);

  /// Adds rows of equal shape (rows, classes...). Throws Error when the shapes differ or there are no classes.
  void add(const Tensor& reference, const Tensor& test);

  std::int64_t rows() const { return rows_; }
  /// Share of rows where both choose the same class. 0 when there are no rows.
  double top1() const;
  /// Share of rows where the reference's class is among the k best of the test.
  double top_k() const;

 private:
  int k_;
  std::int64_t rows_ = 0;
  std::int64_t same_ = 0;
  std::int64_t within_ = 0;
};

/// True when fewer than k other classes score above class `wanted` (earlier classes win ties). A NaN score for `wanted`
/// is never within.
bool within_top_k(std::span<const float> scores, std::int64_t wanted, int k);

}  // namespace xinfer::quantize
