#pragma once
// One wgmma of 64 x XI_BN outputs and 32 bytes of K, both operands in shared memory.
//
// Macros: XI_BN 64, 128, 192 or 256; XI_A the operands: 0 s8 x s8, 1 u8 x s8 (both into s32), 2 half x half (into
// float).
//
// Thread t = lane % 4, g = lane / 4 of warp w holds of rows 16w + g + 8h (h = 0, 1) the columns 8j + 2t + e (e = 0, 1)
// in accumulator[4j + 2h + e].
#include "hopper.cuh"

#if XI_A == 2
using Accumulator = float;
#define XI_REG "+f"
#define XI_K "16.f32.f16.f16"
#define XI_TAIL ", p, 1, 1, 0, 0;\n}"
#else
using Accumulator = s32;
#define XI_REG "+r"
#define XI_TAIL ", p;\n}"
#if XI_A == 1
#define XI_K "32.s32.u8.s8"
#else
#define XI_K "32.s32.s8.s8"
#endif
#endif

#define XI_DIGITS(t) \
  "%" #t "0, %" #t "1, %" #t "2, %" #t "3, %" #t "4, %" #t "5, %" #t "6, %" #t "7, %" #t "8, %" #t "9, "
#define XI_NAMES30 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, " XI_DIGITS(1) XI_DIGITS(2)
#define XI_NAMES60 XI_NAMES30 XI_DIGITS(3) XI_DIGITS(4) XI_DIGITS(5)
#define XI_NAMES90 XI_NAMES60 XI_DIGITS(6) XI_DIGITS(7) XI_DIGITS(8)
#define XI_NAMES120 XI_NAMES90 XI_DIGITS(9) XI_DIGITS(10) XI_DIGITS(11)
#define XI_REGS8(i)                                                                                       \
  XI_REG(d[i]), XI_REG(d[i + 1]), XI_REG(d[i + 2]), XI_REG(d[i + 3]), XI_REG(d[i + 4]), XI_REG(d[i + 5]), \
      XI_REG(d[i + 6]), XI_REG(d[i + 7])
#define XI_REGS32(i) XI_REGS8(i), XI_REGS8(i + 8), XI_REGS8(i + 16), XI_REGS8(i + 24)

#if XI_BN == 64
#define XI_NAMES XI_NAMES30 "%30, %31"
#define XI_OPERANDS "%32, %33"
#define XI_FLAG "%34"
#define XI_REGS XI_REGS32(0)
#elif XI_BN == 128
#define XI_NAMES XI_NAMES60 "%60, %61, %62, %63"
#define XI_OPERANDS "%64, %65"
#define XI_FLAG "%66"
#define XI_REGS XI_REGS32(0), XI_REGS32(32)
#elif XI_BN == 192
#define XI_NAMES XI_NAMES90 "%90, %91, %92, %93, %94, %95"
#define XI_OPERANDS "%96, %97"
#define XI_FLAG "%98"
#define XI_REGS XI_REGS32(0), XI_REGS32(32), XI_REGS32(64)
#elif XI_BN == 256
#define XI_NAMES XI_NAMES120 "%120, %121, %122, %123, %124, %125, %126, %127"
#define XI_OPERANDS "%128, %129"
#define XI_FLAG "%130"
#define XI_REGS XI_REGS32(0), XI_REGS32(32), XI_REGS32(64), XI_REGS32(96)
#endif
#define XI_TEXT(x) #x
#define XI_NUMBER(x) XI_TEXT(x)

/// d = a * b, plus d where `accumulate` is not 0.
__device__ __forceinline__ void mma(Accumulator (&d)[XI_BN / 2], u64 a, u64 b, u32 accumulate) {
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " XI_FLAG
               ", 0;\n"
               "wgmma.mma_async.sync.aligned.m64n" XI_NUMBER(XI_BN) "k" XI_K " {" XI_NAMES "}, " XI_OPERANDS XI_TAIL
:XI_REGS
               : "l"(a), "l"(b), "r"(accumulate));
}
/// Keeps the compiler from touching accumulators before the wait above has passed.
__device__ __forceinline__ void pin(Accumulator (&d)[XI_BN / 2]) {
#pragma unroll
  for (int i = 0; i < XI_BN / 2; ++i) asm volatile("" : XI_REG(d[i])::"memory");
}
