#include "kernels/qpool.h"

#include <gtest/gtest.h>

#include "kernels/support.h"
#include "xinfer/core/errors.h"

namespace xinfer::kernels {
namespace {

using namespace testing;

std::vector<ConvShape> windows() {
  std::vector<ConvShape> all;
  for (const std::int64_t channels : {1, 3, 17, 64, 130}) {
    for (const std::int64_t kernel : {1, 2, 3, 5}) {
      ConvShape s;
      s.batch = kernel == 3 ? 3 : 1;
      s.in_h = 9;
      s.in_w = 12;
      s.in_channels = channels;
      s.kernel_h = s.kernel_w = kernel;
      s.stride_h = kernel > 2 ? 2 : 1;
      s.stride_w = kernel;
      s.pad_top = kernel / 2;
      s.pad_right = kernel / 3;
      s.dilation_w = kernel == 3 ? 2 : 1;
      all.push_back(s);
    }
  }
  return all;
}

/// Calls body(output index, inside values, taps inside the padded image) for every output.
template <class Body>
void for_windows(const ConvShape& s, DataType type, const std::vector<std::uint8_t>& input, std::int64_t out_h,
                 std::int64_t out_w, const Body& body) {
  std::size_t i = 0;
  for (std::int64_t n = 0; n < s.batch; ++n)
    for (std::int64_t oy = 0; oy < out_h; ++oy)
      for (std::int64_t ox = 0; ox < out_w; ++ox)
        for (std::int64_t c = 0; c < s.in_channels; ++c, ++i) {
          std::vector<int> values;
          std::int64_t padded = 0;
          for (std::int64_t ky = 0; ky < s.kernel_h; ++ky)
            for (std::int64_t kx = 0; kx < s.kernel_w; ++kx) {
              const std::int64_t y = oy * s.stride_h - s.pad_top + ky * s.dilation_h;
              const std::int64_t x = ox * s.stride_w - s.pad_left + kx * s.dilation_w;
              padded += y < s.in_h + s.pad_bottom && x < s.in_w + s.pad_right ? 1 : 0;
              if (y < 0 || y >= s.in_h || x < 0 || x >= s.in_w) continue;
              const std::int64_t at = ((n * s.in_h + y) * s.in_w + x) * s.in_channels + c;
              values.push_back(value_of(type, input.data(), static_cast<std::size_t>(at)));
            }
          body(i, values, padded);
        }
}

TEST(QMaxPool, TakesTheMaximumWithoutPadding) {
  for (const ConvShape& s : windows()) {
    for (DataType type : {DataType::kInt8, DataType::kUInt8}) {
      auto input = random_bytes(static_cast<std::size_t>(s.batch * s.in_h * s.in_w * s.in_channels), 3);
      if (type == DataType::kInt8) {
        for (auto& b : input) b |= 0x80;  // all negative: padding as zero would win
      }
      for (const bool ceil : {false, true}) {
        const std::int64_t h =
            ceil ? ceil_mode_size(s.in_h, s.kernel_h, s.stride_h, s.dilation_h, s.pad_top, s.pad_bottom) : s.out_h();
        const std::int64_t w =
            ceil ? ceil_mode_size(s.in_w, s.kernel_w, s.stride_w, s.dilation_w, s.pad_left, s.pad_right) : s.out_w();
        std::vector<std::uint8_t> wanted(static_cast<std::size_t>(s.batch * h * w * s.in_channels));
        for_windows(s, type, input, h, w, [&](std::size_t i, const std::vector<int>& values, std::int64_t) {
          wanted[i] = static_cast<std::uint8_t>(*std::max_element(values.begin(), values.end()));
        });
        std::vector<std::uint8_t> got(wanted.size());
        qmax_pool(s, type, input.data(), got.data(), ceil ? h : 0, ceil ? w : 0);
        EXPECT_EQ(got, wanted) << describe(s);
      }
    }
  }
}

TEST(QAveragePool, EqualsTheContract) {
  for (const ConvShape& s : windows()) {
    for (DataType type : {DataType::kInt8, DataType::kUInt8}) {
      const auto input = random_bytes(static_cast<std::size_t>(s.batch * s.in_h * s.in_w * s.in_channels), 3);
      for (const bool include : {false, true}) {
        for (DataType out : {DataType::kInt8, DataType::kUInt8, DataType::kFloat32}) {
          const AveragePoolParams p{type, out, 0.11, 0.07, include};
          const std::int64_t h = ceil_mode_size(s.in_h, s.kernel_h, s.stride_h, s.dilation_h, s.pad_top, s.pad_bottom);
          const std::int64_t w = ceil_mode_size(s.in_w, s.kernel_w, s.stride_w, s.dilation_w, s.pad_left, s.pad_right);
          std::vector<std::uint8_t> wanted(static_cast<std::size_t>(s.batch * h * w * s.in_channels) * size_of(out));
          for_windows(s, type, input, h, w, [&](std::size_t i, const std::vector<int>& values, std::int64_t padded) {
            std::int32_t sum = 0;
            for (int v : values) sum += v;
            const double count = static_cast<double>(include ? padded : static_cast<std::int64_t>(values.size()));
            const double scale = 0.11 / (out == DataType::kFloat32 ? 1.0 : 0.07) / count;
            store(static_cast<float>(sum) * static_cast<float>(scale), out, wanted.data(), i);
          });
          for (Isa isa : available_isas()) {
            std::vector<std::uint8_t> got(wanted.size());
            qaverage_pool(s, p, input.data(), got.data(), h, w, isa);
            EXPECT_EQ(got, wanted) << name_of(isa) << " " << describe(s);
          }
        }
      }
    }
  }
}

TEST(QGlobalAveragePool, EqualsTheContract) {
  for (const std::int64_t channels : {1, 17, 64, 130}) {
    for (const std::int64_t pixels : {1, 49, 3000}) {
      const auto input = random_bytes(static_cast<std::size_t>(3 * pixels * channels), 3);
      const AveragePoolParams p{DataType::kUInt8, DataType::kUInt8, 0.02, 0.013, false};
      std::vector<std::uint8_t> wanted(static_cast<std::size_t>(3 * channels));
      for (std::int64_t n = 0; n < 3; ++n)
        for (std::int64_t c = 0; c < channels; ++c) {
          std::int32_t sum = 0;
          for (std::int64_t i = 0; i < pixels; ++i) {
            sum += input[static_cast<std::size_t>((n * pixels + i) * channels + c)];
          }
          const auto factor = static_cast<float>(0.02 / 0.013 / static_cast<double>(pixels));
          store(static_cast<float>(sum) * factor, p.output_type, wanted.data(),
                static_cast<std::size_t>(n * channels + c));
        }
      for (Isa isa : available_isas()) {
        std::vector<std::uint8_t> got(wanted.size());
        qglobal_average_pool(3, pixels, channels, p, input.data(), got.data(), isa);
        EXPECT_EQ(got, wanted) << name_of(isa) << " " << channels << " " << pixels;
      }
    }
  }
}

TEST(QPool, RefusesWhatItCantDo) {
  std::vector<std::uint8_t> memory(64);
  ConvShape s;
  s.kernel_h = 3;
  EXPECT_THROW(qmax_pool(s, DataType::kInt8, memory.data(), memory.data()), Error);
  s.kernel_h = 1;
  EXPECT_THROW(qmax_pool(s, DataType::kFloat32, memory.data(), memory.data()), Error);
  EXPECT_THROW(qmax_pool(s, DataType::kInt8, memory.data(), memory.data(), 1, 0), Error);
  EXPECT_THROW(qglobal_average_pool(1, 0, 1, {}, memory.data(), memory.data()), Error);
}

}  // namespace
}  // namespace xinfer::kernels
