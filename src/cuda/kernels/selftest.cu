// Requantizes a row of accumulators, for `xinfer doctor` and the tests of the gpu room: the integer contract's rounding
// and saturation as this GPU does them.
#include "common.cuh"

/// output[i] = saturate(round_half_even(fma(float(acc[i]), multiplier, bias))).
extern "C" __global__ void selftest(const s32* acc, s8* output, s32 count, float multiplier, float bias) {
  wait_for_previous();
  launch_next();
  const s32 i = static_cast<s32>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) output[i] = from_float<s8>(fmaf(static_cast<float>(acc[i]), multiplier, bias));
}
