#include "kernels/float_rows.h"

#include <gtest/gtest.h>

#include <cfloat>
#include <functional>
#include <limits>

#include "kernels/support.h"
#include "xinfer/core/errors.h"

namespace xinfer::kernels {
namespace {

using namespace testing;

std::vector<float> sweep(float lo, float hi) {
  std::vector<float> x = random_floats(100003, lo, hi, 7);
  for (float tiny = 1e-30F; tiny < 1.0F; tiny *= 10.0F) {
    x.push_back(tiny);
    x.push_back(-tiny);
  }
  x.push_back(0.0F);
  return x;
}

/// Largest relative error against `exact` where its result is a normal float; elsewhere results must be below normal.
double worst_error(const std::vector<float>& x, const std::vector<float>& y,
                   const std::function<double(double)>& exact) {
  double worst = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double wanted = exact(x[i]);
    const double error = std::abs(static_cast<double>(y[i]) - wanted);
    if (std::abs(wanted) > static_cast<double>(FLT_MAX)) {
      EXPECT_TRUE(std::isinf(y[i])) << x[i];
    } else if (std::abs(wanted) < static_cast<double>(FLT_MIN)) {
      EXPECT_LE(error, 2.0 * static_cast<double>(FLT_MIN)) << x[i];
    } else {
      worst = std::max(worst, error / std::abs(wanted));
    }
  }
  return worst;
}

double exact_gelu(double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }
double exact_silu(double x) { return x / (1.0 + std::exp(-x)); }

struct Function {
  Activation kind;
  float lo, hi;
  double (*exact)(double);
};

TEST(FloatRows, ExpAndErfAreAccurate) {
  for (Isa isa : available_isas()) {
    auto x = sweep(-110.0F, 95.0F);
    std::vector<float> y(x.size());
    vector_exp(x.data(), static_cast<std::int64_t>(x.size()), y.data(), isa);
    EXPECT_LT(worst_error(x, y, [](double v) { return std::exp(v); }), 2e-7) << name_of(isa);
    for (const float range : {0.01F, 1.2F, 5.0F, 30.0F}) {
      x = sweep(-range, range);
      y.resize(x.size());
      vector_erf(x.data(), static_cast<std::int64_t>(x.size()), y.data(), isa);
      EXPECT_LT(worst_error(x, y, [](double v) { return std::erf(v); }), 3e-7) << name_of(isa) << " " << range;
    }
  }
}

TEST(FloatRows, ActivationsAreAccurate) {
  const Function functions[] = {
      {Activation::kGelu, -13.0F, 13.0F, exact_gelu},
      {Activation::kGelu, -1.0F, 1.0F, exact_gelu},
      {Activation::kGelu, -1e9F, 1e9F, exact_gelu},
      {Activation::kSilu, -80.0F, 80.0F, exact_silu},
      {Activation::kSilu, -1.0F, 1.0F, exact_silu},
      {Activation::kSigmoid, -87.0F, 200.0F, [](double x) { return 1.0 / (1.0 + std::exp(-x)); }},
      {Activation::kTanh, -20.0F, 20.0F, [](double x) { return std::tanh(x); }},
      {Activation::kTanh, -1.0F, 1.0F, [](double x) { return std::tanh(x); }},
      {Activation::kHardSwish, -5.0F, 5.0F, [](double x) { return x * std::min(std::max(x + 3.0, 0.0), 6.0) / 6.0; }},
      {Activation::kGeluTanh, -3.0F, 9.0F,
       [](double x) { return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x))); }}};
  for (const Function& f : functions) {
    std::vector<float> first;
    for (Isa isa : available_isas()) {
      auto x = sweep(f.lo, f.hi);
      if (f.kind == Activation::kHardSwish) {
        std::erase_if(x, [](float v) { return v < -2.9F && v > -3.1F; });  // x + 3 cancels there
      }
      std::vector<float> y(x.size());
      activate(x.data(), static_cast<std::int64_t>(x.size()), {.kind = f.kind}, y.data(), {}, isa);
      EXPECT_LT(worst_error(x, y, f.exact), 1e-6)
          << name_of(isa) << " activation " << static_cast<int>(f.kind) << " to " << f.hi;
      if (first.empty()) {
        first = y;
      }
      EXPECT_EQ(std::memcmp(first.data(), y.data(), y.size() * 4), 0) << name_of(isa) << " differs in bits";
    }
  }
}

TEST(FloatRows, NanAndInfinityPass) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {nan, inf, -inf, 0.0F};
  for (Isa isa : available_isas()) {
    std::vector<float> y(4);
    vector_exp(x.data(), 4, y.data(), isa);
    EXPECT_TRUE(std::isnan(y[0]));
    EXPECT_EQ(y[1], inf);
    EXPECT_EQ(y[2], 0.0F);
    EXPECT_EQ(y[3], 1.0F);
    activate(x.data(), 4, {.kind = Activation::kSigmoid}, y.data(), {}, isa);
    EXPECT_TRUE(std::isnan(y[0]));
    EXPECT_EQ(y[1], 1.0F);
    EXPECT_EQ(y[2], 0.0F);
    std::vector<std::uint8_t> q(4);
    activate(x.data(), 4, {.kind = Activation::kTanh}, q.data(), {DataType::kInt8, 0.01F}, isa);
    EXPECT_EQ(q, (std::vector<std::uint8_t>{0, 100, 156, 0}));
  }
}

TEST(FloatRows, LayerNormAgreesWithDouble) {
  for (const std::int64_t size : {1, 3, 17, 130, 768}) {
    const std::int64_t rows = 5;
    const auto count = static_cast<std::size_t>(rows * size);
    auto x = random_floats(count, -2.0F, 5.0F, 1);
    const auto gamma = random_floats(static_cast<std::size_t>(size), 0.5F, 2.0F, 2);
    const auto beta = random_floats(static_cast<std::size_t>(size), -1.0F, 1.0F, 3);
    std::vector<float> first;
    for (Isa isa : available_isas()) {
      std::vector<float> y(count);
      layer_norm(x.data(), rows, size, gamma.data(), beta.data(), 1e-5F, y.data(), {}, isa);
      for (std::int64_t r = 0; r < rows; ++r) {
        double mean = 0.0;
        double variance = 0.0;
        const float* row = x.data() + r * size;
        for (std::int64_t i = 0; i < size; ++i) mean += static_cast<double>(row[i]) / static_cast<double>(size);
        for (std::int64_t i = 0; i < size; ++i) {
          variance += (static_cast<double>(row[i]) - mean) * (static_cast<double>(row[i]) - mean);
        }
        const double inverse = 1.0 / std::sqrt(variance / static_cast<double>(size) + 1e-5);
        for (std::int64_t i = 0; i < size; ++i) {
          const auto at = static_cast<std::size_t>(i);
          const double wanted = (static_cast<double>(row[i]) - mean) * inverse * static_cast<double>(gamma[at]) +
                                static_cast<double>(beta[at]);
          EXPECT_NEAR(y[static_cast<std::size_t>(r * size + i)], wanted, 5e-6) << name_of(isa) << " " << size;
        }
      }
      if (first.empty()) first = y;
      EXPECT_EQ(first, y) << name_of(isa);
      for (DataType type : {DataType::kInt8, DataType::kUInt8}) {
        std::vector<std::uint8_t> wanted(count);
        std::vector<std::uint8_t> got(count);
        for (std::size_t i = 0; i < count; ++i) wanted[i] = saturate(y[i] / 0.02F, type);
        layer_norm(x.data(), rows, size, gamma.data(), beta.data(), 1e-5F, got.data(), {type, 0.02F}, isa);
        EXPECT_EQ(got, wanted) << name_of(isa);
      }
    }
  }
}

TEST(FloatRows, LayerNormWithoutScaleOrShift) {
  const std::vector<float> x = {1.0F, 3.0F};
  std::vector<float> y(2);
  layer_norm(x.data(), 1, 2, nullptr, nullptr, 0.0F, y.data());
  EXPECT_EQ(y, (std::vector<float>{-1.0F, 1.0F}));
}

TEST(FloatRows, SoftmaxAgreesWithDouble) {
  for (const std::int64_t size : {1, 3, 17, 130, 1000}) {
    const std::int64_t rows = 4;
    const auto count = static_cast<std::size_t>(rows * size);
    const auto x = random_floats(count, -40.0F, 60.0F, 1);
    std::vector<float> first;
    for (Isa isa : available_isas()) {
      std::vector<float> y(count);
      softmax(x.data(), rows, size, y.data(), {}, isa);
      for (std::int64_t r = 0; r < rows; ++r) {
        double sum = 0.0;
        const float* row = x.data() + r * size;
        const double largest = static_cast<double>(*std::max_element(row, row + size));
        for (std::int64_t i = 0; i < size; ++i) sum += std::exp(static_cast<double>(row[i]) - largest);
        for (std::int64_t i = 0; i < size; ++i) {
          const double wanted = std::exp(static_cast<double>(row[i]) - largest) / sum;
          // x - max is rounded to float, and the exponential magnifies that.
          const double tolerance = 1e-6 + 6e-8 * (largest - static_cast<double>(row[i]));
          EXPECT_NEAR(y[static_cast<std::size_t>(r * size + i)], wanted, tolerance * wanted + 1e-37) << name_of(isa);
        }
      }
      if (first.empty()) first = y;
      EXPECT_EQ(first, y) << name_of(isa);
      std::vector<std::uint8_t> wanted(count);
      std::vector<std::uint8_t> got(count);
      for (std::size_t i = 0; i < count; ++i) wanted[i] = saturate(y[i] / (1.0F / 255.0F), DataType::kUInt8);
      softmax(x.data(), rows, size, got.data(), {DataType::kUInt8, 1.0F / 255.0F}, isa);
      EXPECT_EQ(got, wanted) << name_of(isa);
    }
  }
}

TEST(FloatRows, RefusesOtherOutputs) {
  float x = 0.0F;
  EXPECT_THROW(softmax(&x, 1, 1, &x, {DataType::kInt32, 1.0F}), Error);
  EXPECT_THROW(layer_norm(&x, 1, 1, nullptr, nullptr, 0.0F, &x, {DataType::kBool, 1.0F}), Error);
  EXPECT_THROW(activate(&x, 1, {}, &x, {DataType::kInt64, 1.0F}), Error);
}

}  // namespace
}  // namespace xinfer::kernels
