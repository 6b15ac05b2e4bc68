// First layers by wgmma (sm_90a); see stem.cuh. A warpgroup computes four rows of 16 output pixels at once: A comes
// from registers, B from shared memory.
//
// Macros beside those of stem.cuh: XI_AT_ONCE (steps whose A registers a lane holds).
//
// Weights: [chunk][step][8 channels][half of k] core matrices of 8 channels x 16 bytes.
#include "hopper.cuh"
#include "stem.cuh"

#if XI_TILES == 8
#define XI_NAMES                                                                                                   \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29," \
  "%30,%31"
#define XI_OPERANDS "{%32,%33,%34,%35}, %36"
#define XI_FLAG "%37"
#define XI_N "64"
#define XI_REGS(R) \
  XI_REG4(R, 0), XI_REG4(R, 1), XI_REG4(R, 2), XI_REG4(R, 3), XI_REG4(R, 4), XI_REG4(R, 5), XI_REG4(R, 6), XI_REG4(R, 7)
#else
#define XI_NAMES "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15"
#define XI_OPERANDS "{%16,%17,%18,%19}, %20"
#define XI_FLAG "%21"
#define XI_N "32"
#define XI_REGS(R) XI_REG4(R, 0), XI_REG4(R, 1), XI_REG4(R, 2), XI_REG4(R, 3)
#endif
#define XI_REG4(R, i) R(d[i][0]), R(d[i][1]), R(d[i][2]), R(d[i][3])
#define XI_MMA(R, TYPES, TAIL)                                                                                  \
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " XI_FLAG ", 0;\nwgmma.mma_async.sync.aligned.m64n" XI_N TYPES \
               " {" XI_NAMES "}, " XI_OPERANDS TAIL "\n}"                                                       \
               : XI_REGS(R)                                                                                     \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(more))

/// d = a * b, plus d where `more` is not 0.
__device__ __forceinline__ void multiply(s32 (&d)[XI_TILES][4], const u32 (&a)[4], u64 b, u32 more) {
  if constexpr (same_type<XI_T, u8>)
    XI_MMA("+r", "k32.s32.u8.s8", ", p;");
  else
    XI_MMA("+r", "k32.s32.s8.s8", ", p;");
}
__device__ __forceinline__ void multiply(float (&d)[XI_TILES][4], const u32 (&a)[4], u64 b, u32 more) {
  XI_MMA("+f", "k16.f32.f16.f16", ", p, 1, 1, 0;");
}
__device__ __forceinline__ void pin(s32& x) { asm volatile("" : "+r"(x)::"memory"); }
__device__ __forceinline__ void pin(float& x) { asm volatile("" : "+f"(x)::"memory"); }

/// Descriptor of B without swizzle: core matrices of 128 bytes, the halves of k next to each other.
__device__ __forceinline__ u64 weights_at(u32 shared) {
  constexpr u64 kAlongK = 128 >> 4, kAlongN = 256 >> 4;
  return static_cast<u64>((shared & 0x3ffff) >> 4) | (kAlongK << 16) | (kAlongN << 32);
}

constexpr int kAtOnce = XI_AT_ONCE;
constexpr int kParts = kTileSide / XI_WARPS;  // quarters of a tile that one warpgroup computes

extern "C" __global__ void __launch_bounds__(kThreads, XI_BLOCKS) stem_wgmma(const __grid_constant__ StemArgs a) {
  extern __shared__ Vector16 shared[];  // two patches, weights, tables
  float* const table_memory = reinterpret_cast<float*>(shared + 2 * kPatchBytes / 16 + a.chunks * kChunkVectors);
  const u32 patches = shared_address(shared), weights = patches + 2 * kPatchBytes;
  launch_next();
  const StemTables tables = copy_weights(a, weights, table_memory);
  wait_for_previous();
  int tile = static_cast<int>(blockIdx.x);
  if (tile < a.tiles) copy_patch(a, tile_at(a, tile), patches);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int row = static_cast<int>(threadIdx.x) / 128 * 4 * kParts + static_cast<int>(threadIdx.x) / 32 % 4;
  const int place = place_of(row, lane);
  wait_for_copies();
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");  // wgmma reads the weights
#pragma unroll 1
  for (u32 buffer = 0; tile < a.tiles; buffer ^= 1) {
    wait_for_copies();
    __syncthreads();
    const int next = tile + static_cast<int>(gridDim.x);
    if (next < a.tiles) copy_patch(a, tile_at(a, next), patches + (buffer ^ 1) * kPatchBytes);
    const StemTile here = tile_at(a, tile);
    const u32* const patch = reinterpret_cast<const u32*>(shared + buffer * (kPatchBytes / 16)) + place;
#pragma unroll 1
    for (int part = 0; part < kParts * a.chunks; ++part) {
      const int chunk = part / kParts, further = part % kParts * 4;  // rows
      const u32* const mine = patch + further * XI_SH * kRowWords;
      const u64 b = weights_at(weights + chunk * kChunkVectors * 16);
      Acc acc[XI_TILES][4];
#pragma unroll
      for (int first = 0; first < kSteps; first += kAtOnce) {
        u32 pixels[kAtOnce][4];
#pragma unroll
        for (int s = first; s < first + kAtOnce && s < kSteps; ++s)
          load_a(mine, s / kTurnSteps, s % kTurnSteps, pixels[s - first]);
        mma_fence();
#pragma unroll
        for (int s = first; s < first + kAtOnce && s < kSteps; ++s) {
          multiply(acc, pixels[s - first], b + static_cast<u64>(s * kChunkChannels * 32 >> 4), s > 0 ? 1 : 0);
        }
        mma_commit();
        mma_wait<0>();
#pragma unroll
        for (int i = 0; i < XI_TILES * 4; ++i) pin(acc[i / 4][i % 4]);
      }
      finish_row(a, here, row + further, chunk, tables, acc);
    }
    tile = next;
  }
}
