#pragma once
// Types, conversions and small wrappers that every kernel uses. Compiled by NVRTC alone: no CUDA header is needed.

using s8 = signed char;
using u8 = unsigned char;
using s32 = int;
using u32 = unsigned int;
using s64 = long long;
using u64 = unsigned long long;
using u16 = unsigned short;

/// IEEE half precision, for storage; arithmetic is done in float.
struct __align__(2) half_t {
  u16 bits;
};

/// CUtensorMap; kernels take it as `const __grid_constant__ TensorMap`.
struct __align__(64) TensorMap {
  u64 opaque[16];
};

struct __align__(16) Vector16 {
  u32 x, y, z, w;
};

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(half_t x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
  return y;
}
__device__ __forceinline__ float to_float(s8 x) { return static_cast<float>(x); }
__device__ __forceinline__ float to_float(u8 x) { return static_cast<float>(x); }
__device__ __forceinline__ float to_float(s32 x) { return static_cast<float>(x); }
__device__ __forceinline__ float to_float(s64 x) { return static_cast<float>(x); }
__device__ __forceinline__ float to_float(bool x) { return x ? 1.0f : 0.0f; }

/// Rounds half to even and saturates to the type's range; NaN gives 0. Floats are stored as they are (half: rounded,
/// kept finite: a value beyond 65504 would turn into an infinity that the float model doesn't have).
template <class T>
__device__ __forceinline__ T from_float(float x);
template <>
__device__ __forceinline__ float from_float<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ half_t from_float<half_t>(float x) {
  half_t y;
  const float bounded = x > 65504.0f && x < __int_as_float(0x7f800000)    ? 65504.0f
                        : x < -65504.0f && x > __int_as_float(0xff800000) ? -65504.0f
                                                                          : x;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(bounded));
  return y;
}
template <>
__device__ __forceinline__ s8 from_float<s8>(float x) {
  s32 y;
  asm("cvt.rni.sat.s8.f32 %0, %1;" : "=r"(y) : "f"(x));
  return static_cast<s8>(y);
}
template <>
__device__ __forceinline__ u8 from_float<u8>(float x) {
  u32 y;
  asm("cvt.rni.sat.u8.f32 %0, %1;" : "=r"(y) : "f"(x));
  return static_cast<u8>(y);
}
template <>
__device__ __forceinline__ s32 from_float<s32>(float x) {
  return __float2int_rn(x);
}

/// Four values rounded and saturated to s8 or u8, the first in the lowest byte.
template <class T>
__device__ __forceinline__ u32 pack4(float a, float b, float c, float d);
template <>
__device__ __forceinline__ u32 pack4<s8>(float a, float b, float c, float d) {
  u32 high, all;
  asm("cvt.pack.sat.s8.s32.b32 %0, %1, %2, %3;" : "=r"(high) : "r"(__float2int_rn(d)), "r"(__float2int_rn(c)), "r"(0));
  asm("cvt.pack.sat.s8.s32.b32 %0, %1, %2, %3;"
      : "=r"(all)
      : "r"(__float2int_rn(b)), "r"(__float2int_rn(a)), "r"(high));
  return all;
}
template <>
__device__ __forceinline__ u32 pack4<u8>(float a, float b, float c, float d) {
  u32 high, all;
  asm("cvt.pack.sat.u8.s32.b32 %0, %1, %2, %3;" : "=r"(high) : "r"(__float2int_rn(d)), "r"(__float2int_rn(c)), "r"(0));
  asm("cvt.pack.sat.u8.s32.b32 %0, %1, %2, %3;"
      : "=r"(all)
      : "r"(__float2int_rn(b)), "r"(__float2int_rn(a)), "r"(high));
  return all;
}
/// Two halves, the first in the lower bits.
__device__ __forceinline__ u32 pack2_half(float a, float b) {
  return static_cast<u32>(from_float<half_t>(a).bits) | (static_cast<u32>(from_float<half_t>(b).bits) << 16);
}

__device__ __forceinline__ u32 shared_address(const void* pointer) {
  return static_cast<u32>(__cvta_generic_to_shared(pointer));
}

/// Waits until the kernels launched before have finished and their writes are visible. A kernel whose Launch is
/// `dependent` must call it before it touches what they write (weights may be fetched earlier) and before it writes.
__device__ __forceinline__ void wait_for_previous() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
/// Lets the next dependent kernel start its prologue. Call it once the block's loads are under way.
__device__ __forceinline__ void launch_next() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
