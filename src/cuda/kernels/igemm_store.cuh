#pragma once
// Accumulators to the output: the epilogue in the registers' own arrangement, then through shared memory to 16-byte
// accesses of whole rows.
#include "igemm_load.cuh"

using Out = XI_OUT_T;

/// Rows in shared memory are 16 bytes longer than the tile's, so that the eight rows that a warp touches at once start
/// in different banks.
template <class T>
struct Staged {
  static constexpr u32 kPitch = XI_TILE_N * sizeof(T) + 16;
  static constexpr s32 kVector = 16 / sizeof(T);               // elements of a 16-byte access
  static constexpr s32 kVectors = XI_TILE_N * sizeof(T) / 16;  // a row
  static constexpr s32 kCount = XI_TILE_M * kVectors;
};

/// Elements at columns c and c + 1 of a row in shared memory.
template <class T>
__device__ __forceinline__ void load_pair(u32 from, float& x, float& y) {
  if constexpr (sizeof(T) == 1) {
    u16 bits;
    asm volatile("ld.shared.u16 %0, [%1];" : "=h"(bits) : "r"(from));
    x = to_float(static_cast<T>(bits & 0xff));
    y = to_float(static_cast<T>(bits >> 8));
  } else if constexpr (sizeof(T) == 2) {
    u32 bits;
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(bits) : "r"(from));
    x = to_float(half_t{static_cast<u16>(bits)});
    y = to_float(half_t{static_cast<u16>(bits >> 16)});
  } else {
    asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(x), "=f"(y) : "r"(from));
  }
}

/// Rounds two values and stores them side by side.
template <class T>
__device__ __forceinline__ void store_pair(u32 to, float x, float y);
template <>
__device__ __forceinline__ void store_pair<s8>(u32 to, float x, float y) {
  u32 bits;
  asm("cvt.pack.sat.s8.s32.b32 %0, %1, %2, 0;" : "=r"(bits) : "r"(__float2int_rn(y)), "r"(__float2int_rn(x)));
  asm volatile("st.shared.u16 [%0], %1;" ::"r"(to), "h"(static_cast<u16>(bits)) : "memory");
}
template <>
__device__ __forceinline__ void store_pair<u8>(u32 to, float x, float y) {
  u32 bits;
  asm("cvt.pack.sat.u8.s32.b32 %0, %1, %2, 0;" : "=r"(bits) : "r"(__float2int_rn(y)), "r"(__float2int_rn(x)));
  asm volatile("st.shared.u16 [%0], %1;" ::"r"(to), "h"(static_cast<u16>(bits)) : "memory");
}
template <>
__device__ __forceinline__ void store_pair<half_t>(u32 to, float x, float y) {
  asm volatile("st.shared.u32 [%0], %1;" ::"r"(to), "r"(pack2_half(x, y)) : "memory");
}
template <>
__device__ __forceinline__ void store_pair<float>(u32 to, float x, float y) {
  asm volatile("st.shared.v2.f32 [%0], {%1, %2};" ::"r"(to), "f"(x), "f"(y) : "memory");
}

/// The block's place in the output.
struct Place {
  s32 row, column;  // of the tile's first element
  s64 out_start;    // elements before blockIdx.z's part of the output
  s32 channel;      // table entry of column 0 of that part
};

#if XI_RESIDUAL
using Residual = XI_RESIDUAL_T;
/// Starts bringing the tile's residual to shared memory.
__device__ __forceinline__ void fetch_residual(const IgemmArgs& args, const Place& place, u32 shared) {
  using Layout = Staged<Residual>;
  const Residual* const residual = static_cast<const Residual*>(args.epilogue.residual) + place.out_start;
#pragma unroll
  for (s32 i = 0; i < Layout::kCount; i += kThreads) {
    const s32 row = (i + threadIdx.x) / Layout::kVectors;
    const s32 column = (i + threadIdx.x) % Layout::kVectors * Layout::kVector;
    const bool take = place.row + row < args.rows && place.column + column < args.columns;
    const Residual* from = residual + static_cast<s64>(place.row + row) * args.out_pitch + place.column + column;
    const u32 to = shared + row * Layout::kPitch + column * sizeof(Residual);
#if !XI_TURING
    copy_chunk(to, from, take ? 16 : 0);
#else
    store_shared(to, take ? load_vector(from) : Vector16{0, 0, 0, 0});
#endif
  }
}
#endif

/// Finishes the accumulators of the calling thread: rows 16 i + g and 16 i + g + 8, columns 8 j + 2 t and + 1 of its
/// warp's part of the tile (see multiply()).
__device__ __forceinline__ void finish_tile(const IgemmArgs& args, const Place& place,
                                            const Acc (&acc)[kBlocksM][kBlocksN][4], u32 shared_out,
                                            u32 shared_residual) {
  const s32 warp = threadIdx.x / 32;
  const s32 lane = threadIdx.x % 32;
  const s32 first_row = warp / XI_WARPS_N * kWarpRows + lane / 4;
  const s32 first_column = warp % XI_WARPS_N * kWarpColumns + lane % 4 * 2;
#pragma unroll
  for (int j = 0; j < kBlocksN; ++j) {
    const s32 column = first_column + 8 * j;
    // The tables end a little after the last channel of the last group.
    const s32 entry = place.channel + min(place.column + column, args.columns - 2);
    const float2 multiplier = *reinterpret_cast<const float2*>(args.epilogue.multiplier + entry);
    const float2 bias = *reinterpret_cast<const float2*>(args.epilogue.bias + entry);
#pragma unroll
    for (int i = 0; i < kBlocksM; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const s32 row = first_row + 16 * i + 8 * half;
        float x = 0, y = 0;
#if XI_RESIDUAL
        load_pair<Residual>(shared_residual + row * Staged<Residual>::kPitch + column * sizeof(Residual), x, y);
#endif
        x = finish(args.epilogue, acc[i][j][2 * half], multiplier.x, bias.x, x);
        y = finish(args.epilogue, acc[i][j][2 * half + 1], multiplier.y, bias.y, y);
        store_pair<Out>(shared_out + row * Staged<Out>::kPitch + column * sizeof(Out), x, y);
      }
    }
  }
}

/// Writes the finished tile; columns without a meaning get zeros.
__device__ __forceinline__ void write_tile(const IgemmArgs& args, const Place& place, u32 shared_out) {
  using Layout = Staged<Out>;
  Out* const out = reinterpret_cast<Out*>(args.out) + place.out_start;
#pragma unroll 4
  for (s32 i = threadIdx.x; i < Layout::kCount; i += kThreads) {
    const s32 row = i / Layout::kVectors;
    const s32 column = i % Layout::kVectors * Layout::kVector;
    if (place.row + row >= args.rows || place.column + column >= args.columns) continue;
    Vector16 v = load_shared(shared_out + row * Layout::kPitch + column * sizeof(Out));
    const s32 left = args.channels - (place.column + column);
    if (left < Layout::kVector) v = keep_bytes(v, left * static_cast<s32>(sizeof(Out)));
    *reinterpret_cast<Vector16*>(out + static_cast<s64>(place.row + row) * args.out_pitch + place.column + column) = v;
  }
}

#if XI_SPLIT
/// Stores this part's accumulators. Returns true in the block that comes last, with all parts' sums in `acc`: added in
/// the order of the parts, so that the result doesn't depend on who came last. Overwrites the start of `memory`.
__device__ __forceinline__ bool gather_parts(const IgemmArgs& args, Acc (&acc)[kBlocksM][kBlocksN][4], u8* memory) {
  constexpr int kVectors = kBlocksM * kBlocksN;
  const s64 tile = blockIdx.x + static_cast<s64>(gridDim.x) * blockIdx.z;
  Vector16* const all = args.partials + tile * gridDim.y * (kVectors * kThreads) + threadIdx.x;
  Vector16* const mine = all + static_cast<s64>(blockIdx.y) * (kVectors * kThreads);
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const Acc(&from)[4] = acc[v / kBlocksN][v % kBlocksN];
#if XI_FLOAT
    mine[v * kThreads] = {__float_as_uint(from[0]), __float_as_uint(from[1]), __float_as_uint(from[2]),
                          __float_as_uint(from[3])};
#else
    mine[v * kThreads] = {static_cast<u32>(from[0]), static_cast<u32>(from[1]), static_cast<u32>(from[2]),
                          static_cast<u32>(from[3])};
#endif
  }
  volatile u32* const is_last = reinterpret_cast<volatile u32*>(memory);  // where the stages were
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    const bool last = atomicAdd(&args.arrived[tile], 1) == gridDim.y - 1;
    if (last) args.arrived[tile] = 0;  // for the next launch
    *is_last = last;
  }
  __syncthreads();
  if (*is_last == 0) return false;
  __threadfence();
#pragma unroll
  for (int i = 0; i < kBlocksM; ++i) {
#pragma unroll
    for (int j = 0; j < kBlocksN; ++j) {
#pragma unroll
      for (int c = 0; c < 4; ++c) acc[i][j][c] = 0;
    }
  }
  for (u32 part = 0; part < gridDim.y; ++part) {
    const Vector16* const from = all + static_cast<s64>(part) * (kVectors * kThreads);
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
      Acc(&to)[4] = acc[v / kBlocksN][v % kBlocksN];
      Vector16 p;
      asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];"
                   : "=r"(p.x), "=r"(p.y), "=r"(p.z), "=r"(p.w)
                   : "l"(from + v * kThreads)
                   : "memory");
#if XI_FLOAT
      to[0] += __uint_as_float(p.x), to[1] += __uint_as_float(p.y);
      to[2] += __uint_as_float(p.z), to[3] += __uint_as_float(p.w);
#else
      to[0] += static_cast<s32>(p.x), to[1] += static_cast<s32>(p.y);
      to[2] += static_cast<s32>(p.z), to[3] += static_cast<s32>(p.w);
#endif
    }
  }
  return true;
}
#endif
