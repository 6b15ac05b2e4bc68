#include "gpu/arch.h"

#include <charconv>

#include "xinfer/core/errors.h"

namespace xinfer::gpu {

std::string to_string(Arch arch) { return std::to_string(arch.number) + (arch.specific ? "a" : ""); }

Arch parse_arch(std::string_view text) {
  std::string_view rest = text;
  if (rest.starts_with("sm_")) rest.remove_prefix(3);
  Arch arch;
  if (rest.ends_with('a')) {
    arch.specific = true;
    rest.remove_suffix(1);
  }
  const auto [end, status] = std::from_chars(rest.data(), rest.data() + rest.size(), arch.number);
  if (status != std::errc() || end != rest.data() + rest.size() || rest.size() > 3 || rest.front() == '-') {
    throw Error("'" + std::string(text) + "' is no GPU architecture", "write a compute capability like 75, 86 or 90a");
  }
  if (arch.number < 75) {
    throw Error("GPU architecture " + std::string(text) + " is too old",
                "compute capability 7.5 (Turing) is the oldest");
  }
  if (arch.specific && arch.number < 90) {
    throw Error("there is no GPU architecture " + std::string(text), "the suffix 'a' begins with 90a");
  }
  return arch;
}

Arch best_arch(int major, int minor) {
  const int number = 10 * major + minor;
  return {.number = number, .specific = number == 90 || number == 100};
}

}  // namespace xinfer::gpu
