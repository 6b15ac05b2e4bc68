#include "kernels/layout.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/aligned.h"
#include "kernels/common.h"
#include "kernels/row_kernels.h"
#include "kernels/transpose_block.h"

namespace xinfer::kernels {
namespace {

constexpr std::int64_t kPixels = 256;  // of a task; their bytes for all channels stay in cache

void check_element(std::size_t size, const char* what) {
  if (size != 1 && size != 2 && size != 4 && size != 8) {
    throw Error(fmt::format("{}: elements of {} bytes", what, size));
  }
}

/// A permutation without axes of size 1 and with axes that stay neighbours joined. strides: of the input, by output
/// axis.
struct Permutation {
  std::vector<std::int64_t> sizes;    // by output axis
  std::vector<std::int64_t> strides;  // in the input, by output axis

  Permutation(std::span<const std::int64_t> shape, std::span<const std::int64_t> order) {
    std::vector<std::int64_t> input_strides(shape.size(), 1);
    for (std::size_t i = shape.size(); i-- > 1;) input_strides[i - 1] = input_strides[i] * shape[i];
    for (const std::int64_t axis : order) {
      const std::int64_t size = shape[static_cast<std::size_t>(axis)];
      const std::int64_t stride = input_strides[static_cast<std::size_t>(axis)];
      if (size == 1) {
        continue;
      }
      if (!sizes.empty() && strides.back() == stride * size) {
        sizes.back() *= size;
        strides.back() = stride;
      } else {
        sizes.push_back(size);
        strides.push_back(stride);
      }
    }
    if (sizes.empty()) {
      sizes.push_back(1);
      strides.push_back(1);
    }
  }
};

/// Offsets in input and output of the index-th combination of the axes that `skip` doesn't name.
struct Offsets {
  std::int64_t input = 0;
  std::int64_t output = 0;
};
Offsets offsets_of(const Permutation& p, std::int64_t index, std::size_t skip_a, std::size_t skip_b) {
  Offsets at;
  std::int64_t stride = 1;
  for (std::size_t axis = p.sizes.size(); axis-- > 0;) {
    if (axis != skip_a && axis != skip_b) {
      const std::int64_t i = index % p.sizes[axis];
      index /= p.sizes[axis];
      at.input += i * p.strides[axis];
      at.output += i * stride;
    }
    stride *= p.sizes[axis];
  }
  return at;
}

void check_permutation(std::span<const std::int64_t> shape, std::span<const std::int64_t> permutation) {
  std::vector<bool> seen(shape.size(), false);
  bool good = shape.size() == permutation.size();
  for (const std::int64_t axis : permutation) {
    good = good && axis >= 0 && axis < static_cast<std::int64_t>(shape.size()) && !seen[static_cast<std::size_t>(axis)];
    if (good) seen[static_cast<std::size_t>(axis)] = true;
  }
  if (!good) {
    throw Error(fmt::format("permute: the order [{}] is no permutation of {} axes", fmt::join(permutation, ", "),
                            shape.size()));
  }
}

}  // namespace

void quantize_nchw_to_nhwc(const float* input, std::int64_t batch, std::int64_t channels, std::int64_t pixels,
                           float scale, DataType output_type, void* output, Isa isa) {
  require_int8_like(output_type, "quantize_nchw_to_nhwc");
  const RowKernels& kernels = row_kernels(isa);
  const std::int64_t chunks = (pixels + kPixels - 1) / kPixels;
  parallel_rows(batch * chunks, kPixels * channels, [&](std::int64_t task) {
    const std::int64_t image = task / chunks;
    const std::int64_t first = task % chunks * kPixels;
    const std::int64_t count = std::min(kPixels, pixels - first);
    thread_local AlignedVector<std::uint8_t> planes;
    planes.resize(static_cast<std::size_t>(channels * kPixels));
    for (std::int64_t c = 0; c < channels; ++c) {
      kernels.quantize(input + (image * channels + c) * pixels + first, count, {output_type, scale},
                       planes.data() + c * kPixels);
    }
    transpose_block(planes.data(), kPixels, offset(output, output_type, (image * pixels + first) * channels), channels,
                    channels, count, 1);
  });
}

void dequantize_nhwc_to_nchw(const void* input, DataType input_type, std::int64_t batch, std::int64_t channels,
                             std::int64_t pixels, float scale, float* output, Isa isa) {
  require_int8_like(input_type, "dequantize_nhwc_to_nchw");
  const RowKernels& kernels = row_kernels(isa);
  const std::int64_t chunks = (pixels + kPixels - 1) / kPixels;
  parallel_rows(batch * chunks, kPixels * channels, [&](std::int64_t task) {
    const std::int64_t image = task / chunks;
    const std::int64_t first = task % chunks * kPixels;
    const std::int64_t count = std::min(kPixels, pixels - first);
    thread_local AlignedVector<std::uint8_t> planes;
    planes.resize(static_cast<std::size_t>(channels * kPixels));
    transpose_block(offset(input, input_type, (image * pixels + first) * channels), channels, planes.data(), kPixels,
                    count, channels, 1);
    for (std::int64_t c = 0; c < channels; ++c) {
      kernels.dequantize(planes.data() + c * kPixels, input_type, count, scale,
                         output + (image * channels + c) * pixels + first);
    }
  });
}

void transpose(const void* input, std::int64_t batch, std::int64_t rows, std::int64_t columns, std::size_t element_size,
               void* output) {
  check_element(element_size, "transpose");
  const auto bytes = static_cast<std::int64_t>(element_size);
  // Tasks are strips of the longer side.
  const bool by_columns = columns >= rows;
  const std::int64_t side = by_columns ? columns : rows;
  const std::int64_t strips = (side + kPixels - 1) / kPixels;
  parallel_rows(batch * strips, kPixels * std::min(rows, columns), [&](std::int64_t task) {
    const std::int64_t matrix = task / strips * rows * columns;
    const std::int64_t first = task % strips * kPixels;
    const std::int64_t count = std::min(kPixels, side - first);
    const std::int64_t from = matrix + (by_columns ? first : first * columns);
    const std::int64_t to = matrix + (by_columns ? first * rows : first);
    transpose_block(static_cast<const char*>(input) + from * bytes, columns, static_cast<char*>(output) + to * bytes,
                    rows, by_columns ? rows : count, by_columns ? count : columns, element_size);
  });
}

void permute(const void* input, std::span<const std::int64_t> shape, std::span<const std::int64_t> permutation,
             std::size_t element_size, void* output) {
  check_element(element_size, "permute");
  check_permutation(shape, permutation);
  std::int64_t total = 1;
  for (const std::int64_t size : shape) total *= size;
  if (total == 0) {
    return;
  }
  const auto bytes = static_cast<std::int64_t>(element_size);
  const Permutation p(shape, permutation);
  const auto* from = static_cast<const char*>(input);
  auto* to = static_cast<char*>(output);
  const std::size_t last = p.sizes.size() - 1;
  if (p.strides[last] == 1) {
    const std::int64_t run = p.sizes[last];
    parallel_rows(total / run, run * bytes, [&](std::int64_t i) {
      const Offsets at = offsets_of(p, i, last, last);
      std::memcpy(to + at.output * bytes, from + at.input * bytes, static_cast<std::size_t>(run * bytes));
    });
    return;
  }
  // The input's innermost axis is some other output axis: transposes of these two, for every place of the others.
  const auto inner = static_cast<std::size_t>(std::find(p.strides.begin(), p.strides.end(), 1) - p.strides.begin());
  std::int64_t inner_stride = 1;
  for (std::size_t axis = inner + 1; axis < p.sizes.size(); ++axis) inner_stride *= p.sizes[axis];
  const std::int64_t rows = p.sizes[last];
  const std::int64_t columns = p.sizes[inner];
  const std::int64_t strips = (columns + kPixels - 1) / kPixels;
  parallel_rows(total / (rows * columns) * strips, rows * std::min(columns, kPixels), [&](std::int64_t task) {
    const Offsets at = offsets_of(p, task / strips, inner, last);
    const std::int64_t first = task % strips * kPixels;
    transpose_block(from + (at.input + first) * bytes, p.strides[last], to + (at.output + first * inner_stride) * bytes,
                    inner_stride, rows, std::min(kPixels, columns - first), element_size);
  });
}

}  // namespace xinfer::kernels
