#pragma once
// What the plain kernels for convolutions and matrix products share: arguments, and where an operand's elements lie.
//
//   XI_X, XI_W  element types of the first and the second operand
//   XI_FLOAT    1: accumulates in float, 0: in s32
//   XI_GATHER   rows of the first operand are 0: rows of a matrix, 1: gathered at the taps of a convolution, 2: of a
//               transposed one
#include "epilogue.cuh"

#if XI_FLOAT
using Acc = float;
__device__ __forceinline__ Acc number(float x) { return x; }
__device__ __forceinline__ Acc number(half_t x) { return to_float(x); }
__device__ __forceinline__ Acc add_product(Acc x, Acc y, Acc sum) { return fmaf(x, y, sum); }
#else
using Acc = s32;
__device__ __forceinline__ Acc number(s8 x) { return x; }
__device__ __forceinline__ Acc number(u8 x) { return x; }
__device__ __forceinline__ Acc add_product(Acc x, Acc y, Acc sum) { return sum + x * y; }
#endif

/// One spatial axis of a convolution.
struct SpatialAxis {
  s32 in, out, kernel, stride, dilation, pad;
};

/// One axis of batches (groups, pairs of matrices), innermost first, and how far the operands lie apart along it, in
/// elements.
struct BatchAxis {
  u32 size;
  u32 unused;
  s64 a, b;
};

struct DirectArgs {
  const XI_X* a;
  const XI_W* b;
  XI_OUT_T* out;
  EpilogueArgs epilogue;
  BatchAxis batch[3];
  s64 out_batch;                 ///< elements of the output from batch to batch
  s64 a_row, a_inner;            ///< elements of the first operand from row to row (from pixel to pixel), and along K
  s64 b_inner, b_column, b_tap;  ///< elements of the second along the channels of a tap, the columns, and the taps
  s64 b_group;                   ///< direct_small.cu: from group to group
  s32 batches;
  s32 table_batch;    ///< channels from batch to batch
  s32 rows, columns;  ///< columns: stored ones, a multiple of 4
  s32 channels;       ///< of these, the ones with a meaning
  s32 out_pitch;      ///< elements
  s32 tap_channels;   ///< K is taps x tap_channels
  s32 taps;
  s32 group_columns;  ///< direct_small.cu: columns of one group
  SpatialAxis depth, height, width;
};

/// Where the taps of one output position start.
struct Position {
  s64 image;  // input positions before the image
  s32 d, h, w;
};

__device__ __forceinline__ s32 first_tap(const SpatialAxis& axis, s32 out) {
#if XI_GATHER == 2
  return out + axis.pad;
#else
  return out * axis.stride - axis.pad;
#endif
}

__device__ __forceinline__ Position position_of(const DirectArgs& args, s32 row) {
  const s32 w = row % args.width.out;
  const s32 above = row / args.width.out;
  const s32 h = above % args.height.out;
  const s32 planes = above / args.height.out;
  const s32 image = planes / args.depth.out;
  return {static_cast<s64>(image) * (args.depth.in * args.height.in * args.width.in),
          first_tap(args.depth, planes % args.depth.out), first_tap(args.height, h), first_tap(args.width, w)};
}

/// Moves to a tap. False outside the image (a transposed convolution: also between the pixels, which lie `stride`
/// output positions apart).
__device__ __forceinline__ bool go_to_tap(const SpatialAxis& axis, s32 tap, s32& at) {
#if XI_GATHER == 2
  at -= tap * axis.dilation;
  if (at < 0 || at % axis.stride != 0) return false;
  at /= axis.stride;
  return at < axis.in;
#else
  at += tap * axis.dilation;
  return static_cast<u32>(at) < static_cast<u32>(axis.in);
#endif
}

/// The input position at a tap, counted from the first image; -1 outside.
__device__ __forceinline__ s64 input_at(const DirectArgs& args, Position p, s32 tap_d, s32 tap_h, s32 tap_w) {
  const bool inside =
      go_to_tap(args.depth, tap_d, p.d) & go_to_tap(args.height, tap_h, p.h) & go_to_tap(args.width, tap_w, p.w);
  return inside ? p.image + (p.d * args.height.in + p.h) * args.width.in + p.w : -1;
}
