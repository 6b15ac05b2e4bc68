// Watching an engine for values at the end of their integer range.
#include <limits>
#include <thread>

#include "runtime/drift.h"
#include "runtime/helpers.h"

namespace xinfer::runtime::testing {
namespace {

const TensorDrift& tensor_called(const DriftReport& report, const std::string& name) {
  for (const TensorDrift& t : report.tensors) {
    if (t.tensor == name) return t;
  }
  throw std::out_of_range(name);
}

RuntimeOptions watching(int period) {
  RuntimeOptions options;
  options.device = Device::kCpu;
  options.threads = 1;
  options.drift_sample_period = period;
  return options;
}

/// x [N, 4] -> Quantize to `type` with scale 0.5 -> Linear in INT8 to s8 with scale 0.25 -> Reshape -> Linear to f32.
engine::EngineFile small_network(DataType type) {
  ir::Graph g;
  const auto x = g.add_input("x", DataType::kFloat32, {ir::Dim::n(), 4});
  const auto q = g.add(ir::OpType::kQuantize, "quantize", {x});
  g.value(q).dtype = type;
  g.value(q).quantization = ir::Quantization{{0.5F}, {}, -1};
  Tensor identity(DataType::kInt8, {4, 4});
  for (std::size_t i = 0; i < 4; ++i) identity.data<std::int8_t>()[5 * i] = 1;
  const auto w = g.add_constant("w", identity, ir::Quantization{std::vector<float>(4, 1.0F), {}, 0});
  const auto y = g.add(ir::OpType::kLinear, "y", {q, w}, ir::LinearAttrs{});
  g.value(y).dtype = DataType::kInt8;
  g.value(y).quantization = ir::Quantization{{0.25F}, {}, -1};
  const auto moved = g.add(ir::OpType::kReshape, "moved", {y}, ir::ShapeAttrs{{ir::Dim::n(), 4}});
  g.value(moved).quantization = g.value(y).quantization;
  g.set_outputs({g.add(ir::OpType::kLinear, "z", {moved, w}, ir::LinearAttrs{})});
  engine::EngineFile file = engine_of(std::move(g), 8);
  file.ranges = {{"y", 31.75F, 0.25}, {"unknown", 1, 0}};
  return file;
}

TEST(Drift, CountsTheEndsOfSignedRanges) {
  const InferenceEngine engine(small_network(DataType::kInt8), watching(1));
  // In steps of 0.5, with the range's end at 63.5; y ends at 31.75.
  engine.infer(Tensor::from<float>({1, 4}, {63.3F, 63.2F, -127.0F, 0.0F}));
  engine.infer(Tensor::from<float>({1, 4}, {31.5F, -32.0F, 1.0F, -63.5F}));
  const DriftReport report = engine.drift();
  EXPECT_EQ(report.period, 1);
  EXPECT_EQ(report.samples, 2U);
  ASSERT_EQ(report.tensors.size(), 2U) << "the reshape's output is only a copy";
  const TensorDrift& x = tensor_called(report, "x");
  EXPECT_EQ(x.type, DataType::kInt8);
  EXPECT_FLOAT_EQ(x.scale, 0.5F);
  EXPECT_EQ(x.elements, 8U);
  EXPECT_EQ(x.saturated, 3U) << "63.3, -127 and -63.5, but not 63.2, which rounds to 126 steps";
  EXPECT_DOUBLE_EQ(x.share(), 3.0 / 8);
  EXPECT_NEAR(x.largest, 2, 1e-6) << "reals are seen before they are cut off";
  EXPECT_FALSE(x.expected.has_value());
  EXPECT_DOUBLE_EQ(x.limit(), 0.01);
  EXPECT_TRUE(x.drifted());
  const TensorDrift& y = tensor_called(report, "y");
  EXPECT_EQ(y.elements, 8U);
  EXPECT_EQ(y.saturated, 5U) << "all but 0, 31.5 and 1";
  EXPECT_DOUBLE_EQ(y.expected.value(), 0.25);
  EXPECT_DOUBLE_EQ(y.limit(), 1.0);
  EXPECT_FALSE(y.drifted());
}

TEST(Drift, CountsNegativeValuesOfUnsignedRanges) {
  const InferenceEngine engine(small_network(DataType::kUInt8), watching(1));
  engine.infer(Tensor::from<float>({1, 4}, {-0.2F, -0.3F, 127.0F, 127.5F}));
  const DriftReport report = engine.drift();
  EXPECT_EQ(tensor_called(report, "x").type, DataType::kUInt8);
  EXPECT_EQ(tensor_called(report, "x").saturated, 2U) << "-0.3 and 127.5";
  EXPECT_NEAR(tensor_called(report, "x").largest, 1, 1e-6);
}

TEST(Drift, TheLimitIsFourTimesTheExpectedShare) {
  TensorDrift t;
  t.elements = 1000;
  t.saturated = 2;
  t.expected = 0.0001;
  EXPECT_DOUBLE_EQ(t.limit(), 0.001);
  EXPECT_TRUE(t.drifted());
  t.expected = 0.0005;
  EXPECT_DOUBLE_EQ(t.limit(), 0.002);
  EXPECT_FALSE(t.drifted());
  EXPECT_EQ(TensorDrift{}.share(), 0);
}

TEST(Drift, IsOffUnlessAskedFor) {
  const InferenceEngine engine(small_network(DataType::kInt8), watching(0));
  engine.infer(Tensor::from<float>({1, 4}, {1, 2, 3, 4}));
  engine.reset_drift();
  EXPECT_EQ(engine.drift().period, 0);
  EXPECT_EQ(engine.drift().samples, 0U);
  EXPECT_TRUE(engine.drift().tensors.empty());
  EXPECT_THROW(InferenceEngine(small_network(DataType::kInt8), watching(-1)), Error);
}

TEST(Drift, WatchesOneInferenceInSoMany) {
  const InferenceEngine engine(small_network(DataType::kInt8), watching(3));
  const Tensor input = Tensor::from<float>({1, 4}, {1, 2, 3, 4});
  engine.warm_up(1);
  EXPECT_EQ(engine.drift().samples, 0U) << "warming up is no inference";
  const std::uint64_t wanted[] = {1, 1, 1, 2, 2, 2, 3};
  for (const std::uint64_t samples : wanted) {
    engine.infer(input);
    EXPECT_EQ(engine.drift().samples, samples);
  }
  engine.reset_drift();
  EXPECT_EQ(engine.drift().samples, 0U);
  EXPECT_EQ(engine.drift().tensors.at(0).elements, 0U);
  engine.infer_async({input}).get();
  EXPECT_EQ(engine.drift().samples, 1U) << "the next inference is watched";
}

TEST(Drift, SamplesOfABatchTakeTurns) {
  const InferenceEngine engine(small_network(DataType::kInt8), watching(1));
  const Tensor batch = Tensor::from<float>({3, 4}, {100, 0, 0, 0, 100, 100, 0, 0, 100, 100, 100, 100});
  const std::uint64_t wanted[] = {1, 3, 7, 8};
  for (const std::uint64_t saturated : wanted) {
    engine.infer(batch);
    EXPECT_EQ(tensor_called(engine.drift(), "x").saturated, saturated);
  }
  EXPECT_EQ(tensor_called(engine.drift(), "x").elements, 16U);
}

TEST(Drift, ChangesNoResult) {
  const InferenceEngine plain(classifier(4), watching(0));
  const InferenceEngine watched(classifier(4), watching(1));
  const Tensor input = random_tensor({4, 3, 8, 8}, 7);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(values(watched.infer(input)), values(plain.infer(input)));
  const DriftReport report = watched.drift();
  ASSERT_EQ(report.tensors.size(), 1U);
  EXPECT_EQ(report.tensors[0].tensor, "image");
  EXPECT_EQ(report.tensors[0].elements, 3U * 192);
}

TEST(Drift, AFloatEngineHasNothingToWatch) {
  const InferenceEngine engine(two_inputs(2), watching(1));
  engine.infer({random_tensor({2, 3}, 1), random_tensor({2, 3}, 2)});
  EXPECT_EQ(engine.drift().samples, 1U);
  EXPECT_TRUE(engine.drift().tensors.empty());
}

TEST(Drift, CountsWhatSeveralThreadsRun) {
  const InferenceEngine engine(small_network(DataType::kInt8), watching(2));
  constexpr int kThreads = 4;
  constexpr int kRuns = 50;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&engine] {
        for (int i = 0; i < kRuns; ++i) {
          engine.infer(Tensor::from<float>({1, 4}, {100, 0, 0, 0}));
          engine.drift();
        }
      });
    }
  }
  EXPECT_EQ(engine.drift().samples, 100U);
  EXPECT_EQ(tensor_called(engine.drift(), "x").saturated, 100U);
  EXPECT_EQ(tensor_called(engine.drift(), "x").elements, 400U);
}

/// x [N, size] -> Quantize -> Dequantize; a hundred thousand elements fill every lane and block of the counting.
TEST(Drift, CountsEveryElementOfLargeTensors) {
  constexpr std::int64_t kSize = 100003;
  for (const DataType type : {DataType::kInt8, DataType::kUInt8}) {
    ir::Graph g;
    const auto x = g.add_input("x", DataType::kFloat32, {ir::Dim::n(), kSize});
    const auto q = g.add(ir::OpType::kQuantize, "quantize", {x});
    g.value(q).dtype = type;
    g.value(q).quantization = ir::Quantization{{0.5F}, {}, -1};
    const auto doubled = g.add(ir::OpType::kBinary, "sum", {q, q}, ir::BinaryAttrs{ir::BinaryKind::kAdd, {}});
    g.value(doubled).dtype = type;
    g.value(doubled).quantization = ir::Quantization{{1.0F}, {}, -1};
    g.set_outputs({g.add(ir::OpType::kDequantize, "dequantize", {doubled})});
    const InferenceEngine engine(engine_of(std::move(g), 1), watching(1));
    Tensor input(DataType::kFloat32, {1, kSize});
    std::uint64_t wanted = 0;
    std::mt19937 random(5);
    for (float& value : input.data<float>()) {
      const bool high = random() % 3 == 0;
      wanted += high ? 1 : 0;
      value = high ? 200.0F : 20.0F;
    }
    engine.infer(input);
    for (const char* name : {"x", "sum"}) {
      const TensorDrift t = tensor_called(engine.drift(), name);
      EXPECT_EQ(t.elements, static_cast<std::uint64_t>(kSize)) << name;
      EXPECT_EQ(t.saturated, wanted) << name << " " << name_of(type);
    }
    EXPECT_NEAR(tensor_called(engine.drift(), "sum").largest, 1, 1e-6);
  }
}

TEST(Drift, BrokenValuesDontBreakTheCounts) {
  const InferenceEngine engine(small_network(DataType::kInt8), watching(1));
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  engine.infer(Tensor::from<float>({1, 4}, {kNan, kInfinity, -kInfinity, 1}));
  EXPECT_EQ(tensor_called(engine.drift(), "x").saturated, 2U);
}

}  // namespace
}  // namespace xinfer::runtime::testing
