#include "quantize/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "graphs.h"
#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(Weights, OneScaleForEachOutputChannel) {
  const Tensor w = Tensor::from<float>({2, 2}, std::vector<float>{1.27F, -0.005F, -254, 127});
  const QuantizedWeights q = quantize_weights(w, 0, "w");
  EXPECT_EQ(q.quantization.axis, 0);
  ASSERT_EQ(q.quantization.scales.size(), 2U);
  EXPECT_FLOAT_EQ(q.quantization.scales[0], 0.01F);
  EXPECT_FLOAT_EQ(q.quantization.scales[1], 2.0F);
  EXPECT_THAT(q.values.data<std::int8_t>(), ElementsAre(127, ::testing::AnyOf(0, -1), -127, 64));
}

TEST(Weights, RoundsHalfToEven) {
  const Tensor w = Tensor::from<float>({1, 4}, std::vector<float>{127, 0.5F, 1.5F, -2.5F});
  EXPECT_THAT(quantize_weights(w, 0, "w").values.data<std::int8_t>(), ElementsAre(127, 0, 2, -2));
}

TEST(Weights, AlongTheSecondAxisAndForAll) {
  const Tensor w = Tensor::from<float>({2, 2, 1}, std::vector<float>{1, 10, -2, 20});
  const QuantizedWeights second = quantize_weights(w, 1, "w");
  EXPECT_THAT(second.quantization.scales, ElementsAre(2.0F / 127, 20.0F / 127));
  EXPECT_THAT(second.values.data<std::int8_t>(), ElementsAre(64, 64, -127, 127));
  const QuantizedWeights whole = quantize_weights(w, -1, "w");
  EXPECT_THAT(whole.quantization.scales, ElementsAre(20.0F / 127));
}

TEST(Weights, ZeroAndVanishingChannelsGetAUsableScale) {
  const Tensor w = Tensor::from<float>({3, 1}, std::vector<float>{0, 1e-44F, 1e-30F});
  const QuantizedWeights q = quantize_weights(w, 0, "w");
  EXPECT_THAT(q.quantization.scales, ElementsAre(1.0F, 1.0F, ::testing::Gt(0.0F)));
  EXPECT_THAT(q.values.data<std::int8_t>(), ElementsAre(0, 0, 127));
}

TEST(Weights, ErrorOfRandomWeightsIsWithinHalfAStep) {
  const Tensor w = testing::random_tensor({8, 3, 3, 3}, 5);
  const QuantizedWeights q = quantize_weights(w, 0, "w");
  for (std::size_t i = 0; i < static_cast<std::size_t>(w.numel()); ++i) {
    const float scale = q.quantization.scales[i / 27];
    EXPECT_LE(std::fabs(w.data<float>()[i] - scale * q.values.data<std::int8_t>()[i]), 0.501F * scale);
  }
}

TEST(Weights, RefusesWhatIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    const Tensor w = Tensor::from<float>({1, 2}, std::vector<float>{1, bad});
    EXPECT_THAT([&] { quantize_weights(w, 0, "node 'c'"); },
                ThrowsMessage<ModelError>(HasSubstr("node 'c': weight 1 is")));
  }
}

}  // namespace
}  // namespace xinfer::quantize
