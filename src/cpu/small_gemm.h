#pragma once
// Matrix products of one attention head: small, in cache, on one thread.

#include <cstdint>

#include "kernels/isa.h"

namespace xinfer::cpu {

/// c = alpha * a b with a: rows x depth, b: depth x columns, c: rows x columns, all row-major with the given strides in
/// elements. AVX-512 where `isa` has it, else oneDNN's sgemm.
void small_gemm(std::int64_t rows, std::int64_t columns, std::int64_t depth, float alpha, const float* a,
                std::int64_t a_stride, const float* b, std::int64_t b_stride, float* c, std::int64_t c_stride,
                kernels::Isa isa);

/// to (columns x rows, dense) = from (rows x columns) transposed.
void small_transpose(std::int64_t rows, std::int64_t columns, const float* from, std::int64_t from_stride, float* to);

}  // namespace xinfer::cpu
