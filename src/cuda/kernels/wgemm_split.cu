// GEMM and convolution on Hopper for few output tiles: a cluster of XI_SPLIT blocks shares the K of one tile of
// 64 x XI_BN outputs. Every block fetches all panels of its part at once (weights before the kernel before has ended),
// multiplies, and sends its sums, row by row, to the block that ends that row: each ends its share of the rows.
//
// Macros: see wgemm.cuh; XI_SPLIT 2, 4 or 8.
#include "wgemm.cuh"

inline constexpr int kRows = 64;
inline constexpr int kChunks = kChannels / 4;                        ///< of four channels, in one store of wgemm.cuh
inline constexpr int kItems = kRows * XI_BN / 4 / (XI_SPLIT * 128);  ///< chunks that one thread ends

inline constexpr int kOwnRows = kRows / XI_SPLIT;        ///< rows that one block ends
inline constexpr u32 kSumsBytes = kOwnRows * XI_BN * 4;  ///< of one block's part, for them

__device__ __forceinline__ void load4(Accumulator (&v)[4], u32 shared) {
  u32 w[4];
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(w[0]), "=r"(w[1]), "=r"(w[2]), "=r"(w[3])
               : "r"(shared)
               : "memory");
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#if XI_A == 2
    v[i] = __uint_as_float(w[i]);
#else
    v[i] = static_cast<s32>(w[i]);
#endif
  }
}
__device__ __forceinline__ u32 bits_of(float x) { return __float_as_uint(x); }
__device__ __forceinline__ u32 bits_of(s32 x) { return static_cast<u32>(x); }

template <class Out>
__device__ __forceinline__ void store4(Out* to, const float (&y)[4]) {
  if constexpr (sizeof(Out) == 1) {
    *reinterpret_cast<u32*>(to) = pack4<Out>(y[0], y[1], y[2], y[3]);
  } else if constexpr (sizeof(Out) == 2) {
    *reinterpret_cast<uint2*>(to) = make_uint2(pack2_half(y[0], y[1]), pack2_half(y[2], y[3]));
  } else {
    *reinterpret_cast<float4*>(to) = make_float4(y[0], y[1], y[2], y[3]);
  }
}

extern "C" __global__ void __cluster_dims__(XI_SPLIT, 1, 1) __launch_bounds__(128)
    wgemm_split(const __grid_constant__ TensorMap activations, const __grid_constant__ TensorMap residuals,
                const __grid_constant__ WgemmArgs args) {
  constexpr u32 kPanel = kRows * XI_BK, kWeightPanel = XI_BN * XI_BK;
  extern __shared__ u8 raw[];
  const u32 base = (shared_address(raw) + 1023) & ~1023u;
  const u32 rank = cluster_rank();
  const s32 tile = blockIdx.x / XI_SPLIT;
  const s32 row_tile = tile / args.channel_tiles, channel_tile = tile - row_tile * args.channel_tiles;
  const s32 begin = args.panels * static_cast<s32>(rank) / XI_SPLIT;
  const u32 count = args.panels * static_cast<s32>(rank + 1) / XI_SPLIT - begin;
  const u32 most = (args.panels + XI_SPLIT - 1) / XI_SPLIT;  // the same in every block: addresses must agree
  const u32 weights = base + most * kPanel, sums = weights + most * kWeightPanel;
  const u32 full = sums + XI_SPLIT * kSumsBytes, received = full + 8 * most;
  if (threadIdx.x == 0) {
#pragma unroll 1
    for (u32 p = 0; p < count; ++p) barrier_init(full + 8 * p, 1);
    barrier_init(received, 1);
    barrier_init_done();
    barrier_expect(received, XI_SPLIT * kSumsBytes);
    prefetch_map(&activations);
    const u8* from = args.weights + (static_cast<u64>(channel_tile) * args.panels + begin) * kWeightPanel;
#pragma unroll 1
    for (u32 p = 0; p < count; ++p) {
      barrier_expect(full + 8 * p, kPanel + kWeightPanel);
      copy_bulk(weights + p * kWeightPanel, from + p * kWeightPanel, kWeightPanel, full + 8 * p);
    }
  }
  cluster_arrive();
  __syncthreads();
  wait_for_previous();
  if (threadIdx.x == 0) {
    PanelWalk walk = walk_from(args, row_tile * kRows);
    walk.channel = begin % args.tap_panels * kDepth;
#if XI_IM2COL
    const s32 tap = begin / args.tap_panels;
    walk.tap_h = tap / args.kernel_w;
    walk.tap_w = tap - walk.tap_h * args.kernel_w;
#endif
#pragma unroll 1
    for (u32 p = 0; p < count; ++p) copy_panel(args, &activations, walk, base + p * kPanel, full + 8 * p);
    launch_next();
  }

  const Part part = part_of(args, channel_tile);
  // What this thread will end: along a row first, so that neighbours store neighbouring channels.
  s32 row[kItems], channel[kItems];
  u32 from[kItems];
  float4 multiplier[kItems], bias[kItems];
#if XI_RESIDUAL
  float residual[kItems][4];
#endif
#pragma unroll
  for (int i = 0; i < kItems; ++i) {
    const u32 item = (rank * kItems + i) * 128 + threadIdx.x;
    const u32 r = item / (XI_BN / 4), in_row = item % (XI_BN / 4);
    const u32 chunk = in_row % kChunks, t = in_row / kChunks % 4, group = in_row / (4 * kChunks);
    from[i] = sums + (item - rank * kItems * 128) * 16;
    row[i] = row_tile * kRows + r;
    channel[i] = channel_tile * XI_BN - part.first_channel + group * 4 * kChannels + t * kChannels + chunk * 4;
    const s32 at = ((channel_tile * kGroups + group) * kChunks + chunk) * 4 + t;
    multiplier[i] = __ldg(reinterpret_cast<const float4*>(args.epilogue.multiplier) + at);
    bias[i] = __ldg(reinterpret_cast<const float4*>(args.epilogue.bias) + at);
    if (row[i] >= args.rows || channel[i] >= args.pitch) row[i] = -1;
#if XI_RESIDUAL
#pragma unroll
    for (int j = 0; j < 4; ++j) residual[i][j] = 0.0f;
    if (row[i] >= 0) {
      // Written by an earlier kernel: ordinary loads, not those of constants.
      struct __align__(4 * sizeof(XI_RESIDUAL_T)) Four {
        XI_RESIDUAL_T v[4];
      };
      const u64 where = static_cast<u64>(row[i]) * args.pitch + channel[i];
      const Four four =
          *reinterpret_cast<const Four*>(static_cast<const XI_RESIDUAL_T*>(args.epilogue.residual) + where);
#pragma unroll
      for (int j = 0; j < 4; ++j) residual[i][j] = to_float(four.v[j]);
    }
#endif
  }

  Accumulator acc[XI_BN / 2];
#pragma unroll 1
  for (u32 p = 0; p < count; ++p) {
    barrier_wait(full + 8 * p, 0);
    mma_fence();
    const u64 a = operand_at<XI_BK>(base + p * kPanel), b = operand_at<XI_BK>(weights + p * kWeightPanel);
#pragma unroll
    for (u32 k = 0; k < XI_BK / kMmaBytes; ++k) mma(acc, a + 2 * k, b + 2 * k, p | k);
    mma_commit();
  }
  mma_wait<0>();
  pin(acc);
  cluster_wait();  // every block's barriers are ready
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    const u32 r = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4 + 8 * h, owner = r / kOwnRows;
    const u32 line = in_block(sums + rank * kSumsBytes + r % kOwnRows * (XI_BN * 4), owner);
    const u32 barrier = in_block(received, owner);
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk) {
        // Channels 4 chunk .. 4 chunk + 3 of a thread's store are columns j = 2 chunk and 2 chunk + 1 of its group.
        const int j = kChannels / 2 * group + 2 * chunk;
        const u32 in_row = (group * 4 + threadIdx.x % 4) * kChunks + chunk;
        store_remote(line + in_row * 16, bits_of(acc[4 * j + 2 * h]), bits_of(acc[4 * j + 2 * h + 1]),
                     bits_of(acc[4 * (j + 1) + 2 * h]), bits_of(acc[4 * (j + 1) + 2 * h + 1]), barrier);
      }
    }
  }
  barrier_wait(received, 0);  // nobody writes here any more, so that this block may end before the others
#pragma unroll
  for (int i = 0; i < kItems; ++i) {
    Accumulator parts[XI_SPLIT][4];
#pragma unroll
    for (u32 block = 0; block < XI_SPLIT; ++block) load4(parts[block], from[i] + block * kSumsBytes);
    const float m[4] = {multiplier[i].x, multiplier[i].y, multiplier[i].z, multiplier[i].w};
    const float b[4] = {bias[i].x, bias[i].y, bias[i].z, bias[i].w};
    float y[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      Accumulator sum = parts[0][j];
#pragma unroll
      for (int block = 1; block < XI_SPLIT; ++block) sum += parts[block][j];
      float r = 0.0f;
#if XI_RESIDUAL
      r = residual[i][j];
#endif
      y[j] = finish(args.epilogue, sum, m[j], b[j], r);
    }
    if (row[i] >= 0) {
      store4(part.output + static_cast<u64>(row[i]) * args.pitch + channel[i], y);
    }
  }
}
