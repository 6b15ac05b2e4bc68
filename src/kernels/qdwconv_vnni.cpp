// Depthwise convolution through vpdpbusd, 64, 32 or 16 channels at a time. Signed inputs get 128 added, which the
// accumulators' initial value cancels.

#include <immintrin.h>

#include <cstdint>

#include "kernels/qdwconv_kernel.h"
#include "kernels/target.h"

XINFER_TARGET_BEGIN(XINFER_VNNI)
#include "kernels/qdwconv_template.h"

namespace xinfer::kernels {
namespace {

XINFER_INLINE std::uint64_t low_bits(int count) { return count >= 64 ? ~0ULL : (1ULL << count) - 1; }

struct Bytes512 {
  using Reg = __m512i;
  using Real = __m512;
  static constexpr DwVector kVector = kDwVnni512;
  static constexpr int kLanes = 16;
  static XINFER_INLINE Reg load(const void* p) { return _mm512_loadu_si512(p); }
  static XINFER_INLINE void store(void* p, Reg x) { _mm512_storeu_si512(p, x); }
  static XINFER_INLINE Reg load(const void* p, int n) { return _mm512_maskz_loadu_epi8(low_bits(n), p); }
  static XINFER_INLINE void store(void* p, Reg x, int n) { _mm512_mask_storeu_epi8(p, low_bits(n), x); }
  /// Registers hold four channels of each 128 bits in turn; memory gets them in order.
  static XINFER_INLINE void store_natural(std::int32_t* p, const Reg (&a)[4]) {
    const Reg low01 = _mm512_shuffle_i32x4(a[0], a[1], 0x44);
    const Reg low23 = _mm512_shuffle_i32x4(a[2], a[3], 0x44);
    const Reg high01 = _mm512_shuffle_i32x4(a[0], a[1], 0xee);
    const Reg high23 = _mm512_shuffle_i32x4(a[2], a[3], 0xee);
    store(p, _mm512_shuffle_i32x4(low01, low23, 0x88));
    store(p + 16, _mm512_shuffle_i32x4(low01, low23, 0xdd));
    store(p + 32, _mm512_shuffle_i32x4(high01, high23, 0x88));
    store(p + 48, _mm512_shuffle_i32x4(high01, high23, 0xdd));
  }
  static XINFER_INLINE Reg dot(Reg acc, Reg x, Reg w) { return _mm512_dpbusd_epi32(acc, x, w); }
  static XINFER_INLINE Reg fill(std::uint8_t x) { return _mm512_set1_epi8(static_cast<char>(x)); }
  static XINFER_INLINE Reg flip(Reg a, Reg b) { return _mm512_xor_si512(a, b); }
  static XINFER_INLINE Reg low8(Reg a, Reg b) { return _mm512_unpacklo_epi8(a, b); }
  static XINFER_INLINE Reg high8(Reg a, Reg b) { return _mm512_unpackhi_epi8(a, b); }
  static XINFER_INLINE Reg low16(Reg a, Reg b) { return _mm512_unpacklo_epi16(a, b); }
  static XINFER_INLINE Reg high16(Reg a, Reg b) { return _mm512_unpackhi_epi16(a, b); }
  static XINFER_INLINE Reg scale(Reg acc, Real m, Real b, Real high) {
    const Real y = _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc), m, b);
    return _mm512_cvtps_epi32(_mm512_min_ps(y, high));
  }
  static XINFER_INLINE Real load_real(const float* p) { return _mm512_load_ps(p); }
  static XINFER_INLINE Real real(float x) { return _mm512_set1_ps(x); }
  static XINFER_INLINE Reg pack32(Reg a, Reg b) { return _mm512_packs_epi32(a, b); }
  static XINFER_INLINE Reg pack16(Reg a, Reg b) { return _mm512_packs_epi16(a, b); }
  static XINFER_INLINE Reg packu16(Reg a, Reg b) { return _mm512_packus_epi16(a, b); }
  static XINFER_INLINE Reg max8(Reg a, Reg b) { return _mm512_max_epi8(a, b); }
  static XINFER_INLINE Reg maxu8(Reg a, Reg b) { return _mm512_max_epu8(a, b); }
};

struct Bytes256 {
  using Reg = __m256i;
  using Real = __m256;
  static constexpr DwVector kVector = kDwVnni256;
  static constexpr int kLanes = 8;
  static XINFER_INLINE Reg load(const void* p) { return _mm256_loadu_si256(static_cast<const Reg*>(p)); }
  static XINFER_INLINE void store(void* p, Reg x) { _mm256_storeu_si256(static_cast<Reg*>(p), x); }
  static XINFER_INLINE __mmask32 mask(int n) { return static_cast<__mmask32>(low_bits(n)); }
  static XINFER_INLINE Reg load(const void* p, int n) { return _mm256_maskz_loadu_epi8(mask(n), p); }
  static XINFER_INLINE void store(void* p, Reg x, int n) { _mm256_mask_storeu_epi8(p, mask(n), x); }
  static XINFER_INLINE void store_natural(std::int32_t* p, const Reg (&a)[4]) {
    store(p, _mm256_permute2x128_si256(a[0], a[1], 0x20));
    store(p + 8, _mm256_permute2x128_si256(a[2], a[3], 0x20));
    store(p + 16, _mm256_permute2x128_si256(a[0], a[1], 0x31));
    store(p + 24, _mm256_permute2x128_si256(a[2], a[3], 0x31));
  }
  static XINFER_INLINE Reg dot(Reg acc, Reg x, Reg w) { return _mm256_dpbusd_epi32(acc, x, w); }
  static XINFER_INLINE Reg fill(std::uint8_t x) { return _mm256_set1_epi8(static_cast<char>(x)); }
  static XINFER_INLINE Reg flip(Reg a, Reg b) { return _mm256_xor_si256(a, b); }
  static XINFER_INLINE Reg low8(Reg a, Reg b) { return _mm256_unpacklo_epi8(a, b); }
  static XINFER_INLINE Reg high8(Reg a, Reg b) { return _mm256_unpackhi_epi8(a, b); }
  static XINFER_INLINE Reg low16(Reg a, Reg b) { return _mm256_unpacklo_epi16(a, b); }
  static XINFER_INLINE Reg high16(Reg a, Reg b) { return _mm256_unpackhi_epi16(a, b); }
  static XINFER_INLINE Reg scale(Reg acc, Real m, Real b, Real high) {
    const Real y = _mm256_fmadd_ps(_mm256_cvtepi32_ps(acc), m, b);
    return _mm256_cvtps_epi32(_mm256_min_ps(y, high));
  }
  static XINFER_INLINE Real load_real(const float* p) { return _mm256_load_ps(p); }
  static XINFER_INLINE Real real(float x) { return _mm256_set1_ps(x); }
  static XINFER_INLINE Reg pack32(Reg a, Reg b) { return _mm256_packs_epi32(a, b); }
  static XINFER_INLINE Reg pack16(Reg a, Reg b) { return _mm256_packs_epi16(a, b); }
  static XINFER_INLINE Reg packu16(Reg a, Reg b) { return _mm256_packus_epi16(a, b); }
  static XINFER_INLINE Reg max8(Reg a, Reg b) { return _mm256_max_epi8(a, b); }
  static XINFER_INLINE Reg maxu8(Reg a, Reg b) { return _mm256_max_epu8(a, b); }
};

struct Bytes128 {
  using Reg = __m128i;
  using Real = __m128;
  static constexpr DwVector kVector = kDwVnni128;
  static constexpr int kLanes = 4;
  static XINFER_INLINE Reg load(const void* p) { return _mm_loadu_si128(static_cast<const Reg*>(p)); }
  static XINFER_INLINE void store(void* p, Reg x) { _mm_storeu_si128(static_cast<Reg*>(p), x); }
  static XINFER_INLINE __mmask16 mask(int n) { return static_cast<__mmask16>(low_bits(n)); }
  static XINFER_INLINE Reg load(const void* p, int n) { return _mm_maskz_loadu_epi8(mask(n), p); }
  static XINFER_INLINE void store(void* p, Reg x, int n) { _mm_mask_storeu_epi8(p, mask(n), x); }
  static XINFER_INLINE void store_natural(std::int32_t* p, const Reg (&a)[4]) {
    for (int r = 0; r < 4; ++r) store(p + 4 * r, a[r]);
  }
  static XINFER_INLINE Reg dot(Reg acc, Reg x, Reg w) { return _mm_dpbusd_epi32(acc, x, w); }
  static XINFER_INLINE Reg fill(std::uint8_t x) { return _mm_set1_epi8(static_cast<char>(x)); }
  static XINFER_INLINE Reg flip(Reg a, Reg b) { return _mm_xor_si128(a, b); }
  static XINFER_INLINE Reg low8(Reg a, Reg b) { return _mm_unpacklo_epi8(a, b); }
  static XINFER_INLINE Reg high8(Reg a, Reg b) { return _mm_unpackhi_epi8(a, b); }
  static XINFER_INLINE Reg low16(Reg a, Reg b) { return _mm_unpacklo_epi16(a, b); }
  static XINFER_INLINE Reg high16(Reg a, Reg b) { return _mm_unpackhi_epi16(a, b); }
  static XINFER_INLINE Reg scale(Reg acc, Real m, Real b, Real high) {
    const Real y = _mm_fmadd_ps(_mm_cvtepi32_ps(acc), m, b);
    return _mm_cvtps_epi32(_mm_min_ps(y, high));
  }
  static XINFER_INLINE Real load_real(const float* p) { return _mm_load_ps(p); }
  static XINFER_INLINE Real real(float x) { return _mm_set1_ps(x); }
  static XINFER_INLINE Reg pack32(Reg a, Reg b) { return _mm_packs_epi32(a, b); }
  static XINFER_INLINE Reg pack16(Reg a, Reg b) { return _mm_packs_epi16(a, b); }
  static XINFER_INLINE Reg packu16(Reg a, Reg b) { return _mm_packus_epi16(a, b); }
  static XINFER_INLINE Reg max8(Reg a, Reg b) { return _mm_max_epi8(a, b); }
  static XINFER_INLINE Reg maxu8(Reg a, Reg b) { return _mm_max_epu8(a, b); }
};

/// The operations of DwKernel from those of one width.
template <class B>
struct Bytes {
  using Reg = typename B::Reg;
  using Real = typename B::Real;
  static constexpr DwVector kVector = B::kVector;
  static constexpr int kRegs = 4;
  static constexpr int kLanes = B::kLanes;
  static constexpr int kRegBytes = 4 * kLanes;
  static constexpr int kLongStep = 4;

  static XINFER_INLINE Reg load(const void* p) { return B::load(p); }
  static XINFER_INLINE void store_natural(std::int32_t* p, const Reg (&a)[4]) { B::store_natural(p, a); }
  static XINFER_INLINE Reg dot(Reg acc, Reg x, Reg w) { return B::dot(acc, x, w); }
  template <bool kWhole, bool kSigned>
  static XINFER_INLINE void interleave(const std::uint8_t* const* taps, int count, std::uint8_t* out) {
    Reg x[4];
    for (int i = 0; i < 4; ++i) {
      x[i] = kWhole ? B::load(taps[i]) : B::load(taps[i], count);
      if constexpr (kSigned) x[i] = B::flip(x[i], B::fill(0x80));
    }
    const Reg low01 = B::low8(x[0], x[1]);
    const Reg high01 = B::high8(x[0], x[1]);
    const Reg low23 = B::low8(x[2], x[3]);
    const Reg high23 = B::high8(x[2], x[3]);
    B::store(out, B::low16(low01, low23));
    B::store(out + kRegBytes, B::high16(low01, low23));
    B::store(out + 2 * kRegBytes, B::low16(high01, high23));
    B::store(out + 3 * kRegBytes, B::high16(high01, high23));
  }
  struct Consts {
    Real multiplier[4];
    Real bias[4];
    Real high;
    Reg low;
    template <class Clamp>
    XINFER_INLINE explicit Consts(const Clamp& clamp)
        : high(B::real(clamp.high)), low(B::fill(static_cast<std::uint8_t>(clamp.low))) {
      for (int r = 0; r < 4; ++r) {
        multiplier[r] = B::load_real(clamp.multiplier + r * kLanes);
        bias[r] = B::load_real(clamp.bias + r * kLanes);
      }
    }
  };
  template <bool kSigned>
  static XINFER_INLINE void pack(const Reg (&acc)[kRegs], const Consts& c, int count, std::uint8_t* out) {
    Reg y[4];
    for (int r = 0; r < 4; ++r) y[r] = B::scale(acc[r], c.multiplier[r], c.bias[r], c.high);
    const Reg low = B::pack32(y[0], y[1]);
    const Reg high = B::pack32(y[2], y[3]);
    const Reg bytes = kSigned ? B::max8(B::pack16(low, high), c.low) : B::maxu8(B::packu16(low, high), c.low);
    if (count == kVector.channels) {
      B::store(out, bytes);
    } else {
      B::store(out, bytes, count);
    }
  }
};

}  // namespace

void dw_run_vnni(const DwTask& task) {
  switch (task.block.vector.channels) {
    case kDwVnni512.channels:
      return DwKernel<Bytes<Bytes512>>::run(task);
    case kDwVnni256.channels:
      return DwKernel<Bytes<Bytes256>>::run(task);
    default:
      return DwKernel<Bytes<Bytes128>>::run(task);
  }
}

}  // namespace xinfer::kernels
XINFER_TARGET_END
