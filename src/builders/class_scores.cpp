#include "builders/class_scores.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace xinfer::builders {

bool is_class_scores(const Tensor& output) {
  return output.dtype() == DataType::kFloat32 && output.rank() == 2 && output.dim(0) == 1 && output.dim(1) > 1;
}

std::vector<double> probabilities(const Tensor& scores) {
  const std::span<const float> values = scores.data<float>();
  std::vector<double> result(values.begin(), values.end());
  const double sum = std::accumulate(result.begin(), result.end(), 0.0);
  if (std::ranges::min(result) >= 0 && std::abs(sum - 1) < 1e-3) return result;
  const double largest = std::ranges::max(result);
  double total = 0;
  for (double& x : result) total += x = std::exp(x - largest);
  for (double& x : result) x /= total;
  return result;
}

}  // namespace xinfer::builders
