#include "kernels/qgemm.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <cstring>

#include "kernels/common.h"
#include "kernels/qgemm_kernel.h"

namespace xinfer::kernels {
namespace {

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

GemmKernel kernel_of(Isa isa) {
  switch (isa) {
    case Isa::kBaseline:
      return gemm_baseline;
    case Isa::kAvx2:
      return gemm_avx2;
    case Isa::kAvx512:
      return gemm_avx512;
    case Isa::kAvx512Vnni:
      return gemm_vnni;
  }
  return gemm_baseline;
}

/// Sizes of one group's matrix product, derived once.
struct Sizes {
  std::int64_t group_in, group_out, depth, units, column_blocks;
  GemmFormat format;

  Sizes(const ConvShape& s, Isa isa)
      : group_in(s.in_channels / s.groups),
        group_out(s.out_channels / s.groups),
        depth(group_in * s.kernel_h * s.kernel_w),
        units(0),
        column_blocks(0),
        format(gemm_format(isa)) {
    units = divide_up(depth, format.unit);
    column_blocks = divide_up(group_out, format.columns);
  }
  std::int64_t padded_columns() const { return column_blocks * format.columns; }
  std::int64_t group_bytes() const { return units * padded_columns() * 4; }
};

/// Copies `count` input elements as the kernel wants them: int16, or bytes with the sign bit flipped where signed.
template <typename T>
void widen(const T* from, std::int64_t count, std::int16_t* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = from[i];
}
void flip(const std::uint8_t* from, std::int64_t count, std::uint8_t* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = from[i] ^ 0x80;
}
void copy_elements(const std::uint8_t* from, std::int64_t count, bool is_signed, int unit, std::uint8_t* to) {
  if (unit == 2) {
    auto* words = reinterpret_cast<std::int16_t*>(to);
    is_signed ? widen(reinterpret_cast<const std::int8_t*>(from), count, words) : widen(from, count, words);
  } else if (is_signed) {
    flip(from, count, to);
  } else {
    std::memcpy(to, from, static_cast<std::size_t>(count));
  }
}

/// K elements [begin, end) of the patch of output pixel `pixel`: (ky, kx, channel) order, padding as zeros.
void gather(const ConvShape& s, const Sizes& z, const std::uint8_t* input, bool is_signed, std::int64_t group,
            std::int64_t pixel, std::int64_t begin, std::int64_t end, std::uint8_t* to) {
  const std::int64_t out_w = s.out_w();
  const std::int64_t out_h = s.out_h();
  const std::int64_t top = pixel / out_w % out_h * s.stride_h - s.pad_top;
  const std::int64_t left = pixel % out_w * s.stride_w - s.pad_left;
  const std::uint8_t* image = input + pixel / out_w / out_h * s.in_h * s.in_w * s.in_channels + group * z.group_in;
  const int element = 4 / z.format.unit;
  const int zero = z.format.unit == 4 && is_signed ? 0x80 : 0;
  for (std::int64_t k = begin; k < end;) {
    const std::int64_t tap = k / z.group_in;
    const std::int64_t channel = k - tap * z.group_in;
    const std::int64_t run = std::min(z.group_in - channel, end - k);
    const std::int64_t y = top + tap / s.kernel_w * s.dilation_h;
    const std::int64_t x = left + tap % s.kernel_w * s.dilation_w;
    if (y >= 0 && y < s.in_h && x >= 0 && x < s.in_w) {
      copy_elements(image + (y * s.in_w + x) * s.in_channels + channel, run, is_signed, z.format.unit, to);
    } else {
      std::memset(to, zero, static_cast<std::size_t>(run * element));
    }
    to += run * element;
    k += run;
  }
  const std::int64_t rest = divide_up(end - begin, z.format.unit) * z.format.unit - (end - begin);
  std::memset(to, 0, static_cast<std::size_t>(rest * element));  // meets weights that are zero
}

}  // namespace

GemmFormat gemm_format(Isa isa) {
  switch (isa) {
    case Isa::kBaseline:
      return {2, 8};
    case Isa::kAvx2:
      return {2, 16};
    case Isa::kAvx512:
      return {2, 32};
    case Isa::kAvx512Vnni:
      return {4, 32};
  }
  return {2, 8};
}

ConvWeights::ConvWeights(const std::int8_t* weights, const ConvShape& s, DataType input_type, Isa isa)
    : shape_(s), input_type_(input_type), isa_(isa) {
  ConvShape geometry = s;  // only the channels and the window matter here
  geometry.in_h = std::max(s.in_h, s.dilation_h * (s.kernel_h - 1) + 1);
  geometry.in_w = std::max(s.in_w, s.dilation_w * (s.kernel_w - 1) + 1);
  check_shape(geometry, "qconv");
  require_int8_like(input_type, "qconv");
  const Sizes z(s, isa);
  packed_.assign(static_cast<std::size_t>(s.groups * z.group_bytes()), 0);
  initial_.assign(static_cast<std::size_t>(s.groups * z.padded_columns()), 0);
  const bool bytes = z.format.unit == 4;
  const std::int64_t taps = s.kernel_h * s.kernel_w;
  for (std::int64_t o = 0; o < s.out_channels; ++o) {
    const std::int64_t group = o / z.group_out;
    const std::int64_t column = o % z.group_out;
    std::int8_t* block =
        packed_.data() + group * z.group_bytes() + column / z.format.columns * z.units * z.format.columns * 4;
    std::int32_t sum = 0;
    for (std::int64_t k = 0; k < z.depth; ++k) {
      const std::int8_t w = weights[(o * z.group_in + k % z.group_in) * taps + k / z.group_in];
      const std::int64_t at =
          (k / z.format.unit * z.format.columns + column % z.format.columns) * z.format.unit + k % z.format.unit;
      if (bytes) {
        block[at] = w;
      } else {
        const std::int16_t wide = w;
        std::memcpy(block + 2 * at, &wide, 2);
      }
      sum += w;
    }
    if (bytes && input_type == DataType::kInt8) {
      initial_[static_cast<std::size_t>(group * z.padded_columns() + column)] = -128 * sum;
    }
  }
}

void qconv(const ConvShape& s, const void* input, const ConvWeights& weights, const RequantParams& params,
           void* output) {
  check_shape(s, "qconv");
  check_requant(params, "qconv");
  const ConvShape& packed = weights.shape();
  if (s.in_channels != packed.in_channels || s.out_channels != packed.out_channels || s.groups != packed.groups ||
      s.kernel_h != packed.kernel_h || s.kernel_w != packed.kernel_w) {
    throw Error("qconv: the weights were packed for other channels, groups or another kernel");
  }
  const Sizes z(s, weights.isa());
  const GemmKernel kernel = kernel_of(weights.isa());
  const RowKernels& rows = row_kernels(weights.isa());
  const bool is_signed = weights.input_type() == DataType::kInt8;
  const std::int64_t pixels = s.batch * s.out_h() * s.out_w();
  const std::int64_t tiles = divide_up(pixels, kGemmTileRows);
  // Columns are cut only where there are fewer tiles of pixels than threads: each cut gathers the patches again.
  const std::int64_t wanted = 2 * static_cast<std::int64_t>(omp_get_max_threads());
  const std::int64_t cuts = std::clamp<std::int64_t>(divide_up(wanted, tiles * s.groups), 1, z.column_blocks);
  const std::int64_t cut_blocks = divide_up(z.column_blocks, cuts);
  const std::int64_t tasks = tiles * s.groups * cuts;
  const bool parallel = tasks > 1 && pixels * s.out_channels * z.depth > 262144;
#pragma omp parallel for schedule(dynamic) if (parallel)
  for (std::int64_t t = 0; t < tasks; ++t) {
    const std::int64_t group = t / cuts % s.groups;
    const std::int64_t pixel = t / cuts / s.groups * kGemmTileRows;
    const std::int64_t first_block = t % cuts * cut_blocks;
    const std::int64_t end_block = std::min(z.column_blocks, first_block + cut_blocks);
    if (first_block >= end_block) {
      continue;
    }
    const std::int64_t count = std::min(kGemmTileRows, pixels - pixel);
    const std::int64_t ldc = (end_block - first_block) * z.format.columns;
    thread_local AlignedVector<std::uint8_t> patches(kGemmTileRows * kGemmBlockUnits * 4);
    thread_local AlignedVector<std::int32_t> acc;
    acc.resize(std::max(acc.size(), static_cast<std::size_t>(kGemmTileRows * ldc)));
    for (std::int64_t unit = 0; unit < z.units; unit += kGemmBlockUnits) {
      const std::int64_t units = std::min(kGemmBlockUnits, z.units - unit);
      const std::int64_t lda = units * 4;
      for (std::int64_t r = 0; r < count; ++r) {
        gather(s, z, static_cast<const std::uint8_t*>(input), is_signed, group, pixel + r, unit * z.format.unit,
               std::min(z.depth, (unit + units) * z.format.unit), patches.data() + r * lda);
      }
      for (std::int64_t block = first_block; block < end_block; ++block) {
        const std::int64_t column = block * z.format.columns;
        const std::int8_t* b = static_cast<const std::int8_t*>(weights.data()) + group * z.group_bytes() +
                               (block * z.units + unit) * z.format.columns * 4;
        const std::int32_t* initial = unit == 0 ? weights.initial() + group * z.padded_columns() + column : nullptr;
        kernel(patches.data(), lda, b, units, initial, acc.data() + (block - first_block) * z.format.columns, ldc,
               count);
      }
    }
    const std::int64_t first = first_block * z.format.columns;
    const std::int64_t columns = std::min(z.group_out - first, ldc);
    for (std::int64_t r = 0; r < count; ++r) {
      const std::int64_t channel = group * z.group_out + first;
      const std::int64_t at = (pixel + r) * s.out_channels + channel;
      const void* residual = params.residual == nullptr ? nullptr : offset(params.residual, params.residual_type, at);
      rows.requantize(acc.data() + r * ldc, columns, params, channel, residual, offset(output, params.output_type, at));
    }
  }
}

void qgemm(std::int64_t m, const void* input, const ConvWeights& weights, const RequantParams& params, void* output) {
  const ConvShape& packed = weights.shape();
  if (packed.kernel_h != 1 || packed.kernel_w != 1 || packed.groups != 1) {
    throw Error("qgemm: the weights were packed for a convolution");
  }
  ConvShape s;
  s.in_w = m;
  s.in_channels = packed.in_channels;
  s.out_channels = packed.out_channels;
  qconv(s, input, weights, params, output);
}

}  // namespace xinfer::kernels
