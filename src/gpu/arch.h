#pragma once
// Arch: the GPU architecture that a kernel is compiled for.

#include <compare>
#include <string>
#include <string_view>

namespace xinfer::gpu {

/// A compute capability, with the suffix that unlocks instructions of that one generation (wgmma needs 9.0a).
struct Arch {
  int number = 0;                                 ///< 10 * major + minor: 75, 80, 86, 89, 90, 100, 120
  bool specific = false;                          ///< the "a" variant: runs on this compute capability only
  auto operator<=>(const Arch&) const = default;  // NOLINT(modernize-use-nullptr): what it generates

  bool at_least(int other) const { return number >= other; }
  /// wgmma, and TMA beside it.
  bool has_wgmma() const { return number == 90 && specific; }
};

/// "75", "90a".
std::string to_string(Arch arch);

/// From "75", "90a", "sm_90a". Throws Error naming the text when it is none, or older than 75.
Arch parse_arch(std::string_view text);

/// The variant to compile for on a device of this compute capability: 90 gives 90a, 100 gives 100a, others plain.
Arch best_arch(int major, int minor);

}  // namespace xinfer::gpu
