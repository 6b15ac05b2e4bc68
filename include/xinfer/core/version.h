#pragma once

namespace xinfer {

/// Version of the library, as in the package.
inline constexpr const char* kVersion = "0.1.0";

}  // namespace xinfer
