#pragma once
// Which instruction sets the kernels may use, decided at run time.

#include <cstdint>
#include <string_view>
#include <vector>

namespace xinfer::kernels {

/// Levels of x86-64 vector instructions that have kernels of their own, each including the ones before it.
enum class Isa : std::uint8_t {
  kBaseline,    ///< any x86-64 (SSE2)
  kAvx2,        ///< AVX2 and FMA
  kAvx512,      ///< AVX-512 F, BW, DQ, VL
  kAvx512Vnni,  ///< the above and AVX-512 VNNI
};

/// "baseline", "avx2", "avx512" or "vnni".
std::string_view name_of(Isa isa);

/// The level of this machine, nothing else considered.
Isa hardware_isa();

/// The level kernels use by default: hardware_isa(), lowered to the environment variable XINFER_MAX_CPU_ISA
/// (baseline, avx2, avx512, vnni) where that is set. The variable is read once. Throws Error when its value is unknown.
Isa detect_isa();

/// Every level from kBaseline to hardware_isa(), for tests and benchmarks.
std::vector<Isa> available_isas();

}  // namespace xinfer::kernels
