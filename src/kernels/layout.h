#pragma once
// Changes of layout. Parallel over rows and thread-safe; inputs and outputs must not overlap.

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/isa.h"
#include "xinfer/core/data_type.h"

namespace xinfer::kernels {

/// NCHW float image to NHWC 8-bit in one pass: saturate(round_half_even(x / scale)), NaN becoming 0.
void quantize_nchw_to_nhwc(const float* input, std::int64_t batch, std::int64_t channels, std::int64_t pixels,
                           float scale, DataType output_type, void* output, Isa isa = detect_isa());

/// NHWC 8-bit to NCHW float: float(q) * scale.
void dequantize_nhwc_to_nchw(const void* input, DataType input_type, std::int64_t batch, std::int64_t channels,
                             std::int64_t pixels, float scale, float* output, Isa isa = detect_isa());

/// [batch, rows, columns] to [batch, columns, rows]; elements of 1, 2, 4 or 8 bytes. NCHW to NHWC is rows = C,
/// columns = H * W, and the way back has them swapped. Throws Error on other element sizes.
void transpose(const void* input, std::int64_t batch, std::int64_t rows, std::int64_t columns, std::size_t element_size,
               void* output);

/// out axis i is in axis permutation[i]; elements of 1, 2, 4 or 8 bytes. Throws Error when `permutation` is not one of
/// the shape's axes.
void permute(const void* input, std::span<const std::int64_t> shape, std::span<const std::int64_t> permutation,
             std::size_t element_size, void* output);

}  // namespace xinfer::kernels
