#pragma once
// The matrix kernel in registers, as a template over the vector operations. Include inside a target region.
//
// V has: Reg, kLanes, kMaxRows; load(), store(), broadcast() of one unit, dot().

#include "kernels/qgemm_kernel.h"

namespace xinfer::kernels {

template <class V>
struct GemmTile {
  using Reg = typename V::Reg;

  template <int kRows>
  static XINFER_INLINE void tile(const std::uint8_t* a, std::int64_t lda, const std::int8_t* b, std::int64_t units,
                                 const std::int32_t* initial, std::int32_t* c, std::int64_t ldc) {
    Reg acc[kRows][2];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const std::int32_t* start = initial != nullptr ? initial : c + r * ldc;
      acc[r][0] = V::load(start);
      acc[r][1] = V::load(start + V::kLanes);
    }
    for (std::int64_t k = 0; k < units; ++k) {
      const Reg b0 = V::load(b);
      const Reg b1 = V::load(b + 4 * V::kLanes);
      b += 8 * V::kLanes;
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const Reg x = V::broadcast(a + r * lda + 4 * k);
        acc[r][0] = V::dot(acc[r][0], x, b0);
        acc[r][1] = V::dot(acc[r][1], x, b1);
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      V::store(c + r * ldc, acc[r][0]);
      V::store(c + r * ldc + V::kLanes, acc[r][1]);
    }
  }

  static XINFER_INLINE void run(const std::uint8_t* a, std::int64_t lda, const std::int8_t* b, std::int64_t units,
                                const std::int32_t* initial, std::int32_t* c, std::int64_t ldc, std::int64_t rows) {
    std::int64_t r = 0;
    for (; r + V::kMaxRows <= rows; r += V::kMaxRows) {
      tile<V::kMaxRows>(a + r * lda, lda, b, units, initial, c + r * ldc, ldc);
    }
    for (; r + V::kMaxRows / 3 <= rows; r += V::kMaxRows / 3) {
      tile<V::kMaxRows / 3>(a + r * lda, lda, b, units, initial, c + r * ldc, ldc);
    }
    for (; r < rows; ++r) {
      tile<1>(a + r * lda, lda, b, units, initial, c + r * ldc, ldc);
    }
  }
};

}  // namespace xinfer::kernels
