// The matrix kernel through pairs of int16 products: 12 pixels by 32 channels.

#include <immintrin.h>

#include <cstdint>

#include "kernels/qgemm_kernel.h"
#include "kernels/target.h"

XINFER_TARGET_BEGIN(XINFER_AVX512)
#include "kernels/qgemm_template.h"

namespace xinfer::kernels {
namespace {

struct GemmWords512 {
  using Reg = __m512i;
  static constexpr int kLanes = 16;
  static constexpr int kMaxRows = 12;
  static XINFER_INLINE Reg load(const void* p) { return _mm512_loadu_si512(p); }
  static XINFER_INLINE void store(void* p, Reg x) { _mm512_storeu_si512(p, x); }
  static XINFER_INLINE Reg broadcast(const void* p) {
    std::int32_t unit;
    __builtin_memcpy(&unit, p, 4);
    return _mm512_set1_epi32(unit);
  }
  static XINFER_INLINE Reg dot(Reg acc, Reg x, Reg w) { return _mm512_add_epi32(acc, _mm512_madd_epi16(x, w)); }
};

}  // namespace

void gemm_avx512(const std::uint8_t* a, std::int64_t lda, const std::int8_t* b, std::int64_t units,
                 const std::int32_t* initial, std::int32_t* c, std::int64_t ldc, std::int64_t rows) {
  GemmTile<GemmWords512>::run(a, lda, b, units, initial, c, ldc, rows);
}

}  // namespace xinfer::kernels
XINFER_TARGET_END
