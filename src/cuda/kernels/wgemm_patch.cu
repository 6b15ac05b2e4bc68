// Convolution with stride 1 on Hopper for few channels, where gathering every tap (im2col) would read each pixel
// kernel_h * kernel_w times: a tile's patch of input lines is copied once, with its margins, and each tap is the same
// patch seen from another pixel on. Rows of the tile are pixels of the patch in order, patch_w to a line; those that
// fall into the margin are computed and not stored.
//
// Like the resident form (wgemm_resident.cu), warpgroups work alone, with weights in shared memory for good.
//
// Macros: see wgemm.cuh; XI_WARPGROUPS. A pixel is one panel: XI_BK bytes, all channels.
#include "wgemm.cuh"

inline constexpr int kHalves = 2;  ///< of 64 rows, in a tile

extern "C" __global__ void __launch_bounds__(128 * XI_WARPGROUPS, 1)
    wgemm_patch(const __grid_constant__ TensorMap activations, const __grid_constant__ TensorMap,
                const __grid_constant__ WgemmArgs args) {
  constexpr u32 kWeightPanel = XI_BN * XI_BK;
  extern __shared__ u8 raw[];
  const u32 base = (shared_address(raw) + 1023) & ~1023u;
  const u32 warpgroup = threadIdx.x / 128, thread = threadIdx.x % 128, t = thread % 4;
  const bool leader = thread == 0;
  const u32 taps = args.panels, stages = args.stages;
  const u32 patch = args.patch_w * args.patch_lines * XI_BK;
  // The last rows of a tile may see past the patch.
  const u32 reach = (args.patch_lines - args.tile_lines) * args.patch_w + (args.kernel_w - 1) * args.dilation_w;
  const u32 slot_bytes = (max(patch, (kHalves * 64 + reach) * XI_BK) + 1023) & ~1023u;
  const u32 weights = base, slots = weights + taps * kWeightPanel + warpgroup * stages * slot_bytes;
  const u32 weights_full = weights + taps * kWeightPanel + XI_WARPGROUPS * stages * slot_bytes;
  const u32 full = weights_full + 8 + warpgroup * stages * 8;

  // Block b owns channel tile b % channel_tiles; tiles are dealt out over all warpgroups of all blocks that own it.
  const s32 channel_tile = blockIdx.x % args.channel_tiles;
  const s32 stride = gridDim.x / args.channel_tiles;
  const s32 first = blockIdx.x / args.channel_tiles + warpgroup * stride, step = stride * XI_WARPGROUPS;
  const s32 count = first < args.row_tiles ? (args.row_tiles - 1 - first) / step + 1 : 0;
  const s32 tiles_per_image = (args.out_h + args.tile_lines - 1) / args.tile_lines;

  if (threadIdx.x < 32) {
    if (threadIdx.x < 1 + XI_WARPGROUPS * stages) barrier_init(weights_full + 8 * threadIdx.x, 1);
    barrier_init_done();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    const u8* from = args.weights + static_cast<u64>(channel_tile) * taps * kWeightPanel;
    barrier_expect(weights_full, taps * kWeightPanel);
#pragma unroll 1
    for (u32 p = 0; p < taps; ++p) {
      copy_bulk(weights + p * kWeightPanel, from + p * kWeightPanel, kWeightPanel, weights_full);
    }
  }
  Constants constants[kGroups];
#pragma unroll
  for (int group = 0; group < kGroups; ++group) {
    constants[group] = constants_of(args.epilogue, channel_tile, group, t);
  }
  wait_for_previous();

  auto load_patch = [&](s32 i, u32 slot) {
    const s32 tile = first + i * step;
    const s32 image = tile / tiles_per_image, line = (tile - image * tiles_per_image) * args.tile_lines;
    barrier_expect(full + 8 * slot, patch);
    copy_tile4(slots + slot * slot_bytes, &activations, 0, -args.pad_w, line - args.pad_h, image, full + 8 * slot);
  };
  if (leader) {
#pragma unroll 1
    for (s32 i = 0; i < static_cast<s32>(stages) && i < count; ++i) load_patch(i, i);
    if (count <= static_cast<s32>(stages)) launch_next();
  }
  // Where in a tile this thread's rows are: line and column of outputs; -1 beyond the tile.
  s32 line[kHalves][2], column[kHalves][2];
#pragma unroll
  for (int half = 0; half < kHalves; ++half) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const s32 row = half * 64 + thread / 32 * 16 + thread % 32 / 4 + 8 * h;
      line[half][h] = row / args.patch_w;
      column[half][h] = row - line[half][h] * args.patch_w;
      if (line[half][h] >= args.tile_lines || column[half][h] >= args.out_w) line[half][h] = 1 << 24;
    }
  }
  barrier_wait(weights_full, 0);

  u32 slot = 0, parity = 0;
#pragma unroll 1
  for (s32 i = 0; i < count; ++i) {
    const s32 tile = first + i * step;
    const s32 image = tile / tiles_per_image, line0 = (tile - image * tiles_per_image) * args.tile_lines;
    Accumulator acc[kHalves][XI_BN / 2];
    barrier_wait(full + 8 * slot, parity);
    const u32 at = slots + slot * slot_bytes;
    s32 tap_w = 0, tap_h = 0;
#pragma unroll 1
    for (u32 tap = 0; tap < taps; ++tap) {
      const u32 shift = tap_h * args.dilation_h * args.patch_w + tap_w * args.dilation_w;
      mma_fence();
      const u64 a = operand_at<XI_BK>(at + shift * XI_BK), b = operand_at<XI_BK>(weights + tap * kWeightPanel);
#pragma unroll
      for (u32 k = 0; k < XI_BK / kMmaBytes; ++k) {
#pragma unroll
        for (u32 half = 0; half < kHalves; ++half) {
          mma(acc[half], a + 2 * k + half * (64 * XI_BK >> 4), b + 2 * k, tap | k);
        }
      }
      mma_commit();
      if (++tap_w == args.kernel_w) {
        tap_w = 0;
        ++tap_h;
      }
    }
    const auto output_row = [&](int half, int h) {
      const s32 p = line0 + line[half][h];
      return p < args.out_h ? (image * args.out_h + p) * args.out_w + column[half][h] : -1;
    };
    const auto offset = [&](s32 row, int group) {
      return static_cast<u64>(row) * args.pitch + channel_tile * XI_BN + group * 4 * kChannels + t * kChannels;
    };
    const auto stored = [&](s32 row, int group) {
      return row >= 0 && channel_tile * XI_BN + group * 4 * kChannels + static_cast<s32>(t) * kChannels < args.pitch;
    };
    ResidualWords words[kHalves][kGroups][2];
#if XI_RESIDUAL
    // Fetched while the tensor cores work.
#pragma unroll
    for (int half = 0; half < kHalves; ++half) {
#pragma unroll
      for (int group = 0; group < kGroups; ++group) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          const s32 row = output_row(half, h);
          const u32* from = reinterpret_cast<const u32*>(static_cast<const XI_RESIDUAL_T*>(args.epilogue.residual) +
                                                         offset(row, group));
#pragma unroll
          for (int w = 0; w < kResidualWords; ++w) words[half][group][h][w] = 0;
          if (stored(row, group)) {
            if constexpr (kResidualWords % 4 == 0) {
#pragma unroll
              for (int w = 0; w < kResidualWords; w += 4) {
                const Vector16 v = *reinterpret_cast<const Vector16*>(from + w);
                words[half][group][h][w] = v.x, words[half][group][h][w + 1] = v.y;
                words[half][group][h][w + 2] = v.z, words[half][group][h][w + 3] = v.w;
              }
            } else {
#pragma unroll
              for (int w = 0; w < kResidualWords; ++w) words[half][group][h][w] = from[w];
            }
          }
        }
      }
    }
#endif
    mma_wait<0>();
    pin(acc[0]);
    pin(acc[1]);
    named_barrier(1 + warpgroup, 128);  // all four warps are done with this slot
    if (leader && i + static_cast<s32>(stages) < count) {
      load_patch(i + stages, slot);
      if (i + static_cast<s32>(stages) + 1 == count) launch_next();
    }
#pragma unroll
    for (int half = 0; half < kHalves; ++half) {
#pragma unroll
      for (int group = 0; group < kGroups; ++group) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          const Vector16 out = end_group(args.epilogue, acc[half], constants[group], group, h, words[half][group][h]);
          const s32 row = output_row(half, h);
          if (stored(row, group)) {
            *reinterpret_cast<Vector16*>(static_cast<XI_OUT_T*>(args.output) + offset(row, group)) = out;
          }
        }
      }
    }
    if (++slot == stages) {
      slot = 0;
      parity ^= 1;
    }
  }
}
