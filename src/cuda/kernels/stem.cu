// First layers by mma.sync; see stem.cuh. A warp computes two rows of 16 output pixels.
//
// Weights: [chunk][step][pair of tiles][lane] of 16 bytes: the B registers of both tiles.
#include "stem.cuh"

__device__ __forceinline__ void multiply(s32 (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  if constexpr (same_type<XI_T, u8>) {
    asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  } else {
    asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
}
__device__ __forceinline__ void multiply(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

extern "C" __global__ void __launch_bounds__(kThreads, XI_BLOCKS) stem_conv(const __grid_constant__ StemArgs a) {
  extern __shared__ Vector16 shared[];  // two patches, weights, tables
  const Vector16* const weights = shared + 2 * kPatchBytes / 16;
  float* const table_memory = reinterpret_cast<float*>(shared + 2 * kPatchBytes / 16 + a.chunks * kChunkVectors);
  const u32 patches = shared_address(shared);
  launch_next();
  const StemTables tables = copy_weights(a, shared_address(weights), table_memory);
  wait_for_previous();
  int tile = static_cast<int>(blockIdx.x);
  if (tile < a.tiles) copy_patch(a, tile_at(a, tile), patches);
  const int lane = static_cast<int>(threadIdx.x) % 32, row = static_cast<int>(threadIdx.x) / 32 * 2;
  const int place = place_of(row, lane);
#pragma unroll 1
  for (u32 buffer = 0; tile < a.tiles; buffer ^= 1) {
    wait_for_copies();
    __syncthreads();
    const int next = tile + static_cast<int>(gridDim.x);
    if (next < a.tiles) copy_patch(a, tile_at(a, next), patches + (buffer ^ 1) * kPatchBytes);
    const StemTile here = tile_at(a, tile);
    const u32* const mine = reinterpret_cast<const u32*>(shared + buffer * (kPatchBytes / 16)) + place;
#pragma unroll 1
    for (int chunk = 0; chunk < a.chunks; ++chunk) {
      const Vector16* w = weights + chunk * kChunkVectors + lane;
      Acc acc[2][XI_TILES][4] = {};
#pragma unroll 1
      for (int turn = 0; turn < kTurns; ++turn) {
#pragma unroll
        for (int s = 0; s < kTurnSteps; ++s) {
          u32 pixels[2][4];
          load_a(mine, turn, s, pixels[0]);
          load_a(mine + XI_SH * kRowWords, turn, s, pixels[1]);
#pragma unroll
          for (int pair = 0; pair < XI_TILES / 2; ++pair) {
            const Vector16 b = w[pair * 32];
#pragma unroll
            for (int r = 0; r < 2; ++r) {
              multiply(acc[r][2 * pair], pixels[r], b.x, b.y);
              multiply(acc[r][2 * pair + 1], pixels[r], b.z, b.w);
            }
          }
          w += XI_TILES / 2 * 32;
        }
      }
      finish_row(a, here, row, chunk, tables, acc[0]);
      finish_row(a, here, row + 1, chunk, tables, acc[1]);
    }
    tile = next;
  }
}
