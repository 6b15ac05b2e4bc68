// GEMM and convolution on Hopper for short K: every block keeps the weights of one tile of XI_BN channels in shared
// memory for good, with their scales and biases in registers, and its XI_WARPGROUPS warpgroups work alone, each on its
// own tiles of 64 rows with its own ring of activation tiles. No producer and no order between warpgroups: one's
// multiplications run under the others' epilogues, which is what bounds layers with short K.
//
// Macros: see wgemm.cuh; XI_WARPGROUPS.
#include "wgemm.cuh"

extern "C" __global__ void __launch_bounds__(128 * XI_WARPGROUPS, 1)
    wgemm_resident(const __grid_constant__ TensorMap activations, const __grid_constant__ TensorMap residuals,
                   const __grid_constant__ WgemmArgs args) {
  constexpr u32 kRows = 64;
  constexpr u32 kPanel = kRows * XI_BK, kWeightPanel = XI_BN * XI_BK;
#if XI_RESIDUAL
  constexpr u32 kResidualTile = kRows * XI_BN * kResidualBytes;
#else
  constexpr u32 kResidualTile = 0;
#endif
  extern __shared__ u8 raw[];
  const u32 base = (shared_address(raw) + 1023) & ~1023u;
  const u32 warpgroup = threadIdx.x / 128, thread = threadIdx.x % 128, t = thread % 4;
  const bool leader = thread == 0;
  const u32 panels = args.panels, stages = args.stages, ring = stages * panels;

  // Shared memory: weights, rings of activations, two residual tiles a warpgroup, barriers.
  const u32 weights = base;
  const u32 tiles = weights + panels * kWeightPanel + warpgroup * ring * kPanel;
  const u32 residual_base = weights + panels * kWeightPanel + XI_WARPGROUPS * ring * kPanel;
  const u32 residual_tiles = residual_base + warpgroup * 2 * kResidualTile;
  const u32 weights_full = residual_base + XI_WARPGROUPS * 2 * kResidualTile;
  const u32 full = weights_full + 8 * panels + warpgroup * (ring + 2) * 8;

  // Block b owns channel tile b % channel_tiles; row tiles are dealt out over all warpgroups of all blocks that own it.
  const s32 channel_tile = blockIdx.x % args.channel_tiles;
  const s32 stride = gridDim.x / args.channel_tiles;
  const s32 first = blockIdx.x / args.channel_tiles + warpgroup * stride, step = stride * XI_WARPGROUPS;
  const s32 count = first < args.row_tiles ? (args.row_tiles - 1 - first) / step + 1 : 0;

  if (threadIdx.x < 32) {
    const u32 barriers = panels + XI_WARPGROUPS * (ring + 2);
#pragma unroll 1
    for (u32 i = threadIdx.x; i < barriers; i += 32) barrier_init(weights_full + 8 * i, 1);
    barrier_init_done();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    const u8* from = args.weights + static_cast<u64>(channel_tile) * panels * kWeightPanel;
#pragma unroll 1
    for (u32 p = 0; p < panels; ++p) {
      barrier_expect(weights_full + 8 * p, kWeightPanel);
      copy_bulk(weights + p * kWeightPanel, from + p * kWeightPanel, kWeightPanel, weights_full + 8 * p);
    }
  }
#if XI_BN <= 128
  Constants constants[kGroups];
#pragma unroll
  for (int group = 0; group < kGroups; ++group) {
    constants[group] = constants_of(args.epilogue, channel_tile, group, t);
  }
#endif
  wait_for_previous();

  auto load_tile = [&](s32 i, u32 slot) {
    PanelWalk walk = walk_from(args, (first + i * step) * static_cast<s32>(kRows));
#pragma unroll 1
    for (u32 p = 0; p < panels; ++p) {
      const u32 at = slot * panels + p;
      barrier_expect(full + 8 * at, kPanel);
      copy_panel(args, &activations, walk, tiles + at * kPanel, full + 8 * at);
    }
  };
#if XI_RESIDUAL
  const u32 residual_full = full + ring * 8;
  auto load_residual = [&](s32 i) {
    copy_residual<kRows>(&residuals, residual_tiles + i % 2 * kResidualTile, channel_tile * XI_BN,
                         (first + i * step) * static_cast<s32>(kRows), residual_full + i % 2 * 8);
  };
#endif
  if (leader) {
#pragma unroll 1
    for (s32 i = 0; i < static_cast<s32>(stages) && i < count; ++i) load_tile(i, i);
#if XI_RESIDUAL
    for (s32 i = 0; i < 2 && i < count; ++i) load_residual(i);
#endif
    if (count <= static_cast<s32>(stages)) launch_next();
  }

#pragma unroll 1
  for (u32 p = 0; p < panels; ++p) barrier_wait(weights_full + 8 * p, 0);
  u32 slot = 0, parity = 0;
#pragma unroll 1
  for (s32 i = 0; i < count; ++i) {
    Accumulator acc[XI_BN / 2];
#pragma unroll 1
    for (u32 p = 0; p < panels; ++p) {
      const u32 at = slot * panels + p;
      barrier_wait(full + 8 * at, parity);
      mma_fence();
      const u64 a = operand_at<XI_BK>(tiles + at * kPanel), b = operand_at<XI_BK>(weights + p * kWeightPanel);
#pragma unroll
      for (u32 k = 0; k < XI_BK / kMmaBytes; ++k) mma(acc, a + 2 * k, b + 2 * k, p | k);
      mma_commit();
    }
    mma_wait<0>();
    pin(acc);
    // All four warps are done with this slot, and with the residual of the tile before.
    named_barrier(1 + warpgroup, 128);
    if (leader) {
      if (i + static_cast<s32>(stages) < count) {
        load_tile(i + stages, slot);
        if (i + static_cast<s32>(stages) + 1 == count) launch_next();
      }
#if XI_RESIDUAL
      if (i > 0 && i + 1 < count) load_residual(i + 1);
#endif
    }
#if XI_RESIDUAL
    barrier_wait(residual_full + i % 2 * 8, i / 2 & 1);
#endif
    const u32 row = thread / 32 * 16 + thread % 32 / 4;
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
#if XI_BN > 128
      const Constants constants_here = constants_of(args.epilogue, channel_tile, group, t);
#else
      const Constants& constants_here = constants[group];
#endif
      store_group<kRows>(args, acc, constants_here, channel_tile, group, (first + i * step) * kRows + row, t,
                         residual_tiles + i % 2 * kResidualTile, row);
    }
    if (++slot == stages) {
      slot = 0;
      parity ^= 1;
    }
  }
}
