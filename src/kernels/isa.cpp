#include "kernels/isa.h"

#include <cstdlib>
#include <optional>
#include <string>

#include "xinfer/core/errors.h"

namespace xinfer::kernels {
namespace {

constexpr Isa kAll[] = {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Vnni};

Isa query_hardware() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    return Isa::kBaseline;
  }
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl")) {
    return Isa::kAvx2;
  }
  return __builtin_cpu_supports("avx512vnni") ? Isa::kAvx512Vnni : Isa::kAvx512;
}

std::optional<Isa> environment_limit() {
  const char* value = std::getenv("XINFER_MAX_CPU_ISA");
  if (value == nullptr || *value == '\0') {
    return std::nullopt;
  }
  for (Isa isa : kAll) {
    if (name_of(isa) == value) {
      return isa;
    }
  }
  throw Error("XINFER_MAX_CPU_ISA is \"" + std::string(value) + "\", which is no instruction set",
              "use baseline, avx2, avx512 or vnni, or unset it");
}

}  // namespace

std::string_view name_of(Isa isa) {
  switch (isa) {
    case Isa::kBaseline:
      return "baseline";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx512Vnni:
      return "vnni";
  }
  return "unknown";
}

Isa hardware_isa() {
  static const Isa isa = query_hardware();
  return isa;
}

Isa detect_isa() {
  static const Isa isa = [] {
    const std::optional<Isa> limit = environment_limit();
    return limit && *limit < hardware_isa() ? *limit : hardware_isa();
  }();
  return isa;
}

std::vector<Isa> available_isas() {
  std::vector<Isa> isas;
  for (Isa isa : kAll) {
    if (isa <= hardware_isa()) {
      isas.push_back(isa);
    }
  }
  return isas;
}

}  // namespace xinfer::kernels
