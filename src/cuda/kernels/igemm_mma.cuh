#pragma once
// Tensor core instructions of the portable GEMM. Everything here is in bytes: 8-bit integers and halves share one
// arrangement, since a row of a fragment is 16 bytes whatever they hold.
//
//   XI_A, XI_B_T  element types of the operands as PTX spells them: s8, u8, or f16 (both)
//   XI_FLOAT    1 when they are f16
//   XI_TURING   1: only what sm_75 has: its shapes of mma, no asynchronous copies
#include "common.cuh"

#define XI_TEXT_OF(x) #x
#define XI_TEXT(x) XI_TEXT_OF(x)

#if XI_FLOAT
using Acc = float;
#else
using Acc = s32;
#endif

/// Four 8x8 matrices of 16-bit units: lane l gives the address of row l % 8 of matrix l / 8 (16 bytes), and receives of
/// each matrix the bytes 4 * (l % 4) ... + 3 of row l / 4.
__device__ __forceinline__ void load_matrices(u32 (&r)[4], u32 address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address));
}
/// The same with each matrix transposed: lane l receives units 2 * (l % 4) and + 1 of column l / 4.
__device__ __forceinline__ void load_matrices_transposed(u32 (&r)[4], u32 address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address));
}

/// c += a b for 16 rows, 8 columns and 32 bytes of K. With g = lane / 4 and t = lane % 4:
///   a[0] row g, bytes 4t..4t+3    a[1] row g + 8    a[2] row g, bytes 16 + 4t...    a[3] row g + 8, bytes 16 + 4t...
///   b[0] column g, bytes 4t...    b[1] column g, bytes 16 + 4t...
///   c[0], c[1] row g, columns 2t and 2t + 1         c[2], c[3] row g + 8
/// (PTX ISA, "Matrix Fragments for mma.m16n8k32" and "mma.m16n8k16 with floating point type".)
__device__ __forceinline__ void multiply(Acc (&c)[4], const u32 (&a)[4], const u32 (&b)[2]) {
#if !XI_TURING
#if XI_FLOAT
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  asm("mma.sync.aligned.m16n8k32.row.col.s32." XI_TEXT(XI_A) "." XI_TEXT(
          XI_B_T) ".s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
#else
  // Turing's instructions take 16 bytes of K: m16n8k8 holds a[0], a[1], b[0] of the above (then a[2], a[3], b[1]), and
  // m8n8k16 one of these rows and columns.
#if XI_FLOAT
#pragma unroll
  for (int k = 0; k < 2; ++k) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[2 * k]), "r"(a[2 * k + 1]), "r"(b[k]));
  }
#else
#pragma unroll
  for (int k = 0; k < 2; ++k) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      asm("mma.sync.aligned.m8n8k16.row.col.s32." XI_TEXT(XI_A) "." XI_TEXT(
              XI_B_T) ".s32 {%0, %1}, {%2}, {%3}, {%0, %1};"
          : "+r"(c[2 * half]), "+r"(c[2 * half + 1])
          : "r"(a[2 * k + half]), "r"(b[k]));
    }
  }
#endif
#endif
}
