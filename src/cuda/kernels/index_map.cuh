#pragma once
// Loops over tensors of several axes: from a thread to its place in every operand, and access to a vector of elements.
// The host side is cuda/index_map.h, which explains the terms.
//
//   XI_V         elements that one thread handles along the vector axis: 1, 2, 4, 8 or 16
//   XI_OPERANDS  tensors that are read
#include "common.cuh"

constexpr int kMapAxes = 8;
constexpr int kMapTensors = 7;  // the output, then the operands
constexpr u32 kMapThreads = 256;

/// Division by a constant of numbers below 2^31.
struct MapDivisor {
  u32 divisor, magic, shift;
};

struct MapAxis {
  MapDivisor size;
  u32 column;               ///< steps along the vector axis
  s32 stride[kMapTensors];  ///< elements
};

struct MapSpace {
  u32 count;  ///< threads
  u32 axes;
  u32 inner;               ///< elements along the vector axis, ...
  u32 stored;              ///< ... and with the output's padding
  u32 pad_axis;            ///< the padded axis where it is not the vector axis (kMapAxes: none), ...
  u32 pad_valid;           ///< ... and its elements without padding
  MapAxis axis[kMapAxes];  ///< fastest first
};

struct MapOperand {
  u64 data;
  s32 step;   ///< elements between neighbours along the vector axis
  u32 ready;  ///< how many of them may be accessed as whole vectors
};

/// What a thread works on.
struct MapPoint {
  s64 at[XI_OPERANDS + 1];  ///< where each tensor's column 0 lies, in elements
  u32 column;
  u32 inner;  ///< as of the space; 0 where there is nothing but padding
};

__device__ __forceinline__ u32 divide(u32 n, const MapDivisor& d) {
  return d.magic == 0 ? n : __umulhi(n, d.magic) >> d.shift;
}

__device__ __forceinline__ MapPoint point_of(const MapSpace& space, u32 thread) {
  MapPoint point;
  point.column = 0;
  point.inner = space.inner;
#pragma unroll
  for (int t = 0; t <= XI_OPERANDS; ++t) point.at[t] = 0;
  u32 rest = thread;
#pragma unroll
  for (u32 k = 0; k < kMapAxes; ++k) {
    if (k < space.axes) {
      const MapAxis& axis = space.axis[k];
      const u32 quotient = k + 1 < space.axes ? divide(rest, axis.size) : 0;
      const u32 coordinate = rest - quotient * axis.size.divisor;
      rest = quotient;
      point.column += coordinate * axis.column;
      if (k == space.pad_axis && coordinate >= space.pad_valid) point.inner = 0;
#pragma unroll
      for (int t = 0; t <= XI_OPERANDS; ++t) {
        point.at[t] += static_cast<s64>(static_cast<s32>(coordinate)) * axis.stride[t];
      }
    }
  }
  return point;
}

// -- Vectors of elements ------------------------------------------------------------------------------------------

template <class A, class B>
constexpr bool kSame = false;
template <class A>
constexpr bool kSame<A, A> = true;

template <int kBytes>
struct Words {
  u32 word[(kBytes + 3) / 4];
};

template <int kBytes>
__device__ __forceinline__ Words<kBytes> load_words(const void* from) {
  Words<kBytes> w;
  if constexpr (kBytes == 16) {
    const Vector16 v = *static_cast<const Vector16*>(from);
    w.word[0] = v.x, w.word[1] = v.y, w.word[2] = v.z, w.word[3] = v.w;
  } else if constexpr (kBytes == 8) {
    const u64 v = *static_cast<const u64*>(from);
    w.word[0] = static_cast<u32>(v), w.word[1] = static_cast<u32>(v >> 32);
  } else if constexpr (kBytes == 4) {
    w.word[0] = *static_cast<const u32*>(from);
  } else if constexpr (kBytes == 2) {
    w.word[0] = *static_cast<const u16*>(from);
  } else {
    w.word[0] = *static_cast<const u8*>(from);
  }
  return w;
}

template <int kBytes>
__device__ __forceinline__ void store_words(void* to, const Words<kBytes>& w) {
  if constexpr (kBytes == 16) {
    *static_cast<Vector16*>(to) = Vector16{w.word[0], w.word[1], w.word[2], w.word[3]};
  } else if constexpr (kBytes == 8) {
    *static_cast<u64*>(to) = w.word[0] | static_cast<u64>(w.word[1]) << 32;
  } else if constexpr (kBytes == 4) {
    *static_cast<u32*>(to) = w.word[0];
  } else if constexpr (kBytes == 2) {
    *static_cast<u16*>(to) = static_cast<u16>(w.word[0]);
  } else {
    *static_cast<u8*>(to) = static_cast<u8>(w.word[0]);
  }
}

/// From the type of memory to the type that is computed with: the same, or float.
template <class Compute, class Stored>
__device__ __forceinline__ Compute widen(Stored x) {
  if constexpr (kSame<Compute, Stored>) {
    return x;
  } else {
    return to_float(x);
  }
}

/// Element i of a vector.
template <class Compute, class Stored, int kBytes>
__device__ __forceinline__ Compute unpack(const Words<kBytes>& w, int i) {
  if constexpr (sizeof(Stored) == 8) {
    return widen<Compute>(static_cast<Stored>(w.word[2 * i] | static_cast<u64>(w.word[2 * i + 1]) << 32));
  } else if constexpr (kSame<Stored, float>) {
    return widen<Compute>(__uint_as_float(w.word[i]));
  } else if constexpr (sizeof(Stored) == 4) {
    return widen<Compute>(static_cast<Stored>(w.word[i]));
  } else if constexpr (kSame<Stored, half_t>) {
    return widen<Compute>(half_t{static_cast<u16>(w.word[i / 2] >> (i % 2 * 16))});
  } else if constexpr (sizeof(Stored) == 2) {
    return widen<Compute>(static_cast<Stored>(w.word[i / 2] >> (i % 2 * 16)));
  } else if constexpr (kSame<Compute, float> && kSame<Stored, u8>) {
    // The byte as the mantissa of 2^23 + x: faster than a conversion.
    return __uint_as_float(__byte_perm(w.word[i / 4], 0x4b000000u, 0x7540u + i % 4)) - 8388608.0f;
  } else if constexpr (kSame<Compute, float> && kSame<Stored, s8>) {
    return __uint_as_float(__byte_perm(w.word[i / 4] ^ 0x80808080u, 0x4b000000u, 0x7540u + i % 4)) - 8388736.0f;
  } else if constexpr (kSame<Stored, bool>) {
    return widen<Compute>((w.word[i / 4] >> (i % 4 * 8) & 0xffu) != 0);
  } else {
    return widen<Compute>(static_cast<Stored>(w.word[i / 4] >> (i % 4 * 8)));
  }
}

/// x rounded half to even and saturated to T, in the lowest byte; NaN gives 0.
template <class T>
__device__ __forceinline__ u32 rounded_byte(float x) {
  constexpr float kLow = kSame<T, s8> ? -128.0f : 0.0f;
  constexpr float kHigh = kSame<T, s8> ? 127.0f : 255.0f;
  x = x == x ? x : 0.0f;
  return __float_as_uint(__fadd_rn(fminf(fmaxf(x, kLow), kHigh), 12582912.0f));  // 1.5 * 2^23: one unit is one step
}

/// From the type that was computed with to the type of memory.
template <class Stored, class Compute>
__device__ __forceinline__ Stored narrow(Compute x) {
  if constexpr (kSame<Compute, Stored>) {
    return x;
  } else if constexpr (kSame<Stored, half_t>) {
    return from_float<half_t>(x);
  } else if constexpr (kSame<Compute, float> && (kSame<Stored, s8> || kSame<Stored, u8>)) {
    return static_cast<Stored>(rounded_byte<Stored>(x));
  } else {
    return static_cast<Stored>(x);
  }
}

/// A vector of elements, as it is stored.
template <class Stored, class Compute, int kCount>
__device__ __forceinline__ Words<kCount* static_cast<int>(sizeof(Stored))> pack(const Compute (&x)[kCount]) {
  Words<kCount* static_cast<int>(sizeof(Stored))> w;
  if constexpr (sizeof(Stored) == 8) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      const u64 bits = static_cast<u64>(narrow<Stored>(x[i]));
      w.word[2 * i] = static_cast<u32>(bits), w.word[2 * i + 1] = static_cast<u32>(bits >> 32);
    }
  } else if constexpr (kSame<Stored, float>) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) w.word[i] = __float_as_uint(narrow<Stored>(x[i]));
  } else if constexpr (sizeof(Stored) == 4) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) w.word[i] = static_cast<u32>(narrow<Stored>(x[i]));
  } else if constexpr (sizeof(Stored) == 2) {
    u32 bits[kCount];
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      if constexpr (kSame<Stored, half_t>) {
        bits[i] = narrow<half_t>(x[i]).bits;
      } else {
        bits[i] = static_cast<u32>(narrow<Stored>(x[i]));
      }
    }
#pragma unroll
    for (int i = 0; i < (kCount + 1) / 2; ++i) {
      w.word[i] = kCount == 1 ? bits[0] : bits[2 * i] | bits[2 * i + 1] << 16;
    }
  } else {
    u32 bits[kCount];
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      if constexpr (kSame<Compute, float> && !kSame<Stored, bool>) {
        bits[i] = rounded_byte<Stored>(x[i]);
      } else {
        bits[i] = static_cast<u32>(static_cast<u8>(narrow<Stored>(x[i])));
      }
    }
    if constexpr (kCount == 1) {
      w.word[0] = bits[0];
    } else if constexpr (kCount == 2) {
      w.word[0] = __byte_perm(bits[0], bits[1], 0x0040);
    } else {
#pragma unroll
      for (int i = 0; i < kCount / 4; ++i) {
        w.word[i] = __byte_perm(__byte_perm(bits[4 * i], bits[4 * i + 1], 0x0040),
                                __byte_perm(bits[4 * i + 2], bits[4 * i + 3], 0x0040), 0x5410);
      }
    }
  }
  return w;
}

/// Reads the elements of operand `t` at a point. Beyond the valid ones any value may come.
template <class Stored, class Compute>
__device__ __forceinline__ void load_operand(const MapOperand& operand, const MapPoint& point, int t,
                                             Compute (&x)[XI_V]) {
  const Stored* const from = reinterpret_cast<const Stored*>(operand.data) + point.at[t];
  if (point.inner == 0) {
#pragma unroll
    for (int v = 0; v < XI_V; ++v) x[v] = Compute{};
  } else if (operand.step == 0) {
    const Compute one = widen<Compute>(*from);
#pragma unroll
    for (int v = 0; v < XI_V; ++v) x[v] = one;
  } else if (XI_V > 1 && point.column + XI_V <= operand.ready) {
    const auto words = load_words<XI_V * sizeof(Stored)>(from + point.column);
#pragma unroll
    for (int v = 0; v < XI_V; ++v) x[v] = unpack<Compute, Stored>(words, v);
  } else {
#pragma unroll
    for (int v = 0; v < XI_V; ++v) {
      x[v] = point.column + v < point.inner ? widen<Compute>(from[static_cast<s64>(point.column + v) * operand.step])
                                            : Compute{};
    }
  }
}

/// Writes the elements of the output at a point, zeros into its padding.
template <class Stored, class Compute>
__device__ __forceinline__ void store_result(const MapOperand& out, const MapSpace& space, const MapPoint& point,
                                             Compute (&x)[XI_V]) {
  Stored* const to = reinterpret_cast<Stored*>(out.data) + point.at[0];
  if (point.column + XI_V > point.inner) {
#pragma unroll
    for (int v = 0; v < XI_V; ++v) {
      if (point.column + v >= point.inner) x[v] = Compute{};
    }
  }
  if (XI_V > 1 && point.column + XI_V <= out.ready) {
    store_words<XI_V * sizeof(Stored)>(to + point.column, pack<Stored>(x));
  } else {
#pragma unroll
    for (int v = 0; v < XI_V; ++v) {
      if (point.column + v < space.stored) to[static_cast<s64>(point.column + v) * out.step] = narrow<Stored>(x[v]);
    }
  }
}
