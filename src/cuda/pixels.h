#pragma once
// Images on their way into first layers.

#include <memory>

#include "cuda/step.h"

namespace xinfer::cuda {

/// The step from rows of reals to Format::pixels of reals, or of 8-bit integers with this scale and zero point 0 (see
/// the integer contract's Quantize). nullptr for other formats, and for more elements than the kernel counts.
std::unique_ptr<Step> create_pixels(const Dims& dims, const Format& from, const Format& to, float scale = 1);

}  // namespace xinfer::cuda
