#pragma once
// The generated table of device sources (cmake/embed.cmake).

#include <span>

#include "core/embedded_file.h"

namespace xinfer::gpu {

/// Every file of src/cuda/kernels, ordered by name.
std::span<const EmbeddedFile> embedded_files();

}  // namespace xinfer::gpu
