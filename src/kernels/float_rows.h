#pragma once
// Float32 row kernels, each able to write float32 or to quantize on the way out.
// Relative error against the exact function is below 1e-6 where the result is a normal float. The results are the same
// at every Isa (sums run in sixteen fixed lanes) and for any number of threads. All are thread-safe; in-place is
// allowed where the output is float32. Throw Error on output types other than kFloat32, kInt8, kUInt8.

#include <cstdint>

#include "kernels/isa.h"
#include "kernels/requant.h"
#include "xinfer/core/data_type.h"

namespace xinfer::kernels {

/// Type of the output; 8-bit outputs are saturate(round_half_even(y / scale)), NaN becoming 0.
struct RowOutput {
  DataType type = DataType::kFloat32;
  float scale = 1.0F;
};

/// (x - mean) / sqrt(variance + epsilon) * gamma + beta over each row of `size`. gamma and beta: [size], or nullptr
/// for ones and zeros. (Ba et al., "Layer Normalization", 2016.)
void layer_norm(const float* input, std::int64_t rows, std::int64_t size, const float* gamma, const float* beta,
                float epsilon, void* output, RowOutput spec = {}, Isa isa = detect_isa());

/// exp(x - max) / sum over each row of `size`.
void softmax(const float* input, std::int64_t rows, std::int64_t size, void* output, RowOutput spec = {},
             Isa isa = detect_isa());

/// Any activation of requant.h, elementwise.
void activate(const float* input, std::int64_t count, const ActivationParams& activation, void* output,
              RowOutput spec = {}, Isa isa = detect_isa());

/// Exponential and error function, elementwise.
void vector_exp(const float* input, std::int64_t count, float* output, Isa isa = detect_isa());
void vector_erf(const float* input, std::int64_t count, float* output, Isa isa = detect_isa());

}  // namespace xinfer::kernels
