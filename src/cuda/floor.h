#pragma once
// The least time that a step could take on a device.

#include "cuda/program.h"
#include "gpu/peak.h"

namespace xinfer::cuda {

/// Microseconds: the longer one of moving its bytes and of its multiplications, each at the device's highest rate (a
/// roofline: S. Williams et al., "Roofline", CACM 2009). 0 where a rate that it needs is unknown, where there is
/// nothing to do, and for steps on the host. Sums in single precision, which no engine has, count their bytes only.
double floor_us(const StepInfo& step, const gpu::Peak& peak);

}  // namespace xinfer::cuda
