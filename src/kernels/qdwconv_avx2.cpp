// Depthwise convolution through pairs of int16 products, 16 channels at a time.

#include <immintrin.h>

#include <cstdint>

#include "kernels/qdwconv_kernel.h"
#include "kernels/target.h"

XINFER_TARGET_BEGIN(XINFER_AVX2)
#include "kernels/qdwconv_template.h"

namespace xinfer::kernels {
namespace {

struct Words256 {
  using Reg = __m256i;
  static constexpr DwVector kVector = kDwWords256;
  static constexpr int kRegs = 2;
  static constexpr int kLanes = 8;
  static constexpr int kRegBytes = 32;
  static constexpr int kLongStep = 4;

  static XINFER_INLINE Reg load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static XINFER_INLINE void store(void* p, Reg x) { _mm256_storeu_si256(static_cast<__m256i*>(p), x); }
  /// Registers hold four channels of each 128 bits in turn; memory gets them in order.
  static XINFER_INLINE void store_natural(std::int32_t* p, const Reg (&a)[2]) {
    store(p, _mm256_permute2x128_si256(a[0], a[1], 0x20));
    store(p + 8, _mm256_permute2x128_si256(a[0], a[1], 0x31));
  }
  static XINFER_INLINE Reg dot(Reg acc, Reg x, Reg w) { return _mm256_add_epi32(acc, _mm256_madd_epi16(x, w)); }

  static XINFER_INLINE __m128i load_bytes(const void* p, int count) {
    if (count == 16) return _mm_loadu_si128(static_cast<const __m128i*>(p));
    if (count == 8) return _mm_loadl_epi64(static_cast<const __m128i*>(p));
    alignas(16) std::uint8_t buffer[16] = {};
    for (int i = 0; i < count; ++i) buffer[i] = static_cast<const std::uint8_t*>(p)[i];
    return _mm_load_si128(reinterpret_cast<const __m128i*>(buffer));
  }
  template <bool kWhole, bool kSigned>
  static XINFER_INLINE void interleave(const std::uint8_t* const* taps, int count, void* out) {
    const __m128i b0 = load_bytes(taps[0], kWhole ? 16 : count);
    const __m128i b1 = load_bytes(taps[1], kWhole ? 16 : count);
    const Reg x0 = kSigned ? _mm256_cvtepi8_epi16(b0) : _mm256_cvtepu8_epi16(b0);
    const Reg x1 = kSigned ? _mm256_cvtepi8_epi16(b1) : _mm256_cvtepu8_epi16(b1);
    auto* to = static_cast<__m256i*>(out);
    _mm256_storeu_si256(to, _mm256_unpacklo_epi16(x0, x1));
    _mm256_storeu_si256(to + 1, _mm256_unpackhi_epi16(x0, x1));
  }
  struct Consts {
    __m256 multiplier[2];
    __m256 bias[2];
    __m256 high;
    Reg low;
    template <class Clamp>
    XINFER_INLINE explicit Consts(const Clamp& clamp)
        : multiplier{_mm256_load_ps(clamp.multiplier), _mm256_load_ps(clamp.multiplier + kLanes)},
          bias{_mm256_load_ps(clamp.bias), _mm256_load_ps(clamp.bias + kLanes)},
          high(_mm256_set1_ps(clamp.high)),
          low(_mm256_set1_epi16(static_cast<short>(clamp.low))) {}
  };
  static XINFER_INLINE Reg scale(Reg acc, const Consts& c, int r) {
    const __m256 y = _mm256_fmadd_ps(_mm256_cvtepi32_ps(acc), c.multiplier[r], c.bias[r]);
    return _mm256_cvtps_epi32(_mm256_min_ps(y, c.high));
  }
  template <bool kSigned>
  static XINFER_INLINE void pack(const Reg (&acc)[kRegs], const Consts& c, int count, std::uint8_t* out) {
    Reg words = _mm256_packs_epi32(scale(acc[0], c, 0), scale(acc[1], c, 1));
    words = _mm256_max_epi16(words, c.low);
    words = kSigned ? _mm256_packs_epi16(words, words) : _mm256_packus_epi16(words, words);
    const __m128i bytes = _mm256_castsi256_si128(_mm256_permute4x64_epi64(words, 0x08));
    if (count == 16) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
    } else if (count == 8) {
      _mm_storel_epi64(reinterpret_cast<__m128i*>(out), bytes);
    } else {
      alignas(16) std::uint8_t buffer[16];
      _mm_store_si128(reinterpret_cast<__m128i*>(buffer), bytes);
      for (int i = 0; i < count; ++i) out[i] = buffer[i];
    }
  }
};

}  // namespace

void dw_run_avx2(const DwTask& task) { DwKernel<Words256>::run(task); }

}  // namespace xinfer::kernels
XINFER_TARGET_END
