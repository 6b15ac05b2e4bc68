#include "gpu/peak.h"

namespace xinfer::gpu {
namespace {

/// INT8 operations of one multiprocessor's tensor cores in a cycle; half precision runs at half that rate on all of
/// them.
double int8_ops_per_cycle(const DeviceInfo& info) {
  switch (10 * info.major + info.minor) {
    case 75:
    case 86:
    case 89:
    case 120:
    case 121:
      return 2048;
    case 80:
    case 87:
      return 4096;
    case 90:
      return 8192;
    case 100:
      return 16384;
    default:
      return 0;
  }
}

}  // namespace

Peak peak_of(const DeviceInfo& info) {
  constexpr double kPerMicrosecond = 1e-3;  // from kHz
  Peak peak;
  peak.bytes = 2 * info.memory_clock_khz * kPerMicrosecond * info.memory_bus_bits / 8;
  peak.int8_ops = int8_ops_per_cycle(info) * info.sm_count * info.clock_khz * kPerMicrosecond;
  peak.half_ops = peak.int8_ops / 2;
  return peak;
}

}  // namespace xinfer::gpu
