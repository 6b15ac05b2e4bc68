// Implicit GEMM on the tensor cores of every architecture: convolutions over NHWC activations, Linear and MatMul.
//
// C (rows x columns) = A (rows x K) B (columns x K)^T. A row of A is an output position: its K runs over the filter
// taps and, within a tap, over the input channels (padded to 16), so that 16 bytes never cross a tap; of a Linear it is
// a row of the input. Rows of B are packed weights in the same order.
#include "igemm_store.cuh"

/// One warp's share of a stage: fragments of 32 bytes of K at a time, fetched one step ahead of the multiplications.
struct Multiplier {
  static constexpr int kSteps = XI_TILE_K / 32;
  u32 a_offset[kBlocksM];  // of the lane's row of each pair of matrices, at the first 32 bytes of K
  u32 b_offset[kBlocksN / 2];
  u32 a[2][kBlocksM][4];
  u32 b[2][kBlocksN][2];

  __device__ __forceinline__ Multiplier() {
    const u32 warp = threadIdx.x / 32;
    const u32 lane = threadIdx.x % 32;
    // A: matrices 0, 1 are rows 0-7, 8-15 at the first 16 bytes of K, matrices 2, 3 the same rows at the next 16.
#pragma unroll
    for (int i = 0; i < kBlocksM; ++i) {
      a_offset[i] = chunk_offset(warp / XI_WARPS_N * kWarpRows + 16 * i + lane % 16, lane / 16);
    }
    // B: matrices 0, 1 are columns 0-7 at the first and the next 16 bytes of K, matrices 2, 3 columns 8-15.
#pragma unroll
    for (int j = 0; j < kBlocksN / 2; ++j) {
      const u32 column = warp % XI_WARPS_N * kWarpColumns + 16 * j;
#if XI_B < 2
      b_offset[j] = kBytesA + chunk_offset(column + lane / 16 * 8 + lane % 8, lane / 8 % 2);
#else
      b_offset[j] = kBytesA + wide_offset(lane / 8 % 2 * 8 + lane % 8, column / 8 + lane / 16);
#endif
    }
  }

  /// 32 more bytes of K are two more chunks: bit 1 of the chunk's number. It is clear at step 0 before the permutation,
  /// which is an exclusive or too, so it may be set (and the next bit) by one afterwards.
  __device__ __forceinline__ void fetch(u32 stage, int step) {
    const int to = step % 2;
#pragma unroll
    for (int i = 0; i < kBlocksM; ++i) load_matrices(a[to][i], (stage + a_offset[i]) ^ (step * 32));
#pragma unroll
    for (int j = 0; j < kBlocksN / 2; ++j) {
      u32 r[4];
#if XI_B < 2
      load_matrices(r, (stage + b_offset[j]) ^ (step * 32));
#else
      load_matrices_transposed(r, stage + b_offset[j] + step * 16 * (XI_TILE_N * 2));
#endif
      b[to][2 * j][0] = r[0], b[to][2 * j][1] = r[1];
      b[to][2 * j + 1][0] = r[2], b[to][2 * j + 1][1] = r[3];
    }
  }

  __device__ __forceinline__ void multiply_step(Acc (&acc)[kBlocksM][kBlocksN][4], int step) {
#pragma unroll
    for (int i = 0; i < kBlocksM; ++i) {
#pragma unroll
      for (int j = 0; j < kBlocksN; ++j) multiply(acc[i][j], a[step % 2][i], b[step % 2][j]);
    }
  }

  /// The rest of a stage of which step 0 is fetched.
  __device__ __forceinline__ void run(Acc (&acc)[kBlocksM][kBlocksN][4], u32 stage) {
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      if (step + 1 < kSteps) fetch(stage, step + 1);
      multiply_step(acc, step);
    }
  }
};

constexpr int kRegisters = kBlocksM * kBlocksN * 4 > 64 ? 255 : kBlocksM* kBlocksN * 4 > 32 ? 168 : 128;
constexpr int kBlocksPerProcessor = 65536 / kRegisters / kThreads > 0 ? 65536 / kRegisters / kThreads : 1;

/// Grid: (tiles, columns first; parts of K; groups or matrices). Shared memory: the stages, over which the epilogue's
/// rows are laid afterwards; then the residual, which is fetched at the start (split: over the stages too).
extern "C" __global__ void __launch_bounds__(kThreads, kBlocksPerProcessor)
    igemm(const __grid_constant__ IgemmArgs args) {
  extern __shared__ __align__(1024) u8 memory[];
  const u32 shared = shared_address(memory);
  launch_next();
  Place place;
  const s32 tile_row = args.tiles_n.divide(blockIdx.x);
  place.row = tile_row * XI_TILE_M;
  place.column = (blockIdx.x - tile_row * args.tiles_n.value) * XI_TILE_N;
  place.out_start = args.out_batch * blockIdx.z;
  place.channel = args.table_batch * blockIdx.z;
  const u8* a = args.a;
  const u8* b = args.b;
#if XI_BATCHED
  u32 rest = blockIdx.z;
#pragma unroll
  for (int i = 0; i < 3; ++i) {
    const u32 index = rest % args.batch[i].size;
    rest /= args.batch[i].size;
    a += index * args.batch[i].a;
    b += index * args.batch[i].b;
  }
#endif
#if XI_SPLIT
  const s32 first_step = blockIdx.y * args.split_steps;
  const s32 steps = min(args.split_steps, args.steps - first_step);
#else
  const s32 first_step = 0;
  const s32 steps = args.steps;
#endif
  LoaderA loader_a(args, a, place.row, first_step);
  LoaderB loader_b(args, b, place.column, first_step);
  Multiplier multiplier;
  Acc acc[kBlocksM][kBlocksN][4] = {};

  // Where the epilogue finds its operands; the host reserves the memory accordingly.
  const u32 shared_out = shared;
#if XI_RESIDUAL && XI_SPLIT
  const u32 shared_residual = shared + XI_TILE_M * Staged<Out>::kPitch;
#elif XI_RESIDUAL
  constexpr u32 kOutBytes = XI_TILE_M * Staged<Out>::kPitch;
  const u32 shared_residual = shared + (kOutBytes > XI_STAGES * kStageBytes ? kOutBytes : XI_STAGES * kStageBytes);
#else
  const u32 shared_residual = 0;
#endif

#if !XI_TURING
#if XI_B != 0
  wait_for_previous();
#endif
#pragma unroll
  for (int s = 0; s < XI_STAGES - 1; ++s) {
    if (s < steps) loader_b.fetch(args, shared + s * kStageBytes + kBytesA);
  }
#if XI_B == 0
  wait_for_previous();  // weights don't depend on it
#endif
#pragma unroll
  for (int s = 0; s < XI_STAGES - 1; ++s) {
    if (s < steps) loader_a.fetch(args, shared + s * kStageBytes);
    commit_copies();
  }
#if XI_RESIDUAL && !XI_SPLIT
  fetch_residual(args, place, shared_residual);  // counts to the copies of the first turn of the loop
#endif
  u32 read = shared;
  u32 write = shared + (XI_STAGES - 1) * kStageBytes;
  const u32 end = shared + XI_STAGES * kStageBytes;
  for (s32 step = 0; step < steps; ++step) {
    wait_for_copies<XI_STAGES - 2>();  // of this step, which are STAGES - 1 groups back
    __syncthreads();                   // everybody's; and nobody reads the stage before any more
    multiplier.fetch(read, 0);
    if (step + XI_STAGES - 1 < steps) {
      loader_b.fetch(args, write + kBytesA);
      loader_a.fetch(args, write);
    }
    commit_copies();
    multiplier.run(acc, read);
    read = read + kStageBytes == end ? shared : read + kStageBytes;
    write = write + kStageBytes == end ? shared : write + kStageBytes;
  }
  wait_for_copies<0>();
#else
  static_assert(XI_STAGES == 2, "without asynchronous copies one stage is filled while the other is used");
  wait_for_previous();
  loader_a.fetch(args, 0);
  loader_b.fetch(args, 0);
  loader_a.put(shared);
  loader_b.put(shared + kBytesA);
#if XI_RESIDUAL && !XI_SPLIT
  fetch_residual(args, place, shared_residual);
#endif
  __syncthreads();
  for (s32 step = 0; step < steps; ++step) {
    const u32 read = shared + step % 2 * kStageBytes;
    const u32 write = shared + (step + 1) % 2 * kStageBytes;
    const bool more = step + 1 < steps;
    if (more) {
      loader_a.fetch(args, 0);
      loader_b.fetch(args, 0);
    }
    multiplier.fetch(read, 0);
    multiplier.run(acc, read);
    if (more) {
      loader_a.put(write);
      loader_b.put(write + kBytesA);
    }
    __syncthreads();
  }
#endif

#if XI_SPLIT
  if (!gather_parts(args, acc, memory)) return;
#if XI_RESIDUAL
  __syncthreads();
  fetch_residual(args, place, shared_residual);
#if !XI_TURING
  commit_copies();
  wait_for_copies<0>();
#endif
#endif
#endif
  __syncthreads();
  finish_tile(args, place, acc, shared_out, shared_residual);
  __syncthreads();
  write_tile(args, place, shared_out);
}
