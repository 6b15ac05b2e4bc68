// Attention on Hopper's wgmma for heads of 64 elements: what attention.cu computes, with all keys and values of a head
// in shared memory. TMA fetches them tile by tile; each warpgroup takes 64 queries at a time, whose fragments stay in
// registers, walks over the keys as soon as they arrive, and writes its rows. Nothing but the first rows waits for
// memory, and the softmax of one warpgroup runs under the products of others. Macros:
//   XI_KEYS, XI_LAST  keys of a tile, and of the last one: multiples of 16 up to 96
//   XI_WARPGROUPS     1 or 2
//   XI_MASK           0: none; 1: one row of it for all queries
//   XI_MASK_T, XI_SCALE_FIRST, XI_OUT_T, XI_STEP: as in attention.cu
#include "attention_rows.cuh"
#include "hopper.cuh"

// ---- products: the left factor in registers, the right one in shared memory ----

#define XI_D8(i)                                                                                                       \
  "+f"(d[i][0]), "+f"(d[i][1]), "+f"(d[i][2]), "+f"(d[i][3]), "+f"(d[i + 1][0]), "+f"(d[i + 1][1]), "+f"(d[i + 1][2]), \
      "+f"(d[i + 1][3])
#define XI_D16 XI_D8(0), XI_D8(2)
#define XI_D24 XI_D16, XI_D8(4)
#define XI_D32 XI_D24, XI_D8(6)
#define XI_D40 XI_D32, XI_D8(8)
#define XI_D48 XI_D40, XI_D8(10)
#define XI_N8 "%0, %1, %2, %3, %4, %5, %6, %7"
#define XI_N16 XI_N8 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define XI_N24 XI_N16 ", %16, %17, %18, %19, %20, %21, %22, %23"
#define XI_N32 XI_N24 ", %24, %25, %26, %27, %28, %29, %30, %31"
#define XI_N40 XI_N32 ", %32, %33, %34, %35, %36, %37, %38, %39"
#define XI_N48 XI_N40 ", %40, %41, %42, %43, %44, %45, %46, %47"

/// d (64 x n) = a (64 x 16) b (16 x n), plus d where `accumulate` is not 0. b has rows of 128 bytes: n rows of 16
/// elements each, or, transposed, 16 rows of n.
template <int kGroups, bool kTransposed>
struct Product;
#define XI_PRODUCT(groups, transposed, n, names, regs, a0, a1, a2, a3, b0, flag)                                  \
  template <>                                                                                                     \
  struct Product<groups, transposed> {                                                                            \
    static __device__ __forceinline__ void add(float (&d)[groups][4], const u32 (&a)[4], u64 b, u32 accumulate) { \
      asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " flag ", 0;\nwgmma.mma_async.sync.aligned.m64n" #n          \
                   "k16.f32.f16.f16 {" names "}, {" a0 ", " a1 ", " a2 ", " a3 "}, " b0 ", p, 1, 1, " #transposed \
                   ";\n}"                                                                                         \
                   : regs                                                                                         \
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate));                        \
    }                                                                                                             \
  };
XI_PRODUCT(2, 0, 16, XI_N8, XI_D8(0), "%8", "%9", "%10", "%11", "%12", "%13")
XI_PRODUCT(4, 0, 32, XI_N16, XI_D16, "%16", "%17", "%18", "%19", "%20", "%21")
XI_PRODUCT(6, 0, 48, XI_N24, XI_D24, "%24", "%25", "%26", "%27", "%28", "%29")
XI_PRODUCT(8, 0, 64, XI_N32, XI_D32, "%32", "%33", "%34", "%35", "%36", "%37")
XI_PRODUCT(10, 0, 80, XI_N40, XI_D40, "%40", "%41", "%42", "%43", "%44", "%45")
XI_PRODUCT(12, 0, 96, XI_N48, XI_D48, "%48", "%49", "%50", "%51", "%52", "%53")
XI_PRODUCT(8, 1, 64, XI_N32, XI_D32, "%32", "%33", "%34", "%35", "%36", "%37")

namespace {

constexpr int kHead = 64;
constexpr u32 kRowBytes = kHead * 2;
constexpr u32 kTileBytes = XI_KEYS * kRowBytes;

template <int kGroups>
__device__ __forceinline__ void pin(float (&d)[kGroups][4]) {
#pragma unroll
  for (int i = 0; i < kGroups; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) asm volatile("" : "+f"(d[i][j])::"memory");
  }
}
/// Keeps a left factor in its registers until here.
template <int kSteps>
__device__ __forceinline__ void keep(const u32 (&a)[kSteps][4]) {
#pragma unroll
  for (int i = 0; i < kSteps; ++i) asm volatile("" ::"r"(a[i][0]), "r"(a[i][1]), "r"(a[i][2]), "r"(a[i][3]) : "memory");
}

// ---- rows ----

/// Of four neighbouring lanes: lane t gets word t of lane s as its word s.
__device__ __forceinline__ void transpose(u32 (&v)[4]) {
  const u32 t = threadIdx.x % 4;
#pragma unroll
  for (int bit = 1; bit <= 2; bit *= 2) {
    const bool upper = (t & bit) != 0;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int low = bit == 1 ? 2 * i : i, high = low + bit;
      const u32 got = __shfl_xor_sync(0xffffffffu, upper ? v[low] : v[high], bit);
      if (upper) {
        v[low] = got;
      } else {
        v[high] = got;
      }
    }
  }
}

/// What a warpgroup's thread knows of its rows g and g + 8 of 16 (g = lane / 4).
struct Rows {
  u32 q[kHead / 16][4];
  float o[kHead / 8][4];
  float highest[2], sum[2];
};

__device__ __forceinline__ void start_rows(Rows& w, const AttentionArgs& a, const half_t* q, u32 row) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const u32 here = row + 8 * half;
    // The 16 elements from 16 t on.
    Vector16 parts[2] = {};
    if (here < a.queries) {
      const auto* from = reinterpret_cast<const Vector16*>(q + static_cast<u64>(here) * a.q_row + threadIdx.x % 4 * 16);
      parts[0] = from[0];
      parts[1] = from[1];
    }
#pragma unroll
    for (int part = 0; part < 2; ++part) {
      u32 words[4] = {parts[part].x, parts[part].y, parts[part].z, parts[part].w};
      transpose(words);
#pragma unroll
      for (int d = 0; d < kHead / 16; ++d) w.q[d][2 * part + half] = words[d];
    }
    w.highest[half] = minus_infinity();
    w.sum[half] = 0;
  }
#pragma unroll
  for (int i = 0; i < kHead / 8; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) w.o[i][j] = 0;
  }
}

/// Takes one tile of kKeys keys, of which only those below a.keys count.
template <int kKeys>
__device__ __forceinline__ void take_tile(Rows& w, const AttentionArgs& a, u32 keys, u32 values, u32 keys_here,
                                          u32 values_here, u32 first_key, const void* mask) {
  const u32 t = threadIdx.x % 4;
  float s[kKeys / 8][4];
  barrier_wait(keys_here, 0);
  mma_fence();
#pragma unroll
  for (int d = 0; d < kHead / 16; ++d)
    Product<kKeys / 8, false>::add(s, w.q[d], operand_at<kRowBytes>(keys) + 2 * d, d);
  mma_commit();
  mma_wait<0>();
  pin(s);
#if XI_SCALE_FIRST
  const float scale = 1.0f;
#pragma unroll
  for (int i = 0; i < kKeys / 8; ++i) {
#if XI_MASK
    const float2 add = mask_pair(static_cast<const XI_MASK_T*>(mask) + first_key + i * 8 + t * 2);
#else
    const float2 add = make_float2(0.0f, 0.0f);
#endif
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      s[i][2 * half] = fmaf(s[i][2 * half], a.scale, add.x);
      s[i][2 * half + 1] = fmaf(s[i][2 * half + 1], a.scale, add.y);
    }
  }
#else
  const float scale = a.scale;
#endif
  if (first_key + kKeys > a.keys) {
#pragma unroll
    for (int i = 0; i < kKeys / 8; ++i) {
      const u32 key = first_key + i * 8 + t * 2;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        if (key >= a.keys) s[i][2 * half] = minus_infinity();
        if (key + 1 >= a.keys) s[i][2 * half + 1] = minus_infinity();
      }
    }
  }
  u32 p[kKeys / 16][4];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float shrink = take_scores(s, half, scale, w.highest[half], w.sum[half], p);
#pragma unroll
    for (int i = 0; i < kHead / 8; ++i) {
      w.o[i][2 * half] *= shrink;
      w.o[i][2 * half + 1] *= shrink;
    }
  }
  barrier_wait(values_here, 0);
  mma_fence();
#pragma unroll
  for (int j = 0; j < kKeys / 16; ++j) {
    Product<kHead / 8, true>::add(w.o, p[j], operand_at<kRowBytes>(values + j * 16 * kRowBytes), 1);
  }
  mma_commit();
  mma_wait<0>();
  pin(w.o);
  keep(p);
}

/// Writes one row: the thread has columns 8 i + 2 t and the next one, and leaves 16 from 16 t on.
template <class Out>
__device__ __forceinline__ void write_row(const Rows& w, const AttentionArgs& a, Out* y, int half, u32 row) {
  float sum = w.sum[half];
  sum += __shfl_xor_sync(0xffffffffu, sum, 1);
  sum += __shfl_xor_sync(0xffffffffu, sum, 2);
  const float inverse = 1.0f / sum;  // a row without any key: 0 * inf, NaN
  const auto value = [&](int i, int e) { return to_steps(w.o[i][2 * half + e] * inverse, a.step); };
  auto* to = reinterpret_cast<Vector16*>(y + static_cast<u64>(row) * a.y_row + threadIdx.x % 4 * 16);
  if constexpr (sizeof(Out) == 1) {
    u32 v[4];
#pragma unroll
    for (int m = 0; m < 4; ++m) {
      v[m] = pack4<Out>(value(2 * m, 0), value(2 * m, 1), value(2 * m + 1, 0), value(2 * m + 1, 1));
    }
    transpose(v);
    if (row >= a.queries) return;
    *to = {__byte_perm(v[0], v[1], 0x5410), __byte_perm(v[2], v[3], 0x5410), __byte_perm(v[0], v[1], 0x7632),
           __byte_perm(v[2], v[3], 0x7632)};
  } else {
#pragma unroll
    for (int odd = 0; odd < 2; ++odd) {
      u32 v[4];
#pragma unroll
      for (int m = 0; m < 4; ++m) v[m] = pack2_half(value(2 * m + odd, 0), value(2 * m + odd, 1));
      transpose(v);
      if (row < a.queries) to[odd] = {v[0], v[1], v[2], v[3]};
    }
  }
}

}  // namespace

/// a.query_tiles is how many blocks share a head.
extern "C" __global__ void __launch_bounds__(128 * XI_WARPGROUPS, 4 / XI_WARPGROUPS)
    attention_wgmma(const __grid_constant__ TensorMap key_map, const __grid_constant__ TensorMap value_map,
                    const __grid_constant__ AttentionArgs a) {
  extern __shared__ u8 raw[];
  const u32 base = (shared_address(raw) + 1023) & ~1023u;
  const u32 tiles = (a.keys + XI_KEYS - 1) / XI_KEYS;
  const u32 keys = base, values = keys + tiles * kTileBytes, barriers = values + tiles * kTileBytes;
  const u32 share = blockIdx.x % a.query_tiles, item = blockIdx.x / a.query_tiles;
  const u32 batch = item / a.heads, head = item % a.heads;
  if (threadIdx.x == 0) {
#pragma unroll 1
    for (u32 i = 0; i < 2 * tiles; ++i) barrier_init(barriers + 8 * i, 1);
    barrier_init_done();
    prefetch_map(&key_map);
    prefetch_map(&value_map);
  }
  __syncthreads();
  wait_for_previous();
  if (threadIdx.x == 0) {
#pragma unroll 1
    for (u32 i = 0; i < tiles; ++i) {
      const u32 keys_here = barriers + 16 * i, values_here = keys_here + 8;
      barrier_expect(keys_here, kTileBytes);
      copy_tile4(keys + i * kTileBytes, &key_map, 0, i * XI_KEYS, head, batch, keys_here);
      barrier_expect(values_here, kTileBytes);
      copy_tile4(values + i * kTileBytes, &value_map, 0, i * XI_KEYS, head, batch, values_here);
    }
  }
  launch_next();
#if XI_MASK
  const XI_MASK_T* mask = a.mask + batch * a.mask_batch + head * a.mask_head;
#else
  const void* mask = nullptr;
#endif
  const half_t* q = a.q + batch * a.q_batch + head * a.q_head;
  XI_OUT_T* y = a.y + batch * a.y_batch + head * a.y_head;
  const u32 in_tile = threadIdx.x % 128 / 32 * 16 + threadIdx.x % 32 / 4;
  Rows w;
#pragma unroll 1
  for (u32 first = (share * XI_WARPGROUPS + threadIdx.x / 128) * 64; first < a.queries;
       first += a.query_tiles * XI_WARPGROUPS * 64) {
    const u32 row = first + in_tile;
    start_rows(w, a, q, row);
#pragma unroll 1
    for (u32 i = 0; i + 1 < tiles; ++i) {
      take_tile<XI_KEYS>(w, a, keys + i * kTileBytes, values + i * kTileBytes, barriers + 16 * i, barriers + 16 * i + 8,
                         i * XI_KEYS, mask);
    }
    const u32 last = tiles - 1;
    take_tile<XI_LAST>(w, a, keys + last * kTileBytes, values + last * kTileBytes, barriers + 16 * last,
                       barriers + 16 * last + 8, last * XI_KEYS, mask);
    keep(w.q);
    write_row(w, a, y, 0, row);
    write_row(w, a, y, 1, row + 8);
  }
}
