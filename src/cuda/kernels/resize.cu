// Resize of up to three spatial axes over nhwc, with tables of taps that the host made. A thread computes 16 bytes of
// neighbouring channels of one pixel (nearest: moved as they are), or 4 channels (linear, cubic).
//
// Macros: for resize_weighted XI_T and XI_OUT_T, the element types.
#include "lanes.cuh"

struct ResizeAxis {
  const int* index;     ///< [out][taps] input positions
  const float* weight;  ///< [out][taps]
  int in, out, taps;
};
struct ResizeArgs {
  const void* x;
  void* y;
  int vectors;  ///< of one pixel
  float ratio;  ///< input scale / output scale
  u32 threads;
  ResizeAxis depth, height, width;
};

struct ResizePoint {
  u64 image;
  u32 vector;
  int slice, row, column;
};

__device__ __forceinline__ ResizePoint point_of(const ResizeArgs& a, u32 flat) {
  ResizePoint p;
  p.vector = flat % static_cast<u32>(a.vectors);
  u32 rest = flat / static_cast<u32>(a.vectors);
  p.column = static_cast<int>(rest % static_cast<u32>(a.width.out));
  rest /= static_cast<u32>(a.width.out);
  p.row = static_cast<int>(rest % static_cast<u32>(a.height.out));
  rest /= static_cast<u32>(a.height.out);
  p.slice = static_cast<int>(rest % static_cast<u32>(a.depth.out));
  p.image = rest / static_cast<u32>(a.depth.out);
  return p;
}

#ifndef XI_T

extern "C" __global__ void __launch_bounds__(256) resize_nearest(const ResizeArgs a) {
  launch_next();
  const u32 flat = blockIdx.x * blockDim.x + threadIdx.x;
  if (flat >= a.threads) return;
  const ResizePoint p = point_of(a, flat);
  const int z = a.depth.index[p.slice], y = a.height.index[p.row], x = a.width.index[p.column];
  wait_for_previous();
  const u64 from = (((p.image * a.depth.in + z) * a.height.in + y) * a.width.in + x) * a.vectors + p.vector;
  static_cast<Vector16*>(a.y)[flat] = static_cast<const Vector16*>(a.x)[from];
}

#else

/// Sums along depth, then height, then width, as the reference does.
extern "C" __global__ void __launch_bounds__(256, 4) resize_weighted(const ResizeArgs a) {
  launch_next();
  const u32 flat = blockIdx.x * blockDim.x + threadIdx.x;
  if (flat >= a.threads) return;
  const ResizePoint p = point_of(a, flat);
  wait_for_previous();
  const XI_T* const x = static_cast<const XI_T*>(a.x) + p.vector * 4;
  const u32 pitch = static_cast<u32>(a.vectors) * 4;
  float sum[4] = {};
  for (int j = 0; j < a.width.taps; ++j) {
    const int column = a.width.index[p.column * a.width.taps + j];
    float along_height[4] = {};
    for (int i = 0; i < a.height.taps; ++i) {
      const int row = a.height.index[p.row * a.height.taps + i];
      float along_depth[4] = {};
      for (int d = 0; d < a.depth.taps; ++d) {
        const int slice = a.depth.index[p.slice * a.depth.taps + d];
        float v[4];
        load_lanes<XI_T, 4>(x + (((p.image * a.depth.in + slice) * a.height.in + row) * a.width.in + column) * pitch,
                            v);
        const float w = a.depth.weight[p.slice * a.depth.taps + d];
#pragma unroll
        for (int c = 0; c < 4; ++c) along_depth[c] = fmaf(w, v[c], along_depth[c]);
      }
      const float w = a.height.weight[p.row * a.height.taps + i];
#pragma unroll
      for (int c = 0; c < 4; ++c) along_height[c] = fmaf(w, along_depth[c], along_height[c]);
    }
    const float w = a.width.weight[p.column * a.width.taps + j];
#pragma unroll
    for (int c = 0; c < 4; ++c) sum[c] = fmaf(w, along_height[c], sum[c]);
  }
#pragma unroll
  for (int c = 0; c < 4; ++c) sum[c] *= a.ratio;
  store_lanes<XI_OUT_T, 4>(static_cast<XI_OUT_T*>(a.y) + static_cast<u64>(flat) * 4, sum);
}

#endif
