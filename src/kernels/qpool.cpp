#include "kernels/qpool.h"

#include <emmintrin.h>

#include <algorithm>
#include <vector>

#include "kernels/aligned.h"
#include "kernels/common.h"
#include "kernels/row_kernels.h"

namespace xinfer::kernels {
namespace {

/// The pixels of one window that lie inside the image.
class Window {
 public:
  explicit Window(const ConvShape& s) : s_(s) { pixels_.reserve(static_cast<std::size_t>(s.kernel_h * s.kernel_w)); }

  void gather(const std::uint8_t* image, std::int64_t oy, std::int64_t ox) {
    pixels_.clear();
    for (std::int64_t ky = 0; ky < s_.kernel_h; ++ky) {
      const std::int64_t y = oy * s_.stride_h - s_.pad_top + ky * s_.dilation_h;
      if (y < 0 || y >= s_.in_h) {
        continue;
      }
      for (std::int64_t kx = 0; kx < s_.kernel_w; ++kx) {
        const std::int64_t x = ox * s_.stride_w - s_.pad_left + kx * s_.dilation_w;
        if (x >= 0 && x < s_.in_w) {
          pixels_.push_back(image + (y * s_.in_w + x) * s_.in_channels);
        }
      }
    }
  }

  /// Taps inside the padded image: what an average that includes padding divides by.
  std::int64_t padded_taps(std::int64_t oy, std::int64_t ox) const {
    const auto inside = [](std::int64_t start, std::int64_t kernel, std::int64_t dilation, std::int64_t limit) {
      std::int64_t n = 0;
      for (std::int64_t k = 0; k < kernel; ++k) n += start + k * dilation < limit ? 1 : 0;
      return n;
    };
    return inside(oy * s_.stride_h, s_.kernel_h, s_.dilation_h, s_.in_h + s_.pad_top + s_.pad_bottom) *
           inside(ox * s_.stride_w, s_.kernel_w, s_.dilation_w, s_.in_w + s_.pad_left + s_.pad_right);
  }

  const void* const* data() const { return pixels_.data(); }
  std::int64_t size() const { return static_cast<std::int64_t>(pixels_.size()); }

 private:
  const ConvShape& s_;
  std::vector<const void*> pixels_;
};

/// Byte maxima; signed bytes are flipped so that the unsigned instruction, which SSE2 has, orders them.
void max_pixels(const void* const* pixels, std::int64_t count, std::int64_t channels, std::uint8_t flip,
                std::uint8_t* out) {
  const __m128i sign = _mm_set1_epi8(static_cast<char>(flip));
  std::int64_t c = 0;
  const auto block = [&]<int kRegs>() {
    __m128i best[kRegs];
    for (int r = 0; r < kRegs; ++r) best[r] = _mm_setzero_si128();
    for (std::int64_t p = 0; p < count; ++p) {
      const auto* from = reinterpret_cast<const __m128i*>(static_cast<const std::uint8_t*>(pixels[p]) + c);
      for (int r = 0; r < kRegs; ++r) {
        best[r] = _mm_max_epu8(best[r], _mm_xor_si128(_mm_loadu_si128(from + r), sign));
      }
    }
    auto* to = reinterpret_cast<__m128i*>(out + c);
    for (int r = 0; r < kRegs; ++r) _mm_storeu_si128(to + r, _mm_xor_si128(best[r], sign));
    c += 16 * kRegs;
  };
  while (c + 64 <= channels) block.template operator()<4>();
  while (c + 16 <= channels) block.template operator()<1>();
  for (; c < channels; ++c) {
    std::uint8_t best = 0;
    for (std::int64_t p = 0; p < count; ++p) {
      best = std::max<std::uint8_t>(best, static_cast<const std::uint8_t*>(pixels[p])[c] ^ flip);
    }
    out[c] = best ^ flip;
  }
}

void check_window(const ConvShape& shape, std::int64_t out_h, std::int64_t out_w, const char* what) {
  ConvShape s = shape;
  s.out_channels = s.in_channels;
  s.groups = 1;
  if (out_h == 0) {
    check_shape(s, what);
  }
  if (out_h < 0 || out_w < 0 || (out_h == 0) != (out_w == 0)) {
    throw Error(fmt::format("{}: output size {}x{}", what, out_h, out_w));
  }
}

float average_factor(const AveragePoolParams& params, std::int64_t count) {
  const double out_scale = params.output_type == DataType::kFloat32 ? 1.0 : params.out_scale;
  return static_cast<float>(params.in_scale / out_scale / static_cast<double>(count));
}

}  // namespace

std::int64_t ceil_mode_size(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t dilation,
                            std::int64_t pad_begin, std::int64_t pad_end) {
  const std::int64_t room = in + pad_begin + pad_end - dilation * (kernel - 1) - 1;
  std::int64_t size = (room + stride - 1) / stride + 1;
  if ((size - 1) * stride >= in + pad_begin) {
    --size;
  }
  return size;
}

void qmax_pool(const ConvShape& s, DataType type, const void* input, void* output, std::int64_t out_h,
               std::int64_t out_w, Isa /*isa*/) {
  require_int8_like(type, "qmax_pool");
  check_window(s, out_h, out_w, "qmax_pool");
  const std::int64_t height = out_h != 0 ? out_h : s.out_h();
  const std::int64_t width = out_w != 0 ? out_w : s.out_w();
  const std::uint8_t flip = type == DataType::kInt8 ? 0x80 : 0;
  parallel_rows(s.batch * height, width * s.in_channels * s.kernel_h * s.kernel_w / 16, [&](std::int64_t row) {
    Window window(s);
    const auto* image = static_cast<const std::uint8_t*>(input) + row / height * s.in_h * s.in_w * s.in_channels;
    auto* out = static_cast<std::uint8_t*>(output) + row * width * s.in_channels;
    for (std::int64_t ox = 0; ox < width; ++ox, out += s.in_channels) {
      window.gather(image, row % height, ox);
      max_pixels(window.data(), window.size(), s.in_channels, flip, out);
    }
  });
}

void qaverage_pool(const ConvShape& s, const AveragePoolParams& params, const void* input, void* output,
                   std::int64_t out_h, std::int64_t out_w, Isa isa) {
  require_int8_like(params.input_type, "qaverage_pool");
  require_output(params.output_type, "qaverage_pool");
  check_window(s, out_h, out_w, "qaverage_pool");
  const std::int64_t height = out_h != 0 ? out_h : s.out_h();
  const std::int64_t width = out_w != 0 ? out_w : s.out_w();
  const RowKernels& kernels = row_kernels(isa);
  parallel_rows(s.batch * height, width * s.in_channels * s.kernel_h * s.kernel_w / 16, [&](std::int64_t row) {
    Window window(s);
    AlignedVector<std::int32_t> sums(static_cast<std::size_t>(s.in_channels));
    const auto* image = static_cast<const std::uint8_t*>(input) + row / height * s.in_h * s.in_w * s.in_channels;
    for (std::int64_t ox = 0; ox < width; ++ox) {
      window.gather(image, row % height, ox);
      const std::int64_t count = params.count_include_pad ? window.padded_taps(row % height, ox) : window.size();
      kernels.sum_pixels(window.data(), window.size(), params.input_type, s.in_channels, sums.data());
      kernels.scale_sums(sums.data(), s.in_channels, average_factor(params, std::max<std::int64_t>(1, count)),
                         params.output_type, offset(output, params.output_type, (row * width + ox) * s.in_channels));
    }
  });
}

void qglobal_average_pool(std::int64_t batch, std::int64_t pixels, std::int64_t channels,
                          const AveragePoolParams& params, const void* input, void* output, Isa isa) {
  require_int8_like(params.input_type, "qglobal_average_pool");
  require_output(params.output_type, "qglobal_average_pool");
  if (batch < 1 || pixels < 1 || channels < 1) {
    throw Error("qglobal_average_pool: a size is not positive");
  }
  const RowKernels& kernels = row_kernels(isa);
  constexpr std::int64_t kSlice = 64;  // channels of a task
  const std::int64_t slices = (channels + kSlice - 1) / kSlice;
  parallel_rows(batch * slices, pixels * 4, [&](std::int64_t task) {
    const std::int64_t first = task % slices * kSlice;
    const std::int64_t count = std::min(kSlice, channels - first);
    const auto* image = static_cast<const std::uint8_t*>(input) + task / slices * pixels * channels + first;
    std::vector<const void*> pointers(static_cast<std::size_t>(pixels));
    for (std::int64_t p = 0; p < pixels; ++p) pointers[static_cast<std::size_t>(p)] = image + p * channels;
    alignas(64) std::int32_t sums[kSlice];
    kernels.sum_pixels(pointers.data(), pixels, params.input_type, count, sums);
    kernels.scale_sums(sums, count, average_factor(params, pixels), params.output_type,
                       offset(output, params.output_type, task / slices * channels + first));
  });
}

}  // namespace xinfer::kernels
