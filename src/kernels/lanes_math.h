#pragma once
// Elementary functions over sixteen lanes. Include inside a target region.
//
// Polynomials were fitted by interpolation at Chebyshev nodes in 40-digit arithmetic; the errors named are of the
// polynomials alone, relative, and lie below the rounding of float32.

#include "kernels/requant.h"

namespace xinfer::kernels {

/// Horner's rule, coefficients from the constant upwards.
template <class S, int kCount>
XINFER_INLINE typename S::F polynomial(typename S::F x, const float (&c)[kCount]) {
  typename S::F y = S::set(c[kCount - 1]);
  for (int i = kCount - 2; i >= 0; --i) {
    y = S::fma(y, x, S::set(c[i]));
  }
  return y;
}

/// exp(x) by x = n ln2 + r, in two factors of a power of two so that results below the normal floats round once.
template <class S>
XINFER_INLINE typename S::F exp(typename S::F x) {
  using F = typename S::F;
  x = S::max(S::set(-104.0F), S::min(S::set(89.0F), x));
  const F n = S::to_float(S::round_int(S::mul(x, S::set(1.44269504F))));
  const F r = S::fma(n, S::set(1.90465430e-9F), S::fma(n, S::set(-0.693147182F), x));
  static constexpr float kP[] = {0.5000000014F,   0.1666666668F,   0.04166645681F,
                                 0.008333310024F, 0.001393454193F, 0.0001989198131F};  // 3e-9
  const F tail = S::fma(S::mul(r, r), polynomial<S>(r, kP), r);
  const auto half = S::round_int(S::mul(n, S::set(0.5F)));
  const auto rest = S::round_int(S::sub(n, S::to_float(half)));
  return S::mul(S::mul(S::add(tail, S::set(1.0F)), S::power_of_two(half)), S::power_of_two(rest));
}

/// erfc(t) for t >= 0, given t^2 = square + square_low: exp(-t^2) * erfcx(t). The square comes in two floats because
/// the exponential magnifies its rounding.
template <class S>
XINFER_INLINE typename S::F erfc_of_square(typename S::F t, typename S::F square, typename S::F square_low) {
  using F = typename S::F;
  const F one = S::set(1.0F);
  F e = exp<S>(S::sub(S::set(0.0F), square));
  e = S::fma(S::sub(S::set(0.0F), square_low), e, e);
  // (1 + 2t) erfcx(t) as a polynomial in (t - 2) / (t + 2): 2e-9.
  static constexpr float kP[] = {1.276978382F,     -0.09276381352F,   -0.1660304774F,   0.1640508436F,
                                 -0.05421856297F,  -0.00802953634F,   0.008713559545F,  0.001250119847F,
                                 -0.001432145482F, -0.0004019996748F, 0.0001796296024F, 8.477311897e-5F};
  const F q = S::div(S::sub(t, S::set(2.0F)), S::add(t, S::set(2.0F)));
  return S::div(S::mul(e, polynomial<S>(q, kP)), S::fma(S::set(2.0F), t, one));
}

template <class S>
XINFER_INLINE typename S::F erf(typename S::F x) {
  using F = typename S::F;
  const F a = S::min(S::set(12.0F), S::abs(x));
  const F square = S::mul(a, a);
  static constexpr float kSmall[] = {1.128379166F,    -0.3761262667F,    0.1128359472F,  -0.02685421201F,
                                     0.005189087423F, -0.0008016864287F, 7.875875063e-5F};  // 1.3e-9 on |x| <= 1
  const F small = S::mul(x, polynomial<S>(square, kSmall));
  const F low = S::fma(a, a, S::sub(S::set(0.0F), square));
  const F large = S::with_sign(S::sub(S::set(1.0F), erfc_of_square<S>(a, square, low)), x);
  return S::select(S::less(a, S::set(1.0F)), small, large);
}

/// x/2 * (1 + erf(x / sqrt 2)), without the cancellation for negative x: x * (1 - E/2) or x * E/2, E = erfc(|x|/sqrt
/// 2).
template <class S>
XINFER_INLINE typename S::F gelu(typename S::F x) {
  using F = typename S::F;
  const F a = S::min(S::set(20.0F), S::abs(x));
  const F half = S::set(0.5F);
  const F square = S::mul(a, a);
  const F low = S::fma(a, a, S::sub(S::set(0.0F), square));
  const F e = S::mul(half, erfc_of_square<S>(S::mul(a, S::set(0.707106781F)), S::mul(half, square), S::mul(half, low)));
  return S::mul(x, S::select(S::less(x, S::set(0.0F)), e, S::sub(S::set(1.0F), e)));
}

/// 1 + exp(-x). Beyond 87 the exponential no longer matters, and slow subnormal floats are avoided.
template <class S>
XINFER_INLINE typename S::F one_plus_exp_of_minus(typename S::F x) {
  return S::add(S::set(1.0F), exp<S>(S::max(S::set(-87.0F), S::sub(S::set(0.0F), x))));
}

template <class S>
XINFER_INLINE typename S::F sigmoid(typename S::F x) {
  return S::div(S::set(1.0F), one_plus_exp_of_minus<S>(x));
}

template <class S>
XINFER_INLINE typename S::F silu(typename S::F x) {
  return S::div(x, one_plus_exp_of_minus<S>(x));
}

template <class S>
XINFER_INLINE typename S::F tanh(typename S::F x) {
  using F = typename S::F;
  const F a = S::abs(x);
  const F z = S::mul(a, a);
  static constexpr float kSmall[] = {-0.3333333315F, 0.1333330015F,    -0.05395846163F,
                                     0.02176250291F, -0.008323187058F, 0.002269501684F};  // 6e-9 on x^2 <= 0.4
  const F small = S::fma(S::mul(x, z), polynomial<S>(z, kSmall), x);
  const F one = S::set(1.0F);
  const F large = S::sub(one, S::div(S::set(2.0F), S::add(exp<S>(S::add(a, a)), one)));
  return S::select(S::less(a, S::set(0.625F)), small, S::with_sign(large, x));
}

/// The activations of requant.h, in the operations written there.
template <class S>
XINFER_INLINE typename S::F activation(typename S::F y, const ActivationParams& p) {
  using F = typename S::F;
  const F zero = S::set(0.0F);
  switch (p.kind) {
    case Activation::kIdentity:
      return y;
    case Activation::kRelu:
      return S::max(y, zero);
    case Activation::kClip:
      return S::min(S::max(y, S::set(p.clip_lo)), S::set(p.clip_hi));
    case Activation::kLeakyRelu:
      return S::select(S::less(y, zero), S::mul(S::set(p.alpha), y), y);
    case Activation::kHardSwish: {
      const F gate = S::min(S::max(S::add(y, S::set(3.0F)), zero), S::set(6.0F));
      return S::mul(S::mul(y, gate), S::set(1.0F / 6.0F));
    }
    case Activation::kHardSigmoid:
      return S::min(S::max(S::fma(S::set(p.alpha), y, S::set(p.beta)), zero), S::set(1.0F));
    case Activation::kSigmoid:
      return sigmoid<S>(y);
    case Activation::kSilu:
      return silu<S>(y);
    case Activation::kTanh:
      return tanh<S>(y);
    case Activation::kGelu:
      return gelu<S>(y);
    case Activation::kGeluTanh: {
      // y/2 (1 + tanh u) = y * sigmoid(2u)
      const F cube = S::mul(S::mul(y, y), y);
      const F u2 = S::mul(S::set(1.59576912F), S::fma(S::set(0.044715F), cube, y));
      return S::mul(y, sigmoid<S>(u2));
    }
  }
  return y;
}

}  // namespace xinfer::kernels
