#pragma once
// The convolution's plan and one thread's work: what qgemm.cpp and the instruction sets share.
//
// Method. Input patches of a few dozen output pixels are gathered into a tile of 4-byte units along K (two int16, or
// with VNNI four bytes), K in blocks that stay in cache; weights lie as [column block][K unit][column][unit]. The
// kernel multiplies kMaxRows pixels by a block of columns in registers and adds into an int32 tile, which the row
// kernel requantizes.

#include <cstdint>

#include "kernels/qgemm.h"
#include "kernels/row_kernels.h"

namespace xinfer::kernels {

constexpr std::int64_t kGemmTileRows = 48;     ///< output pixels of a task; a multiple of every kernel's rows
constexpr std::int64_t kGemmBlockUnits = 256;  ///< K units of a block

/// Sizes that an instruction set fixes.
struct GemmFormat {
  int unit;     ///< elements of K in 4 bytes
  int columns;  ///< output channels of a column block
};
GemmFormat gemm_format(Isa isa);

/// c[rows, columns] (leading dimension ldc) = start + a * b over `units`, where `start` is `initial` (a row), or c
/// itself where that is nullptr. a: rows of `lda` bytes, in units; b: [units][columns] units.
using GemmKernel = void (*)(const std::uint8_t* a, std::int64_t lda, const std::int8_t* b, std::int64_t units,
                            const std::int32_t* initial, std::int32_t* c, std::int64_t ldc, std::int64_t rows);

void gemm_baseline(const std::uint8_t* a, std::int64_t lda, const std::int8_t* b, std::int64_t units,
                   const std::int32_t* initial, std::int32_t* c, std::int64_t ldc, std::int64_t rows);
void gemm_avx2(const std::uint8_t* a, std::int64_t lda, const std::int8_t* b, std::int64_t units,
               const std::int32_t* initial, std::int32_t* c, std::int64_t ldc, std::int64_t rows);
void gemm_avx512(const std::uint8_t* a, std::int64_t lda, const std::int8_t* b, std::int64_t units,
                 const std::int32_t* initial, std::int32_t* c, std::int64_t ldc, std::int64_t rows);
void gemm_vnni(const std::uint8_t* a, std::int64_t lda, const std::int8_t* b, std::int64_t units,
               const std::int32_t* initial, std::int32_t* c, std::int64_t ldc, std::int64_t rows);

}  // namespace xinfer::kernels
