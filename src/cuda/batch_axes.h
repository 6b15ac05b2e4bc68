#pragma once
// Batches of matrices: what a kernel's z-index runs over.

#include <cstdint>
#include <vector>

#include "cuda/format.h"

namespace xinfer::cuda {

/// BatchAxis of kernels/igemm_args.cuh and kernels/direct.cuh, member for member. Distances are in the unit of the
/// kernel (bytes, or elements).
struct BatchAxis {
  std::uint32_t size = 1;
  std::uint32_t unused = 0;
  std::int64_t a = 0, b = 0;  ///< from one index to the next: 0 where the operand is broadcast
};

/// How many axes kernels take.
inline constexpr std::size_t kMaxBatchAxes = 3;

/// The leading axes of a MatMul of shapes (..., M, K) and (..., K, P), innermost first, neighbours merged where both
/// operands allow it. `a_matrix` and `b_matrix` are the distances between matrices that follow each other.
std::vector<BatchAxis> batch_axes(const Dims& a, const Dims& b, const Dims& out, std::int64_t a_matrix,
                                  std::int64_t b_matrix);

}  // namespace xinfer::cuda
