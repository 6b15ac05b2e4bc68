#include "kernels/requant.h"

#include "kernels/common.h"
#include "kernels/row_kernels.h"

namespace xinfer::kernels {

void requantize_accumulators(const std::int32_t* acc, std::int64_t rows, std::int64_t channels,
                             const RequantParams& params, void* output, Isa isa) {
  check_requant(params, "requantize_accumulators");
  const RowKernels& kernels = row_kernels(isa);
  parallel_rows(rows, channels, [&](std::int64_t r) {
    const std::int64_t at = r * channels;
    const void* residual = params.residual == nullptr ? nullptr : offset(params.residual, params.residual_type, at);
    kernels.requantize(acc + at, channels, params, 0, residual, offset(output, params.output_type, at));
  });
}

void check_requant(const RequantParams& params, const char* what) {
  require_output(params.output_type, what);
  if (params.multiplier == nullptr) {
    throw Error(fmt::format("{}: no multipliers were given", what));
  }
  if (params.residual != nullptr && !is_int8_like(params.residual_type) && params.residual_type != DataType::kFloat32) {
    throw Error(fmt::format("{}: residual type {} is none of s8, u8, f32", what, name_of(params.residual_type)));
  }
}

}  // namespace xinfer::kernels
