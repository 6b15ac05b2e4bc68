#pragma once
// Sixteen lanes on any x86-64.

#include <emmintrin.h>

#include <bit>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/lanes.h"
#include "kernels/target.h"

namespace xinfer::kernels {

struct LanesBaseline {
  struct F {
    alignas(16) float v[16];
  };
  struct I {
    alignas(16) std::int32_t v[16];
  };
  struct M {
    bool v[16];
  };

  template <typename Op>
  static XINFER_INLINE F map(Op op) {
    F r;
    for (int i = 0; i < 16; ++i) r.v[i] = op(i);
    return r;
  }
  template <typename Op>
  static XINFER_INLINE I map_i(Op op) {
    I r;
    for (int i = 0; i < 16; ++i) r.v[i] = op(i);
    return r;
  }
  static int count(Full) { return 16; }
  static int count(Tail t) { return t.n; }

  static F set(float x) {
    return map([&](int) { return x; });
  }
  template <typename W>
  static F load(const float* p, W w) {
    F r{};
    std::memcpy(r.v, p, sizeof(float) * static_cast<std::size_t>(count(w)));
    return r;
  }
  template <typename W>
  static void store(float* p, F x, W w) {
    std::memcpy(p, x.v, sizeof(float) * static_cast<std::size_t>(count(w)));
  }
  template <typename T, typename W>
  static I load_int(const T* p, W w) {
    I r{};
    for (int i = 0; i < count(w); ++i) r.v[i] = p[i];
    return r;
  }
  /// Values must be in T's range.
  template <typename T, typename W>
  static void store_int(T* p, I x, W w) {
    for (int i = 0; i < count(w); ++i) p[i] = static_cast<T>(x.v[i]);
  }
  static F to_float(I x) {
    return map([&](int i) { return static_cast<float>(x.v[i]); });
  }
  static I round_int(F x) {
    I r;
    for (int i = 0; i < 16; i += 4) {
      _mm_store_si128(reinterpret_cast<__m128i*>(r.v + i), _mm_cvtps_epi32(_mm_load_ps(x.v + i)));
    }
    return r;
  }
  static I add_int(I a, I b) {
    return map_i([&](int i) { return a.v[i] + b.v[i]; });
  }
  static I mul_int(I a, I b) {
    return map_i([&](int i) { return a.v[i] * b.v[i]; });
  }
  /// 2^n for n in [-126, 127].
  static F power_of_two(I n) {
    return map([&](int i) { return std::bit_cast<float>((n.v[i] + 127) << 23); });
  }

  static F add(F a, F b) {
    return map([&](int i) { return a.v[i] + b.v[i]; });
  }
  static F sub(F a, F b) {
    return map([&](int i) { return a.v[i] - b.v[i]; });
  }
  static F mul(F a, F b) {
    return map([&](int i) { return a.v[i] * b.v[i]; });
  }
  static F div(F a, F b) {
    return map([&](int i) { return a.v[i] / b.v[i]; });
  }
  static F fma(F a, F b, F c) {
    return map([&](int i) { return fused(a.v[i], b.v[i], c.v[i]); });
  }
  static F min(F a, F b) {
    return map([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  static F max(F a, F b) {
    return map([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  static F abs(F a) {
    return map([&](int i) { return std::fabs(a.v[i]); });
  }
  /// |a| with the sign of b, for a >= 0.
  static F with_sign(F a, F b) {
    return map([&](int i) { return std::copysign(a.v[i], b.v[i]); });
  }
  static M less(F a, F b) {
    M m;
    for (int i = 0; i < 16; ++i) m.v[i] = a.v[i] < b.v[i];
    return m;
  }
  static M is_nan(F a) {
    M m;
    for (int i = 0; i < 16; ++i) m.v[i] = a.v[i] != a.v[i];
    return m;
  }
  static F select(M m, F yes, F no) {
    return map([&](int i) { return m.v[i] ? yes.v[i] : no.v[i]; });
  }
  static F keep(F x, float fill, Tail t) {
    return map([&](int i) { return i < t.n ? x.v[i] : fill; });
  }
  static float sum(F a) {
    for (int half = 8; half >= 1; half /= 2) {
      for (int i = 0; i < half; ++i) a.v[i] += a.v[i + half];
    }
    return a.v[0];
  }
  static float largest(F a) {
    for (int half = 8; half >= 1; half /= 2) {
      for (int i = 0; i < half; ++i) a.v[i] = a.v[i] > a.v[i + half] ? a.v[i] : a.v[i + half];
    }
    return a.v[0];
  }

 private:
  /// Exactly fma(a, b, c): the product is exact in double, so the sum is rounded twice wrongly only when its double
  /// lies on a midpoint of floats, or below the normal floats.
  static float fused(float a, float b, float c) {
    const double sum = static_cast<double>(a) * b + c;
    const bool midpoint = (std::bit_cast<std::uint64_t>(sum) & 0x1fffffffU) == 0x10000000U;
    if (midpoint || (sum != 0.0 && std::fabs(sum) < static_cast<double>(FLT_MIN))) {
      return std::fma(a, b, c);
    }
    return static_cast<float>(sum);
  }
};

}  // namespace xinfer::kernels
