#pragma once
// The unary functions, in float. Enumerators have the names of ir::UnaryKind. XI_ROUNDED: results are rounded right
// after, to halves (1) or to bytes (2).
#include "common.cuh"

enum class Unary {
  kIdentity,
  kRelu,
  kClip,
  kLeakyRelu,
  kElu,
  kSelu,
  kCelu,
  kSigmoid,
  kHardSigmoid,
  kHardSwish,
  kSilu,
  kMish,
  kGelu,
  kGeluTanh,
  kTanh,
  kSoftplus,
  kSoftsign,
  kErf,
  kExp,
  kLog,
  kSqrt,
  kReciprocal,
  kNegate,
  kAbs,
  kSign,
  kFloor,
  kCeil,
  kRound,
  kSin,
  kCos,
  kTan,
  kAsin,
  kAcos,
  kAtan,
  kSinh,
  kCosh,
  kAsinh,
  kAcosh,
  kAtanh,
};

__device__ __forceinline__ float sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }

/// Within 8e-5 of GELU (2e-5 for |x| < 4.25), far below the rounding of halves and bytes, in FMAs alone: erff and the
/// special functions cost a GEMM's epilogue more time than its products. erf(x / sqrt 2) = x P(x^2), P fitted for the
/// least largest error of GELU in float32.
__device__ __forceinline__ float gelu_for_rounding(float x) {
  const float c = fminf(fmaxf(x, -4.25f), 4.25f);
  const float t = c * c;
  float p = -4.24976937e-12f;
  p = fmaf(p, t, 4.68680705e-10f);
  p = fmaf(p, t, -2.3261352e-08f);
  p = fmaf(p, t, 6.92988465e-07f);
  p = fmaf(p, t, -1.399139e-05f);
  p = fmaf(p, t, 2.0536987e-04f);
  p = fmaf(p, t, -2.28947634e-03f);
  p = fmaf(p, t, 1.97798852e-02f);
  p = fmaf(p, t, -1.32815972e-01f);
  p = fmaf(p, t, 7.97827899e-01f);
  const float h = 0.5f * x;
  return fmaf(h, p * c, h);
}

/// Within 2^-12 |x| of GELU, for results that are rounded to bytes: a twentieth of a step and less. erf(x / sqrt 2) is
/// tanh(x P(x^2)) within 2e-5 of GELU, P fitted for the least largest error; the hardware's tanh, whose error is the
/// larger part, runs beside the FMAs, of which gelu_for_rounding() takes twice as many.
__device__ __forceinline__ float gelu_for_bytes(float x) {
  const float t = fminf(x * x, 42.0f);  // P would turn negative
  float p = fmaf(-3.51516779e-4f, t, 3.70056459e-2f);
  p = fmaf(p, t, 7.97507884e-1f);
  float tanh;
  asm("tanh.approx.f32 %0, %1;" : "=f"(tanh) : "f"(x * p));
  const float h = 0.5f * x;
  return fmaf(h, tanh, h);
}

/// f(x); alpha and beta as in ir::UnaryAttrs. Follows the float32 steps of the integer contract for the functions that
/// the reference computes in float32 (relu, clip, leaky relu, hard swish, hard sigmoid).
template <Unary kKind>
__device__ __forceinline__ float apply_unary(float x, float alpha, float beta) {
  if constexpr (kKind == Unary::kIdentity)
    return x;
  else if constexpr (kKind == Unary::kRelu)
    return x < 0.0f ? 0.0f : x;
  else if constexpr (kKind == Unary::kClip)
    return x != x ? x : fminf(fmaxf(x, alpha), beta);
  else if constexpr (kKind == Unary::kLeakyRelu)
    return x < 0.0f ? alpha * x : x;
  else if constexpr (kKind == Unary::kElu)
    return x < 0.0f ? alpha * expm1f(x) : x;
  else if constexpr (kKind == Unary::kSelu)
    return beta * (x < 0.0f ? alpha * expm1f(x) : x);
  else if constexpr (kKind == Unary::kCelu)
    return x < 0.0f ? alpha * expm1f(x / alpha) : x;
  else if constexpr (kKind == Unary::kSigmoid)
    return sigmoid(x);
  else if constexpr (kKind == Unary::kHardSigmoid)
    return fminf(fmaxf(fmaf(alpha, x, beta), 0.0f), 1.0f);
  else if constexpr (kKind == Unary::kHardSwish)
    return __fmul_rn(__fmul_rn(x, fminf(fmaxf(__fadd_rn(x, 3.0f), 0.0f), 6.0f)), 1.0f / 6.0f);
  else if constexpr (kKind == Unary::kSilu)
    return x * sigmoid(x);
  else if constexpr (kKind == Unary::kMish)
    return x * tanhf(x > 20.0f ? x : log1pf(__expf(x)));
  else if constexpr (kKind == Unary::kGelu)
#if XI_ROUNDED == 2
    return gelu_for_bytes(x);
#elif XI_ROUNDED == 1
    return gelu_for_rounding(x);
#else
    return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
#endif
  else if constexpr (kKind == Unary::kGeluTanh)
    return 0.5f * x * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
  else if constexpr (kKind == Unary::kTanh)
    return tanhf(x);
  else if constexpr (kKind == Unary::kSoftplus)
    return x > 20.0f ? x : log1pf(expf(x));
  else if constexpr (kKind == Unary::kSoftsign)
    return x / (1.0f + fabsf(x));
  else if constexpr (kKind == Unary::kErf)
    return erff(x);
  else if constexpr (kKind == Unary::kExp)
    return expf(x);
  else if constexpr (kKind == Unary::kLog)
    return logf(x);
  else if constexpr (kKind == Unary::kSqrt)
    return sqrtf(x);
  else if constexpr (kKind == Unary::kReciprocal)
    return 1.0f / x;
  else if constexpr (kKind == Unary::kNegate)
    return -x;
  else if constexpr (kKind == Unary::kAbs)
    return fabsf(x);
  else if constexpr (kKind == Unary::kSign)
    return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x;
  else if constexpr (kKind == Unary::kFloor)
    return floorf(x);
  else if constexpr (kKind == Unary::kCeil)
    return ceilf(x);
  else if constexpr (kKind == Unary::kRound)
    return rintf(x);
  else if constexpr (kKind == Unary::kSin)
    return sinf(x);
  else if constexpr (kKind == Unary::kCos)
    return cosf(x);
  else if constexpr (kKind == Unary::kTan)
    return tanf(x);
  else if constexpr (kKind == Unary::kAsin)
    return asinf(x);
  else if constexpr (kKind == Unary::kAcos)
    return acosf(x);
  else if constexpr (kKind == Unary::kAtan)
    return atanf(x);
  else if constexpr (kKind == Unary::kSinh)
    return sinhf(x);
  else if constexpr (kKind == Unary::kCosh)
    return coshf(x);
  else if constexpr (kKind == Unary::kAsinh)
    return asinhf(x);
  else if constexpr (kKind == Unary::kAcosh)
    return acoshf(x);
  else
    return atanhf(x);
}
