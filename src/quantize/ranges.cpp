#include "quantize/ranges.h"

#include <fmt/format.h>

#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

constexpr std::array<std::string_view, 5> kMethodNames = {"auto", "minmax", "percentile", "entropy", "mse"};

}  // namespace

std::string_view name_of(RangeMethod method) { return kMethodNames.at(static_cast<std::size_t>(method)); }

RangeMethod range_method(std::string_view name) {
  for (std::size_t i = 0; i < kMethodNames.size(); ++i) {
    if (kMethodNames[i] == name) return static_cast<RangeMethod>(i);
  }
  throw CalibrationError(fmt::format("'{}' is no calibration method", name),
                         fmt::format("use one of {}", fmt::join(kMethodNames, ", ")));
}

Range TensorRanges::pick(RangeMethod method) const {
  const RangeMethod rule = method == RangeMethod::kAuto ? RangeMethod::kMse : method;
  const std::size_t index = static_cast<std::size_t>(rule) - 1;
  return {signed_thresholds.at(index), unsigned_thresholds.at(index), non_negative()};
}

TensorRanges summarize(const Histogram& histogram, double percentile) {
  TensorRanges result;
  result.count = histogram.count();
  result.zeros = histogram.zeros();
  result.min = histogram.min();
  result.max = histogram.max();
  const auto choose_all = [&](Grid grid) {
    return std::array<float, TensorRanges::kMethods>{choose_min_max(histogram),
                                                     choose_percentile(histogram, percentile),
                                                     choose_entropy(histogram, grid), choose_mse(histogram, grid)};
  };
  result.signed_thresholds = choose_all(Grid::kSigned);
  if (result.non_negative()) result.unsigned_thresholds = choose_all(Grid::kUnsigned);
  return result;
}

float choose_min_max(const Histogram& histogram) { return histogram.abs_max(); }

}  // namespace xinfer::quantize
