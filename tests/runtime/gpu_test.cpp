// Engines on a GPU: prepared, run from host and device memory, and refused for the right reasons.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <memory>
#include <thread>

#include "cuda/prepare.h"
#include "engine/engine_file.h"
#include "gpu/compiler.h"
#include "gpu/device.h"
#include "xinfer/core/errors.h"
#include "xinfer/runtime/inference_engine.h"

namespace xinfer::runtime {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// Two INT8 convolutions with ReLU, on floats outside.
ir::Graph small_graph() {
  ir::Graph g;
  const auto weights = [&](const std::string& name, std::int64_t out, std::int64_t in) {
    Tensor w(DataType::kInt8, {out, in, 3, 3});
    std::int8_t next = 1;
    for (auto& x : w.data<std::int8_t>()) x = next = static_cast<std::int8_t>((next * 37 + 11) % 127);
    return g.add_constant(name, w, ir::Quantization{{1.0F / 512}, {}, -1});
  };
  const auto quantize = [&](ir::ValueId id) {
    g.value(id).dtype = DataType::kInt8;
    g.value(id).quantization = ir::Quantization{{1.0F / 32}, {}, -1};
    return id;
  };
  ir::ConvAttrs attrs;
  attrs.pads = {1, 1, 1, 1};
  attrs.epilogue.activation = ir::UnaryKind::kRelu;
  const auto x = g.add_input("x", DataType::kFloat32, {ir::Dim::n(), 3, 12, 12});
  const auto first = g.add_node(ir::OpType::kQuantize, "q", {x});
  const auto q = quantize(g.node(first).outputs[0]);
  g.infer(first);
  const auto c1 = g.add_node(ir::OpType::kConv, "c1", {q, weights("w1", 32, 3)}, attrs);
  quantize(g.node(c1).outputs[0]);
  g.infer(c1);
  const auto c2 = g.add_node(ir::OpType::kConv, "c2", {g.node(c1).outputs[0], weights("w2", 16, 32)}, attrs);
  g.set_outputs({g.node(c2).outputs[0]});
  return g;
}

engine::EngineFile small_engine(bool for_gpu) {
  engine::EngineFile file;
  file.producer = "test";
  file.max_batch = 4;
  file.graph = small_graph();
  if (for_gpu) {
    gpu::Compiler compiler;
    cuda::PrepareOptions options;
    options.archs = {gpu::device_count() > 0 ? gpu::Device::open()->arch() : gpu::Arch{80, false}};
    options.batches = {1, 4};
    options.tune_on = gpu::device_count() > 0 ? 0 : -1;
    file.cuda = cuda::prepare(std::make_shared<const ir::Graph>(file.graph), options, compiler);
  }
  return file;
}

/// A graph of which the GPU refuses one node, `top` (k is too large); reals from -3 to 3 and their places come out.
engine::EngineFile engine_with_host_node() {
  engine::EngineFile file;
  file.producer = "test";
  file.max_batch = 2;
  ir::Graph& g = file.graph;
  const auto x = g.add_input("x", DataType::kFloat32, {ir::Dim::n(), 6000});
  const auto before = g.add(ir::OpType::kUnary, "before", {x}, ir::UnaryAttrs{ir::UnaryKind::kNegate});
  const auto top = g.add_node(ir::OpType::kTopK, "top", {before}, ir::TopKAttrs{1, 5000, true, true}, 2);
  const auto after =
      g.add(ir::OpType::kUnary, "after", {g.node(top).outputs[0]}, ir::UnaryAttrs{ir::UnaryKind::kNegate});
  g.set_outputs({after, g.node(top).outputs[1]});
  gpu::Compiler compiler;
  cuda::PrepareOptions options;
  options.archs = {gpu::device_count() > 0 ? gpu::Device::open()->arch() : gpu::Arch{80, false}};
  options.batches = {1, 2};
  options.allow_host = true;
  file.cuda = cuda::prepare(std::make_shared<const ir::Graph>(g), options, compiler);
  return file;
}

/// Multiples of 1/8 (exact in half precision), in an order of their own.
Tensor eighths_batch(std::int64_t batch) {
  Tensor t(DataType::kFloat32, {batch, 6000});
  unsigned i = 17;
  for (float& x : t.data<float>()) x = static_cast<float>(static_cast<int>((i = i * 1103515245 + 12345) >> 8) % 24) / 8;
  return t;
}

void expect_same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].shape(), b[i].shape());
    EXPECT_EQ(std::memcmp(a[i].raw(), b[i].raw(), a[i].bytes()), 0) << "output " << i;
  }
}

Tensor image_batch(std::int64_t batch) {
  Tensor t(DataType::kFloat32, {batch, 3, 12, 12});
  float i = 0;
  for (float& x : t.data<float>()) x = std::sin(i += 1) * 3;
  return t;
}

/// Exact up to one rounding of f32: the layers are integers.
void expect_close(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.shape(), b.shape());
  for (std::size_t i = 0; i < a.data<float>().size(); ++i) {
    ASSERT_NEAR(a.data<float>()[i], b.data<float>()[i], 2e-3F * std::max(1.0F, std::abs(a.data<float>()[i]))) << i;
  }
}

RuntimeOptions on(Device device) {
  RuntimeOptions options;
  options.device = device;
  return options;
}

TEST(GpuEngine, RunsOnACpuToo) {
  if (!gpu::compiler_available()) GTEST_SKIP() << gpu::why_no_compiler();
  const engine::EngineFile file = small_engine(true);
  ASSERT_TRUE(file.cuda.has_value());
  EXPECT_GE(file.cuda->kernels.size(), 2U);
  EXPECT_FALSE(file.cuda->choices.empty());
  const InferenceEngine engine(file, on(Device::kCpu));
  EXPECT_THAT(engine.device_name(), HasSubstr("CPU"));
  EXPECT_EQ(engine.infer(image_batch(2)).shape(), (std::vector<std::int64_t>{2, 16, 12, 12}));
  EXPECT_EQ(engine.device_time({image_batch(1)}, 1), 0);
}

TEST(GpuEngine, WithHostNodesRunsOnACpuToo) {
  if (!gpu::compiler_available()) GTEST_SKIP() << gpu::why_no_compiler();
  const engine::EngineFile file = engine_with_host_node();
  ASSERT_EQ(file.cuda->host_nodes.size(), 1U);
  EXPECT_EQ(file.cuda->host_nodes[0].node, "top");
  const InferenceEngine engine(file, on(Device::kCpu));
  for (const LayerInfo& layer : engine.layers())
    EXPECT_THAT(layer.implementation, Not(HasSubstr("host"))) << layer.name;
}

TEST(GpuEngine, SaysWhyItCannotRun) {
  if (gpu::device_count() == 0) {
    engine::EngineFile file = small_engine(false);
    file.cuda.emplace();
    try {
      const InferenceEngine engine(file, on(Device::kCuda));
      FAIL() << "there is no GPU";
    } catch (const DeviceError& error) {
      EXPECT_THAT(error.what(), HasSubstr(gpu::why_no_device()));
    }
  }
  try {
    const InferenceEngine engine(small_engine(false), on(Device::kCuda));
    FAIL() << "it was built for the CPU";
  } catch (const EngineError& error) {
    EXPECT_THAT(error.what(), HasSubstr("not built for NVIDIA GPUs"));
  }
  const InferenceEngine cpu(small_engine(false));
  EXPECT_THROW(cpu.infer_async(1, {nullptr}, {nullptr}, nullptr), EngineError);
}

class OnGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::why_no_device();
  }
};

TEST_F(OnGpu, EqualsTheCpu) {
  const engine::EngineFile file = small_engine(true);
  const InferenceEngine cpu(file, on(Device::kCpu));
  const InferenceEngine gpu(file, on(Device::kCuda));
  for (const std::int64_t batch : {1, 3, 4}) expect_close(cpu.infer(image_batch(batch)), gpu.infer(image_batch(batch)));
  EXPECT_GT(gpu.device_time({image_batch(4)}, 3), 0);
  EXPECT_THROW(gpu.infer(image_batch(5)), EngineError);
}

TEST_F(OnGpu, NeedsNoCompilerForPreparedBatches) {
  const engine::EngineFile file = small_engine(true);
  RuntimeOptions options = on(Device::kCuda);
  options.allow_compile = false;
  const InferenceEngine engine(file, options);
  for (const std::int64_t batch : {1, 2, 3, 4}) EXPECT_NO_THROW(engine.infer(image_batch(batch))) << batch;
}

TEST_F(OnGpu, TakesDeviceMemoryOnAStream) {
  const engine::EngineFile file = small_engine(true);
  const InferenceEngine engine(file, on(Device::kCuda));
  const auto device = gpu::Device::open();
  constexpr std::int64_t kBatch = 2;
  const Tensor input = image_batch(kBatch);
  Tensor output(DataType::kFloat32, {kBatch, 16, 12, 12});
  for (int round = 0; round < 3; ++round) {  // several streams, and buffers used again
    gpu::Stream stream(device);
    const gpu::DeviceBuffer in(device, input.bytes()), out(device, output.bytes());
    gpu::copy_to_device(stream, in.pointer(), input.raw(), input.bytes());
    for (int again = 0; again < 2; ++again) {
      engine.infer_async(kBatch, {reinterpret_cast<void*>(in.pointer())}, {reinterpret_cast<void*>(out.pointer())},
                         stream.handle());
    }
    gpu::copy_to_host(stream, output.raw(), out.pointer(), output.bytes());
    stream.synchronize();
    expect_close(engine.infer(input), output);
    const std::vector<void*> odd{reinterpret_cast<void*>(in.pointer() + 4)};
    EXPECT_THROW(engine.infer_async(kBatch, odd, {reinterpret_cast<void*>(out.pointer())}, stream.handle()),
                 EngineError);
  }
}

TEST_F(OnGpu, ServesSeveralThreads) {
  const engine::EngineFile file = small_engine(true);
  const InferenceEngine engine(file, on(Device::kCuda));
  const Tensor wanted = engine.infer(image_batch(2));
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        const Tensor got = engine.infer(image_batch(2));
        if (std::memcmp(got.raw(), wanted.raw(), got.bytes()) != 0) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(OnGpu, LeavesToTheHostWhatTheEngineSays) {
  const engine::EngineFile file = engine_with_host_node();
  const InferenceEngine cpu(file, on(Device::kCpu));
  const InferenceEngine gpu(file, on(Device::kCuda));
  for (const std::int64_t batch : {1, 2, 1}) {
    expect_same(cpu.infer({eighths_batch(batch)}), gpu.infer({eighths_batch(batch)}));
  }
  const std::vector<LayerInfo> layers = gpu.profile({eighths_batch(2)}, 3);
  const auto top = std::find_if(layers.begin(), layers.end(), [](const LayerInfo& l) { return l.name == "top"; });
  ASSERT_NE(top, layers.end());
  EXPECT_THAT(top->implementation, HasSubstr("host"));
  ASSERT_EQ(top->refusals.size(), 1U);
  EXPECT_THAT(top->refusals[0], HasSubstr("k is above"));
  EXPECT_GT(top->microseconds, 0);

  engine::EngineFile silent = file;
  silent.cuda->host_nodes.clear();
  const InferenceEngine refused(silent, on(Device::kCuda));
  EXPECT_THROW(refused.infer({eighths_batch(1)}), UnsupportedError);
}

TEST_F(OnGpu, TheHostWorksBetweenWorkOnAUsersStream) {
  const engine::EngineFile file = engine_with_host_node();
  const InferenceEngine engine(file, on(Device::kCuda));
  const auto device = gpu::Device::open();
  constexpr std::int64_t kBatch = 2;
  Tensor values(DataType::kFloat32, {kBatch, 5000}), places(DataType::kInt64, {kBatch, 5000});
  gpu::Stream stream(device);
  std::vector<Tensor> inputs;
  for (int round = 0; round < 4; ++round) {
    Tensor input = eighths_batch(kBatch);
    for (float& x : input.data<float>()) x += static_cast<float>(round);
    inputs.push_back(input);
  }
  const gpu::DeviceBuffer in(device, inputs[0].bytes());
  std::vector<gpu::DeviceBuffer> out_values, out_places;
  for (std::size_t round = 0; round < inputs.size(); ++round) {  // nothing waits in between
    out_values.emplace_back(device, values.bytes());
    out_places.emplace_back(device, places.bytes());
    gpu::copy_to_device(stream, in.pointer(), inputs[round].raw(), inputs[round].bytes());
    engine.infer_async(
        kBatch, {reinterpret_cast<void*>(in.pointer())},
        {reinterpret_cast<void*>(out_values.back().pointer()), reinterpret_cast<void*>(out_places.back().pointer())},
        stream.handle());
  }
  for (std::size_t round = 0; round < inputs.size(); ++round) {
    gpu::copy_to_host(stream, values.raw(), out_values[round].pointer(), values.bytes());
    gpu::copy_to_host(stream, places.raw(), out_places[round].pointer(), places.bytes());
    stream.synchronize();
    expect_same(engine.infer({inputs[round]}), {values, places});
  }
}

}  // namespace
}  // namespace xinfer::runtime
