#pragma once
// Arrays in NumPy's .npy format, versions 1 to 3 (numpy.lib.format).

#include <string>

#include "xinfer/core/tensor.h"

namespace xinfer::cli {

/// Reads little-endian, C-ordered arrays of f2/f4/f8 (as f32), i1, u1, i4, i8, b1. Throws DataError naming the file.
Tensor read_npy(const std::string& path);
/// Writes atomically.
void write_npy(const std::string& path, const Tensor& tensor);

}  // namespace xinfer::cli
