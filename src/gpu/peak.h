#pragma once
// Peak: the most that a device can move and compute, from what the driver says of it. No program reaches it; it is what
// times are compared with.

#include "gpu/device.h"

namespace xinfer::gpu {

/// Rates in a microsecond; 0 where unknown. A multiplication and an addition count as two operations.
struct Peak {
  double bytes = 0;     ///< to and from device memory
  double int8_ops = 0;  ///< of the tensor cores, dense
  double half_ops = 0;  ///< the same in half precision
  bool operator==(const Peak&) const = default;
};

/// At the highest clocks, which power may not allow for long. Bandwidth is memory clock x bus width x 2 (double data
/// rate); operations are those of a multiprocessor and cycle that NVIDIA's architecture white papers give, unknown for
/// compute capabilities that the table lacks.
Peak peak_of(const DeviceInfo& info);

}  // namespace xinfer::gpu
