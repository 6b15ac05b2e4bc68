#pragma once
// Several neighbouring channels at once: loads, stores and conversions of 4, 8 or 16 elements by one thread.
#include "common.cuh"

template <class A, class B>
constexpr bool same_type = false;
template <class A>
constexpr bool same_type<A, A> = true;
template <class T>
constexpr bool is_byte = sizeof(T) == 1;

/// acc + the products of four signed or unsigned bytes (T) with four signed ones.
template <class T>
__device__ __forceinline__ s32 dot4(u32 x, u32 w, s32 acc) {
  s32 y;
  if constexpr (same_type<T, u8>)
    asm("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(y) : "r"(x), "r"(w), "r"(acc));
  else
    asm("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(y) : "r"(x), "r"(w), "r"(acc));
  return y;
}

/// Loads N elements (N * sizeof(T) is 4, 8, or a multiple of 16, and so is the address) as 32-bit words.
template <int kWords>
__device__ __forceinline__ void load_words(const void* from, u32 (&words)[kWords]) {
  if constexpr (kWords == 1) {
    words[0] = *static_cast<const u32*>(from);
  } else if constexpr (kWords == 2) {
    const u64 pair = *static_cast<const u64*>(from);
    words[0] = static_cast<u32>(pair);
    words[1] = static_cast<u32>(pair >> 32);
  } else {
#pragma unroll
    for (int i = 0; i < kWords / 4; ++i) {
      const Vector16 v = static_cast<const Vector16*>(from)[i];
      words[4 * i] = v.x, words[4 * i + 1] = v.y, words[4 * i + 2] = v.z, words[4 * i + 3] = v.w;
    }
  }
}

template <int kWords>
__device__ __forceinline__ void store_words(void* to, const u32 (&words)[kWords]) {
  if constexpr (kWords == 1) {
    *static_cast<u32*>(to) = words[0];
  } else if constexpr (kWords == 2) {
    *static_cast<u64*>(to) = static_cast<u64>(words[0]) | (static_cast<u64>(words[1]) << 32);
  } else {
#pragma unroll
    for (int i = 0; i < kWords / 4; ++i) {
      static_cast<Vector16*>(to)[i] = {words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3]};
    }
  }
}

template <class T, int N>
constexpr int words_of = N* static_cast<int>(sizeof(T)) / 4;

/// Words of elements to floats. Bytes become the mantissa of 2^23 (2^23 + 128 for signed ones, whose top bit is
/// flipped before), which is subtracted again: two instructions, where a conversion goes through a slow unit.
template <class T, int N>
__device__ __forceinline__ void unpack(const u32 (&words)[words_of<T, N>], float (&values)[N]) {
#pragma unroll
  for (int i = 0; i < N; ++i) {
    if constexpr (is_byte<T>) {
      const u32 word = same_type<T, s8> ? words[i / 4] ^ 0x80808080u : words[i / 4];
      const float offset = same_type<T, s8> ? 8388736.0f : 8388608.0f;
      values[i] = __uint_as_float(__byte_perm(word, 0x4B000000u, 0x7540u + i % 4)) - offset;
    } else if constexpr (same_type<T, half_t>) {
      values[i] = to_float(half_t{static_cast<u16>(words[i / 2] >> (16 * (i % 2)))});
    } else {
      values[i] = __uint_as_float(words[i]);
    }
  }
}

/// Floats to words of elements, rounded and saturated.
template <class T, int N>
__device__ __forceinline__ void pack(const float (&values)[N], u32 (&words)[words_of<T, N>]) {
#pragma unroll
  for (int i = 0; i < words_of<T, N>; ++i) {
    if constexpr (is_byte<T>) {
      words[i] = pack4<T>(values[4 * i], values[4 * i + 1], values[4 * i + 2], values[4 * i + 3]);
    } else if constexpr (same_type<T, half_t>) {
      words[i] = pack2_half(values[2 * i], values[2 * i + 1]);
    } else {
      words[i] = __float_as_uint(values[i]);
    }
  }
}

template <class T, int N>
__device__ __forceinline__ void load_lanes(const T* from, float (&values)[N]) {
  u32 words[words_of<T, N>];
  load_words(from, words);
  unpack<T, N>(words, values);
}
template <class T, int N>
__device__ __forceinline__ void store_lanes(T* to, const float (&values)[N]) {
  u32 words[words_of<T, N>];
  pack<T, N>(values, words);
  store_words(to, words);
}
