#pragma once
// The transpose of one matrix in memory, single-threaded.

#include <cstddef>
#include <cstdint>

namespace xinfer::kernels {

/// to[c * ld_to + r] = from[r * ld_from + c] for r < rows, c < columns; leading dimensions in elements; elements of 1,
/// 2, 4 or 8 bytes.
void transpose_block(const void* from, std::int64_t ld_from, void* to, std::int64_t ld_to, std::int64_t rows,
                     std::int64_t columns, std::size_t element_size);

}  // namespace xinfer::kernels
