#pragma once
// The generated table of device sources (cmake/embed.cmake).

#include <span>
#include <string_view>

namespace xinfer::gpu {

struct EmbeddedFile {
  std::string_view name, text;
};

/// Every file of src/cuda/kernels, ordered by name.
std::span<const EmbeddedFile> embedded_files();

}  // namespace xinfer::gpu
