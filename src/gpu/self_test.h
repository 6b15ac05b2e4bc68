#pragma once
// Whether a GPU, its driver and the compiler work together.

#include <string>

#include "gpu/compiler.h"
#include "gpu/device.h"

namespace xinfer::gpu {

/// Compiles a small kernel, runs it, directly and from a graph, and compares its roundings with the integer contract's
/// (src/reference/requantize.h). Empty when all of it is right, else the first difference. Throws DeviceError where a
/// step fails.
std::string self_test(const DevicePtr& device, Compiler& compiler);

}  // namespace xinfer::gpu
