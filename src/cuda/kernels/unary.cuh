#pragma once
// The unary functions, in float. Enumerators have the names of ir::UnaryKind.
#include "common.cuh"

enum class Unary {
  kIdentity, kRelu, kClip, kLeakyRelu, kElu, kSelu, kCelu, kSigmoid, kHardSigmoid, kHardSwish, kSilu, kMish, kGelu,
  kGeluTanh, kTanh, kSoftplus, kSoftsign, kErf, kExp, kLog, kSqrt, kReciprocal, kNegate, kAbs, kSign, kFloor, kCeil,
  kRound, kSin, kCos, kTan, kAsin, kAcos, kAtan, kSinh, kCosh, kAsinh, kAcosh, kAtanh,
};

__device__ __forceinline__ float sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }

/// f(x); alpha and beta as in ir::UnaryAttrs. Follows the float32 steps of the integer contract for the functions that
/// the reference computes in float32 (relu, clip, leaky relu, hard swish, hard sigmoid).
template <Unary kKind>
__device__ __forceinline__ float apply_unary(float x, float alpha, float beta) {
  if constexpr (kKind == Unary::kIdentity) return x;
  else if constexpr (kKind == Unary::kRelu) return x < 0.0f ? 0.0f : x;
  else if constexpr (kKind == Unary::kClip) return x != x ? x : fminf(fmaxf(x, alpha), beta);
  else if constexpr (kKind == Unary::kLeakyRelu) return x < 0.0f ? alpha * x : x;
  else if constexpr (kKind == Unary::kElu) return x < 0.0f ? alpha * expm1f(x) : x;
  else if constexpr (kKind == Unary::kSelu) return beta * (x < 0.0f ? alpha * expm1f(x) : x);
  else if constexpr (kKind == Unary::kCelu) return x < 0.0f ? alpha * expm1f(x / alpha) : x;
  else if constexpr (kKind == Unary::kSigmoid) return sigmoid(x);
  else if constexpr (kKind == Unary::kHardSigmoid) return fminf(fmaxf(fmaf(alpha, x, beta), 0.0f), 1.0f);
  else if constexpr (kKind == Unary::kHardSwish)
    return __fmul_rn(__fmul_rn(x, fminf(fmaxf(__fadd_rn(x, 3.0f), 0.0f), 6.0f)), 1.0f / 6.0f);
  else if constexpr (kKind == Unary::kSilu) return x * sigmoid(x);
  else if constexpr (kKind == Unary::kMish) return x * tanhf(x > 20.0f ? x : log1pf(__expf(x)));
  else if constexpr (kKind == Unary::kGelu) return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
  else if constexpr (kKind == Unary::kGeluTanh)
    return 0.5f * x * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
  else if constexpr (kKind == Unary::kTanh) return tanhf(x);
  else if constexpr (kKind == Unary::kSoftplus) return x > 20.0f ? x : log1pf(expf(x));
  else if constexpr (kKind == Unary::kSoftsign) return x / (1.0f + fabsf(x));
  else if constexpr (kKind == Unary::kErf) return erff(x);
  else if constexpr (kKind == Unary::kExp) return expf(x);
  else if constexpr (kKind == Unary::kLog) return logf(x);
  else if constexpr (kKind == Unary::kSqrt) return sqrtf(x);
  else if constexpr (kKind == Unary::kReciprocal) return 1.0f / x;
  else if constexpr (kKind == Unary::kNegate) return -x;
  else if constexpr (kKind == Unary::kAbs) return fabsf(x);
  else if constexpr (kKind == Unary::kSign) return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x;
  else if constexpr (kKind == Unary::kFloor) return floorf(x);
  else if constexpr (kKind == Unary::kCeil) return ceilf(x);
  else if constexpr (kKind == Unary::kRound) return rintf(x);
  else if constexpr (kKind == Unary::kSin) return sinf(x);
  else if constexpr (kKind == Unary::kCos) return cosf(x);
  else if constexpr (kKind == Unary::kTan) return tanf(x);
  else if constexpr (kKind == Unary::kAsin) return asinf(x);
  else if constexpr (kKind == Unary::kAcos) return acosf(x);
  else if constexpr (kKind == Unary::kAtan) return atanf(x);
  else if constexpr (kKind == Unary::kSinh) return sinhf(x);
  else if constexpr (kKind == Unary::kCosh) return coshf(x);
  else if constexpr (kKind == Unary::kAsinh) return asinhf(x);
  else if constexpr (kKind == Unary::kAcosh) return acoshf(x);
  else return atanhf(x);
}
