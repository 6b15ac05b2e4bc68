// The matrix kernel for any x86-64: pairs of int16 products with SSE2, one pixel by 8 channels.

#include <emmintrin.h>

#include <cstring>

#include "kernels/qgemm_kernel.h"

namespace xinfer::kernels {

void gemm_baseline(const std::uint8_t* a, std::int64_t lda, const std::int8_t* b, std::int64_t units,
                   const std::int32_t* initial, std::int32_t* c, std::int64_t ldc, std::int64_t rows) {
  for (std::int64_t r = 0; r < rows; ++r) {
    auto* to = reinterpret_cast<__m128i*>(c + r * ldc);
    const auto* start = initial != nullptr ? reinterpret_cast<const __m128i*>(initial) : to;
    __m128i acc0 = _mm_loadu_si128(start);
    __m128i acc1 = _mm_loadu_si128(start + 1);
    const auto* w = reinterpret_cast<const __m128i*>(b);
    for (std::int64_t k = 0; k < units; ++k, w += 2) {
      std::int32_t unit = 0;
      std::memcpy(&unit, a + r * lda + 4 * k, 4);
      const __m128i x = _mm_set1_epi32(unit);
      acc0 = _mm_add_epi32(acc0, _mm_madd_epi16(x, _mm_loadu_si128(w)));
      acc1 = _mm_add_epi32(acc1, _mm_madd_epi16(x, _mm_loadu_si128(w + 1)));
    }
    _mm_storeu_si128(to, acc0);
    _mm_storeu_si128(to + 1, acc1);
  }
}

}  // namespace xinfer::kernels
