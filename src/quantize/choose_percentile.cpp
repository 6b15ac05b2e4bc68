#include <fmt/format.h>

#include <algorithm>

#include "quantize/ranges.h"
#include "xinfer/core/errors.h"

namespace xinfer::quantize {

float choose_percentile(const Histogram& histogram, double percentile) {
  if (!(percentile > 0.0 && percentile <= 100.0)) {
    throw CalibrationError(fmt::format("the calibration percentile is {}", percentile),
                           "give a number above 0 and at most 100, for example 99.99");
  }
  const float largest = histogram.abs_max();
  if (largest == 0.0F) return 0.0F;
  const double share = percentile / 100.0;
  const auto zeros = static_cast<double>(histogram.zeros());
  const auto non_zeros = static_cast<double>(histogram.count()) - zeros;
  double wanted = share * static_cast<double>(histogram.count()) - zeros;  // among the values that are not zero
  if (wanted <= 0.0) wanted = share * non_zeros;
  double below = 0.0;
  for (int i = 0; i < Histogram::kBins; ++i) {
    const auto bin = static_cast<std::size_t>(i);
    const auto here = static_cast<double>(histogram.positive()[bin] + histogram.negative()[bin]);
    if (here > 0.0 && below + here >= wanted) {
      const double edge = (i + (wanted - below) / here) * histogram.bin_width();
      return std::min(static_cast<float>(edge), largest);
    }
    below += here;
  }
  return largest;
}

}  // namespace xinfer::quantize
