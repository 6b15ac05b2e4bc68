// Convolutions of groups too narrow for a tile: one output a thread, straight from memory.
#include "direct.cuh"

/// Block: (32 columns, 8 rows). Grid: (rows, columns).
extern "C" __global__ void __launch_bounds__(256) direct_small(const __grid_constant__ DirectArgs args) {
  launch_next();
  const s32 row = blockIdx.x * 8 + threadIdx.y;
  const s32 column = blockIdx.y * 32 + threadIdx.x;
  if (row >= args.rows || column >= args.columns) return;
  wait_for_previous();
  const s64 at = static_cast<s64>(row) * args.out_pitch + column;
  if (column >= args.channels) {
    args.out[at] = from_float<XI_OUT_T>(0.0f);
    return;
  }
  const s32 group = column / args.group_columns;
  const XI_X* const a = args.a + group * args.tap_channels;
  const XI_W* b = args.b + group * args.b_group + (column - group * args.group_columns) * args.b_column;
  const Position position = position_of(args, row);
  Acc acc = 0;
  for (s32 tap_d = 0; tap_d < args.depth.kernel; ++tap_d) {
    for (s32 tap_h = 0; tap_h < args.height.kernel; ++tap_h) {
      for (s32 tap_w = 0; tap_w < args.width.kernel; ++tap_w, b += args.b_tap) {
        const s64 from = input_at(args, position, tap_d, tap_h, tap_w);
        if (from < 0) continue;
        for (s32 c = 0; c < args.tap_channels; ++c) {
          acc = add_product(number(a[from * args.a_row + c]), number(b[c * args.b_inner]), acc);
        }
      }
    }
  }
  float r = 0;
#if XI_RESIDUAL
  r = to_float(static_cast<const XI_RESIDUAL_T*>(args.epilogue.residual)[at]);
#endif
  args.out[at] =
      from_float<XI_OUT_T>(finish(args.epilogue, acc, args.epilogue.multiplier[column], args.epilogue.bias[column], r));
}
