// One call at a time: every form of infer(), what it refuses, and what an engine tells of itself.
#include "runtime/helpers.h"

namespace xinfer::runtime::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Infer, EqualsTheReferenceForEveryBatch) {
  const engine::EngineFile file = classifier(5);
  const InferenceEngine engine(file);
  for (std::int64_t batch = 1; batch <= 5; ++batch) {
    const Tensor image = random_tensor({batch, 3, 8, 8}, static_cast<std::uint32_t>(batch));
    const std::vector<Tensor> inputs = {image};
    expect_near(engine.infer(image), reference::run(file.graph, inputs).front(), 0.02F);
  }
}

TEST(Infer, ARowDoesNotDependOnItsBatch) {
  const InferenceEngine engine(classifier(4));
  const Tensor images = random_tensor({4, 3, 8, 8}, 9);
  const Tensor together = engine.infer(images);
  for (std::int64_t i = 0; i < 4; ++i) expect_near(engine.infer(images.rows(i, i + 1)), together.rows(i, i + 1));
}

TEST(Infer, ByOrderAndByName) {
  const InferenceEngine engine(two_inputs(2));
  const Tensor left = Tensor::from<float>({1, 3}, {1, 2, 3});
  const Tensor right = Tensor::from<float>({1, 3}, {10, 20, 30});
  const std::vector<Tensor> ordered = engine.infer({left, right});
  ASSERT_EQ(ordered.size(), 2U);
  EXPECT_THAT(values(ordered[0]), ElementsAre(11, 22, 33));
  EXPECT_THAT(values(ordered[1]), ElementsAre(10, 40, 90));
  const auto named = engine.infer({{"right", right}, {"left", left}});
  ASSERT_EQ(named.size(), 2U);
  EXPECT_EQ(values(named.at("sum")), values(ordered[0]));
  EXPECT_EQ(values(named.at("product")), values(ordered[1]));
}

TEST(Infer, LeavesItsInputsAlone) {
  const InferenceEngine engine(two_inputs(1));
  const Tensor left = random_tensor({1, 3}, 1);
  const Tensor before = left.clone();
  engine.infer({left, left});
  EXPECT_EQ(values(left), values(before));
}

TEST(Infer, WritesIntoTheCallersTensors) {
  const InferenceEngine engine(two_inputs(2));
  const std::vector<Tensor> inputs = {random_tensor({2, 3}, 1), random_tensor({2, 3}, 2)};
  std::vector<Tensor> outputs = {Tensor(DataType::kFloat32, {2, 3}), Tensor(DataType::kFloat32, {2, 3})};
  const void* memory = outputs[0].raw();
  engine.infer_into(inputs, outputs);
  EXPECT_EQ(outputs[0].raw(), memory);
  EXPECT_EQ(values(outputs[1]), values(engine.infer(inputs)[1]));
  outputs[1] = Tensor(DataType::kFloat32, {1, 3});
  expect_engine_error([&] { engine.infer_into(inputs, outputs); }, {"output 'product'", "[2, 3]"});
  outputs[1] = Tensor(DataType::kInt32, {2, 3});
  expect_engine_error([&] { engine.infer_into(inputs, outputs); }, {"output 'product'", "f32"});
  outputs[1] = Tensor();
  expect_engine_error([&] { engine.infer_into(inputs, outputs); }, {"output 'product'"});
  outputs.pop_back();
  expect_engine_error([&] { engine.infer_into(inputs, outputs); }, {"2 outputs", "1 were given"});
}

TEST(Infer, RefusesWhatDoesNotFitAndNamesTheTensor) {
  const InferenceEngine engine(two_inputs(4));
  const Tensor good = random_tensor({2, 3}, 1);
  expect_engine_error([&] { engine.infer({good}); }, {"2 inputs", "1 were given"});
  expect_engine_error([&] { engine.infer(good); }, {"2 inputs"});
  expect_engine_error([&] { engine.infer({good, Tensor()}); }, {"'right'", "empty tensor"});
  expect_engine_error([&] { engine.infer({good, Tensor(DataType::kInt64, {2, 3})}); }, {"'right'", "f32", "s64"});
  expect_engine_error([&] { engine.infer({good, random_tensor({2, 4}, 1)}); }, {"'right'", "[N, 3]", "[2, 4]"});
  expect_engine_error([&] { engine.infer({good, random_tensor({2, 3, 1}, 1)}); }, {"'right'", "[2, 3, 1]"});
  expect_engine_error([&] { engine.infer({good, random_tensor({1, 3}, 1)}); }, {"'right'", "[1, 3]"});
  expect_engine_error([&] { engine.infer({Tensor(DataType::kFloat32, {0, 3}), good}); }, {"'left'", "[0, 3]"});
  const Tensor large = random_tensor({5, 3}, 1);
  expect_engine_error([&] { engine.infer({large, large}); }, {"batch of 5", "maximum of 4", "hint"});
  expect_engine_error([&] { engine.infer({{"left", good}}); }, {"'right' is missing"});
  expect_engine_error([&] { engine.infer({{"left", good}, {"rihgt", good}}); }, {"'right' is missing"});
  expect_engine_error([&] { engine.infer({{"left", good}, {"right", good}, {"up", good}}); }, {"no input 'up'"});
  EXPECT_EQ(engine.infer({good, good}).size(), 2U) << "an error must not spoil the engine";
}

TEST(Infer, ManyBatchSizesInTurn) {
  // More sizes than programs are kept for: old ones are dropped and prepared again.
  const InferenceEngine engine(two_inputs(20));
  for (int round = 0; round < 2; ++round) {
    for (std::int64_t batch = 1; batch <= 20; ++batch) {
      const Tensor x = random_tensor({batch, 3}, static_cast<std::uint32_t>(batch));
      const Tensor doubled = engine.infer({x, x}).front();
      ASSERT_EQ(doubled.dim(0), batch);
      for (std::size_t i = 0; i < x.data<float>().size(); ++i) ASSERT_EQ(doubled.data<float>()[i], 2 * values(x)[i]);
    }
  }
}

TEST(Infer, WarmUpTakesOnlyBatchesOfTheEngine) {
  const InferenceEngine engine(classifier(3));
  engine.warm_up(1);
  engine.warm_up(3);
  expect_engine_error([&] { engine.warm_up(0); }, {"0 samples"});
  expect_engine_error([&] { engine.warm_up(-2); }, {"-2 samples"});
  expect_engine_error([&] { engine.warm_up(4); }, {"batch of 4"});
}

TEST(Describe, InputsOutputsAndFacts) {
  engine::EngineFile file = classifier(6);
  file.labels = {"a", "b", "c", "d", "e"};
  file.facts = {{"model", "m.onnx"}};
  const InferenceEngine engine(file);
  ASSERT_EQ(engine.inputs().size(), 1U);
  EXPECT_EQ(engine.inputs()[0].name, "image");
  EXPECT_EQ(engine.inputs()[0].dtype, DataType::kFloat32);
  EXPECT_THAT(engine.inputs()[0].shape, ElementsAre(-1, 3, 8, 8));
  ASSERT_EQ(engine.outputs().size(), 1U);
  EXPECT_EQ(engine.outputs()[0].name, "scores");
  EXPECT_THAT(engine.outputs()[0].shape, ElementsAre(-1, 5));
  EXPECT_EQ(engine.max_batch_size(), 6);
  EXPECT_EQ(engine.labels(), file.labels);
  EXPECT_EQ(engine.facts(), file.facts);
  EXPECT_EQ(engine.producer(), "xinfer test");
}

const LayerInfo& layer(const std::vector<LayerInfo>& layers, const std::string& name) {
  for (const LayerInfo& info : layers) {
    if (info.name == name) return info;
  }
  throw std::out_of_range(name);
}

TEST(Describe, Layers) {
  const InferenceEngine engine(classifier(2));
  const auto layers = engine.layers(2);
  const LayerInfo& conv = layer(layers, "conv");
  EXPECT_EQ(conv.op, "Conv");
  EXPECT_EQ(conv.precision, "int8");
  EXPECT_FALSE(conv.implementation.empty());
  EXPECT_FALSE(conv.layout.empty());
  EXPECT_TRUE(conv.reason.empty());
  const LayerInfo& head = layer(layers, "head");
  EXPECT_EQ(head.precision, "fp32");
  EXPECT_EQ(head.reason, "the user asked for float");
  EXPECT_TRUE(head.output_scales.empty());
  EXPECT_THAT(layer(layers, "quantize").output_scales, ElementsAre(0.03125F));
  expect_engine_error([&] { engine.layers(0); }, {"0 samples"});
  expect_engine_error([&] { engine.layers(3); }, {"batch of 3"});
}

TEST(Describe, Profile) {
  const InferenceEngine engine(classifier(2));
  const auto profile = engine.profile({random_tensor({2, 3, 8, 8}, 1)}, 3);
  ASSERT_EQ(profile.size(), engine.layers(2).size());
  double total = 0;
  for (const LayerInfo& info : profile) {
    EXPECT_GE(info.microseconds, 0) << info.name;
    total += info.microseconds;
  }
  EXPECT_GT(total, 0);
  expect_engine_error([&] { engine.profile({random_tensor({3, 3, 8, 8}, 1)}, 1); }, {"batch of 3"});
  EXPECT_EQ(engine.profile({random_tensor({1, 3, 8, 8}, 1)}, 0).size(), profile.size()) << "at least one run";
}

TEST(Options, OutOfRangeIsAnError) {
  EXPECT_THROW(InferenceEngine(two_inputs(1), {.threads = -1}), Error);
  EXPECT_THROW(InferenceEngine(two_inputs(1), {.threads = 0, .async_workers = 0}), Error);
}

TEST(Open, AMissingFile) {
  expect_engine_error([] { InferenceEngine("/nowhere/model.engine"); }, {"/nowhere/model.engine", "No such file"});
}

}  // namespace
}  // namespace xinfer::runtime::testing
