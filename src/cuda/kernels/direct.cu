// Products of matrices and dense convolutions of any element type, without tensor cores: 64 rows by 64 columns a block,
// 16 positions of K at a time through shared memory, 4 x 4 outputs a thread.
#include "direct.cuh"

constexpr int kTile = 64;
constexpr int kDepth = 16;
constexpr int kThreads = 256;

/// Four numbers at neighbouring addresses.
template <class T>
struct __align__(4 * sizeof(T)) Four {
  T at[4];
};

/// Grid: (tiles, columns first; batches over y and z). XI_PACKED: 1 when the second operand's K is one axis (its
/// elements lie k * b_inner apart).
extern "C" __global__ void __launch_bounds__(kThreads) direct(const __grid_constant__ DirectArgs args) {
  __shared__ __align__(16) Acc shared_a[kDepth][kTile + 4];
  __shared__ __align__(16) Acc shared_b[kDepth][kTile];
  launch_next();
  const s32 batch = blockIdx.z * gridDim.y + blockIdx.y;
  if (batch >= args.batches) return;
  const XI_X* a = args.a;
  const XI_W* b = args.b;
  u32 rest = batch;
#pragma unroll
  for (int i = 0; i < 3; ++i) {
    const u32 index = rest % args.batch[i].size;
    rest /= args.batch[i].size;
    a += index * args.batch[i].a;
    b += index * args.batch[i].b;
  }
  const s32 tiles_n = (args.columns + kTile - 1) / kTile;
  const s32 first_row = blockIdx.x / tiles_n * kTile;
  const s32 first_column = blockIdx.x % tiles_n * kTile;
  const s32 inner = args.taps * args.tap_channels;

  // Of A a thread fetches one position of K in four rows, 16 apart; of B one column at four positions of K, 4 apart.
  const s32 a_k = threadIdx.x % kDepth;
  const s32 a_thread_row = threadIdx.x / kDepth;
  const s32 b_column = threadIdx.x % kTile;
  const s32 b_k = threadIdx.x / kTile;
  const bool b_inside = first_column + b_column < args.channels;
#if XI_GATHER
  Position positions[4];
#endif
  bool a_inside[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const s32 row = first_row + a_thread_row + 16 * i;
    a_inside[i] = row < args.rows;
#if XI_GATHER
    positions[i] = position_of(args, min(row, args.rows - 1));
#endif
  }
  s32 k_next = 0;
#if XI_GATHER
  s32 channel = a_k % args.tap_channels;
  s32 tap_w = a_k / args.tap_channels % args.width.kernel;
  s32 tap_h = a_k / args.tap_channels / args.width.kernel % args.height.kernel;
  s32 tap_d = a_k / args.tap_channels / args.width.kernel / args.height.kernel;
#endif
  Acc next_a[4], next_b[4];
  const auto fetch = [&] {
    const s32 k = k_next + a_k;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      next_a[i] = 0;
      if (k >= inner || !a_inside[i]) continue;
#if XI_GATHER
      const s64 at = input_at(args, positions[i], tap_d, tap_h, tap_w);
      if (at >= 0) next_a[i] = number(a[at * args.a_row + channel]);
#else
      next_a[i] = number(a[(first_row + a_thread_row + 16 * i) * args.a_row + k * args.a_inner]);
#endif
    }
#if XI_GATHER
    channel += kDepth;
    while (channel >= args.tap_channels) {
      channel -= args.tap_channels;
      if (++tap_w == args.width.kernel) {
        tap_w = 0;
        if (++tap_h == args.height.kernel) tap_h = 0, ++tap_d;
      }
    }
#endif
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const s32 at = k_next + b_k + 4 * i;
      next_b[i] = 0;
      if (at >= inner || !b_inside) continue;
#if XI_PACKED
      const s64 row = at * args.b_inner;
#else
      const s64 row = at % args.tap_channels * args.b_inner + at / args.tap_channels * args.b_tap;
#endif
      next_b[i] = number(b[row + (first_column + b_column) * args.b_column]);
    }
    k_next += kDepth;
  };

  wait_for_previous();
  const s32 row = threadIdx.x / 16 * 4;
  const s32 column = threadIdx.x % 16 * 4;
  Acc acc[4][4] = {};
  fetch();
  for (s32 k = 0; k < inner; k += kDepth) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      shared_a[a_k][a_thread_row + 16 * i] = next_a[i];
      shared_b[b_k + 4 * i][b_column] = next_b[i];
    }
    __syncthreads();
    if (k + kDepth < inner) fetch();
#pragma unroll
    for (int d = 0; d < kDepth; ++d) {
      const Four<Acc> x = *reinterpret_cast<const Four<Acc>*>(&shared_a[d][row]);
      const Four<Acc> y = *reinterpret_cast<const Four<Acc>*>(&shared_b[d][column]);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) acc[i][j] = add_product(x.at[i], y.at[j], acc[i][j]);
      }
    }
    __syncthreads();
  }

  if (first_column + column >= args.columns) return;
  const s32 entry = args.table_batch * batch + first_column + column;
  float multiplier[4], bias[4];
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const bool real = first_column + column + j < args.channels;
    multiplier[j] = real ? args.epilogue.multiplier[entry + j] : 0.0f;
    bias[j] = real ? args.epilogue.bias[entry + j] : 0.0f;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (first_row + row + i >= args.rows) break;
    const s64 at =
        args.out_batch * batch + static_cast<s64>(first_row + row + i) * args.out_pitch + first_column + column;
    float r[4] = {};
#if XI_RESIDUAL
    const Four<XI_RESIDUAL_T> residual =
        *reinterpret_cast<const Four<XI_RESIDUAL_T>*>(static_cast<const XI_RESIDUAL_T*>(args.epilogue.residual) + at);
#pragma unroll
    for (int j = 0; j < 4; ++j) r[j] = to_float(residual.at[j]);
#endif
    Four<XI_OUT_T> out;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const bool real = first_column + column + j < args.channels;
      out.at[j] = from_float<XI_OUT_T>(real ? finish(args.epilogue, acc[i][j], multiplier[j], bias[j], r[j]) : 0.0f);
    }
    *reinterpret_cast<Four<XI_OUT_T>*>(args.out + at) = out;
  }
}
