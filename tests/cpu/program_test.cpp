// The program around the steps: memory, threads, contexts, observers, errors; and the registry of implementations.
#include "cpu/program.h"

#include <cstring>
#include <set>
#include <thread>

#include "core/memory_plan.h"
#include "cpu/harness.h"
#include "cpu/implementations.h"
#include "ir/quantize_nodes.h"
#include "ir/schema.h"
#include "reference/reference.h"
#include "xinfer/core/errors.h"

namespace xinfer::cpu::testing {
namespace {

using ir::Dim;
using ir::OpType;
constexpr DataType kF32 = DataType::kFloat32;

/// A small residual network with a float head; in integers where `quantized`.
ir::Graph network(bool quantized) {
  Random random(11);
  ir::Graph g;
  auto x = g.add_input("x", kF32, {Dim::n(), 3, 12, 12});
  if (quantized) x = ir::add_quantize(g, "q", x, DataType::kInt8, {{1 / 32.0F}, {}, -1});
  ir::ConvAttrs attrs;
  attrs.pads = {1, 1, 1, 1};
  attrs.epilogue.activation = ir::UnaryKind::kRelu;
  ir::ValueId last = x;
  std::int64_t channels = 3;
  for (int i = 0; i < 5; ++i) {
    const std::string name = "conv" + std::to_string(i);
    const Sizes shape{24, channels, 3, 3};
    const auto w = quantized ? g.add_constant(name + ".w", random.integers(DataType::kInt8, shape, -127, 127),
                                              ir::Quantization{{1 / 1024.0F}, {}, -1})
                             : g.add_constant(name + ".w", random.floats(shape, -0.1F, 0.1F));
    std::vector<ir::ValueId> inputs{last, w};
    if (i == 2 || i == 4) inputs.insert(inputs.end(), {ir::kNone, last});
    last = g.add(OpType::kConv, name, inputs, attrs);
    if (quantized) make_quantized(g, last, DataType::kUInt8, 1 / 64.0F);
    channels = 24;
  }
  const auto mean = g.add(OpType::kReduce, "mean", {last}, ir::ReduceAttrs{ir::ReduceKind::kMean, {2, 3}, false});
  const auto w = g.add_constant("head.w", random.floats({10, 24}));
  const auto head = g.add(OpType::kLinear, "head", {mean, w}, ir::LinearAttrs{});
  g.set_outputs({g.add(OpType::kSoftmax, "y", {head}, ir::SoftmaxAttrs{})});
  return g;
}

class ProgramTest : public ::testing::TestWithParam<bool> {
 protected:
  std::shared_ptr<const ir::Graph> graph_ = std::make_shared<const ir::Graph>(network(GetParam()));
};

TEST_P(ProgramTest, ThreadCountChangesNothing) {
  const auto inputs = random_inputs(*graph_, 2, 3);
  const auto one = run_program(*compile(graph_, 2, {.threads = 1}), *graph_, inputs);
  const auto two = run_program(*compile(graph_, 2, {.threads = 2}), *graph_, inputs);
  EXPECT_EQ(std::memcmp(one[0].raw(), two[0].raw(), one[0].bytes()), 0);
}

TEST_P(ProgramTest, ContextsRunSideBySide) {
  const auto program = compile(graph_, 1, {.threads = 1});
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      const auto inputs = random_inputs(*graph_, 1, static_cast<std::uint32_t>(t));
      const auto first = run_program(*program, *graph_, inputs);
      const auto context = program->new_context();
      std::vector<Tensor> outputs{Tensor(kF32, {1, 10})};
      for (int i = 0; i < 20; ++i) {
        program->run(*context, inputs, outputs);
        wrong[t] += std::memcmp(first[0].raw(), outputs[0].raw(), outputs[0].bytes()) != 0 ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const int count : wrong) EXPECT_EQ(count, 0);
}

TEST_P(ProgramTest, ObserverSeesEveryValue) {
  const auto inputs = random_inputs(*graph_, 2, 3);
  std::unordered_map<std::string, Tensor> expected;
  reference::run(*graph_, inputs, &expected);
  const auto program = compile(graph_, 2, {.threads = 2, .keep_values = true});
  const auto context = program->new_context();
  std::vector<Tensor> outputs{Tensor(kF32, {2, 10})};
  std::set<std::string> seen;
  const ValueObserver observer = [&](ir::ValueId id, const Tensor& tensor) {
    const std::string& name = graph_->value(id).name;
    EXPECT_TRUE(seen.insert(name).second) << name << " was shown twice";
    expect_equal(expected.at(name), tensor, {.relative = 1e-4, .off_by_one = 0.001}, name);
  };
  program->run(*context, inputs, outputs, &observer);
  for (const ir::NodeId id : graph_->order()) {
    for (const ir::ValueId output : graph_->node(id).outputs) EXPECT_TRUE(seen.contains(graph_->value(output).name));
  }
  EXPECT_TRUE(seen.contains("x"));
}

TEST_P(ProgramTest, ReusesMemory) {
  const auto lean = compile(graph_, 4);
  const auto full = compile(graph_, 4, {.threads = 0, .keep_values = true});
  EXPECT_LT(lean->arena_bytes() * 3, full->arena_bytes() * 2);
}

TEST_P(ProgramTest, TimesEveryStep) {
  const auto program = compile(graph_, 1);
  const auto context = program->new_context();
  std::vector<Tensor> outputs{Tensor(kF32, {1, 10})};
  StepTimes times;
  program->run(*context, random_inputs(*graph_, 1, 1), outputs, nullptr, &times);
  EXPECT_EQ(times.size(), program->steps().size());
  EXPECT_EQ(program->steps().size(), graph_->node_count());
}

TEST_P(ProgramTest, SharesWeightsBetweenBatchSizes) {
  const auto weights = make_weight_cache();
  const auto one = compile(graph_, 1, {}, weights);
  const auto three = compile(graph_, 3, {}, weights);
  const auto inputs = random_inputs(*graph_, 3, 3);
  const auto all = run_program(*three, *graph_, inputs);
  const auto single = run_program(*one, *graph_, {inputs[0].rows(1, 2)});
  expect_equal(all[0].rows(1, 2), single[0], {}, "row 1");
}

TEST_P(ProgramTest, RefusesWhatDoesNotFit) {
  const auto program = compile(graph_, 2);
  const auto context = program->new_context();
  std::vector<Tensor> outputs{Tensor(kF32, {2, 10})};
  const std::vector<Tensor> wrong{Tensor(kF32, {1, 3, 12, 12})};
  EXPECT_THROW(program->run(*context, wrong, outputs), EngineError);
  EXPECT_THROW(program->run(*context, {}, outputs), EngineError);
  const std::vector<Tensor> right{Tensor(kF32, {2, 3, 12, 12})};
  std::vector<Tensor> bad{Tensor(DataType::kInt8, {2, 10})};
  EXPECT_THROW(program->run(*context, right, bad), EngineError);
  const auto other = compile(graph_, 2);
  EXPECT_THROW(other->run(*context, right, outputs), EngineError);
}

INSTANTIATE_TEST_SUITE_P(Precision, ProgramTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Int8" : "Float"; });

TEST(Program, OutputsThatAreInputsConstantsOrTwins) {
  ir::Graph g;
  const auto x = g.add_input("x", kF32, {Dim::n(), 4});
  const auto c = g.add_constant("c", Tensor::from<float>({2}, {1.5F, -2.0F}));
  const auto y = g.add(OpType::kUnary, "y", {x}, ir::UnaryAttrs{ir::UnaryKind::kRelu});
  g.set_outputs({x, c, y, y});
  check_random(g);
}

TEST(MemoryPlan, LivingBuffersNeverOverlap) {
  Random random(5);
  std::vector<Lifetime> lives;
  for (int i = 0; i < 200; ++i) {
    const int first = random.integer(0, 100);
    lives.push_back({static_cast<std::size_t>(random.integer(0, 5000)), first, first + random.integer(0, 10)});
  }
  const MemoryPlan plan = plan_memory(lives);
  std::size_t sum = 0;
  for (std::size_t i = 0; i < lives.size(); ++i) {
    sum += lives[i].bytes;
    EXPECT_EQ(plan.offsets[i] % 64, 0U);
    EXPECT_LE(plan.offsets[i] + lives[i].bytes, plan.arena_bytes);
    for (std::size_t j = 0; j < i; ++j) {
      if (lives[i].last < lives[j].first || lives[j].last < lives[i].first) continue;
      EXPECT_TRUE(plan.offsets[i] + lives[i].bytes <= plan.offsets[j] ||
                  plan.offsets[j] + lives[j].bytes <= plan.offsets[i])
          << i << " and " << j;
    }
  }
  EXPECT_LT(plan.arena_bytes, sum / 2);
}

TEST(Implementations, EveryOperatorEndsWithTheReference) {
  for (const ir::OpSchema& schema : ir::all_schemas()) {
    const auto list = implementations_of(schema.op);
    ASSERT_FALSE(list.empty()) << schema.name;
    EXPECT_EQ(list.back().name, "reference") << schema.name;
    std::set<std::string_view> names;
    for (const Implementation& implementation : list) {
      EXPECT_NE(implementation.create, nullptr);
      EXPECT_TRUE(names.insert(implementation.name).second) << schema.name << " " << implementation.name;
    }
  }
}

}  // namespace
}  // namespace xinfer::cpu::testing
