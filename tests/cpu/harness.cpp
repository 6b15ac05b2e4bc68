#include "cpu/harness.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reference/reference.h"

namespace xinfer::cpu::testing {

Tensor Random::floats(const Sizes& shape, float low, float high) {
  Tensor t(DataType::kFloat32, shape);
  for (float& x : t.data<float>()) x = real(low, high);
  return t;
}

Tensor Random::integers(DataType type, const Sizes& shape, int low, int high) {
  Tensor t(type, shape);
  if (type == DataType::kInt8) {
    for (auto& x : t.data<std::int8_t>())
      x = static_cast<std::int8_t>(integer(std::max(low, -128), std::min(high, 127)));
  } else {
    for (auto& x : t.data<std::uint8_t>())
      x = static_cast<std::uint8_t>(integer(std::max(low, 0), std::min(high, 255)));
  }
  return t;
}

Tensor Random::indices(const Sizes& shape, int low, int high) {
  Tensor t(DataType::kInt64, shape);
  for (auto& x : t.data<std::int64_t>()) x = integer(low, high);
  return t;
}

Tensor Random::bools(const Sizes& shape) {
  Tensor t(DataType::kBool, shape);
  for (auto& x : t.data<bool>()) x = integer(0, 1) != 0;
  return t;
}

Tensor Random::any(DataType type, const Sizes& shape) {
  switch (type) {
    case DataType::kFloat32:
      return floats(shape, -2, 2);
    case DataType::kInt8:
    case DataType::kUInt8:
      return integers(type, shape, -128, 255);
    case DataType::kBool:
      return bools(shape);
    case DataType::kInt64:
      return indices(shape, 0, 2);
    case DataType::kInt32: {
      Tensor t(type, shape);
      for (auto& x : t.data<std::int32_t>()) x = integer(0, 2);
      return t;
    }
  }
  return {};
}

void make_quantized(ir::Graph& graph, ir::ValueId id, DataType type, float scale) {
  graph.value(id).dtype = type;
  graph.value(id).quantization = ir::Quantization{{scale}, {}, -1};
}

ir::ValueId quantized_input(ir::Graph& graph, const std::string& name, DataType type, const ir::Shape& shape,
                            float scale) {
  const ir::ValueId id = graph.add_input(name, type, shape);
  make_quantized(graph, id, type, scale);
  return id;
}

namespace {

template <class T>
void compare_integers(const Tensor& expected, const Tensor& actual, double off_by_one, const std::string& what) {
  const auto a = expected.data<T>();
  const auto b = actual.data<T>();
  std::size_t different = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto gap = static_cast<std::int64_t>(a[i]) - static_cast<std::int64_t>(b[i]);
    if (gap == 0) continue;
    ++different;
    ASSERT_TRUE(off_by_one > 0 && std::abs(gap) == 1)
        << what << " element " << i << ": expected " << +a[i] << ", got " << +b[i];
  }
  const auto allowed = static_cast<std::size_t>(std::ceil(off_by_one * static_cast<double>(a.size())));
  EXPECT_LE(different, allowed) << what << ": of " << a.size();
}

}  // namespace

void expect_equal(const Tensor& expected, const Tensor& actual, const Tolerance& tolerance, const std::string& what) {
  ASSERT_EQ(expected.dtype(), actual.dtype()) << what;
  ASSERT_EQ(expected.shape(), actual.shape()) << what;
  switch (expected.dtype()) {
    case DataType::kFloat32: {
      const auto a = expected.data<float>();
      const auto b = actual.data<float>();
      for (std::size_t i = 0; i < a.size(); ++i) {
        if (std::isnan(a[i]) || std::isinf(a[i])) {
          ASSERT_TRUE(std::isnan(a[i]) ? std::isnan(b[i]) : a[i] == b[i]) << what << " element " << i << ": " << b[i];
          continue;
        }
        const double limit = tolerance.relative * std::max<double>(std::abs(a[i]), tolerance.absolute_scale);
        ASSERT_NEAR(a[i], b[i], limit) << what << " element " << i << " of " << xinfer::to_string(expected.shape());
      }
      break;
    }
    case DataType::kInt8:
      compare_integers<std::int8_t>(expected, actual, tolerance.off_by_one, what);
      break;
    case DataType::kUInt8:
      compare_integers<std::uint8_t>(expected, actual, tolerance.off_by_one, what);
      break;
    case DataType::kInt32:
      compare_integers<std::int32_t>(expected, actual, 0, what);
      break;
    case DataType::kInt64:
      compare_integers<std::int64_t>(expected, actual, 0, what);
      break;
    case DataType::kBool:
      compare_integers<bool>(expected, actual, 0, what);
      break;
  }
}

std::vector<Tensor> random_inputs(const ir::Graph& graph, std::int64_t batch, std::uint32_t seed) {
  Random random(seed);
  std::vector<Tensor> inputs;
  for (const ir::ValueId id : graph.inputs()) {
    inputs.push_back(random.any(graph.value(id).dtype, graph.value(id).shape.at(batch)));
  }
  return inputs;
}

std::vector<Tensor> run_program(const Program& program, const ir::Graph& graph, const std::vector<Tensor>& inputs) {
  std::vector<Tensor> outputs;
  for (const ir::ValueId id : graph.outputs()) {
    outputs.emplace_back(graph.value(id).dtype, graph.value(id).shape.at(program.batch()));
  }
  const auto context = program.new_context();
  program.run(*context, inputs, outputs);
  return outputs;
}

std::vector<StepInfo> check(const ir::Graph& graph, const std::vector<Tensor>& inputs, const Tolerance& tolerance,
                            const CompileOptions& options) {
  const auto shared = std::make_shared<const ir::Graph>(graph);
  const auto program = compile(shared, reference::batch_of(graph, inputs), options);
  const auto actual = run_program(*program, *shared, inputs);
  const auto expected = reference::run(graph, inputs);
  std::string how;
  for (const StepInfo& step : program->steps()) {
    how += fmt::format("\n  {} by {} ({})", step.node, step.implementation, step.layout);
    for (const std::string& refusal : step.refusals) how += "\n    not " + refusal;
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    expect_equal(expected[i], actual[i], tolerance, fmt::format("output {}{}\n", i, how));
  }
  return program->steps();
}

std::vector<StepInfo> check_random(const ir::Graph& graph, const Tolerance& tolerance, std::uint32_t seed) {
  check(graph, random_inputs(graph, 1, seed), tolerance);
  return check(graph, random_inputs(graph, 3, seed + 1), tolerance);
}

void expect_fast(const std::vector<StepInfo>& steps, const std::string& node) {
  for (const StepInfo& step : steps) {
    if (step.node != node) continue;
    std::string why;
    for (const std::string& refusal : step.refusals) why += "\n" + refusal;
    EXPECT_NE(step.implementation, "reference") << node << why;
    return;
  }
  ADD_FAILURE() << "no step for node " << node;
}

}  // namespace xinfer::cpu::testing
