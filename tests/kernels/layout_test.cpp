#include "kernels/layout.h"

#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "kernels/support.h"
#include "xinfer/core/errors.h"

namespace xinfer::kernels {
namespace {

using namespace testing;

TEST(Transpose, MovesEveryElement) {
  for (const std::size_t bytes : {1U, 2U, 4U, 8U}) {
    for (const auto& [rows, columns] : std::vector<std::pair<std::int64_t, std::int64_t>>{
             {1, 1}, {3, 1000}, {1000, 3}, {17, 33}, {64, 300}, {300, 64}, {130, 49}, {16, 16}, {4, 7}}) {
      const auto in = random_bytes(static_cast<std::size_t>(2 * rows * columns) * bytes, 1);
      std::vector<std::uint8_t> wanted(in.size());
      for (std::int64_t n = 0; n < 2; ++n)
        for (std::int64_t r = 0; r < rows; ++r)
          for (std::int64_t c = 0; c < columns; ++c)
            std::memcpy(wanted.data() + static_cast<std::size_t>((n * columns + c) * rows + r) * bytes,
                        in.data() + static_cast<std::size_t>((n * rows + r) * columns + c) * bytes, bytes);
      std::vector<std::uint8_t> got(in.size());
      transpose(in.data(), 2, rows, columns, bytes, got.data());
      EXPECT_EQ(got, wanted) << bytes << " " << rows << "x" << columns;
    }
  }
}

TEST(Permute, EveryOrderOfFourAxes) {
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{2, 3, 5, 20}, {1, 33, 1, 17}, {4, 1, 16, 16}, {1, 1, 1, 1}, {3, 64, 2, 300}}) {
    const auto count = static_cast<std::size_t>(std::accumulate(shape.begin(), shape.end(), 1LL, std::multiplies<>()));
    for (const std::size_t bytes : {1U, 4U}) {
      const auto in = random_bytes(count * bytes, 1);
      std::vector<std::int64_t> order = {0, 1, 2, 3};
      do {
        std::vector<std::int64_t> stride(4, 1);
        for (int i = 2; i >= 0; --i) {
          stride[static_cast<std::size_t>(i)] =
              stride[static_cast<std::size_t>(i) + 1] * shape[static_cast<std::size_t>(i) + 1];
        }
        const auto size = [&](std::size_t i) { return shape[static_cast<std::size_t>(order[i])]; };
        const auto step = [&](std::size_t i) { return stride[static_cast<std::size_t>(order[i])]; };
        std::vector<std::uint8_t> wanted(in.size());
        std::size_t i = 0;
        for (std::int64_t a = 0; a < size(0); ++a)
          for (std::int64_t b = 0; b < size(1); ++b)
            for (std::int64_t c = 0; c < size(2); ++c)
              for (std::int64_t d = 0; d < size(3); ++d, ++i) {
                const auto from = static_cast<std::size_t>(a * step(0) + b * step(1) + c * step(2) + d * step(3));
                std::memcpy(wanted.data() + i * bytes, in.data() + from * bytes, bytes);
              }
        std::vector<std::uint8_t> got(in.size());
        permute(in.data(), shape, order, bytes, got.data());
        ASSERT_EQ(got, wanted) << order[0] << order[1] << order[2] << order[3] << " of " << shape[0] << "," << shape[1]
                               << "," << shape[2] << "," << shape[3];
      } while (std::next_permutation(order.begin(), order.end()));
    }
  }
}

TEST(QuantizeNchwToNhwc, EqualsTheContractAndBack) {
  for (const std::int64_t channels : {1, 3, 4, 17}) {
    const std::int64_t pixels = 523;
    auto x = random_floats(static_cast<std::size_t>(2 * channels * pixels), -3.0F, 3.0F, 1);
    x[5] = std::numeric_limits<float>::quiet_NaN();
    for (DataType type : {DataType::kInt8, DataType::kUInt8}) {
      std::vector<std::uint8_t> wanted(x.size());
      std::vector<float> back(x.size());
      for (std::int64_t n = 0; n < 2; ++n)
        for (std::int64_t c = 0; c < channels; ++c)
          for (std::int64_t p = 0; p < pixels; ++p) {
            const auto from = static_cast<std::size_t>((n * channels + c) * pixels + p);
            const auto to = static_cast<std::size_t>((n * pixels + p) * channels + c);
            wanted[to] = std::isnan(x[from]) ? 0 : saturate(x[from] / 0.021F, type);
            back[from] = static_cast<float>(value_of(type, wanted.data(), to)) * 0.021F;
          }
      for (Isa isa : available_isas()) {
        std::vector<std::uint8_t> got(x.size());
        quantize_nchw_to_nhwc(x.data(), 2, channels, pixels, 0.021F, type, got.data(), isa);
        EXPECT_EQ(got, wanted) << name_of(isa) << " " << channels;
        std::vector<float> real(x.size());
        dequantize_nhwc_to_nchw(got.data(), type, 2, channels, pixels, 0.021F, real.data(), isa);
        EXPECT_EQ(real, back) << name_of(isa) << " " << channels;
      }
    }
  }
}

TEST(Layout, RefusesWhatItCantDo) {
  std::vector<std::uint8_t> memory(64);
  const std::vector<std::int64_t> shape = {2, 3};
  const std::vector<std::int64_t> twice = {0, 0};
  const std::vector<std::int64_t> beyond = {0, 2};
  const std::vector<std::int64_t> few = {0};
  EXPECT_THROW(permute(memory.data(), shape, twice, 1, memory.data()), Error);
  EXPECT_THROW(permute(memory.data(), shape, beyond, 1, memory.data()), Error);
  EXPECT_THROW(permute(memory.data(), shape, few, 1, memory.data()), Error);
  EXPECT_THROW(transpose(memory.data(), 1, 2, 2, 3, memory.data()), Error);
  EXPECT_THROW(quantize_nchw_to_nhwc(nullptr, 1, 1, 1, 1.0F, DataType::kFloat32, memory.data()), Error);
}

}  // namespace
}  // namespace xinfer::kernels
