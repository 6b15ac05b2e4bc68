#include "kernels/qdwconv.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <cstring>

#include "kernels/common.h"
#include "kernels/qdwconv_kernel.h"

namespace xinfer::kernels {
namespace {

constexpr std::int64_t kLongestStep = 4;  // output pixels that a kernel computes at once, at most

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

DwVector widest(std::int64_t channels_left, Isa isa) {
  switch (isa) {
    case Isa::kAvx512Vnni:
      return channels_left > 32 ? kDwVnni512 : channels_left > 16 ? kDwVnni256 : kDwVnni128;
    case Isa::kAvx512:
      return kDwWords512;
    case Isa::kAvx2:
    case Isa::kBaseline:
      break;
  }
  return kDwWords256;
}

/// Where tap weights of one channel lie within an interleaved group of a block: the order in which the unpack
/// instructions leave channels, four int32 lanes of each 128 bits in turn.
std::int64_t lane_of_channel(const DwVector& v, std::int64_t c) {
  const std::int64_t per_128 = v.group == 4 ? 16 : 8;  // channels interleaved within one 128-bit lane
  const std::int64_t lane128 = c / per_128;
  const std::int64_t within = c % per_128;
  const std::int64_t lanes128 = v.channels / per_128;
  return (within / 4) * (lanes128 * 4) + lane128 * 4 + within % 4;
}

void pack_block(const std::int8_t* weights, const ConvShape& s, const DwGroups& g, const DwBlock& block,
                std::int8_t* out) {
  const int shifts = g.shifted ? 2 : 1;
  const bool words = block.vector.group == 2;
  for (int shift = 0; shift < shifts; ++shift) {
    for (std::int64_t ky = 0; ky < s.kernel_h; ++ky) {
      for (std::int64_t t = 0; t < g.per_row; ++t) {
        for (std::int64_t c = 0; c < block.count; ++c) {
          const std::int64_t lane = lane_of_channel(block.vector, c) * block.vector.group;
          for (int i = 0; i < block.vector.group; ++i) {
            const std::int64_t kx = t * block.vector.group + i - shift;
            if (kx < 0 || kx >= s.kernel_w) {
              continue;
            }
            const std::int8_t w = weights[((block.first + c) * s.kernel_h + ky) * s.kernel_w + kx];
            if (words) {
              const std::int16_t wide = w;
              std::memcpy(out + (lane + i) * 2, &wide, 2);
            } else {
              out[lane + i] = w;
            }
          }
        }
        out += block.vector.bytes;
      }
    }
  }
}

/// Plain loops for machines without AVX2; weights are [kernel_h, kernel_w, channels].
void run_baseline(const ConvShape& s, const void* input, bool input_signed, const std::int8_t* weights, std::int64_t oy,
                  std::int64_t ox, std::int32_t* acc) {
  const std::int64_t channels = s.in_channels;
  std::fill_n(acc, channels, 0);
  for (std::int64_t ky = 0; ky < s.kernel_h; ++ky) {
    const std::int64_t y = oy * s.stride_h - s.pad_top + ky * s.dilation_h;
    if (y < 0 || y >= s.in_h) {
      continue;
    }
    for (std::int64_t kx = 0; kx < s.kernel_w; ++kx) {
      const std::int64_t x = ox * s.stride_w - s.pad_left + kx * s.dilation_w;
      if (x < 0 || x >= s.in_w) {
        continue;
      }
      const std::int8_t* w = weights + (ky * s.kernel_w + kx) * channels;
      const std::int64_t at = (y * s.in_w + x) * channels;
      const auto add = [&](const auto* pixel) {
        for (std::int64_t c = 0; c < channels; ++c) {
          acc[c] += static_cast<std::int32_t>(pixel[c]) * w[c];
        }
      };
      if (input_signed) {
        add(static_cast<const std::int8_t*>(input) + at);
      } else {
        add(static_cast<const std::uint8_t*>(input) + at);
      }
    }
  }
}

void check_dw(const ConvShape& shape, DataType input_type) {
  check_shape(shape, "qdwconv");
  require_int8_like(input_type, "qdwconv");
  if (shape.in_channels != shape.groups || shape.out_channels != shape.groups) {
    throw Error(fmt::format("qdwconv: {} input and {} output channels in {} groups is not depthwise", shape.in_channels,
                            shape.out_channels, shape.groups));
  }
}

}  // namespace

DwGroups dw_groups(const ConvShape& s, int group) {
  DwGroups g;
  const bool pairs = s.dilation_w == 1 && (s.stride_w == 1 || s.stride_w % 2 == 0);
  g.shifted = pairs && s.stride_w == 1;
  g.pixels = pairs ? 2 : 1;
  g.per_row = divide_up(s.kernel_w + (g.shifted ? 1 : 0), group);
  g.next = group * s.dilation_w / g.pixels;
  g.per_output = std::max<std::int64_t>(1, s.stride_w / g.pixels);
  return g;
}

std::vector<DwBlock> dw_blocks(const ConvShape& s, Isa isa) {
  std::vector<DwBlock> blocks;
  std::int64_t weights = 0;
  for (std::int64_t c = 0; c < s.in_channels;) {
    const DwVector v = widest(s.in_channels - c, isa);
    const std::int64_t count = std::min<std::int64_t>(v.channels, s.in_channels - c);
    blocks.push_back({c, count, v, weights});
    const DwGroups g = dw_groups(s, v.group);
    weights += (g.shifted ? 2 : 1) * s.kernel_h * g.per_row * v.bytes;
    c += count;
  }
  return blocks;
}

std::int64_t dw_groups_read(const ConvShape& s, const DwGroups& g) {
  const std::int64_t last = s.out_w() - 1;
  return (g.shifted ? last / 2 : last * g.per_output) + (g.per_row - 1) * g.next + 1;
}

std::int64_t dw_row_groups(const ConvShape& s, const DwGroups& g) {
  return dw_groups_read(s, g) + kLongestStep * g.per_output;
}

std::int64_t dw_ring_bytes(const ConvShape& s, const DwGroups& g, const DwVector& v) {
  const std::int64_t ring_rows = s.dilation_h * (s.kernel_h - 1) + 1;
  return ring_rows * dw_row_groups(s, g) * v.bytes + s.kernel_h * static_cast<std::int64_t>(sizeof(void*));
}

DwWeights::DwWeights(const std::int8_t* weights, const ConvShape& shape, DataType input_type, Isa isa)
    : shape_(shape), input_type_(input_type), isa_(isa) {
  check_dw(shape, input_type);
  const std::int64_t taps = shape.kernel_h * shape.kernel_w;
  const std::int64_t channels = shape.in_channels;
  initial_.assign(static_cast<std::size_t>(channels + 64), 0);
  if (isa == Isa::kBaseline) {
    packed_.resize(static_cast<std::size_t>(channels * taps));
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t t = 0; t < taps; ++t) {
        packed_[static_cast<std::size_t>(t * channels + c)] = weights[c * taps + t];
      }
    }
    return;
  }
  const std::vector<DwBlock> blocks = dw_blocks(shape, isa);
  const DwBlock& last = blocks.back();
  const DwGroups last_groups = dw_groups(shape, last.vector.group);
  packed_.assign(static_cast<std::size_t>(last.weights + (last_groups.shifted ? 2 : 1) * shape.kernel_h *
                                                             last_groups.per_row * last.vector.bytes),
                 0);
  for (const DwBlock& block : blocks) {
    pack_block(weights, shape, dw_groups(shape, block.vector.group), block, packed_.data() + block.weights);
    if (block.vector.group == 4 && input_type == DataType::kInt8) {
      for (std::int64_t c = 0; c < block.count; ++c) {
        std::int32_t sum = 0;
        for (std::int64_t t = 0; t < taps; ++t) {
          sum += weights[(block.first + c) * taps + t];
        }
        initial_[static_cast<std::size_t>(block.first + lane_of_channel(block.vector, c))] = -128 * sum;
      }
    }
  }
}

void qdwconv(const ConvShape& shape, const void* input, const DwWeights& weights, const RequantParams& params,
             void* output) {
  check_dw(shape, weights.input_type());
  check_requant(params, "qdwconv");
  const ConvShape& packed = weights.shape();
  if (shape.in_channels != packed.in_channels || shape.kernel_h != packed.kernel_h ||
      shape.kernel_w != packed.kernel_w || shape.stride_w != packed.stride_w || shape.dilation_w != packed.dilation_w) {
    throw Error("qdwconv: the weights were packed for another channel count, kernel, stride or dilation");
  }
  const std::int64_t out_h = shape.out_h();
  const std::int64_t out_w = shape.out_w();
  const std::int64_t channels = shape.in_channels;
  const RowKernels& rows = row_kernels(weights.isa());
  const bool input_signed = weights.input_type() == DataType::kInt8;
  const std::int64_t image_in = shape.in_h * shape.in_w * channels;
  const std::int64_t image_out = out_h * out_w * channels;
  const auto residual_at = [&](std::int64_t at) {
    return params.residual == nullptr ? nullptr : offset(params.residual, params.residual_type, at);
  };

  if (weights.isa() == Isa::kBaseline) {
    parallel_rows(shape.batch * out_h, out_w * channels, [&](std::int64_t row) {
      thread_local AlignedVector<std::int32_t> acc;
      acc.resize(static_cast<std::size_t>(channels));
      const void* image = offset(input, weights.input_type(), row / out_h * image_in);
      for (std::int64_t ox = 0; ox < out_w; ++ox) {
        run_baseline(shape, image, input_signed, weights.data(), row % out_h, ox, acc.data());
        const std::int64_t at = (row * out_w + ox) * channels;
        rows.requantize(acc.data(), channels, params, 0, residual_at(at), offset(output, params.output_type, at));
      }
    });
    return;
  }

  const std::vector<DwBlock> blocks = dw_blocks(shape, weights.isa());
  const DwGroups groups = dw_groups(shape, blocks[0].vector.group);
  const auto run = weights.isa() == Isa::kAvx512Vnni ? dw_run_vnni
                   : weights.isa() == Isa::kAvx512   ? dw_run_avx512
                                                     : dw_run_avx2;
  // Rows are cut only as far as threads need work: each cut interleaves its first input rows again.
  const std::int64_t wanted = 3 * static_cast<std::int64_t>(omp_get_max_threads());
  const auto block_count = static_cast<std::int64_t>(blocks.size());
  const std::int64_t jobs = shape.batch * block_count;
  const std::int64_t bands = std::clamp<std::int64_t>(divide_up(wanted, jobs), 1, divide_up(out_h, 4));
  const std::int64_t band_rows = divide_up(out_h, bands);
  const std::int64_t tasks = jobs * bands;
  const bool parallel = tasks > 1 && image_out * shape.batch * shape.kernel_h * shape.kernel_w > 65536;
#pragma omp parallel for schedule(dynamic) if (parallel)
  for (std::int64_t t = 0; t < tasks; ++t) {
    const DwBlock& block = blocks[static_cast<std::size_t>(t % block_count)];
    const std::int64_t band = t / block_count % bands;
    const std::int64_t image = t / block_count / bands;
    thread_local AlignedVector<std::uint8_t> ring;
    const auto bytes = static_cast<std::size_t>(dw_ring_bytes(shape, groups, block.vector));
    if (ring.size() < bytes) {
      ring.resize(bytes);
    }
    run({.shape = shape,
         .block = block,
         .groups = groups,
         .input = offset(input, weights.input_type(), image * image_in),
         .input_signed = input_signed,
         .weights = weights.data() + block.weights,
         .initial = weights.initial() + block.first,
         .params = params,
         .rows = rows,
         .residual = residual_at(image * image_out),
         .output = offset(output, params.output_type, image * image_out),
         .row_begin = band * band_rows,
         .row_end = std::min(out_h, (band + 1) * band_rows),
         .groups_read = dw_groups_read(shape, groups),
         .row_groups = dw_row_groups(shape, groups),
         .ring = ring.data()});
  }
}

}  // namespace xinfer::kernels
