// Calibration on the GPU against calibration on the CPU. Where there is no GPU: the error, and that everything
// compiles.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "gpu_here.h"
#include "graphs.h"
#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

using GraphPtr = std::shared_ptr<const ir::Graph>;
constexpr ir::UnaryKind kRelu = ir::UnaryKind::kRelu;

GraphPtr convolutions() {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 3, 13, 11});
  const auto a = net.conv("a", x, 17, 3, kRelu);
  const auto b = net.conv("b", a, 17, 3, kRelu, 1, a);
  const auto c = net.conv("c", net.max_pool("pool", b), 24, 1, ir::UnaryKind::kClip);
  const auto d = net.conv("d", c, 24, 3, ir::UnaryKind::kIdentity, 24);
  const auto flat = net.reshape("flat", net.mean("mean", d), {ir::Dim::n(), 24});
  net.done({net.linear("fc", flat, 10)});
  return std::make_shared<const ir::Graph>(net.graph);
}

/// Rows that several of make an image, an input without N, and values computed from that alone.
GraphPtr several_inputs() {
  Net net;
  const auto a = net.input("a", {ir::Dim::n(), 4});
  const auto b = net.input("b", {ir::Dim::n(2), 4});
  const auto fixed = net.input("fixed", {4});
  net.done({net.linear("fa", a, 4), net.linear("fb", b, 4), net.linear("ff", fixed, 4)});
  return std::make_shared<const ir::Graph>(net.graph);
}

GraphPtr without_n() {
  Net net;
  const auto x = net.input("x", {2, 3, 8, 8});
  net.done({net.conv("b", net.conv("a", x, 8, 3, kRelu), 4)});
  return std::make_shared<const ir::Graph>(net.graph);
}

/// Where there is no GPU, compiles what would run on one.
bool only_compiles(const GraphPtr& graph) {
  if (gpu_here() != nullptr) return false;
  for (const cuda::Target& target : targets_without_gpu()) {
    cuda::CompileOptions options;
    options.target = target;
    options.real = cuda::Element::kF32;
    options.keep_values = true;
    const auto program = cuda::compile(graph, 16, options);
    if (gpu::compiler_available()) gpu::Compiler().get_all(program->kernels(), target.arch);
  }
  return true;
}

CalibrationTable calibrate_in(const GraphPtr& graph, const std::shared_ptr<Runner>& runner,
                              const std::vector<Tensor>& batch, const std::vector<std::int64_t>& sizes) {
  Calibrator calibrator(*graph, runner);
  std::int64_t begin = 0;
  for (const std::int64_t size : sizes) {
    std::vector<Tensor> part;
    for (std::size_t k = 0; k < batch.size(); ++k) {
      const ir::Shape& shape = graph->value(graph->inputs()[k]).shape;
      part.push_back(shape.is_static() ? batch[k]
                                       : batch[k].rows(begin * shape[0].value, (begin + size) * shape[0].value));
    }
    calibrator.add(part);
    begin += size;
  }
  return calibrator.finish().table;
}

void expect_alike(const CalibrationTable& expected, const CalibrationTable& actual) {
  ASSERT_EQ(actual.tensors.size(), expected.tensors.size());
  EXPECT_EQ(actual.images, expected.images);
  for (const auto& [name, ranges] : expected.tensors) {
    ASSERT_TRUE(actual.tensors.contains(name)) << name;
    const TensorRanges& found = actual.tensors.at(name);
    const float largest = std::max(std::abs(ranges.min), ranges.max);
    EXPECT_EQ(found.count, ranges.count) << name;
    EXPECT_NEAR(found.min, ranges.min, 1e-5F * largest) << name;
    EXPECT_NEAR(found.max, ranges.max, 1e-5F * largest) << name;
    EXPECT_NEAR(static_cast<double>(found.zeros), static_cast<double>(ranges.zeros),
                2 + 1e-3 * static_cast<double>(ranges.zeros))
        << name;
    EXPECT_NEAR(found.signed_thresholds[1], ranges.signed_thresholds[1], 1e-3F * largest) << name;  // percentile
  }
}

TEST(CudaRunner, SaysWhenThereIsNoGpu) {
  const GraphPtr graph = several_inputs();
  if (gpu_here() != nullptr) {
    EXPECT_EQ(cuda_runner(graph)->max_images(), 16);
    return;
  }
  EXPECT_THAT([&] { cuda_runner(graph); },
              ThrowsMessage<DeviceError>(AllOf(HasSubstr("no usable NVIDIA GPU"), HasSubstr("--calib-device cpu"))));
}

TEST(CudaRunner, CalibratesToTheRangesOfTheCpu) {
  for (const GraphPtr& graph : {convolutions(), several_inputs()}) {
    if (only_compiles(graph)) continue;
    const std::vector<Tensor> batch = random_batch(*graph, 23, 1);
    expect_alike(calibrate_in(graph, cpu_runner(graph), batch, {23}),
                 calibrate_in(graph, cuda_runner(graph), batch, {23}));
  }
}

TEST(CudaRunner, GivesTheSameTableForAnyBatching) {
  for (const GraphPtr& graph : {convolutions(), several_inputs()}) {
    if (only_compiles(graph)) continue;
    const std::vector<Tensor> batch = random_batch(*graph, 39, 1);
    const auto runner = cuda_runner(graph);
    const std::string whole = to_text(calibrate_in(graph, runner, batch, {39}));
    for (const std::vector<std::int64_t>& sizes :
         {std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 3}, {16, 16, 7}, {7, 32}}) {
      EXPECT_EQ(to_text(calibrate_in(graph, runner, batch, sizes)), whole);
    }
  }
}

TEST(CudaRunner, RunsAGraphWithoutABatchAsItIs) {
  const GraphPtr graph = without_n();
  if (only_compiles(graph)) return;
  const auto runner = cuda_runner(graph);
  EXPECT_EQ(runner->max_images(), 1);
  Calibrator on_cpu(*graph, cpu_runner(graph)), on_gpu(*graph, runner);
  for (const std::uint32_t seed : {1, 2}) {
    on_cpu.add(random_batch(*graph, 1, seed));
    on_gpu.add(random_batch(*graph, 1, seed));
  }
  expect_alike(on_cpu.finish().table, on_gpu.finish().table);
}

TEST(CudaRunner, NamesTensorAndImageOfANan) {
  const GraphPtr graph = convolutions();
  if (only_compiles(graph)) return;
  std::vector<Tensor> batch = random_batch(*graph, 30, 1);
  batch[0].data<float>()[21 * 3 * 13 * 11 + 5] = std::numeric_limits<float>::quiet_NaN();
  Calibrator calibrator(*graph, cuda_runner(graph));
  EXPECT_THAT([&] { calibrator.add(batch); },
              ThrowsMessage<CalibrationError>(
                  AllOf(HasSubstr("'x' (a graph input) has 1 NaN and 0 infinite values"), HasSubstr("image 21"))));
}

TEST(CudaRunner, NamesTheNodeThatTheGpuDoesNotTake) {
  Net net;
  const auto a = net.linear("a", net.input("x", {ir::Dim::n(), 4}), 6000);
  const auto sorted = net.graph.add_node(ir::OpType::kTopK, "sorted", {a}, ir::TopKAttrs{.k = 5000}, 2);
  net.done(net.graph.node(sorted).outputs);
  const auto graph = std::make_shared<const ir::Graph>(net.graph);
  if (gpu_here() == nullptr) {
    EXPECT_THROW(only_compiles(graph), UnsupportedError);
    return;
  }
  EXPECT_THAT([&] { cuda_runner(graph); },
              ThrowsMessage<UnsupportedError>(AllOf(HasSubstr("sorted"), HasSubstr("--calib-device cpu"))));
}

}  // namespace
}  // namespace xinfer::quantize
