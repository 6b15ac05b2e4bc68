// Nodes that run on the host: which ones, what they compute, and how they fit between kernels.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstring>

#include "cuda/executor.h"
#include "cuda/harness.h"
#include "cuda/layers.h"
#include "cuda/prepare.h"
#include "cuda/tuned.h"
#include "reference/reference.h"
#include "xinfer/core/errors.h"

namespace xinfer::cuda::testing {
namespace {

using ir::Dim;
using ir::Graph;
using ir::OpType;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Target kTarget{{80, false}, 108, 163 * 1024};

/// y = -x; its largest 5000 of 6000 and their places, which no kernel takes; the values once more negated.
Graph large_topk() {
  Graph g;
  const auto x = g.add_input("x", DataType::kFloat32, {Dim::n(), 6000});
  const auto before = g.add(OpType::kUnary, "before", {x}, ir::UnaryAttrs{ir::UnaryKind::kNegate});
  const auto top = g.add_node(OpType::kTopK, "top", {before}, ir::TopKAttrs{1, 5000, true, true}, 2);
  const auto after = g.add(OpType::kUnary, "after", {g.node(top).outputs[0]}, ir::UnaryAttrs{ir::UnaryKind::kNegate});
  g.set_outputs({after, g.node(top).outputs[1]});
  return g;
}

/// Integers between two convolutions, so that whoever stands between them meets padded channels-last operands.
Graph pool_between_convs() {
  Random random(3);
  Graph g;
  const auto x = quantized_input(g, "x", DataType::kInt8, {Dim::n(), 24, 9, 9}, 0.25F);
  ir::ConvAttrs attrs;
  attrs.pads = {1, 1, 1, 1};
  const auto conv = [&](const char* name, ir::ValueId in, std::int64_t channels) {
    const std::int64_t depth = g.value(in).shape[1].value;
    const auto w = quantized_weights(g, std::string(name) + "_w", {channels, depth, 3, 3}, 0, random);
    const auto node = g.add_node(OpType::kConv, name, {in, w}, attrs);
    make_quantized(g, g.node(node).outputs[0], DataType::kInt8, 64);
    g.infer(node);
    return g.node(node).outputs[0];
  };
  ir::PoolAttrs pool;
  pool.kernel = {2, 2};
  pool.strides = {2, 2};
  pool.dilations = {1, 1};
  const auto middle = g.add_node(OpType::kMaxPool, "pool", {conv("first", x, 20)}, pool);
  make_quantized(g, g.node(middle).outputs[0], DataType::kInt8, 64);
  g.infer(middle);
  g.set_outputs({conv("second", g.node(middle).outputs[0], 17)});
  return g;
}

std::shared_ptr<const Program> compiled(const Graph& graph, std::int64_t batch, bool allow,
                                        std::map<std::string, std::string> listed = {}) {
  CompileOptions options;
  options.target = kTarget;
  options.allow_host = allow;
  options.host_nodes = std::move(listed);
  return compile(std::make_shared<const Graph>(graph), batch, options);
}

std::vector<std::string> on_host(const Program& program) {
  std::vector<std::string> names;
  for (const StepInfo& info : program.infos) {
    if (info.on_host) names.push_back(info.node);
  }
  return names;
}

TEST(HostNodes, AreAnErrorUnlessAllowed) {
  try {
    compiled(large_topk(), 1, false);
    FAIL() << "nothing takes 'top'";
  } catch (const UnsupportedError& error) {
    EXPECT_THAT(error.what(), HasSubstr("'top'"));
    EXPECT_THAT(error.what(), HasSubstr("k is above"));
    EXPECT_THAT(error.what(), HasSubstr("--allow-cpu-fallback"));
  }
}

TEST(HostNodes, AreThoseThatNoKernelTakes) {
  const auto program = compiled(large_topk(), 2, true);
  EXPECT_THAT(on_host(*program), ElementsAre("top"));
  for (const StepInfo& info : program->infos) {
    if (!info.on_host) continue;
    EXPECT_EQ(info.implementation, "host: reference");
    EXPECT_TRUE(info.choice.empty()) << "nothing to tune";
    EXPECT_THAT(info.refusals, ElementsAre(HasSubstr("k is above")));
  }
  EXPECT_THAT(on_host(*compiled(pool_between_convs(), 2, true)), IsEmpty());
}

TEST(HostNodes, AreThoseThatTheEngineLists) {
  const auto program = compiled(pool_between_convs(), 2, false, {{"pool", "said so"}});
  EXPECT_THAT(on_host(*program), ElementsAre("pool"));
  EXPECT_THAT(program->infos.at(1).refusals, ElementsAre("said so"));
  EXPECT_EQ(program->infos.at(1).compute, Element::kS8);
  engine::CudaParts parts;
  parts.host_nodes = {{"pool", "said so"}, {"x", "y"}};
  EXPECT_EQ(host_nodes_of(parts), (std::map<std::string, std::string>{{"pool", "said so"}, {"x", "y"}}));
}

TEST(HostNodes, AListedQuantizeIsNotTakenOverByItsProducer) {
  Graph g;
  const auto x = g.add_input("x", DataType::kFloat32, {Dim::n(), 64});
  const auto y = g.add(OpType::kUnary, "relu", {x}, ir::UnaryAttrs{ir::UnaryKind::kRelu});
  const auto q = g.add_node(OpType::kQuantize, "quantize", {y});
  make_quantized(g, g.node(q).outputs[0], DataType::kInt8, 0.25F);
  g.infer(q);
  g.set_outputs({g.node(q).outputs[0]});
  EXPECT_THAT(compiled(g, 1, false)->infos.at(1).implementation, HasSubstr("folded"));
  EXPECT_THAT(on_host(*compiled(g, 1, false, {{"quantize", ""}})), ElementsAre("quantize"));
}

TEST(HostNodes, ComputeWhatTheReferenceComputes) {
  Random random(5);
  Graph g;
  const auto x = g.add_input("x", DataType::kFloat32, {Dim::n(), 3, 4});
  const auto w = g.add_constant("w", random.eighths({4}));
  g.set_outputs({g.add(OpType::kBinary, "add", {x, w}, ir::BinaryAttrs{ir::BinaryKind::kAdd, {}})});
  const auto program = compiled(g, 2, false, {{"add", ""}});
  ASSERT_EQ(program->items.size(), 1U) << "f32 rows at both ends: nothing to convert";
  const Item& item = program->items[0];
  ASSERT_EQ(item.inputs.size(), 2U);
  EXPECT_LT(item.inputs[1], 0) << "the host has the constant";
  std::vector<gpu::Launch> launches;
  item.step->launch({}, launches);
  EXPECT_TRUE(launches.empty());
  Tensor in = random.eighths({2, 3, 4});
  Tensor out(DataType::kFloat32, {2, 3, 4});
  item.step->run_on_host({{in.raw(), nullptr}, {out.raw()}});
  const std::vector<Tensor> operands{in};
  expect_equal(reference::run(g, operands)[0], out, Tolerance::exact(), "");
}

TEST(HostNodes, ThatOneBatchNeedsStandForAll) {
  if (!gpu::compiler_available()) GTEST_SKIP() << gpu::why_no_compiler();
  gpu::Compiler compiler;
  PrepareOptions options;
  options.archs = {{75, false}, {80, false}};
  options.batches = {1, 2};
  const auto graph = std::make_shared<const Graph>(large_topk());
  EXPECT_THROW(prepare(graph, options, compiler), UnsupportedError);
  options.allow_host = true;
  const engine::CudaParts parts = prepare(graph, options, compiler);
  ASSERT_EQ(parts.host_nodes.size(), 1U) << "once, for all architectures and batch sizes";
  EXPECT_EQ(parts.host_nodes[0].node, "top");
  EXPECT_THAT(parts.host_nodes[0].reason, HasSubstr("k is above"));
  for (const engine::TunedChoice& choice : parts.choices) EXPECT_NE(choice.node, "top");
  EXPECT_THAT(prepare(std::make_shared<const Graph>(pool_between_convs()), options, compiler).host_nodes, IsEmpty());
}

class HostNodesOnGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::why_no_device();
    state_ = std::make_shared<DeviceState>(gpu::Device::open(), std::make_shared<gpu::Compiler>());
  }

  std::shared_ptr<const LoadedProgram> loaded(const Graph& graph, std::int64_t batch,
                                              std::map<std::string, std::string> listed) {
    CompileOptions options;
    options.target = state_->target();
    options.host_nodes = std::move(listed);
    return std::make_shared<const LoadedProgram>(compile(std::make_shared<const Graph>(graph), batch, options), state_);
  }

  void expect_reference(const Graph& graph, std::map<std::string, std::string> listed) {
    Random random(9);
    for (const std::int64_t batch : {1, 3}) {
      Context context(loaded(graph, batch, listed));
      for (int run = 0; run < 3; ++run) {  // other data each time, through the same recording
        const ir::Value& x = graph.value(graph.inputs()[0]);
        const std::vector<Tensor> inputs{random.any(x.dtype, x.shape.at(batch))};
        const std::vector<Tensor> expected = reference::run(graph, inputs);
        std::vector<Tensor> outputs;
        for (const Tensor& t : expected) outputs.emplace_back(t.dtype(), t.shape());
        context.run(inputs, outputs);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          expect_equal(expected[i], outputs[i], Tolerance::exact(), fmt::format("batch {} output {}\n", batch, i));
        }
      }
      EXPECT_EQ(context.profile().size(), graph.order().size());
      EXPECT_GT(context.time(2), 0);
    }
  }

  std::shared_ptr<DeviceState> state_;
};

TEST_F(HostNodesOnGpu, EqualTheReference) { expect_reference(large_topk(), {{"top", ""}}); }
TEST_F(HostNodesOnGpu, ReadAndWriteWhatKernelsLeaveChannelsLast) {
  expect_reference(pool_between_convs(), {{"pool", ""}});
}
TEST_F(HostNodesOnGpu, FollowOneAnother) {
  expect_reference(pool_between_convs(), {{"first", ""}, {"pool", ""}, {"second", ""}});
}

TEST_F(HostNodesOnGpu, TellOfAFailureAtTheRunOrTheNextOne) {
  class Failing final : public Step {
   public:
    explicit Failing(const Step& like) {
      inputs = like.inputs;
      outputs = like.outputs;
      on_host = true;
    }
    void launch(const Frame&, std::vector<gpu::Launch>&) const override {}
    void run_on_host(const HostFrame&) const override { throw UnsupportedError("no such arithmetic"); }
  };
  const Graph graph = pool_between_convs();
  CompileOptions options;
  options.target = state_->target();
  options.host_nodes = {{"pool", ""}};
  auto program = std::make_shared<Program>(*compile(std::make_shared<const Graph>(graph), 1, options));
  for (Item& item : program->items) {
    if (item.step->on_host) item.step = std::make_shared<Failing>(*item.step);
  }
  Context context(std::make_shared<const LoadedProgram>(program, state_));
  const std::vector<Tensor> inputs{Random(1).any(DataType::kInt8, {1, 24, 9, 9})};
  const ir::Value& y = graph.value(graph.outputs()[0]);
  std::vector<Tensor> outputs{Tensor(y.dtype, y.shape.at(1))};
  const auto expect_failure = [](auto&& call) {
    try {
      call();
      FAIL() << "the host failed";
    } catch (const EngineError& error) {
      EXPECT_THAT(error.what(), HasSubstr("'pool'"));
      EXPECT_THAT(error.what(), HasSubstr("no such arithmetic"));
    }
  };
  for (int run = 0; run < 2; ++run) expect_failure([&] { context.run(inputs, outputs); });

  gpu::Stream stream(state_->device());
  const gpu::DeviceBuffer in(state_->device(), inputs[0].bytes()), out(state_->device(), outputs[0].bytes());
  const std::vector<gpu::DevicePointer> from{in.pointer()}, to{out.pointer()};
  context.enqueue(stream, from, to);
  stream.synchronize();
  expect_failure([&] { context.enqueue(stream, from, to); });
}

}  // namespace
}  // namespace xinfer::cuda::testing
