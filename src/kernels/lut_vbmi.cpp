#include <immintrin.h>

#include "kernels/lut.h"
#include "kernels/target.h"

namespace xinfer::kernels {

bool has_vbmi() {
  static const bool vbmi = __builtin_cpu_supports("avx512vbmi") != 0;
  return vbmi;
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi"))) std::int64_t lut_vbmi(const std::uint8_t* input,
                                                                                      std::int64_t count,
                                                                                      const Lut& lut,
                                                                                      std::uint8_t* output) {
  const __m512i t0 = _mm512_loadu_si512(lut.data());
  const __m512i t1 = _mm512_loadu_si512(lut.data() + 64);
  const __m512i t2 = _mm512_loadu_si512(lut.data() + 128);
  const __m512i t3 = _mm512_loadu_si512(lut.data() + 192);
  std::int64_t i = 0;
  for (; i + 64 <= count; i += 64) {
    const __m512i index = _mm512_loadu_si512(input + i);
    const __m512i low = _mm512_permutex2var_epi8(t0, index, t1);
    const __m512i high = _mm512_permutex2var_epi8(t2, index, t3);
    _mm512_storeu_si512(output + i, _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), low, high));
  }
  return i;
}

}  // namespace xinfer::kernels
