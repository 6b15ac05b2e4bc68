#pragma once
// What a kernel is made from beside its own file: the files that it includes and the compiler's options.

#include <array>
#include <string_view>
#include <vector>

#include "gpu/embedded.h"
#include "gpu/kernel_source.h"

namespace xinfer::gpu {

/// Options of every compilation; part of the hash.
inline constexpr std::array kCompileOptions{"--std=c++17", "--device-as-default-execution-space",
                                            "--no-source-include"};

/// Throws std::logic_error when there is none.
const EmbeddedFile& embedded_file(std::string_view name);

/// Names, ordered. Includes under an #if that is not taken count too. Throws std::logic_error for a name that is not
/// embedded.
std::vector<std::string_view> includes_of(const KernelSource& source);

}  // namespace xinfer::gpu
