// Every kernel template, compiled for every architecture, without a GPU: it must compile, and keep its variables in
// registers.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "cuda/layers.h"
#include "cuda/prepare.h"
#include "engine/helpers.h"
#include "gpu/compiler.h"

namespace xinfer::cuda::testing {
namespace {

constexpr std::size_t kVariants = 2;  // of each kernel entry

const std::vector<std::string> kArchs{"75", "80", "86", "89", "90a", "100a", "120"};

/// Attention with heads of 64 elements, with a mask and without, and a layer norm of their result.
ir::Graph transformer_pieces(std::int64_t tokens) {
  using ir::Dim;
  ir::Graph g;
  const ir::Shape heads{Dim::n(), 12, tokens, 64};
  const auto x = g.add_input("x", DataType::kFloat32, heads);
  const auto mask = g.add_input("mask", DataType::kFloat32, {Dim::n(), 1, 1, tokens});
  const auto y = g.add(ir::OpType::kAttention, "attention", {x, x, x}, ir::AttentionAttrs{0.125F, false});
  const auto z = g.add(ir::OpType::kAttention, "masked", {x, x, y, mask}, ir::AttentionAttrs{0.125F, false});
  const auto bytes = g.add(ir::OpType::kQuantize, "bytes", {z});
  make_quantized(g, bytes, DataType::kInt8, 1.0F / 80);
  const auto rows = g.add(ir::OpType::kTranspose, "rows", {y}, ir::TransposeAttrs{{0, 2, 1, 3}});
  const auto flat = g.add(ir::OpType::kReshape, "flat", {rows}, ir::ShapeAttrs{{Dim::n(), tokens, 768}});
  g.set_outputs({bytes, g.add(ir::OpType::kLayerNorm, "norm", {flat}, ir::NormAttrs{1e-5F, -1, 1})});
  return g;
}

/// Convolutions of each kind and pieces of transformers, in both precisions.
std::vector<ir::Graph> layer_graphs() {
  std::vector<ir::Graph> graphs;
  const auto add = [&](ConvCase c) {
    for (const DataType type : {DataType::kInt8, DataType::kFloat32}) {
      c.type = type;
      c.result = type == DataType::kInt8 ? DataType::kUInt8 : DataType::kFloat32;
      graphs.push_back(conv_graph(c));
    }
  };
  ConvCase dense;
  dense.in = {64, 20, 20};
  dense.outputs = 128;
  dense.attrs.epilogue.activation = ir::UnaryKind::kRelu;
  add(dense);
  dense.kernel = {3, 3};
  dense.residual = DataType::kFloat32;
  add(dense);
  ConvCase deep = dense;
  deep.residual.reset();
  deep.in = {512, 7, 7};
  add(deep);
  ConvCase depthwise;
  depthwise.in = {48, 14, 14};
  depthwise.outputs = 48;
  depthwise.kernel = {3, 3};
  depthwise.attrs.groups = 48;
  add(depthwise);
  ConvCase first;
  first.in = {3, 32, 32};
  first.outputs = 32;
  first.kernel = {3, 3};
  first.attrs.strides = {2, 2};
  add(first);
  ConvCase grouped = depthwise;
  grouped.attrs.groups = 6;
  add(grouped);
  for (const std::int64_t tokens : {197, 384}) graphs.push_back(transformer_pieces(tokens));
  return graphs;
}

/// The kernels of these graphs for one architecture, up to kVariants of each entry.
std::vector<gpu::KernelSource> kernels_for(gpu::Arch arch,
                                           const std::vector<std::shared_ptr<const ir::Graph>>& graphs) {
  std::vector<gpu::KernelSource> result;
  std::map<std::string, std::size_t> count;
  for (const auto& graph : graphs) {
    CompileOptions options;
    options.target = typical_target(arch);
    for (const std::int64_t batch : {1, 64}) {
      for (const gpu::KernelSource& source : compile(graph, batch, options)->kernels()) {
        if (std::find(result.begin(), result.end(), source) != result.end()) continue;
        if (count[source.file + source.entry]++ < kVariants) result.push_back(source);
      }
    }
  }
  return result;
}

/// Sine and its like reduce large arguments through an array in local memory.
bool may_use_stack(const gpu::KernelSource& source) {
  for (const auto& [macro, value] : source.defines) {
    for (const char* name : {"kSin", "kCos", "kTan"}) {
      if (value.find(name) != std::string::npos) return true;
    }
  }
  return source.prologue.find("kSin") != std::string::npos || source.prologue.find("kCos") != std::string::npos ||
         source.prologue.find("kTan") != std::string::npos;
}

class Architectures : public ::testing::TestWithParam<std::string> {};

TEST_P(Architectures, TakeEveryKernelWithoutSpills) {
  if (!gpu::compiler_available()) GTEST_SKIP() << gpu::why_no_compiler();
  const gpu::Arch arch = gpu::parse_arch(GetParam());
  std::vector<std::shared_ptr<const ir::Graph>> graphs;
  for (ir::Graph& graph : layer_graphs()) graphs.push_back(std::make_shared<const ir::Graph>(std::move(graph)));
  graphs.push_back(std::make_shared<const ir::Graph>(engine::testing::graph_of_every_operator()));
  const std::vector<gpu::KernelSource> kernels = kernels_for(arch, graphs);
  ASSERT_GT(kernels.size(), 25U);
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::vector<std::string> faults;
  const auto work = [&] {
    for (std::size_t i = next++; i < kernels.size(); i = next++) {
      std::string fault;
      try {
        const gpu::KernelUsage usage = gpu::usage_of(kernels[i], arch);
        if (usage.spill_bytes > 0 || (usage.stack_bytes > 0 && !may_use_stack(kernels[i]))) {
          fault = std::to_string(usage.stack_bytes) + " bytes of stack, " + std::to_string(usage.spill_bytes) +
                  " of them spilled, with " + std::to_string(usage.registers) + " registers";
        }
      } catch (const std::exception& error) {
        fault = error.what();
      }
      if (fault.empty()) continue;
      for (const auto& [macro, value] : kernels[i].defines) fault += "\n    " + macro + "=" + value;
      const std::lock_guard lock(mutex);
      faults.push_back(kernels[i].file + " " + kernels[i].entry + ": " + fault);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned t = 1; t < std::max(1U, std::thread::hardware_concurrency()); ++t) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  for (const std::string& fault : faults) ADD_FAILURE() << "sm_" << GetParam() << ": " << fault;
}

INSTANTIATE_TEST_SUITE_P(All, Architectures, ::testing::ValuesIn(kArchs),
                         [](const auto& info) { return "sm_" + info.param; });

}  // namespace
}  // namespace xinfer::cuda::testing
