// GEMM and convolution on Hopper for long K: one producer warpgroup streams panels of activations and weights through
// a ring; two consumer warpgroups take turns, each with a tile of its own of XI_BM x XI_BN outputs, so that one's
// epilogue runs under the other's multiplications. Persistent: a block walks over many tiles.
//
// With XI_CLUSTER 2, pairs of blocks work on neighbouring channel tiles of the same rows: each fetches half of the rows
// for both, which halves what the L2 cache has to serve.
//
// Macros: see wgemm.cuh; XI_BM 64 or 128; XI_CLUSTER 1 or 2.
#include "wgemm.cuh"

inline constexpr int kHalves = XI_BM / 64;
inline constexpr u32 kConsumers = 2;
/// Whether registers last for the constants of a group ahead.
inline constexpr bool kAhead = XI_BN < 256 || !XI_RESIDUAL;

struct TileOrder {
  s32 row_tile, channel_tile;
};
/// Tiles go in groups of `group` row tiles through all channel tiles, so that the blocks at work share operands in L2.
__device__ __forceinline__ TileOrder tile_at(const WgemmArgs& args, s32 i) {
  const s32 tile = (blockIdx.x + i * gridDim.x) / XI_CLUSTER;
  const s32 per = args.group * (args.channel_tiles / XI_CLUSTER);
  const s32 group = tile / per, within = tile - group * per;
  const s32 height = min(args.group, args.row_tiles - group * args.group);
  return {group * args.group + within % height,
          within / height * XI_CLUSTER + static_cast<s32>(blockIdx.x % XI_CLUSTER)};
}

#if XI_CLUSTER > 1
#define XI_CLUSTER_DIMS __cluster_dims__(XI_CLUSTER, 1, 1)
#else
#define XI_CLUSTER_DIMS
#endif

extern "C" __global__ void XI_CLUSTER_DIMS __launch_bounds__(384, 1)
    wgemm_streamed(const __grid_constant__ TensorMap activations, const __grid_constant__ TensorMap residuals,
                   const __grid_constant__ WgemmArgs args) {
  constexpr u32 kPanel = XI_BM * XI_BK, kWeightPanel = XI_BN * XI_BK;
#if XI_RESIDUAL
  constexpr u32 kResidualTile = XI_BM * XI_BN * kResidualBytes;
#else
  constexpr u32 kResidualTile = 0;
#endif
  extern __shared__ u8 raw[];
  const u32 base = (shared_address(raw) + 1023) & ~1023u;
  const u32 stages = args.stages, panels = args.panels;
  const u32 panel_ring = base, weight_ring = panel_ring + stages * kPanel;
  const u32 residual_tiles = weight_ring + stages * kWeightPanel;
  const u32 full = residual_tiles + kConsumers * kResidualTile, empty = full + 8 * stages;
  const u32 turn = empty + 8 * stages, residual_full = turn + 16, residual_empty = residual_full + 16;

  // In clusters, the same for both blocks.
  const s32 tiles = args.row_tiles * args.channel_tiles / XI_CLUSTER;
  const s32 cluster = blockIdx.x / XI_CLUSTER, clusters = gridDim.x / XI_CLUSTER;
  const s32 count = cluster < tiles ? (tiles - 1 - cluster) / clusters + 1 : 0;
  const u32 rank = blockIdx.x % XI_CLUSTER;
  if (threadIdx.x == 0) {
#pragma unroll 1
    for (u32 i = 0; i < stages; ++i) {
      barrier_init(full + 8 * i, 1);
      barrier_init(empty + 8 * i, 4 * XI_CLUSTER);
    }
    for (u32 i = 0; i < kConsumers; ++i) {
      barrier_init(turn + 8 * i, 4);
      barrier_init(residual_full + 8 * i, 1);
      barrier_init(residual_empty + 8 * i, 4);
    }
    barrier_init_done();
    prefetch_map(&activations);
  }
  __syncthreads();
  if constexpr (XI_CLUSTER > 1) {
    cluster_arrive();
    cluster_wait();
  }

  if (threadIdx.x < 128) {
    give_registers<40>();
    if (threadIdx.x == 0) {
      // The weights of the first panels don't depend on the kernel before: fetch them while it ends.
      const u32 early = min(stages, count * panels);
      {
        s32 i = 0;
        u32 p = 0;
#pragma unroll 1
        for (u32 s = 0; s < early; ++s) {
          const u8* from = args.weights + (static_cast<u64>(tile_at(args, i).channel_tile) * panels + p) * kWeightPanel;
          barrier_expect(full + 8 * s, kPanel + kWeightPanel);
          copy_bulk(weight_ring + s * kWeightPanel, from, kWeightPanel, full + 8 * s);
          if (++p == panels) {
            p = 0;
            ++i;
          }
        }
      }
      wait_for_previous();
      u32 s = 0, parity = 1;
      bool first_round = true;
#pragma unroll 1
      for (s32 i = 0; i < count; ++i) {
        const TileOrder tile = tile_at(args, i);
        const u8* from = args.weights + static_cast<u64>(tile.channel_tile) * panels * kWeightPanel;
        PanelWalk walk = walk_from(args, tile.row_tile * XI_BM + rank * (XI_BM / XI_CLUSTER));
#pragma unroll 1
        for (u32 p = 0; p < panels; ++p) {
          if (!first_round) {
            barrier_wait(empty + 8 * s, parity);
            barrier_expect(full + 8 * s, kPanel + kWeightPanel);
            copy_bulk(weight_ring + s * kWeightPanel, from, kWeightPanel, full + 8 * s);
          }
          copy_panel(args, &activations, walk, panel_ring + s * kPanel + rank * (kPanel / XI_CLUSTER), full + 8 * s);
          from += kWeightPanel;
          if (++s == stages) {
            s = 0;
            parity ^= 1;
            first_round = false;
          }
        }
      }
      launch_next();
    }
#if XI_RESIDUAL
    if (threadIdx.x == 32) {
      wait_for_previous();
#pragma unroll 1
      for (s32 i = 0; i < count; ++i) {
        const u32 consumer = i % kConsumers;
        const TileOrder tile = tile_at(args, i);
        barrier_wait(residual_empty + 8 * consumer, (i / kConsumers & 1) ^ 1);
        copy_residual<XI_BM>(&residuals, residual_tiles + consumer * kResidualTile, tile.channel_tile * XI_BN,
                             tile.row_tile * XI_BM, residual_full + 8 * consumer);
      }
    }
#endif
  } else {
    take_registers<232>();
    wait_for_previous();
    // A slot is free once no block of the cluster reads it: each fills the slots of both.
    const auto release = [&](u32 slot) {
      if constexpr (XI_CLUSTER > 1) {
#pragma unroll
        for (u32 block = 0; block < XI_CLUSTER; ++block) barrier_arrive_remote(in_block(empty + 8 * slot, block));
      } else {
        barrier_arrive(empty + 8 * slot);
      }
    };
    const u32 consumer = threadIdx.x / 128 - 1, thread = threadIdx.x % 128, lane = thread % 32, t = lane % 4;
#pragma unroll 1
    for (s32 i = consumer; i < count; i += kConsumers) {
      const TileOrder tile = tile_at(args, i);
      const u32 start = static_cast<u32>(i) * panels;
      u32 s = start % stages, parity = start / stages & 1, previous = 0;
      const u32 turns = i / kConsumers;
      Accumulator acc[kHalves][XI_BN / 2];
      // Constants come a group ahead, the first before the multiplications: their latency would be all exposed.
      Constants constants[2];
      if constexpr (kAhead) constants[0] = constants_of(args.epilogue, tile.channel_tile, 0, t);
      // In turn: the other warpgroup has seen all of its panels. Otherwise a panel two rounds ahead has the same
      // parity.
      if (consumer == 1) {
        barrier_wait(turn + 8, turns & 1);
      } else if (turns > 0) {
        barrier_wait(turn, (turns - 1) & 1);
      }
#pragma unroll 1
      for (u32 p = 0; p < panels; ++p) {
        barrier_wait(full + 8 * s, parity);
        if (p + 1 == panels && lane == 0) barrier_arrive(turn + 8 * (1 - consumer));
        mma_fence();
        const u64 a = operand_at<XI_BK>(panel_ring + s * kPanel), b = operand_at<XI_BK>(weight_ring + s * kWeightPanel);
#pragma unroll
        for (u32 k = 0; k < XI_BK / kMmaBytes; ++k) {
#pragma unroll
          for (u32 half = 0; half < kHalves; ++half) {
            mma(acc[half], a + 2 * k + half * (64 * XI_BK >> 4), b + 2 * k, p | k);
          }
        }
        mma_commit();
        if (p > 0) {
          mma_wait<1>();
          if (lane == 0) release(previous);
        }
        previous = s;
        if (++s == stages) {
          s = 0;
          parity ^= 1;
        }
      }
      mma_wait<0>();
      if (lane == 0) release(previous);
#pragma unroll
      for (int half = 0; half < kHalves; ++half) pin(acc[half]);
#if XI_RESIDUAL
      barrier_wait(residual_full + 8 * consumer, turns & 1);
#endif
      const u32 row = thread / 32 * 16 + lane / 4;
#pragma unroll
      for (int group = 0; group < kGroups; ++group) {
        if constexpr (!kAhead) {
          constants[group % 2] = constants_of(args.epilogue, tile.channel_tile, group, t);
        } else if (group + 1 < kGroups) {
          constants[(group + 1) % 2] = constants_of(args.epilogue, tile.channel_tile, group + 1, t);
        }
#pragma unroll
        for (int half = 0; half < kHalves; ++half) {
          store_group<XI_BM>(args, acc[half], constants[group % 2], tile.channel_tile, group,
                             tile.row_tile * XI_BM + half * 64 + row, t, residual_tiles + consumer * kResidualTile,
                             half * 64 + row);
        }
      }
#if XI_RESIDUAL
      __syncwarp();
      if (lane == 0) barrier_arrive(residual_empty + 8 * consumer);
#endif
    }
  }
  if constexpr (XI_CLUSTER > 1) {
    __syncwarp();
    cluster_barrier();  // a block must stay while the other may still copy into its shared memory
  }
}
