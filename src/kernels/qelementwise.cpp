#include "kernels/qelementwise.h"

#include <algorithm>
#include <cmath>

#include "kernels/common.h"
#include "kernels/lut.h"
#include "kernels/row_kernels.h"

namespace xinfer::kernels {
namespace {

void check_binary(const BinaryParams& params, const char* what) {
  require_int8_like(params.a_type, what);
  require_int8_like(params.b_type, what);
  require_output(params.output_type, what);
}

}  // namespace

void quantize_f32(const float* input, std::int64_t count, float scale, DataType output_type, void* output, Isa isa) {
  require_int8_like(output_type, "quantize_f32");
  const RowKernels& kernels = row_kernels(isa);
  parallel_chunks(count, [&](std::int64_t begin, std::int64_t end) {
    kernels.quantize(input + begin, end - begin, {output_type, scale}, offset(output, output_type, begin));
  });
}

void dequantize(const void* input, DataType input_type, std::int64_t count, float scale, float* output, Isa isa) {
  require_int8_like(input_type, "dequantize");
  const RowKernels& kernels = row_kernels(isa);
  parallel_chunks(count, [&](std::int64_t begin, std::int64_t end) {
    kernels.dequantize(offset(input, input_type, begin), input_type, end - begin, scale, output + begin);
  });
}

void requantize(const void* input, DataType input_type, std::int64_t count, float ratio, DataType output_type,
                void* output, Isa isa) {
  require_int8_like(input_type, "requantize");
  require_int8_like(output_type, "requantize");
  const RowKernels& kernels = row_kernels(isa);
  parallel_chunks(count, [&](std::int64_t begin, std::int64_t end) {
    kernels.rescale(offset(input, input_type, begin), input_type, end - begin, ratio, output_type,
                    offset(output, output_type, begin));
  });
}

void qadd(const void* a, const void* b, std::int64_t count, const BinaryParams& params, void* output, Isa isa) {
  check_binary(params, "qadd");
  const RowKernels& kernels = row_kernels(isa);
  parallel_chunks(count, [&](std::int64_t begin, std::int64_t end) {
    kernels.add(offset(a, params.a_type, begin), offset(b, params.b_type, begin), end - begin, params,
                offset(output, params.output_type, begin));
  });
}

void qmul(const void* a, const void* b, std::int64_t count, const BinaryParams& params, void* output, Isa isa) {
  check_binary(params, "qmul");
  const RowKernels& kernels = row_kernels(isa);
  parallel_chunks(count, [&](std::int64_t begin, std::int64_t end) {
    kernels.multiply(offset(a, params.a_type, begin), offset(b, params.b_type, begin), end - begin, params,
                     offset(output, params.output_type, begin));
  });
}

void qmul_channels(const void* a, const void* b, std::int64_t batch, std::int64_t pixels, std::int64_t channels,
                   const BinaryParams& params, void* output, Isa isa) {
  check_binary(params, "qmul_channels");
  const RowKernels& kernels = row_kernels(isa);
  parallel_rows(batch * pixels, channels, [&](std::int64_t r) {
    kernels.multiply(offset(a, params.a_type, r * channels), offset(b, params.b_type, r / pixels * channels), channels,
                     params, offset(output, params.output_type, r * channels));
  });
}

Lut build_lut(const std::function<float(float)>& function, DataType input_type, float in_scale, DataType output_type,
              float out_scale) {
  require_int8_like(input_type, "build_lut");
  require_int8_like(output_type, "build_lut");
  const float low = output_type == DataType::kInt8 ? -128.0F : 0.0F;
  const float high = output_type == DataType::kInt8 ? 127.0F : 255.0F;
  Lut lut{};
  for (int byte = 0; byte < 256; ++byte) {
    const int q = input_type == DataType::kInt8 ? static_cast<std::int8_t>(byte) : byte;
    const float y = function(static_cast<float>(q) * in_scale) / out_scale;
    const float rounded = std::isnan(y) ? 0.0F : std::nearbyint(std::clamp(y, low, high));
    lut[static_cast<std::size_t>(byte)] = static_cast<std::uint8_t>(static_cast<int>(rounded));
  }
  return lut;
}

void apply_lut(const void* input, std::int64_t count, const Lut& lut, void* output, Isa isa) {
  const auto* from = static_cast<const std::uint8_t*>(input);
  auto* to = static_cast<std::uint8_t*>(output);
  const bool vbmi = isa == Isa::kAvx512Vnni && has_vbmi();
  parallel_chunks(count, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t i = begin;
    if (vbmi) {
      i += lut_vbmi(from + begin, end - begin, lut, to + begin);
    }
    for (; i < end; ++i) {
      to[i] = lut[from[i]];
    }
  });
}

}  // namespace xinfer::kernels
