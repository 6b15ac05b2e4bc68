#pragma once
// Sixteen lanes in one AVX-512 register. Include inside a target region.

namespace xinfer::kernels {

struct LanesAvx512 {
  using F = __m512;
  using I = __m512i;
  using M = __mmask16;

  static XINFER_INLINE __mmask16 mask(Tail t) { return static_cast<__mmask16>((1U << t.n) - 1U); }

  static XINFER_INLINE F set(float x) { return _mm512_set1_ps(x); }
  static XINFER_INLINE F load(const float* p, Full) { return _mm512_loadu_ps(p); }
  static XINFER_INLINE F load(const float* p, Tail t) { return _mm512_maskz_loadu_ps(mask(t), p); }
  static XINFER_INLINE void store(float* p, F x, Full) { _mm512_storeu_ps(p, x); }
  static XINFER_INLINE void store(float* p, F x, Tail t) { _mm512_mask_storeu_ps(p, mask(t), x); }
  static XINFER_INLINE I load_int(const std::int32_t* p, Full) { return _mm512_loadu_si512(p); }
  static XINFER_INLINE I load_int(const std::int32_t* p, Tail t) { return _mm512_maskz_loadu_epi32(mask(t), p); }
  static XINFER_INLINE I load_int(const std::int8_t* p, Full) { return _mm512_cvtepi8_epi32(bytes(p, Full{})); }
  static XINFER_INLINE I load_int(const std::int8_t* p, Tail t) { return _mm512_cvtepi8_epi32(bytes(p, t)); }
  static XINFER_INLINE I load_int(const std::uint8_t* p, Full) { return _mm512_cvtepu8_epi32(bytes(p, Full{})); }
  static XINFER_INLINE I load_int(const std::uint8_t* p, Tail t) { return _mm512_cvtepu8_epi32(bytes(p, t)); }
  template <typename T>
  static XINFER_INLINE void store_int(T* p, I x, Full) {
    if constexpr (sizeof(T) == 4) {
      _mm512_storeu_si512(p, x);
    } else {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(x));
    }
  }
  template <typename T>
  static XINFER_INLINE void store_int(T* p, I x, Tail t) {
    if constexpr (sizeof(T) == 4) {
      _mm512_mask_storeu_epi32(p, mask(t), x);
    } else {
      _mm_mask_storeu_epi8(p, mask(t), _mm512_cvtepi32_epi8(x));
    }
  }
  static XINFER_INLINE F to_float(I x) { return _mm512_cvtepi32_ps(x); }
  static XINFER_INLINE I round_int(F x) { return _mm512_cvtps_epi32(x); }
  static XINFER_INLINE I add_int(I a, I b) { return _mm512_add_epi32(a, b); }
  static XINFER_INLINE I mul_int(I a, I b) { return _mm512_mullo_epi32(a, b); }
  static XINFER_INLINE F power_of_two(I n) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(n, _mm512_set1_epi32(127)), 23));
  }

  static XINFER_INLINE F add(F a, F b) { return _mm512_add_ps(a, b); }
  static XINFER_INLINE F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static XINFER_INLINE F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static XINFER_INLINE F div(F a, F b) { return _mm512_div_ps(a, b); }
  static XINFER_INLINE F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static XINFER_INLINE F min(F a, F b) { return _mm512_min_ps(a, b); }
  static XINFER_INLINE F max(F a, F b) { return _mm512_max_ps(a, b); }
  static XINFER_INLINE F abs(F a) { return _mm512_abs_ps(a); }
  static XINFER_INLINE F with_sign(F a, F b) { return _mm512_or_ps(a, _mm512_and_ps(b, _mm512_set1_ps(-0.0F))); }
  static XINFER_INLINE M less(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
  static XINFER_INLINE M is_nan(F a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
  static XINFER_INLINE F select(M m, F yes, F no) { return _mm512_mask_blend_ps(m, no, yes); }
  static XINFER_INLINE F keep(F x, float fill, Tail t) { return _mm512_mask_blend_ps(mask(t), set(fill), x); }
  static XINFER_INLINE float sum(F a) {
    const __m256 b = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    const __m128 d = _mm_add_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
  }
  static XINFER_INLINE float largest(F a) {
    const __m256 b = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    const __m128 d = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ss(d, _mm_movehdup_ps(d)));
  }

 private:
  static XINFER_INLINE __m128i bytes(const void* p, Full) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static XINFER_INLINE __m128i bytes(const void* p, Tail t) { return _mm_maskz_loadu_epi8(mask(t), p); }
};

}  // namespace xinfer::kernels
