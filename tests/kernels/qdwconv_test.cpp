#include "kernels/qdwconv.h"

#include <gtest/gtest.h>
#include <omp.h>

#include "kernels/support.h"
#include "xinfer/core/errors.h"

namespace xinfer::kernels {
namespace {

using namespace testing;

ConvShape depthwise(std::int64_t channels, std::int64_t kernel, std::int64_t stride) {
  ConvShape s;
  s.in_channels = s.out_channels = s.groups = channels;
  s.kernel_h = s.kernel_w = kernel;
  s.stride_h = s.stride_w = stride;
  s.in_h = 11;
  s.in_w = 13;
  s.pad_top = s.pad_left = s.pad_bottom = s.pad_right = kernel / 2;
  return s;
}

std::vector<ConvShape> shapes() {
  std::vector<ConvShape> all;
  for (std::int64_t channels : {1, 3, 8, 17, 32, 49, 130}) {
    for (std::int64_t kernel : {1, 3, 5, 7}) {
      for (std::int64_t stride : {1, 2, 3}) {
        all.push_back(depthwise(channels, kernel, stride));
      }
    }
  }
  for (std::int64_t stride : {1, 2}) {
    ConvShape s = depthwise(24, 3, stride);
    s.batch = 3;
    s.pad_top = 0;
    s.pad_left = 2;
    s.pad_bottom = 1;
    s.pad_right = 0;
    all.push_back(s);
    s.dilation_h = 2;
    all.push_back(s);
    s.dilation_w = 3;
    all.push_back(s);
    s.kernel_h = 5;
    s.kernel_w = 2;
    s.stride_h = 4;
    all.push_back(s);
    s = depthwise(33, 4, stride);
    s.in_w = 4;
    s.pad_right = 1;
    all.push_back(s);
    s = depthwise(16, 3, stride);
    s.in_h = s.in_w = 1;
    all.push_back(s);
    s = depthwise(20, 19, stride);
    all.push_back(s);
  }
  return all;
}

void expect_exact(const ConvShape& s, DataType input_type, const RequantParams& params,
                  const std::vector<std::uint8_t>& input, const std::vector<std::int8_t>& weights) {
  const std::vector<std::uint8_t> wanted = reference_conv(s, input_type, input.data(), weights.data(), params);
  for (Isa isa : available_isas()) {
    std::vector<std::uint8_t> got(wanted.size() + 64, 0xa5);
    qdwconv(s, input.data(), DwWeights(weights.data(), s, input_type, isa), params, got.data());
    ASSERT_TRUE(std::equal(wanted.begin(), wanted.end(), got.begin())) << name_of(isa) << ": " << describe(s);
    ASSERT_TRUE(std::all_of(got.begin() + static_cast<std::ptrdiff_t>(wanted.size()), got.end(),
                            [](std::uint8_t b) { return b == 0xa5; }))
        << name_of(isa) << " wrote beyond the output: " << describe(s);
  }
}

TEST(QDwConv, EqualsTheContractAtManyShapes) {
  std::uint32_t seed = 1;
  for (const ConvShape& s : shapes()) {
    for (DataType type : {DataType::kInt8, DataType::kUInt8}) {
      const auto input = random_bytes(static_cast<std::size_t>(s.batch * s.in_h * s.in_w * s.in_channels), ++seed);
      const auto weights = random_weights(static_cast<std::size_t>(s.in_channels * s.kernel_h * s.kernel_w), ++seed);
      const Scales scales(s.in_channels, s.kernel_h * s.kernel_w, ++seed);
      RequantParams params;
      params.multiplier = scales.multiplier.data();
      params.bias = scales.bias.data();
      params.output_type = type;
      params.activation.kind = seed % 2 == 0 ? Activation::kRelu : Activation::kIdentity;
      ASSERT_NO_FATAL_FAILURE(expect_exact(s, type, params, input, weights));
    }
  }
}

TEST(QDwConv, ExtremeValuesDontSaturateInside) {
  for (std::int64_t kernel : {1, 3, 5, 7}) {
    for (std::int64_t stride : {1, 2}) {
      const ConvShape s = depthwise(70, kernel, stride);
      const auto pixels = static_cast<std::size_t>(s.in_h * s.in_w * s.in_channels);
      const std::vector<float> multiplier(70, 1.0F);
      RequantParams params;
      params.multiplier = multiplier.data();
      params.output_type = DataType::kFloat32;
      for (const std::int8_t w : {-127, 127}) {
        const std::vector<std::int8_t> weights(static_cast<std::size_t>(70 * kernel * kernel), w);
        expect_exact(s, DataType::kUInt8, params, std::vector<std::uint8_t>(pixels, 255), weights);
        expect_exact(s, DataType::kInt8, params, std::vector<std::uint8_t>(pixels, 128), weights);
        expect_exact(s, DataType::kInt8, params, std::vector<std::uint8_t>(pixels, 127), weights);
        params.multiplier = multiplier.data();
      }
    }
  }
}

TEST(QDwConv, EveryEndIsExact) {
  const ConvShape s = depthwise(37, 3, 1);
  const auto count = static_cast<std::size_t>(s.in_h * s.in_w * s.in_channels);
  const auto input = random_bytes(count, 5);
  const auto weights = random_weights(37 * 9, 6);
  const Scales scales(37, 9, 7);
  const auto residual = random_bytes(count, 8);
  const auto real_residual = random_floats(count, -50.0F, 50.0F, 9);
  for (DataType output : {DataType::kInt8, DataType::kUInt8, DataType::kFloat32}) {
    for (Activation kind : {Activation::kIdentity, Activation::kRelu, Activation::kClip, Activation::kLeakyRelu,
                            Activation::kHardSwish, Activation::kHardSigmoid}) {
      RequantParams params;
      params.multiplier = scales.multiplier.data();
      params.output_type = output;
      params.activation = {.kind = kind, .clip_lo = -7.5F, .clip_hi = 60.5F, .alpha = 0.1F, .beta = 0.5F};
      params.out_scale = kind == Activation::kHardSwish ? 0.37F : 1.0F;
      expect_exact(s, DataType::kUInt8, params, input, weights);
      params.bias = scales.bias.data();
      params.residual = residual.data();
      params.residual_scale = 0.31F;
      params.residual_type = DataType::kUInt8;
      expect_exact(s, DataType::kInt8, params, input, weights);
      params.residual = real_residual.data();
      params.residual_type = DataType::kFloat32;
      expect_exact(s, DataType::kUInt8, params, input, weights);
    }
  }
}

TEST(QDwConv, HugeValuesSaturateToTheRightEnd) {
  const ConvShape s = depthwise(20, 3, 2);
  const auto input = random_bytes(static_cast<std::size_t>(s.in_h * s.in_w * s.in_channels), 5);
  const auto weights = random_weights(20 * 9, 6);
  const std::vector<float> multiplier(20, 1e9F);
  for (DataType output : {DataType::kInt8, DataType::kUInt8}) {
    RequantParams params;
    params.multiplier = multiplier.data();
    params.output_type = output;
    expect_exact(s, DataType::kUInt8, params, input, weights);
  }
}

TEST(QDwConv, ResultDoesNotDependOnThreads) {
  const ConvShape s = depthwise(130, 3, 1);
  const auto input = random_bytes(static_cast<std::size_t>(s.in_h * s.in_w * s.in_channels), 5);
  const auto weights = random_weights(130 * 9, 6);
  const Scales scales(130, 9, 7);
  RequantParams params;
  params.multiplier = scales.multiplier.data();
  params.activation.kind = Activation::kSilu;
  params.out_scale = 0.5F;
  const DwWeights packed(weights.data(), s, DataType::kInt8);
  const int before = omp_get_max_threads();
  std::vector<std::vector<std::uint8_t>> results;
  for (int threads : {1, 2, 3, 7}) {
    omp_set_num_threads(threads);
    results.emplace_back(input.size());
    qdwconv(s, input.data(), packed, params, results.back().data());
  }
  omp_set_num_threads(before);
  for (const auto& r : results) EXPECT_EQ(r, results[0]);
}

TEST(QDwConv, RefusesWhatItCantDo) {
  const std::vector<std::int8_t> weights(32 * 9);
  ConvShape s = depthwise(32, 3, 1);
  const DwWeights packed(weights.data(), s, DataType::kInt8);
  std::vector<std::uint8_t> memory(32 * 13 * 13);
  const std::vector<float> multiplier(32, 1.0F);
  RequantParams params;
  EXPECT_THROW(qdwconv(s, memory.data(), packed, params, memory.data()), Error);
  params.multiplier = multiplier.data();
  params.output_type = DataType::kInt32;
  EXPECT_THROW(qdwconv(s, memory.data(), packed, params, memory.data()), Error);
  params.output_type = DataType::kInt8;
  s.stride_w = 2;
  EXPECT_THROW(qdwconv(s, memory.data(), packed, params, memory.data()), Error);
  s.in_channels = 16;
  EXPECT_THROW(DwWeights(weights.data(), s, DataType::kInt8), Error);
  EXPECT_THROW(DwWeights(weights.data(), depthwise(32, 3, 1), DataType::kFloat32), Error);
  s = depthwise(32, 3, 1);
  s.in_h = 1;
  s.pad_top = s.pad_bottom = 0;
  EXPECT_THROW(DwWeights(weights.data(), s, DataType::kInt8), Error);
}

}  // namespace
}  // namespace xinfer::kernels
