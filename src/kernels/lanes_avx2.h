#pragma once
// Sixteen lanes in two AVX2 registers. Include inside a target region.

namespace xinfer::kernels {

struct LanesAvx2 {
  struct F {
    __m256 a, b;
  };
  struct I {
    __m256i a, b;
  };
  using M = F;

  static XINFER_INLINE F set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static XINFER_INLINE F load(const float* p, Full) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static XINFER_INLINE F load(const float* p, Tail t) {
    const I m = mask(t);
    return {_mm256_maskload_ps(p, m.a), _mm256_maskload_ps(p + 8, m.b)};
  }
  static XINFER_INLINE void store(float* p, F x, Full) {
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
  }
  static XINFER_INLINE void store(float* p, F x, Tail t) {
    const I m = mask(t);
    _mm256_maskstore_ps(p, m.a, x.a);
    _mm256_maskstore_ps(p + 8, m.b, x.b);
  }
  static XINFER_INLINE I load_int(const std::int32_t* p, Full) { return {load256(p), load256(p + 8)}; }
  static XINFER_INLINE I load_int(const std::int32_t* p, Tail t) {
    const I m = mask(t);
    return {_mm256_maskload_epi32(p, m.a), _mm256_maskload_epi32(p + 8, m.b)};
  }
  template <typename W>
  static XINFER_INLINE I load_int(const std::int8_t* p, W w) {
    const __m128i x = bytes(p, w);
    return {_mm256_cvtepi8_epi32(x), _mm256_cvtepi8_epi32(_mm_srli_si128(x, 8))};
  }
  template <typename W>
  static XINFER_INLINE I load_int(const std::uint8_t* p, W w) {
    const __m128i x = bytes(p, w);
    return {_mm256_cvtepu8_epi32(x), _mm256_cvtepu8_epi32(_mm_srli_si128(x, 8))};
  }
  static XINFER_INLINE void store_int(std::int32_t* p, I x, Full) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.a);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), x.b);
  }
  static XINFER_INLINE void store_int(std::int32_t* p, I x, Tail t) {
    const I m = mask(t);
    _mm256_maskstore_epi32(p, m.a, x.a);
    _mm256_maskstore_epi32(p + 8, m.b, x.b);
  }
  static XINFER_INLINE void store_int(std::int8_t* p, I x, Full) { _mm_storeu_si128(as_bytes(p), narrow<true>(x)); }
  static XINFER_INLINE void store_int(std::uint8_t* p, I x, Full) { _mm_storeu_si128(as_bytes(p), narrow<false>(x)); }
  static XINFER_INLINE void store_int(std::int8_t* p, I x, Tail t) { store_bytes(p, narrow<true>(x), t); }
  static XINFER_INLINE void store_int(std::uint8_t* p, I x, Tail t) { store_bytes(p, narrow<false>(x), t); }
  static XINFER_INLINE F to_float(I x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
  static XINFER_INLINE I round_int(F x) { return {_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)}; }
  static XINFER_INLINE I add_int(I x, I y) { return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)}; }
  static XINFER_INLINE I mul_int(I x, I y) { return {_mm256_mullo_epi32(x.a, y.a), _mm256_mullo_epi32(x.b, y.b)}; }
  static XINFER_INLINE F power_of_two(I n) { return {power(n.a), power(n.b)}; }

  static XINFER_INLINE F add(F x, F y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
  static XINFER_INLINE F sub(F x, F y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
  static XINFER_INLINE F mul(F x, F y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
  static XINFER_INLINE F div(F x, F y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
  static XINFER_INLINE F fma(F x, F y, F z) { return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }
  static XINFER_INLINE F min(F x, F y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
  static XINFER_INLINE F max(F x, F y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
  static XINFER_INLINE F abs(F x) {
    const __m256 sign = _mm256_set1_ps(-0.0F);
    return {_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b)};
  }
  static XINFER_INLINE F with_sign(F x, F y) {
    const __m256 sign = _mm256_set1_ps(-0.0F);
    return {_mm256_or_ps(x.a, _mm256_and_ps(y.a, sign)), _mm256_or_ps(x.b, _mm256_and_ps(y.b, sign))};
  }
  static XINFER_INLINE M less(F x, F y) {
    return {_mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ)};
  }
  static XINFER_INLINE M is_nan(F x) {
    return {_mm256_cmp_ps(x.a, x.a, _CMP_UNORD_Q), _mm256_cmp_ps(x.b, x.b, _CMP_UNORD_Q)};
  }
  static XINFER_INLINE F select(M m, F yes, F no) {
    return {_mm256_blendv_ps(no.a, yes.a, m.a), _mm256_blendv_ps(no.b, yes.b, m.b)};
  }
  static XINFER_INLINE F keep(F x, float fill, Tail t) {
    const I m = mask(t);
    return select({_mm256_castsi256_ps(m.a), _mm256_castsi256_ps(m.b)}, x, set(fill));
  }
  static XINFER_INLINE float sum(F x) {
    const __m256 b = _mm256_add_ps(x.a, x.b);
    const __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    const __m128 d = _mm_add_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
  }
  static XINFER_INLINE float largest(F x) {
    const __m256 b = _mm256_max_ps(x.a, x.b);
    const __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    const __m128 d = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ss(d, _mm_movehdup_ps(d)));
  }

 private:
  static XINFER_INLINE __m256i load256(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static XINFER_INLINE __m128i* as_bytes(void* p) { return static_cast<__m128i*>(p); }
  static XINFER_INLINE I mask(Tail t) {
    const __m256i low = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return {_mm256_cmpgt_epi32(_mm256_set1_epi32(t.n), low), _mm256_cmpgt_epi32(_mm256_set1_epi32(t.n - 8), low)};
  }
  static XINFER_INLINE __m256 power(__m256i n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
  }
  static XINFER_INLINE __m128i bytes(const void* p, Full) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static XINFER_INLINE __m128i bytes(const void* p, Tail t) {
    alignas(16) std::uint8_t buffer[16] = {};
    for (int i = 0; i < t.n; ++i) buffer[i] = static_cast<const std::uint8_t*>(p)[i];
    return _mm_load_si128(reinterpret_cast<const __m128i*>(buffer));
  }
  static XINFER_INLINE void store_bytes(void* p, __m128i x, Tail t) {
    alignas(16) std::uint8_t buffer[16];
    _mm_store_si128(reinterpret_cast<__m128i*>(buffer), x);
    for (int i = 0; i < t.n; ++i) static_cast<std::uint8_t*>(p)[i] = buffer[i];
  }
  template <bool kSigned>
  static XINFER_INLINE __m128i narrow(I x) {
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), 0xd8);
    const __m128i low = _mm256_castsi256_si128(words);
    const __m128i high = _mm256_extracti128_si256(words, 1);
    return kSigned ? _mm_packs_epi16(low, high) : _mm_packus_epi16(low, high);
  }
};

}  // namespace xinfer::kernels
