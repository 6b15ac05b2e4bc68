#include "quantize/tensor_quality.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "quantize/metrics.h"
#include "samples.h"
#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

using namespace testing;
using ir::UnaryKind;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::ThrowsMessage;
using ::testing::UnorderedElementsAre;

const ir::Dim kN = ir::Dim::n();

std::shared_ptr<const ir::Graph> shared(const ir::Graph& graph) { return std::make_shared<const ir::Graph>(graph); }

// A chain whose middle is read by a layer in INT8 and by a node in float.
Net mixed_net() {
  Net net;
  const auto x = net.input("x", {kN, 3, 12, 12});
  const auto a = net.conv("a", x, 8, 3, UnaryKind::kRelu);
  const auto b = net.conv("b", a, 8, 3, UnaryKind::kRelu);
  const auto e = net.unary("e", b, UnaryKind::kExp);
  const auto c = net.conv("c", b, 8, 1);
  net.done({net.binary("d", c, e, ir::BinaryKind::kDiv), net.mean("m", c)});
  return net;
}

Net classifier(bool with_softmax) {
  Net net;
  const auto x = net.input("x", {kN, 3, 8, 8});
  const auto a = net.conv("a", x, 8, 3, UnaryKind::kRelu);
  const auto flat = net.reshape("flat", net.mean("m", a), {kN, ir::Dim(8)});
  const auto scores = net.linear("scores", flat, 5);
  net.done({with_softmax ? net.softmax("softmax", scores) : scores});
  return net;
}

TEST(ErrorSums, AreTheSqnrOfMetrics) {
  const Tensor a = random_tensor({37}, 1);
  const Tensor b = random_tensor({37}, 2);
  ErrorSums sums;
  sums.add(a.data<float>(), b.data<float>());
  EXPECT_NEAR(sums.sqnr_db(), sqnr_db(a, b), 1e-9);
  EXPECT_NEAR(sums.noise_ratio(), std::pow(10.0, -sqnr_db(a, b) / 10), 1e-9);
  EXPECT_THROW(sums.add(a.data<float>(), b.data<float>().first(3)), Error);
}

TEST(ErrorSums, KnowEqualAndMissingSignals) {
  const std::vector<float> zeros(3, 0.0F);
  const std::vector<float> ones(3, 1.0F);
  ErrorSums equal;
  equal.add(zeros, zeros);
  EXPECT_EQ(equal.noise_ratio(), 0.0);
  EXPECT_EQ(equal.sqnr_db(), std::numeric_limits<double>::infinity());
  ErrorSums silent;
  silent.add(zeros, ones);
  EXPECT_EQ(silent.noise_ratio(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(silent.sqnr_db(), -std::numeric_limits<double>::infinity());
}

TEST(TensorQuality, ComparesEveryValueWithTheReference) {
  const Net net = mixed_net();
  const QuantizedModel model = calibrate_and_quantize(net.graph);
  const std::vector<Sample> samples = random_samples(net.graph, 3);
  const NetworkQuality quality =
      measure_quality(SampleRunner(shared(net.graph)), SampleRunner(shared(model.graph)), samples);

  EXPECT_THAT(quality.values,
              UnorderedElementsAre(Key("x"), Key("a"), Key("b"), Key("e"), Key("c"), Key("d"), Key("m")));
  // The input is written as it is, and read through a Quantize node.
  EXPECT_EQ(quality.values.at("x").written.noise, 0.0);
  EXPECT_GT(quality.values.at("x").in_integers->noise, 0.0);
  // b is computed in integers: what is read is what is written.
  EXPECT_EQ(*quality.values.at("b").in_integers, quality.values.at("b").written);
  EXPECT_GT(quality.values.at("b").written.noise, 0.0);
  EXPECT_FALSE(quality.values.at("d").in_integers.has_value());

  std::map<std::string, ErrorSums> expected;
  for (const Sample& sample : samples) {
    std::unordered_map<std::string, Tensor> reals;
    std::unordered_map<std::string, Tensor> integers;
    reference::run(net.graph, sample.inputs, &reals);
    reference::run(model.graph, sample.inputs, &integers);
    for (const std::string name : {"a", "b", "c", "d", "e", "m"}) {
      const ir::Value& value = value_called(model.graph, name);
      Tensor test = integers.at(name);
      if (value.quantization) {
        test = Tensor(DataType::kFloat32, test.shape());
        for (std::int64_t i = 0; i < test.numel(); ++i) {
          const auto at = static_cast<std::size_t>(i);
          const int integer = value.dtype == DataType::kInt8 ? integers.at(name).data<std::int8_t>()[at]
                                                             : integers.at(name).data<std::uint8_t>()[at];
          test.data<float>()[at] = static_cast<float>(integer) * value.quantization->scale();
        }
      }
      expected[name].add(reals.at(name).data<float>(), test.data<float>());
    }
  }
  for (const auto& [name, sums] : expected) {
    EXPECT_NEAR(quality.values.at(name).written.sqnr_db(), sums.sqnr_db(), 0.05) << name;
  }
}

TEST(TensorQuality, IsTheSameForAnyNumberOfThreads) {
  const Net net = mixed_net();
  const QuantizedModel model = calibrate_and_quantize(net.graph);
  const std::vector<Sample> samples = random_samples(net.graph, 7);
  const SampleRunner float_runner(shared(net.graph));
  const SampleRunner quantized_runner(shared(model.graph));
  QualityOptions options;
  options.threads = 1;
  const NetworkQuality one = measure_quality(float_runner, quantized_runner, samples, options);
  options.threads = 3;
  const NetworkQuality three = measure_quality(float_runner, quantized_runner, samples, options);
  ASSERT_EQ(one.values.size(), three.values.size());
  for (const auto& [name, quality] : one.values) {
    EXPECT_EQ(quality.written, three.values.at(name).written) << name;
    EXPECT_EQ(quality.in_integers, three.values.at(name).in_integers) << name;
  }
  for (std::size_t i = 0; i < one.outputs.size(); ++i) EXPECT_EQ(one.outputs[i].error, three.outputs[i].error);
}

TEST(TensorQuality, OutputsThatAreNoClassesHaveNoAgreement) {
  const Net net = mixed_net();
  const QuantizedModel model = calibrate_and_quantize(net.graph);
  const NetworkQuality quality =
      measure_quality(SampleRunner(shared(net.graph)), SampleRunner(shared(model.graph)), random_samples(net.graph, 2));
  ASSERT_EQ(quality.outputs.size(), 2U);
  EXPECT_EQ(quality.outputs[0].name, "d");
  EXPECT_FALSE(quality.outputs[0].top1_agreement.has_value());
  EXPECT_FALSE(quality.outputs[0].kl_divergence.has_value());
  EXPECT_EQ(quality.outputs[0].error, quality.values.at("d").written);
  EXPECT_GT(quality.outputs[0].cosine_min, 0.9);
  EXPECT_GE(quality.outputs[0].cosine_mean, quality.outputs[0].cosine_min);
}

TEST(TensorQuality, ClassesAgreeAndDivergeAsComputedByHand) {
  for (const bool with_softmax : {false, true}) {
    const Net net = classifier(with_softmax);
    const QuantizedModel model = calibrate_and_quantize(net.graph);
    const std::vector<Sample> samples = random_samples(net.graph, 6);
    const OutputQuality output =
        measure_quality(SampleRunner(shared(net.graph)), SampleRunner(shared(model.graph)), samples).outputs.at(0);
    Agreement agreement;
    double divergence = 0;
    double worst_cosine = 1;
    for (const Sample& sample : samples) {
      const Tensor expected = reference::run(net.graph, sample.inputs)[0];
      const Tensor actual = reference::run(model.graph, sample.inputs)[0];
      agreement.add(expected, actual);
      worst_cosine = std::min(worst_cosine, cosine_similarity(expected.data<float>(), actual.data<float>()));
      double sums[2] = {0, 0};
      for (std::size_t i = 0; i < 5; ++i) {
        sums[0] += with_softmax ? expected.data<float>()[i] : std::exp(expected.data<float>()[i]);
        sums[1] += with_softmax ? actual.data<float>()[i] : std::exp(actual.data<float>()[i]);
      }
      for (std::size_t i = 0; i < 5; ++i) {
        const double p = (with_softmax ? expected.data<float>()[i] : std::exp(expected.data<float>()[i])) / sums[0];
        const double q = (with_softmax ? actual.data<float>()[i] : std::exp(actual.data<float>()[i])) / sums[1];
        divergence += p * std::log(p / q);
      }
    }
    EXPECT_EQ(output.top1_agreement, agreement.top1());
    EXPECT_GT(divergence, 0);
    EXPECT_NEAR(*output.kl_divergence, divergence / 6, 0.02 * divergence / 6 + 1e-7);
    EXPECT_NEAR(output.cosine_min, worst_cosine, 1e-4);
  }
}

TEST(TensorQuality, AGraphAgainstItselfIsPerfect) {
  const Net net = classifier(false);
  const SampleRunner runner(shared(net.graph));
  const NetworkQuality quality = measure_quality(runner, runner, random_samples(net.graph, 2));
  EXPECT_EQ(quality.outputs[0].error.noise, 0.0);
  EXPECT_EQ(quality.outputs[0].top1_agreement, 1.0);
  EXPECT_NEAR(*quality.outputs[0].kl_divergence, 0.0, 1e-12);
}

TEST(TensorQuality, RefusesWhatCannotBeCompared) {
  const Net net = classifier(false);
  const SampleRunner runner(shared(net.graph));
  EXPECT_THAT([&] { measure_quality(runner, runner, {}); }, ThrowsMessage<Error>(HasSubstr("no samples")));
  Net other;
  const auto x = other.input("x", {kN, 3, 8, 9});
  other.done({other.conv("a", x, 8)});
  const SampleRunner other_runner(shared(other.graph));
  EXPECT_THAT([&] { measure_quality(runner, other_runner, random_samples(net.graph, 1)); },
              ThrowsMessage<Error>(HasSubstr("value 'x' has the shape")));
}

TEST(TensorQuality, ReportsProgressAndCanBeStopped) {
  const Net net = classifier(false);
  const SampleRunner runner(shared(net.graph));
  QualityOptions options;
  std::vector<std::size_t> seen;
  options.progress = [&seen](std::size_t done, std::size_t total) {
    EXPECT_EQ(total, 3U);
    seen.push_back(done);
  };
  measure_quality(runner, runner, random_samples(net.graph, 3), options);
  EXPECT_THAT(seen, ElementsAre(1, 2, 3));
  options.progress = [](std::size_t, std::size_t) { throw CancelledError("stop"); };
  EXPECT_THROW(measure_quality(runner, runner, random_samples(net.graph, 3), options), CancelledError);
}

}  // namespace
}  // namespace xinfer::quantize
