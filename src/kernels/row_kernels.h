#pragma once
// One thread's work on one row, per instruction set: what the parallel drivers of this room call. Types have been
// checked by the drivers.

#include <cstdint>

#include "kernels/float_rows.h"
#include "kernels/isa.h"
#include "kernels/qelementwise.h"
#include "kernels/requant.h"

namespace xinfer::kernels {

struct RowKernels {
  /// n channels of one pixel; multiplier and bias of params are read from `channel` on, residual and output are
  /// pointers to the row itself (params.residual is not read).
  void (*requantize)(const std::int32_t* acc, std::int64_t n, const RequantParams& params, std::int64_t channel,
                     const void* residual, void* output);
  void (*quantize)(const float* x, std::int64_t n, RowOutput spec, void* output);
  void (*dequantize)(const void* q, DataType type, std::int64_t n, float scale, float* output);
  void (*rescale)(const void* q, DataType type, std::int64_t n, float ratio, DataType output_type, void* output);
  void (*add)(const void* a, const void* b, std::int64_t n, const BinaryParams& params, void* output);
  void (*multiply)(const void* a, const void* b, std::int64_t n, const BinaryParams& params, void* output);
  void (*scale_sums)(const std::int32_t* sums, std::int64_t n, float factor, DataType output_type, void* output);
  /// sums[c] = the sum over `count` pixels of channel c.
  void (*sum_pixels)(const void* const* pixels, std::int64_t count, DataType type, std::int64_t n, std::int32_t* sums);
  void (*layer_norm)(const float* x, std::int64_t n, const float* gamma, const float* beta, float epsilon, void* output,
                     RowOutput spec);
  /// scratch: n floats, may be the output when that is float32.
  void (*softmax)(const float* x, std::int64_t n, float* scratch, void* output, RowOutput spec);
  void (*activate)(const float* x, std::int64_t n, const ActivationParams& activation, void* output, RowOutput spec);
  void (*exp)(const float* x, std::int64_t n, float* output);
  void (*erf)(const float* x, std::int64_t n, float* output);
};

/// The table of one instruction set, which the machine must have.
const RowKernels& row_kernels(Isa isa);

const RowKernels& row_kernels_baseline();
const RowKernels& row_kernels_avx2();
const RowKernels& row_kernels_avx512();

}  // namespace xinfer::kernels
