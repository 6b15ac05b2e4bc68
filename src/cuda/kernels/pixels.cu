// From planes of reals (N, C, pixels) to pixels of four channels, quantized where they become bytes.
//
// Macros: XI_T (float, half_t), XI_OUT_T (s8, u8, half_t, float), XI_CHANNELS (1 to 4), XI_V (pixels of one thread),
// XI_STEP as to_steps wants it.
#include "lanes.cuh"
#include "rows.cuh"

struct PixelsArgs {
  const XI_T* x;
  XI_OUT_T* y;
  u32 pixels;  ///< of one image
  float step;  ///< of to_steps
};

/// Grid: pixels, images.
extern "C" __global__ void __launch_bounds__(256) image_to_pixels(const PixelsArgs a) {
  launch_next();
  const u32 pixel = (blockIdx.x * 256u + threadIdx.x) * XI_V;
  if (pixel >= a.pixels) return;
  const u64 image = blockIdx.y;
  wait_for_previous();
  float v[XI_V * 4] = {};
#pragma unroll
  for (int c = 0; c < XI_CHANNELS; ++c) {
    const XI_T* const from = a.x + (image * XI_CHANNELS + c) * a.pixels + pixel;
    float plane[XI_V];
    if constexpr (XI_V * sizeof(XI_T) >= 4)
      load_lanes<XI_T, XI_V>(from, plane);
    else
      plane[0] = to_float(from[0]);
#pragma unroll
    for (int i = 0; i < XI_V; ++i) v[4 * i + c] = to_steps(plane[i], a.step);
  }
  store_lanes<XI_OUT_T, XI_V * 4>(a.y + (image * a.pixels + pixel) * 4, v);
}
