#include "cuda/batch_axes.h"

namespace xinfer::cuda {

std::vector<BatchAxis> batch_axes(const Dims& a, const Dims& b, const Dims& out, std::int64_t a_matrix,
                                  std::int64_t b_matrix) {
  std::vector<BatchAxis> axes;
  std::int64_t a_step = a_matrix;
  std::int64_t b_step = b_matrix;
  for (std::size_t i = 3; i <= out.size(); ++i) {
    const std::int64_t size = out[out.size() - i];
    const std::int64_t in_a = i <= a.size() ? a[a.size() - i] : 1;
    const std::int64_t in_b = i <= b.size() ? b[b.size() - i] : 1;
    const BatchAxis axis{static_cast<std::uint32_t>(size), 0, in_a == 1 ? 0 : a_step, in_b == 1 ? 0 : b_step};
    a_step *= in_a;
    b_step *= in_b;
    if (size == 1) continue;
    if (!axes.empty() && axis.a == axes.back().a * axes.back().size && axis.b == axes.back().b * axes.back().size) {
      axes.back().size *= axis.size;
    } else {
      axes.push_back(axis);
    }
  }
  return axes;
}

}  // namespace xinfer::cuda
