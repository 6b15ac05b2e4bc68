#pragma once
// The generated table of the page's style sheet and script (cmake/embed.cmake).

#include <span>

#include "core/embedded_file.h"

namespace xinfer::report {

/// src/report's .css and .js files, ordered by name.
std::span<const EmbeddedFile> embedded_files();

}  // namespace xinfer::report
