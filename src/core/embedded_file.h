#pragma once
// Files that the build turned into text inside the program (cmake/embed.cmake).

#include <string_view>

namespace xinfer {

struct EmbeddedFile {
  std::string_view name, text;
};

}  // namespace xinfer
