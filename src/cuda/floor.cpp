#include "cuda/floor.h"

#include <algorithm>

namespace xinfer::cuda {

double floor_us(const StepInfo& step, const gpu::Peak& peak) {
  if (step.on_host || peak.bytes <= 0) return 0;
  const double moving = step.bytes / peak.bytes;
  double rate = 0;
  switch (step.compute) {
    case Element::kS8:
    case Element::kU8:
      rate = peak.int8_ops;
      break;
    case Element::kF16:
      rate = peak.half_ops;
      break;
    case Element::kF32:
    case Element::kS32:
    case Element::kS64:
    case Element::kBool:
      return moving;
  }
  if (step.macs <= 0) return moving;
  return rate > 0 ? std::max(moving, 2 * step.macs / rate) : 0;
}

}  // namespace xinfer::cuda
