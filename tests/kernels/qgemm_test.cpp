#include "kernels/qgemm.h"

#include <gtest/gtest.h>
#include <omp.h>

#include "kernels/support.h"
#include "xinfer/core/errors.h"

namespace xinfer::kernels {
namespace {

using namespace testing;

ConvShape convolution(std::int64_t in, std::int64_t out, std::int64_t groups, std::int64_t kernel,
                      std::int64_t stride) {
  ConvShape s;
  s.in_channels = in;
  s.out_channels = out;
  s.groups = groups;
  s.kernel_h = s.kernel_w = kernel;
  s.stride_h = s.stride_w = stride;
  s.in_h = 7;
  s.in_w = 9;
  s.pad_top = s.pad_left = s.pad_bottom = s.pad_right = kernel / 2;
  return s;
}

std::vector<ConvShape> shapes() {
  std::vector<ConvShape> all;
  for (std::int64_t kernel : {1, 3, 5, 7}) {
    for (std::int64_t stride : {1, 2}) {
      all.push_back(convolution(1, 1, 1, kernel, stride));
      all.push_back(convolution(3, 17, 1, kernel, stride));
      all.push_back(convolution(34, 16, 2, kernel, stride));
      all.push_back(convolution(17, 130, 1, kernel, stride));
      all.push_back(convolution(6, 9, 3, kernel, stride));
    }
  }
  all.push_back(convolution(1100, 40, 1, 1, 1));  // several blocks of K
  all.push_back(convolution(130, 33, 1, 3, 1));
  all.push_back(convolution(8, 16, 8, 3, 1));  // two outputs a channel
  ConvShape s = convolution(10, 20, 1, 3, 2);
  s.batch = 3;
  s.pad_top = 0;
  s.pad_left = 2;
  s.pad_bottom = 3;
  s.dilation_h = 2;
  all.push_back(s);
  s.kernel_h = 1;
  s.kernel_w = 4;
  s.stride_h = 3;
  s.dilation_w = 2;
  all.push_back(s);
  s = convolution(19, 50, 1, 1, 1);
  s.in_h = s.in_w = 1;
  all.push_back(s);
  return all;
}

void expect_exact(const ConvShape& s, DataType input_type, const RequantParams& params,
                  const std::vector<std::uint8_t>& input, const std::vector<std::int8_t>& weights) {
  const std::vector<std::uint8_t> wanted = reference_conv(s, input_type, input.data(), weights.data(), params);
  for (Isa isa : available_isas()) {
    std::vector<std::uint8_t> got(wanted.size() + 64, 0xa5);
    qconv(s, input.data(), ConvWeights(weights.data(), s, input_type, isa), params, got.data());
    ASSERT_TRUE(std::equal(wanted.begin(), wanted.end(), got.begin())) << name_of(isa) << ": " << describe(s);
    ASSERT_TRUE(std::all_of(got.begin() + static_cast<std::ptrdiff_t>(wanted.size()), got.end(),
                            [](std::uint8_t b) { return b == 0xa5; }))
        << name_of(isa) << " wrote beyond the output: " << describe(s);
  }
}

std::size_t input_size(const ConvShape& s) {
  return static_cast<std::size_t>(s.batch * s.in_h * s.in_w * s.in_channels);
}
std::size_t weight_size(const ConvShape& s) {
  return static_cast<std::size_t>(s.out_channels * s.in_channels / s.groups * s.kernel_h * s.kernel_w);
}

TEST(QConv, EqualsTheContractAtManyShapes) {
  std::uint32_t seed = 1;
  for (const ConvShape& s : shapes()) {
    for (DataType type : {DataType::kInt8, DataType::kUInt8}) {
      const auto input = random_bytes(input_size(s), ++seed);
      const auto weights = random_weights(weight_size(s), ++seed);
      const Scales scales(s.out_channels, s.in_channels / s.groups * s.kernel_h * s.kernel_w, ++seed);
      RequantParams params;
      params.multiplier = scales.multiplier.data();
      params.bias = scales.bias.data();
      params.output_type = seed % 3 == 0 ? DataType::kFloat32 : type;
      params.activation.kind = seed % 2 == 0 ? Activation::kRelu : Activation::kIdentity;
      ASSERT_NO_FATAL_FAILURE(expect_exact(s, type, params, input, weights));
    }
  }
}

TEST(QConv, ExtremeValuesDontSaturateInside) {
  for (const ConvShape& s : {convolution(200, 40, 1, 1, 1), convolution(67, 33, 1, 3, 1)}) {
    const std::vector<float> multiplier(static_cast<std::size_t>(s.out_channels), 1.0F);
    RequantParams params;
    params.multiplier = multiplier.data();
    params.output_type = DataType::kFloat32;
    for (const std::int8_t w : {-127, 127}) {
      const std::vector<std::int8_t> weights(weight_size(s), w);
      expect_exact(s, DataType::kUInt8, params, std::vector<std::uint8_t>(input_size(s), 255), weights);
      expect_exact(s, DataType::kInt8, params, std::vector<std::uint8_t>(input_size(s), 128), weights);
      expect_exact(s, DataType::kInt8, params, std::vector<std::uint8_t>(input_size(s), 127), weights);
    }
  }
}

TEST(QConv, ResidualAndThreads) {
  const ConvShape s = convolution(24, 48, 1, 3, 1);
  const auto input = random_bytes(input_size(s), 1);
  const auto weights = random_weights(weight_size(s), 2);
  const Scales scales(48, 24 * 9, 3);
  const auto residual = random_bytes(static_cast<std::size_t>(7 * 9 * 48), 4);
  RequantParams params;
  params.multiplier = scales.multiplier.data();
  params.residual = residual.data();
  params.residual_scale = 0.7F;
  params.activation = {.kind = Activation::kClip, .clip_lo = 0.0F, .clip_hi = 77.3F};
  const int before = omp_get_max_threads();
  for (int threads : {1, 2, 3, 7}) {
    omp_set_num_threads(threads);
    expect_exact(s, DataType::kInt8, params, input, weights);
  }
  omp_set_num_threads(before);
}

TEST(QGemm, IsAnInnerProduct) {
  for (const std::int64_t m : {1, 2, 5, 13, 50, 100}) {
    ConvShape s;
    s.in_w = m;
    s.in_channels = 131;
    s.out_channels = 70;
    const auto input = random_bytes(static_cast<std::size_t>(m * 131), 1);
    const auto weights = random_weights(weight_size(s), 2);
    const Scales scales(70, 131, 3);
    RequantParams params;
    params.multiplier = scales.multiplier.data();
    const auto wanted = reference_conv(s, DataType::kUInt8, input.data(), weights.data(), params);
    for (Isa isa : available_isas()) {
      ConvShape any = s;
      any.in_w = 1;
      std::vector<std::uint8_t> got(wanted.size());
      qgemm(m, input.data(), ConvWeights(weights.data(), any, DataType::kUInt8, isa), params, got.data());
      EXPECT_EQ(got, wanted) << name_of(isa) << " m " << m;
    }
  }
}

TEST(QConv, RefusesWhatItCantDo) {
  const ConvShape s = convolution(8, 8, 1, 3, 1);
  const std::vector<std::int8_t> weights(weight_size(s));
  EXPECT_THROW(ConvWeights(weights.data(), s, DataType::kFloat32), Error);
  ConvShape odd = s;
  odd.groups = 3;
  EXPECT_THROW(ConvWeights(weights.data(), odd, DataType::kInt8), Error);
  const ConvWeights packed(weights.data(), s, DataType::kInt8);
  std::vector<float> memory(7 * 9 * 8, 1.0F);
  RequantParams params;
  EXPECT_THROW(qconv(s, memory.data(), packed, params, memory.data()), Error);
  params.multiplier = memory.data();
  EXPECT_THROW(qgemm(3, memory.data(), packed, params, memory.data()), Error);
  odd = s;
  odd.kernel_h = 1;
  EXPECT_THROW(qconv(odd, memory.data(), packed, params, memory.data()), Error);
}

}  // namespace
}  // namespace xinfer::kernels
