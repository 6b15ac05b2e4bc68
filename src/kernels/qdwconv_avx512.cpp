// Depthwise convolution through pairs of int16 products, 32 channels at a time.

#include <immintrin.h>

#include <cstdint>

#include "kernels/qdwconv_kernel.h"
#include "kernels/target.h"

XINFER_TARGET_BEGIN(XINFER_AVX512)
#include "kernels/qdwconv_template.h"

namespace xinfer::kernels {
namespace {

struct Words512 {
  using Reg = __m512i;
  static constexpr DwVector kVector = kDwWords512;
  static constexpr int kRegs = 2;
  static constexpr int kLanes = 16;
  static constexpr int kRegBytes = 64;
  static constexpr int kLongStep = 4;

  static XINFER_INLINE Reg load(const void* p) { return _mm512_loadu_si512(p); }
  static XINFER_INLINE void store(void* p, Reg x) { _mm512_storeu_si512(p, x); }
  /// Registers hold four channels of each 128 bits in turn; memory gets them in order.
  static XINFER_INLINE void store_natural(std::int32_t* p, const Reg (&a)[2]) {
    const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i high = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    store(p, _mm512_permutex2var_epi64(a[0], low, a[1]));
    store(p + 16, _mm512_permutex2var_epi64(a[0], high, a[1]));
  }
  static XINFER_INLINE Reg dot(Reg acc, Reg x, Reg w) { return _mm512_add_epi32(acc, _mm512_madd_epi16(x, w)); }

  static XINFER_INLINE __mmask32 mask(int count) { return static_cast<__mmask32>((std::uint64_t{1} << count) - 1); }
  template <bool kWhole, bool kSigned>
  static XINFER_INLINE void interleave(const std::uint8_t* const* taps, int count, void* out) {
    const __m256i b0 = _mm256_maskz_loadu_epi8(mask(kWhole ? 32 : count), taps[0]);
    const __m256i b1 = _mm256_maskz_loadu_epi8(mask(kWhole ? 32 : count), taps[1]);
    const Reg x0 = kSigned ? _mm512_cvtepi8_epi16(b0) : _mm512_cvtepu8_epi16(b0);
    const Reg x1 = kSigned ? _mm512_cvtepi8_epi16(b1) : _mm512_cvtepu8_epi16(b1);
    store(out, _mm512_unpacklo_epi16(x0, x1));
    store(static_cast<std::uint8_t*>(out) + kRegBytes, _mm512_unpackhi_epi16(x0, x1));
  }
  struct Consts {
    __m512 multiplier[2];
    __m512 bias[2];
    __m512 high;
    Reg low;
    template <class Clamp>
    XINFER_INLINE explicit Consts(const Clamp& clamp)
        : multiplier{_mm512_load_ps(clamp.multiplier), _mm512_load_ps(clamp.multiplier + kLanes)},
          bias{_mm512_load_ps(clamp.bias), _mm512_load_ps(clamp.bias + kLanes)},
          high(_mm512_set1_ps(clamp.high)),
          low(_mm512_set1_epi16(static_cast<short>(clamp.low))) {}
  };
  static XINFER_INLINE Reg scale(Reg acc, const Consts& c, int r) {
    const __m512 y = _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc), c.multiplier[r], c.bias[r]);
    return _mm512_cvtps_epi32(_mm512_min_ps(y, c.high));
  }
  template <bool kSigned>
  static XINFER_INLINE void pack(const Reg (&acc)[kRegs], const Consts& c, int count, std::uint8_t* out) {
    Reg words = _mm512_packs_epi32(scale(acc[0], c, 0), scale(acc[1], c, 1));
    words = _mm512_max_epi16(words, c.low);
    const __m256i bytes = kSigned ? _mm512_cvtsepi16_epi8(words) : _mm512_cvtusepi16_epi8(words);
    _mm256_mask_storeu_epi8(out, mask(count), bytes);
  }
};

}  // namespace

void dw_run_avx512(const DwTask& task) { DwKernel<Words512>::run(task); }

}  // namespace xinfer::kernels
XINFER_TARGET_END
