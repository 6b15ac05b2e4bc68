#pragma once
// Table lookup with AVX-512 VBMI, which not every machine of level kAvx512Vnni has.

#include <cstdint>

#include "kernels/qelementwise.h"

namespace xinfer::kernels {

/// Asks the processor.
bool has_vbmi();

/// Looks up whole blocks of 64 bytes and returns how many bytes that were.
std::int64_t lut_vbmi(const std::uint8_t* input, std::int64_t count, const Lut& lut, std::uint8_t* output);

}  // namespace xinfer::kernels
