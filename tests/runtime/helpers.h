#pragma once
// What the tests of the runtime share: small engines in memory, inputs, and answers of the reference.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "engine/engine_file.h"
#include "reference/reference.h"
#include "xinfer/core/errors.h"
#include "xinfer/runtime/inference_engine.h"

namespace xinfer::runtime::testing {

inline Tensor random_tensor(std::vector<std::int64_t> shape, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Tensor tensor(DataType::kFloat32, std::move(shape));
  for (float& x : tensor.data<float>()) x = normal(random);
  return tensor;
}

inline engine::EngineFile engine_of(ir::Graph graph, std::int64_t max_batch) {
  engine::EngineFile file;
  file.producer = "xinfer test";
  file.target = "cpu-x86_64";
  file.max_batch = max_batch;
  file.graph = std::move(graph);
  return file;
}

/// Images [N, 3, 8, 8] -> Quantize -> Conv in INT8 -> Dequantize -> mean over pixels -> Linear -> scores [N, 5].
inline engine::EngineFile classifier(std::int64_t max_batch) {
  ir::Graph g;
  const auto x = g.add_input("image", DataType::kFloat32, {ir::Dim::n(), 3, 8, 8});
  const auto q = g.add(ir::OpType::kQuantize, "quantize", {x});
  g.value(q).dtype = DataType::kInt8;
  g.value(q).quantization = ir::Quantization{{0.03125F}, {}, -1};
  g.infer(g.value(q).producer);
  Tensor weights(DataType::kInt8, {16, 3, 3, 3});
  for (std::size_t i = 0; i < weights.data<std::int8_t>().size(); ++i) {
    weights.data<std::int8_t>()[i] = static_cast<std::int8_t>(i * 37 % 255 - 127);
  }
  const auto w = g.add_constant("weights", weights, ir::Quantization{std::vector<float>(16, 0.0078125F), {}, 0});
  ir::ConvAttrs conv;
  conv.pads = {1, 1, 1, 1};
  conv.epilogue.activation = ir::UnaryKind::kRelu;
  const auto c = g.add(ir::OpType::kConv, "conv", {q, w, g.add_constant("bias", random_tensor({16}, 1))}, conv);
  const auto pooled = g.add(ir::OpType::kReduce, "pool", {c}, ir::ReduceAttrs{ir::ReduceKind::kMean, {2, 3}, false});
  const auto scores = g.add(ir::OpType::kLinear, "head", {pooled, g.add_constant("head_w", random_tensor({5, 16}, 2))},
                            ir::LinearAttrs{});
  g.set_outputs({scores});
  g.set_output_names({"scores"});
  engine::EngineFile file = engine_of(std::move(g), max_batch);
  file.decisions = {{"conv", "Conv", "int8", ""}, {"head", "Linear", "fp32", "the user asked for float"}};
  return file;
}

/// left [N, 3], right [N, 3] -> sum, product.
inline engine::EngineFile two_inputs(std::int64_t max_batch) {
  ir::Graph g;
  const auto left = g.add_input("left", DataType::kFloat32, {ir::Dim::n(), 3});
  const auto right = g.add_input("right", DataType::kFloat32, {ir::Dim::n(), 3});
  const auto sum = g.add(ir::OpType::kBinary, "sum", {left, right}, ir::BinaryAttrs{ir::BinaryKind::kAdd, {}});
  const auto product = g.add(ir::OpType::kBinary, "product", {left, right}, ir::BinaryAttrs{ir::BinaryKind::kMul, {}});
  g.set_outputs({sum, product});
  return engine_of(std::move(g), max_batch);
}

inline std::vector<float> values(const Tensor& tensor) {
  return {tensor.data<float>().begin(), tensor.data<float>().end()};
}

inline void expect_near(const Tensor& got, const Tensor& wanted, float tolerance = 1e-5F) {
  ASSERT_EQ(got.shape(), wanted.shape());
  EXPECT_THAT(values(got), ::testing::Pointwise(::testing::FloatNear(tolerance), values(wanted)));
}

/// Expects an EngineError with all of these parts.
template <class F>
void expect_engine_error(F&& call, std::initializer_list<const char*> parts) {
  try {
    call();
    ADD_FAILURE() << "nothing was thrown; expected: " << *parts.begin();
  } catch (const EngineError& error) {
    for (const char* part : parts) EXPECT_THAT(error.what(), ::testing::HasSubstr(part));
  }
}

}  // namespace xinfer::runtime::testing
