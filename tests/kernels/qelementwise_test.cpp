#include "kernels/qelementwise.h"

#include <gtest/gtest.h>

#include <limits>

#include "kernels/support.h"
#include "xinfer/core/errors.h"

namespace xinfer::kernels {
namespace {

using namespace testing;

constexpr DataType kByteTypes[] = {DataType::kInt8, DataType::kUInt8};
constexpr std::size_t kCounts[] = {1, 15, 16, 17, 130, 40000};

TEST(QuantizeF32, EqualsTheContract) {
  for (const std::size_t count : kCounts) {
    auto x = random_floats(count, -30.0F, 30.0F, 1);
    const float scale = 0.113F;
    for (std::size_t i = 0; i < count; i += 3) {
      x[i] = scale * (std::floor(x[i]) + 0.5F);  // near ties
    }
    x[0] = std::numeric_limits<float>::quiet_NaN();
    if (count > 20) {
      x[3] = std::numeric_limits<float>::infinity();
      x[18] = -x[3];
      x[19] = 3e38F;
    }
    for (DataType type : kByteTypes) {
      std::vector<std::uint8_t> wanted(count);
      for (std::size_t i = 0; i < count; ++i) wanted[i] = std::isnan(x[i]) ? 0 : saturate(x[i] / scale, type);
      for (Isa isa : available_isas()) {
        std::vector<std::uint8_t> got(count);
        quantize_f32(x.data(), static_cast<std::int64_t>(count), scale, type, got.data(), isa);
        EXPECT_EQ(got, wanted) << name_of(isa) << " " << count;
      }
    }
  }
}

TEST(QuantizeF32, TiesGoToEven) {
  const std::vector<float> x = {0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -2.5F, 126.5F, 127.5F};
  std::vector<std::int8_t> got(x.size());
  quantize_f32(x.data(), 8, 1.0F, DataType::kInt8, got.data());
  EXPECT_EQ(got, (std::vector<std::int8_t>{0, 2, 2, 0, -2, -2, 126, 127}));
}

TEST(Dequantize, AndRequantizeEqualTheContract) {
  for (const std::size_t count : kCounts) {
    const auto q = random_bytes(count, 3);
    const auto n = static_cast<std::int64_t>(count);
    for (DataType from : kByteTypes) {
      std::vector<float> real(count);
      for (std::size_t i = 0; i < count; ++i) real[i] = static_cast<float>(value_of(from, q.data(), i)) * 0.37F;
      for (Isa isa : available_isas()) {
        std::vector<float> got(count);
        dequantize(q.data(), from, n, 0.37F, got.data(), isa);
        EXPECT_EQ(got, real) << name_of(isa);
        for (DataType to : kByteTypes) {
          std::vector<std::uint8_t> wanted(count);
          std::vector<std::uint8_t> bytes(count);
          for (std::size_t i = 0; i < count; ++i) wanted[i] = saturate(real[i], to);
          requantize(q.data(), from, n, 0.37F, to, bytes.data(), isa);
          EXPECT_EQ(bytes, wanted) << name_of(isa);
        }
      }
    }
  }
}

TEST(QAddAndQMul, EqualTheContract) {
  for (const std::size_t count : kCounts) {
    const auto a = random_bytes(count, 3);
    const auto b = random_bytes(count, 4);
    const auto n = static_cast<std::int64_t>(count);
    int variant = 0;
    for (DataType a_type : kByteTypes) {
      for (DataType b_type : kByteTypes) {
        for (DataType out : {DataType::kInt8, DataType::kUInt8, DataType::kFloat32}) {
          BinaryParams p;
          p.a_type = a_type;
          p.b_type = b_type;
          p.a_scale = 0.61F;
          p.b_scale = 0.83F;
          p.output_type = out;
          p.activation.kind = ++variant % 2 == 0 ? Activation::kRelu : Activation::kHardSwish;
          p.out_scale = variant % 2 == 0 ? 1.0F : 1.7F;
          std::vector<std::uint8_t> sum(count * size_of(out));
          std::vector<std::uint8_t> product(count * size_of(out));
          for (std::size_t i = 0; i < count; ++i) {
            const float x = static_cast<float>(value_of(a_type, a.data(), i));
            const float y = static_cast<float>(value_of(b_type, b.data(), i));
            store(reference_activation(std::fma(y, p.b_scale, x * p.a_scale), p.activation) / p.out_scale, out,
                  sum.data(), i);
            const auto integer = static_cast<float>(static_cast<int>(x) * static_cast<int>(y));
            store(reference_activation(integer * p.a_scale, p.activation) / p.out_scale, out, product.data(), i);
          }
          for (Isa isa : available_isas()) {
            std::vector<std::uint8_t> got(sum.size());
            qadd(a.data(), b.data(), n, p, got.data(), isa);
            EXPECT_EQ(got, sum) << "add " << name_of(isa);
            qmul(a.data(), b.data(), n, p, got.data(), isa);
            EXPECT_EQ(got, product) << "mul " << name_of(isa);
          }
        }
      }
    }
  }
}

TEST(QMulChannels, BroadcastsOverPixels) {
  const std::int64_t batch = 3;
  const std::int64_t pixels = 35;
  for (const std::int64_t channels : {1, 3, 17, 130}) {
    const auto a = random_bytes(static_cast<std::size_t>(batch * pixels * channels), 3);
    const auto b = random_bytes(static_cast<std::size_t>(batch * channels), 4);
    BinaryParams p;
    p.b_type = DataType::kUInt8;
    p.a_scale = 0.005F;
    std::vector<std::uint8_t> wanted(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      const auto n = static_cast<std::int64_t>(i);
      const auto at = static_cast<std::size_t>(n / (pixels * channels) * channels + n % channels);
      const int product = value_of(p.a_type, a.data(), i) * value_of(p.b_type, b.data(), at);
      store(static_cast<float>(product) * p.a_scale, p.output_type, wanted.data(), i);
    }
    for (Isa isa : available_isas()) {
      std::vector<std::uint8_t> got(a.size());
      qmul_channels(a.data(), b.data(), batch, pixels, channels, p, got.data(), isa);
      EXPECT_EQ(got, wanted) << name_of(isa) << " " << channels;
    }
  }
}

TEST(Lut, EqualsTheFunction) {
  const auto curve = [](float x) { return x < -3.0F ? std::sqrt(x) : std::tanh(x) * 2.0F; };  // NaN below -3
  for (DataType from : kByteTypes) {
    for (DataType to : kByteTypes) {
      const Lut lut = build_lut(curve, from, 0.04F, to, 0.015F);
      for (const std::size_t count : kCounts) {
        const auto q = random_bytes(count, 5);
        std::vector<std::uint8_t> wanted(count);
        for (std::size_t i = 0; i < count; ++i) {
          const float y = curve(static_cast<float>(value_of(from, q.data(), i)) * 0.04F) / 0.015F;
          wanted[i] = std::isnan(y) ? 0 : saturate(y, to);
        }
        for (Isa isa : available_isas()) {
          std::vector<std::uint8_t> got(count);
          apply_lut(q.data(), static_cast<std::int64_t>(count), lut, got.data(), isa);
          EXPECT_EQ(got, wanted) << name_of(isa);
        }
      }
    }
  }
}

TEST(RequantizeAccumulators, IsExactForLargeAccumulators) {
  const std::size_t channels = 19;
  std::vector<std::int32_t> acc = {0, 1, -1, (1 << 24) + 1, (1 << 25) + 3, -(1 << 26) - 5, 2147483647, -2147483647 - 1};
  std::mt19937 random(9);
  while (acc.size() < channels * 7) acc.push_back(static_cast<std::int32_t>(random()));
  const auto multiplier = random_floats(channels, 1e-8F, 1e-7F, 1);
  const auto bias = random_floats(channels, -9.0F, 9.0F, 2);
  for (DataType out : {DataType::kInt8, DataType::kUInt8, DataType::kFloat32}) {
    RequantParams p;
    p.multiplier = multiplier.data();
    p.bias = bias.data();
    p.output_type = out;
    std::vector<std::uint8_t> wanted(acc.size() * size_of(out));
    for (std::size_t i = 0; i < acc.size(); ++i) reference_requantize(acc[i], i % channels, i, p, wanted.data());
    for (Isa isa : available_isas()) {
      std::vector<std::uint8_t> got(wanted.size());
      requantize_accumulators(acc.data(), 7, channels, p, got.data(), isa);
      EXPECT_EQ(got, wanted) << name_of(isa);
    }
  }
}

TEST(Elementwise, RefusesOtherTypes) {
  float x = 0.0F;
  EXPECT_THROW(quantize_f32(&x, 1, 1.0F, DataType::kInt32, &x), Error);
  EXPECT_THROW(dequantize(&x, DataType::kFloat32, 1, 1.0F, &x), Error);
  EXPECT_THROW(requantize(&x, DataType::kInt8, 1, 1.0F, DataType::kFloat32, &x), Error);
  BinaryParams p;
  p.a_type = DataType::kInt64;
  EXPECT_THROW(qadd(&x, &x, 1, p, &x), Error);
  EXPECT_THROW(qmul(&x, &x, 1, p, &x), Error);
  EXPECT_THROW(build_lut([](float v) { return v; }, DataType::kInt32, 1.0F, DataType::kInt8, 1.0F), Error);
}

TEST(Isa, NamesAndOrder) {
  EXPECT_EQ(name_of(Isa::kAvx512Vnni), "vnni");
  EXPECT_LE(detect_isa(), hardware_isa());
  EXPECT_EQ(available_isas().back(), hardware_isa());
  EXPECT_EQ(available_isas().front(), Isa::kBaseline);
}

}  // namespace
}  // namespace xinfer::kernels
