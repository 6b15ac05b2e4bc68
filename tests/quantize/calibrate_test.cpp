#include "quantize/calibrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "graphs.h"
#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr ir::UnaryKind kRelu = ir::UnaryKind::kRelu;

Net small_net() {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 3, 8, 8});
  const auto a = net.conv("a", x, 8, 3, kRelu);
  const auto b = net.conv("b", a, 8, 3);
  const auto mean = net.mean("mean", b);
  const auto flat = net.reshape("flat", mean, {ir::Dim::n(), 8});
  net.done({net.linear("fc", flat, 5)});
  return net;
}

CalibrationTable run_in_batches(const ir::Graph& graph, const Tensor& images, const std::vector<std::int64_t>& order,
                                const std::vector<std::int64_t>& sizes) {
  Calibrator calibrator(graph, reference_runner(graph));
  std::size_t next = 0;
  const auto per_image = static_cast<std::size_t>(images.numel() / images.dim(0));
  for (const std::int64_t size : sizes) {
    std::vector<std::int64_t> shape = images.shape();
    shape[0] = size;
    Tensor batch(DataType::kFloat32, shape);
    for (std::int64_t i = 0; i < size; ++i) {
      const auto from = images.data<float>().subspan(static_cast<std::size_t>(order[next++]) * per_image, per_image);
      std::copy(from.begin(), from.end(), batch.data<float>().begin() + i * static_cast<std::int64_t>(per_image));
    }
    const std::vector<Tensor> inputs{batch};
    calibrator.add(inputs);
  }
  return calibrator.finish().table;
}

TEST(Calibrate, DependsNeitherOnOrderNorOnBatchSize) {
  const Net net = small_net();
  const Tensor images = random_tensor({12, 3, 8, 8}, 77);
  std::vector<std::int64_t> order(12);
  std::iota(order.begin(), order.end(), 0);
  const CalibrationTable whole = run_in_batches(net.graph, images, order, {12});
  EXPECT_EQ(whole.images, 12);
  std::mt19937 random(1);
  for (const std::vector<std::int64_t>& sizes :
       {std::vector<std::int64_t>{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {5, 7}, {4, 4, 4}, {11, 1}}) {
    std::shuffle(order.begin(), order.end(), random);
    const CalibrationTable other = run_in_batches(net.graph, images, order, sizes);
    EXPECT_EQ(to_text(other), to_text(whole));
  }
}

TEST(Calibrate, FindsTheRightRanges) {
  const Net net = small_net();
  const CalibrationTable table = calibrate_randomly(net.graph);
  const TensorRanges& a = table.tensors.at("a");
  EXPECT_TRUE(a.non_negative());
  EXPECT_GT(a.zeros, 0U);
  EXPECT_EQ(a.count, 8U * 8 * 8 * 8);
  std::unordered_map<std::string, Tensor> values;
  reference::run(net.graph, random_batch(net.graph, 8, 1), &values);
  const auto seen = values.at("a").data<float>();
  EXPECT_FLOAT_EQ(a.max, *std::max_element(seen.begin(), seen.end()));
  EXPECT_EQ(a.signed_thresholds[0], a.max);
}

TEST(Calibrate, ObservesOnlyWhatMatters) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 4, 16});
  const auto norm = net.layer_norm("norm", x);
  const auto fc = net.linear("fc", norm, 16);
  const auto soft = net.softmax("soft", fc);
  const auto tanh = net.unary("log", soft, ir::UnaryKind::kExp);
  net.done({tanh});
  std::vector<std::string> names;
  for (const ir::ValueId id : values_to_observe(net.graph)) names.push_back(net.graph.value(id).name);
  EXPECT_THAT(names, ElementsAre("norm", "fc"));
}

TEST(Calibrate, NamesTensorAndImageOfANan) {
  const Net net = small_net();
  Tensor images = random_tensor({4, 3, 8, 8}, 3);
  images.data<float>()[2 * 3 * 8 * 8 + 5] = std::numeric_limits<float>::quiet_NaN();
  Calibrator calibrator(net.graph, reference_runner(net.graph));
  const std::vector<Tensor> batch{images};
  EXPECT_THAT([&] { calibrator.add(batch); },
              ThrowsMessage<CalibrationError>(
                  AllOf(HasSubstr("'x' (a graph input) has 1 NaN and 0 infinite values"), HasSubstr("image 2"))));
}

/// Takes several images at once, as a GPU does, and remembers how many.
class BatchRunner final : public Runner {
 public:
  explicit BatchRunner(const ir::Graph& graph) : graph_(graph), single_(reference_runner(graph)) {}
  std::int64_t max_images() const override { return 4; }
  void run(std::span<const Tensor> inputs, std::int64_t images, std::span<Histogram* const> histograms) override {
    calls.push_back(images);
    for (std::int64_t i = 0; i < images; ++i) {
      std::vector<Tensor> image(inputs.begin(), inputs.end());
      for (std::size_t k = 0; k < image.size(); ++k) {
        const ir::Shape& shape = graph_.value(graph_.inputs()[k]).shape;
        EXPECT_EQ(image[k].shape(), shape.at(images));
        if (!shape.is_static()) image[k] = image[k].rows(i * shape[0].value, (i + 1) * shape[0].value);
      }
      single_->run(image, 1, histograms);
    }
  }
  std::vector<std::int64_t> calls;

 private:
  const ir::Graph& graph_;
  std::shared_ptr<Runner> single_;
};

TEST(Calibrate, GivesARunnerThePowersOfTwoThatItTakes) {
  const Net net = small_net();
  const std::vector<Tensor> batch = random_batch(net.graph, 11, 1);
  const auto runner = std::make_shared<BatchRunner>(net.graph);
  CalibrateOptions options;
  std::vector<std::int64_t> done;
  options.progress = [&](std::int64_t images, std::int64_t) {
    done.push_back(images);
    return true;
  };
  Calibrator several(net.graph, runner, options);
  several.add(batch);
  EXPECT_THAT(runner->calls, ElementsAre(4, 4, 2, 1));
  EXPECT_THAT(done, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  Calibrator single(net.graph, reference_runner(net.graph));
  single.add(batch);
  EXPECT_EQ(several.histograms(), single.histograms());
}

TEST(Calibrate, NamesTheImageWithinABatch) {
  const Net net = small_net();
  Tensor images = random_tensor({11, 3, 8, 8}, 3);
  images.data<float>()[6 * 3 * 8 * 8 + 5] = std::numeric_limits<float>::infinity();
  images.data<float>()[7 * 3 * 8 * 8 + 5] = std::numeric_limits<float>::quiet_NaN();
  const auto runner = std::make_shared<BatchRunner>(net.graph);
  Calibrator calibrator(net.graph, runner);
  calibrator.add(std::vector<Tensor>{random_tensor({1, 3, 8, 8}, 4)});
  const std::vector<Tensor> batch{images};
  EXPECT_THAT([&] { calibrator.add(batch); },
              ThrowsMessage<CalibrationError>(
                  AllOf(HasSubstr("'x' (a graph input) has 0 NaN and 1 infinite values"), HasSubstr("image 7"))));
  EXPECT_THAT(runner->calls, ElementsAre(1, 4, 4, 1, 1, 1));
}

TEST(Calibrate, NamesTheNodeOfAnInfinity) {
  const Net net = small_net();
  Calibrator calibrator(net.graph, reference_runner(net.graph));
  const std::vector<Tensor> batch{random_tensor({1, 3, 8, 8}, 3, 3e38F)};
  // Values near the largest float overflow in the first layer (or are infinite already).
  EXPECT_THROW(calibrator.add(batch), CalibrationError);
}

TEST(Calibrate, NeedsImages) {
  const Net net = small_net();
  const Calibrator calibrator(net.graph, reference_runner(net.graph));
  EXPECT_THAT([&] { calibrator.finish(); }, ThrowsMessage<CalibrationError>(HasSubstr("no images")));
  EXPECT_THROW(calibrate(net.graph, reference_runner(net.graph), [] { return std::nullopt; }), CalibrationError);
}

TEST(Calibrate, ChecksTheBatch) {
  const Net net = small_net();
  Calibrator calibrator(net.graph, reference_runner(net.graph));
  const auto add = [&](std::vector<Tensor> batch) { calibrator.add(batch); };
  EXPECT_THROW(add({}), CalibrationError);
  EXPECT_THAT(
      [&] {
        add({Tensor(DataType::kFloat32, {2, 3, 8, 9})});
      },
      ThrowsMessage<CalibrationError>(AllOf(HasSubstr("[2, 3, 8, 9]"), HasSubstr("'x'"))));
  EXPECT_THROW(add({Tensor(DataType::kUInt8, {2, 3, 8, 8})}), CalibrationError);
  EXPECT_THROW(add({Tensor(DataType::kFloat32, {3, 8, 8})}), CalibrationError);
  EXPECT_THROW(add({Tensor(DataType::kFloat32, {0, 3, 8, 8})}), CalibrationError);
  EXPECT_EQ(calibrator.images(), 0);
}

TEST(Calibrate, ReportsProgressAndCancels) {
  const Net net = small_net();
  CalibrateOptions options;
  options.total_images = 8;
  std::vector<std::pair<std::int64_t, std::int64_t>> calls;
  options.progress = [&](std::int64_t done, std::int64_t total) {
    calls.emplace_back(done, total);
    return done < 3;
  };
  Calibrator calibrator(net.graph, reference_runner(net.graph), options);
  EXPECT_THROW(calibrator.add(random_batch(net.graph, 8, 1)), CancelledError);
  EXPECT_THAT(calls, ElementsAre(std::pair(1, 8), std::pair(2, 8), std::pair(3, 8)));
}

Net net_with_a_dead_tensor() {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 2, 4, 4});
  ir::ConvAttrs attrs;
  attrs.epilogue.activation = kRelu;
  Tensor bias(DataType::kFloat32, {2});
  bias.data<float>()[0] = bias.data<float>()[1] = -100.0F;
  const auto dead =
      net.graph.add(ir::OpType::kConv, "dead",
                    {x, net.weights("dead", {2, 2, 1, 1}, 0.1F), net.graph.add_constant("dead.bias", bias)}, attrs);
  const auto reader = net.conv("reader", dead, 3, 1);
  const auto other = net.conv("other", x, 3, 1);
  net.done({reader, other});
  return net;
}

TEST(Calibrate, ADeadTensorIsAnError) {
  const Net net = net_with_a_dead_tensor();
  EXPECT_THAT([&] { calibrate_randomly(net.graph); },
              ThrowsMessage<CalibrationError>(
                  AllOf(HasSubstr("'dead', which feeds Conv 'reader', is zero for all 8"), HasSubstr("hint:"))));
}

TEST(Calibrate, ADeadTensorKeepsItsReadersInFloatWhenAllowed) {
  const Net net = net_with_a_dead_tensor();
  CalibrateOptions options;
  options.allow_dead_ranges = true;
  Calibrator calibrator(net.graph, reference_runner(net.graph), options);
  calibrator.add(random_batch(net.graph, 8, 1));
  const CalibrationResult result = calibrator.finish();
  EXPECT_THAT(result.dead_tensors, ElementsAre("dead"));
  const QuantizedModel model = quantize(net.graph, result.table);
  EXPECT_EQ(decision_for(model, "reader").precision, Precision::kFloat);
  EXPECT_EQ(decision_for(model, "reader").reason, "'dead' was zero for every calibration image");
  EXPECT_EQ(decision_for(model, "dead").precision, Precision::kInt8);
  EXPECT_EQ(decision_for(model, "other").precision, Precision::kInt8);
}

TEST(Calibrate, CutsSeveralInputsAndLeavesFixedOnesWhole) {
  Net net;
  const auto a = net.input("a", {ir::Dim::n(), 4});
  const auto b = net.input("b", {ir::Dim::n(2), 4});  // two rows an image
  const auto fixed = net.input("fixed", {4});
  const auto fa = net.linear("fa", a, 4);
  const auto fb = net.linear("fb", b, 4);
  const auto ff = net.linear("ff", fixed, 4);
  net.done({fa, fb, ff});
  Calibrator calibrator(net.graph, reference_runner(net.graph));
  calibrator.add(std::vector<Tensor>{random_tensor({3, 4}, 1), random_tensor({6, 4}, 2), random_tensor({4}, 3)});
  EXPECT_EQ(calibrator.images(), 3);
  EXPECT_EQ(calibrator.histograms().at("a").count(), 12U);
  EXPECT_EQ(calibrator.histograms().at("b").count(), 24U);
  EXPECT_EQ(calibrator.histograms().at("fixed").count(), 12U);
  const std::vector<Tensor> uneven{random_tensor({3, 4}, 1), random_tensor({4, 4}, 2), random_tensor({4}, 3)};
  EXPECT_THROW(calibrator.add(uneven), CalibrationError);
}

}  // namespace
}  // namespace xinfer::quantize
