#include "cpu/small_gemm.h"

#include <immintrin.h>

#include <algorithm>
#include <dnnl.hpp>

namespace xinfer::cpu {
namespace {

constexpr std::int64_t kLanes = 16;

/// Strided operands of one product.
struct Product {
  std::int64_t depth;
  float alpha;
  const float* a;
  std::int64_t a_stride;
  const float* b;
  std::int64_t b_stride;
  float* c;
  std::int64_t c_stride;
};

/// kRows x (16 * kVectors) results held in registers; the last vector is cut by `mask`.
template <int kRows, int kVectors>
__attribute__((target("avx512f"), always_inline)) inline void tile(const Product& p, std::int64_t row,
                                                                   std::int64_t column, __mmask16 mask) {
  __m512 sums[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) sums[r][v] = _mm512_setzero_ps();
  }
  const float* a = p.a + row * p.a_stride;
  const float* b = p.b + column;
  for (std::int64_t k = 0; k < p.depth; ++k, b += p.b_stride) {
    __m512 right[kVectors];
    for (int v = 0; v + 1 < kVectors; ++v) right[v] = _mm512_loadu_ps(b + v * kLanes);
    right[kVectors - 1] = _mm512_maskz_loadu_ps(mask, b + (kVectors - 1) * kLanes);
    for (int r = 0; r < kRows; ++r) {
      const __m512 left = _mm512_set1_ps(a[r * p.a_stride + k]);
      for (int v = 0; v < kVectors; ++v) sums[r][v] = _mm512_fmadd_ps(left, right[v], sums[r][v]);
    }
  }
  const __m512 alpha = _mm512_set1_ps(p.alpha);
  for (int r = 0; r < kRows; ++r) {
    float* c = p.c + (row + r) * p.c_stride + column;
    for (int v = 0; v + 1 < kVectors; ++v) _mm512_storeu_ps(c + v * kLanes, _mm512_mul_ps(sums[r][v], alpha));
    _mm512_mask_storeu_ps(c + (kVectors - 1) * kLanes, mask, _mm512_mul_ps(sums[r][kVectors - 1], alpha));
  }
}

template <int kRows, int kVectors>
__attribute__((target("avx512f"))) void columns_of(const Product& p, std::int64_t rows, std::int64_t column,
                                                   __mmask16 mask) {
  std::int64_t row = 0;
  for (; row + kRows <= rows; row += kRows) tile<kRows, kVectors>(p, row, column, mask);
  // A few rows at a time to the end: a single one leaves the multipliers waiting for each other.
  for (; row + 4 <= rows; row += 4) tile<4, kVectors>(p, row, column, mask);
  for (; row + 2 <= rows; row += 2) tile<2, kVectors>(p, row, column, mask);
  for (; row < rows; ++row) tile<1, kVectors>(p, row, column, mask);
}

__attribute__((target("avx512f"))) void gemm_avx512(const Product& p, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t column = 0; column < columns; column += 4 * kLanes) {
    const std::int64_t width = std::min<std::int64_t>(4 * kLanes, columns - column);
    const std::int64_t tail = width % kLanes;
    const auto mask = static_cast<__mmask16>(tail == 0 ? 0xFFFF : (1 << tail) - 1);
    switch ((width + kLanes - 1) / kLanes) {
      case 1:
        columns_of<12, 1>(p, rows, column, mask);
        break;
      case 2:
        columns_of<8, 2>(p, rows, column, mask);
        break;
      case 3:
        columns_of<6, 3>(p, rows, column, mask);
        break;
      default:
        columns_of<6, 4>(p, rows, column, mask);
    }
  }
}

}  // namespace

void small_gemm(std::int64_t rows, std::int64_t columns, std::int64_t depth, float alpha, const float* a,
                std::int64_t a_stride, const float* b, std::int64_t b_stride, float* c, std::int64_t c_stride,
                kernels::Isa isa) {
  if (isa >= kernels::Isa::kAvx512) {
    gemm_avx512({depth, alpha, a, a_stride, b, b_stride, c, c_stride}, rows, columns);
  } else {
    dnnl::sgemm('N', 'N', rows, columns, depth, alpha, a, a_stride, b, b_stride, 0.0F, c, c_stride);
  }
}

void small_transpose(std::int64_t rows, std::int64_t columns, const float* from, std::int64_t from_stride, float* to) {
  const std::int64_t whole_rows = rows / 4 * 4, whole_columns = columns / 4 * 4;
  for (std::int64_t r = 0; r < whole_rows; r += 4) {
    for (std::int64_t c = 0; c < whole_columns; c += 4) {
      const float* source = from + r * from_stride + c;
      __m128 a = _mm_loadu_ps(source), b = _mm_loadu_ps(source + from_stride);
      __m128 d = _mm_loadu_ps(source + 2 * from_stride), e = _mm_loadu_ps(source + 3 * from_stride);
      _MM_TRANSPOSE4_PS(a, b, d, e);
      float* target = to + c * rows + r;
      _mm_storeu_ps(target, a);
      _mm_storeu_ps(target + rows, b);
      _mm_storeu_ps(target + 2 * rows, d);
      _mm_storeu_ps(target + 3 * rows, e);
    }
    for (std::int64_t c = whole_columns; c < columns; ++c) {
      for (std::int64_t i = r; i < r + 4; ++i) to[c * rows + i] = from[i * from_stride + c];
    }
  }
  for (std::int64_t r = whole_rows; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) to[c * rows + r] = from[r * from_stride + c];
  }
}

}  // namespace xinfer::cpu
