// The matrix kernel through pairs of int16 products: 6 pixels by 16 channels.

#include <immintrin.h>

#include <cstdint>

#include "kernels/qgemm_kernel.h"
#include "kernels/target.h"

XINFER_TARGET_BEGIN(XINFER_AVX2)
#include "kernels/qgemm_template.h"

namespace xinfer::kernels {
namespace {

struct GemmWords256 {
  using Reg = __m256i;
  static constexpr int kLanes = 8;
  static constexpr int kMaxRows = 6;
  static XINFER_INLINE Reg load(const void* p) { return _mm256_loadu_si256(static_cast<const Reg*>(p)); }
  static XINFER_INLINE void store(void* p, Reg x) { _mm256_storeu_si256(static_cast<Reg*>(p), x); }
  static XINFER_INLINE Reg broadcast(const void* p) {
    std::int32_t unit;
    __builtin_memcpy(&unit, p, 4);
    return _mm256_set1_epi32(unit);
  }
  static XINFER_INLINE Reg dot(Reg acc, Reg x, Reg w) { return _mm256_add_epi32(acc, _mm256_madd_epi16(x, w)); }
};

}  // namespace

void gemm_avx2(const std::uint8_t* a, std::int64_t lda, const std::int8_t* b, std::int64_t units,
               const std::int32_t* initial, std::int32_t* c, std::int64_t ldc, std::int64_t rows) {
  GemmTile<GemmWords256>::run(a, lda, b, units, initial, c, ldc, rows);
}

}  // namespace xinfer::kernels
XINFER_TARGET_END
