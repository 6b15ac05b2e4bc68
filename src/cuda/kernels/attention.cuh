#pragma once
// Pieces of the attention kernels: tensor core products of halves, and copies from rows in memory into tiles in shared
// memory.
#include "common.cuh"

/// Four 8 x 8 matrices of halves; lane i gives the address of row i % 8 of matrix i / 8.
__device__ __forceinline__ void load_matrices(u32 (&to)[4], u32 address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
}
__device__ __forceinline__ void load_transposed(u32 (&to)[4], u32 address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
}

/// c (16 x 8) += a (16 x 16) b (16 x 8), fragments as PTX's mma.m16n8k16 has them.
__device__ __forceinline__ void multiply(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(b0));
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[2]), "r"(a[3]), "r"(b1));
#endif
}

/// 2^x; 2^-inf is 0.
__device__ __forceinline__ float power_of_2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// Two halves, the first in the lower bits; for numbers within the range of half.
__device__ __forceinline__ u32 pack_halves(float low, float high) {
  u32 y;
#if __CUDA_ARCH__ >= 800
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
#else
  u16 a, b;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(a) : "f"(low));
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(b) : "f"(high));
  y = static_cast<u32>(a) | (static_cast<u32>(b) << 16);
#endif
  return y;
}

/// 8 halves from global to shared memory, both at multiples of 16 bytes; halves from `count` (0 to 8) on become zero.
/// Without cp.async (before sm_80) the copy is done when the function returns.
__device__ __forceinline__ void copy_8_halves(half_t* to, const half_t* from, u32 count) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(count * 2)
               : "memory");
#else
  Vector16 v = {0, 0, 0, 0};
  if (count > 0) {
    v = *reinterpret_cast<const Vector16*>(from);
    u32* words[4] = {&v.x, &v.y, &v.z, &v.w};
#pragma unroll
    for (u32 i = 0; i < 4; ++i) *words[i] &= 2 * i + 1 < count ? ~0u : 2 * i < count ? 0xffffu : 0u;
  }
  *reinterpret_cast<Vector16*>(to) = v;
#endif
}
__device__ __forceinline__ void commit_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
/// Until all but the kLeft latest committed groups of this thread's copies have arrived.
template <int kLeft>
__device__ __forceinline__ void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
#endif
}

/// kRows rows of kColumns (a multiple of 16) halves into shared memory, where rows lie kColumns + 8 apart: eight rows
/// then touch all banks once when ldmatrix reads them. Rows from `rows` and columns from `columns` on become zero.
template <int kRows, int kColumns, int kThreads>
__device__ __forceinline__ void copy_tile(half_t* to, const half_t* from, u32 row_stride, s32 rows, u32 columns) {
  constexpr int kChunks = kColumns / 8;
  constexpr int kLanes = kChunks <= 2 ? 2 : kChunks <= 4 ? 4 : kChunks <= 8 ? 8 : 16;  // threads of a row
  constexpr int kStep = kThreads / kLanes;
  static_assert(kChunks <= 16 && kRows % kStep == 0);
  const int column = static_cast<int>(threadIdx.x) % kLanes * 8;
  int row = static_cast<int>(threadIdx.x) / kLanes;
  const u32 width = columns > static_cast<u32>(column) ? min(columns - column, 8u) : 0;
  const half_t* source = from + static_cast<u64>(static_cast<u32>(row)) * row_stride + column;
  half_t* target = to + row * (kColumns + 8) + column;
  if (kChunks != kLanes && column >= kColumns) return;
#pragma unroll
  for (int i = 0; i < kRows / kStep; ++i) {
    const u32 count = row < rows ? width : 0;
    copy_8_halves(target, count > 0 ? source : from, count);
    row += kStep;
    source += kStep * static_cast<u64>(row_stride);
    target += kStep * (kColumns + 8);
  }
}
