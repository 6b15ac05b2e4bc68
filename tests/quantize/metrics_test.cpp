#include "quantize/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

const float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(Metrics, Sqnr) {
  const std::vector<float> r = {3, -4};
  EXPECT_NEAR(sqnr_db(r, std::vector<float>{3, -3.5F}), 20.0, 1e-9);
  EXPECT_EQ(sqnr_db(r, r), std::numeric_limits<double>::infinity());
  EXPECT_EQ(sqnr_db(std::vector<float>{0, 0}, r), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(sqnr_db(r, std::vector<float>{3, kNan})));
  EXPECT_THROW(sqnr_db(r, std::vector<float>{1}), Error);
}

TEST(Metrics, Cosine) {
  EXPECT_NEAR(cosine_similarity(std::vector<float>{1, 0}, std::vector<float>{0, 2}), 0.0, 1e-12);
  EXPECT_NEAR(cosine_similarity(std::vector<float>{1, 2}, std::vector<float>{2, 4}), 1.0, 1e-12);
  EXPECT_NEAR(cosine_similarity(std::vector<float>{1, 2}, std::vector<float>{-1, -2}), -1.0, 1e-12);
  EXPECT_EQ(cosine_similarity(std::vector<float>{0}, std::vector<float>{0}), 1.0);
  EXPECT_EQ(cosine_similarity(std::vector<float>{0}, std::vector<float>{5}), 0.0);
}

TEST(Metrics, ArgMax) {
  EXPECT_EQ(arg_max(std::vector<float>{1, 3, 3, 2}), 1);
  EXPECT_EQ(arg_max(std::vector<float>{kNan, -5, -4}), 2);
  EXPECT_THROW(arg_max({}), Error);
}

TEST(Metrics, WithinTopK) {
  const std::vector<float> scores = {5, 4, 4, 1};
  EXPECT_TRUE(within_top_k(scores, 1, 2));
  EXPECT_FALSE(within_top_k(scores, 2, 2)) << "an earlier class wins the tie";
  EXPECT_TRUE(within_top_k(scores, 2, 3));
  EXPECT_FALSE(within_top_k(std::vector<float>{1, kNan}, 1, 2));
}

TEST(Metrics, AgreementOverRows) {
  const Tensor reference = Tensor::from<float>({3, 3}, std::vector<float>{9, 1, 0, 0, 9, 1, 1, 0, 9});
  const Tensor test = Tensor::from<float>({3, 3}, std::vector<float>{8, 1, 0, 7, 6, 1, 8, 7, 6});
  Agreement agreement(2);
  EXPECT_EQ(agreement.top1(), 0.0);
  agreement.add(reference, test);
  EXPECT_EQ(agreement.rows(), 3);
  EXPECT_NEAR(agreement.top1(), 1.0 / 3, 1e-12);
  EXPECT_NEAR(agreement.top_k(), 2.0 / 3, 1e-12);
  EXPECT_THROW(agreement.add(reference, Tensor(DataType::kFloat32, {3, 2})), Error);
  EXPECT_THROW(Agreement(0), Error);
}

}  // namespace
}  // namespace xinfer::quantize
