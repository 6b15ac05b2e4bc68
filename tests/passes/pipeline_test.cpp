// The whole list on small networks, and the runner.
#include "passes/pipeline.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "pass_test.h"

namespace xinfer::passes::testing {
namespace {

// conv-bn-relu, conv-bn, + shortcut, relu; pooled, flattened, classified.
Graph residual_network() {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 3, 8, 8});
  const auto conv_bn = [&](ValueId v, std::int64_t in, std::int64_t out) {
    return batch_norm(g, conv(g, v, in, out, 1, false), out);
  };
  const ValueId stem = unary(g, UnaryKind::kRelu, conv_bn(x, 3, 8));
  const ValueId inner = unary(g, UnaryKind::kRelu, conv_bn(stem, 8, 8));
  const ValueId block = unary(g, UnaryKind::kRelu, add(g, conv_bn(inner, 8, 8), stem));
  const ValueId pooled =
      g.add(OpType::kAveragePool, "pool", {block}, ir::PoolAttrs{{8, 8}, {8, 8}, {1, 1}, {0, 0, 0, 0}, false, false});
  g.set_outputs({add(g, matmul(g, reshape(g, pooled, {Dim::n(), 8}), constant(g, {8, 5})), constant(g, {5}))});
  return g;
}

ValueId spelled_layer_norm(Graph& g, ValueId x, std::int64_t channels) {
  const ValueId centred = binary(g, BinaryKind::kSub, x, mean(g, x, {2}));
  const ValueId square = binary(g, BinaryKind::kPow, binary(g, BinaryKind::kSub, x, mean(g, x, {2})), scalar(g, 2));
  const ValueId root = unary(g, UnaryKind::kSqrt, add(g, mean(g, square, {2}), scalar(g, 1e-5F)));
  return add(g, mul(g, binary(g, BinaryKind::kDiv, centred, root), constant(g, {channels}, 3)),
             constant(g, {channels}));
}

// One pre-norm transformer block, spelled out as exporters do: 6 tokens of 8 channels, 2 heads of 4.
Graph transformer_block() {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 6, 8});
  const auto projected = [&](ValueId v, std::int64_t in, std::int64_t out, unsigned seed) {
    return add(g, constant(g, {out}, seed), matmul(g, v, constant(g, {in, out}, seed + 1)));
  };
  const auto split = [&](ValueId v, std::vector<std::int64_t> perm) {
    return transpose(g, reshape(g, v, {Dim::n(), 6, 2, 4}), std::move(perm));
  };
  const ValueId norm = spelled_layer_norm(g, x, 8);
  const ValueId q = split(projected(norm, 8, 8, 40), {0, 2, 1, 3});
  const ValueId k = split(projected(norm, 8, 8, 42), {0, 2, 3, 1});
  const ValueId v = split(projected(norm, 8, 8, 44), {0, 2, 1, 3});
  const ValueId scores = binary(g, BinaryKind::kDiv, matmul(g, q, k), scalar(g, 2));
  const ValueId heads = transpose(g, matmul(g, softmax(g, scores), v), {0, 2, 1, 3});
  const ValueId attended = add(g, projected(reshape(g, heads, {Dim::n(), 6, 8}), 8, 8, 46), x);
  const ValueId hidden = projected(spelled_layer_norm(g, attended, 8), 8, 16, 48);
  const ValueId erf = unary(g, UnaryKind::kErf, binary(g, BinaryKind::kDiv, hidden, scalar(g, 1.41421354F)));
  const ValueId gelu = mul(g, mul(g, hidden, add(g, erf, scalar(g, 1))), scalar(g, 0.5F));
  g.set_outputs({add(g, attended, projected(gelu, 16, 8, 50))});
  return g;
}

// Depthwise conv, then norm and perceptron over channels last, layer scale, shortcut.
Graph channels_last_block() {
  Graph g;
  const ValueId x = input(g, {Dim::n(), 4, 5, 5});
  ValueId y = transpose(g, conv(g, x, 4, 4, 1, true, 4), {0, 2, 3, 1});
  y = g.add(OpType::kLayerNorm, "norm", {y, constant(g, {4}), constant(g, {4})}, ir::NormAttrs{1e-6F, 3, 1});
  y = linear(g, unary(g, UnaryKind::kGelu, linear(g, y, 4, 8, "up")), 8, 4, "down");
  y = mul(g, constant(g, {4, 1, 1}), transpose(g, y, {0, 3, 1, 2}));
  g.set_outputs({add(g, y, x)});
  return g;
}

Graph run_checked(const Graph& before) {
  Graph after = before;
  run_default(after);
  ir::verify(after, "test");
  expect_same_results(before, after, 1e-4F);
  EXPECT_EQ(before.output_names(), after.output_names());
  Graph again = after;
  run_default(again);
  EXPECT_EQ(to_text(after), to_text(again)) << "a second run changes the graph";
  return after;
}

TEST(Pipeline, FusesAResidualNetwork) {
  const Graph after = run_checked(residual_network());
  EXPECT_EQ(count(after, OpType::kConv), 3U);
  EXPECT_EQ(count(after, OpType::kLinear), 1U);
  EXPECT_EQ(count(after, OpType::kReduce), 1U);
  EXPECT_EQ(after.node_count(), 6U) << to_text(after);
}

TEST(Pipeline, FusesATransformerBlock) {
  const Graph after = run_checked(transformer_block());
  EXPECT_EQ(count(after, OpType::kLayerNorm), 2U);
  EXPECT_EQ(count(after, OpType::kAttention), 1U);
  EXPECT_EQ(count(after, OpType::kLinear), 6U);
  EXPECT_EQ(count(after, OpType::kBinary), 0U);
  EXPECT_EQ(count(after, OpType::kUnary), 0U) << to_text(after);
}

TEST(Pipeline, FoldsTheLayerScaleOfAChannelsLastBlock) {
  const Graph after = run_checked(channels_last_block());
  EXPECT_EQ(count(after, OpType::kBinary), 1U) << to_text(after);  // the shortcut
  EXPECT_EQ(count(after, OpType::kUnary), 0U);
  EXPECT_EQ(count(after, OpType::kTranspose), 2U);
}

TEST(Pipeline, LeavesTheCallersGraphAndItsWeightsAlone) {
  const Graph before = residual_network();
  const std::string text = to_text(before);
  std::vector<Tensor> weights;
  for (ValueId id = 0; id < static_cast<ValueId>(before.value_count()); ++id) {
    if (before.value(id).is_constant()) weights.push_back(before.value(id).constant->clone());
  }
  Graph copy = before;
  run_default(copy);
  EXPECT_EQ(text, to_text(before));
  std::size_t next = 0;
  for (ValueId id = 0; id < static_cast<ValueId>(before.value_count()); ++id) {
    if (!before.value(id).is_constant()) continue;
    const Tensor& kept = weights[next++];
    EXPECT_EQ(std::memcmp(kept.raw(), std::as_const(*before.value(id).constant).raw(), kept.bytes()), 0);
  }
}

TEST(Pipeline, ReportsEachPassThatChangedSomething) {
  Graph g = residual_network();
  std::vector<std::string> names;
  PipelineOptions options;
  options.after_pass = [&](int number, const char* name, const Graph& graph) {
    EXPECT_EQ(number, static_cast<int>(names.size()));
    EXPECT_GT(graph.node_count(), 0U);
    names.emplace_back(name);
  };
  run_default(g, options);
  EXPECT_NE(std::find(names.begin(), names.end(), "fold_batch_norm"), names.end());
  EXPECT_EQ(std::find(names.begin(), names.end(), "form_gelu"), names.end());
}

TEST(Pipeline, TheDefaultListIsTheCanonicalOneThenTheFusingOne) {
  EXPECT_EQ(default_passes().size(), canonical_passes().size() + fusing_passes().size());
  EXPECT_EQ(default_passes().front().run, canonical_passes().front().run);
  EXPECT_EQ(default_passes().back().run, fusing_passes().back().run);
}

TEST(Runner, NamesThePassThatBreaksTheGraph) {
  constexpr Pass kBreaks[] = {{"breaks_shapes", [](Graph& g) {
                                 g.value(g.outputs()[0]).shape = Shape{1, 2, 3};
                                 return true;
                               }}};
  Graph g = residual_network();
  try {
    run(g, kBreaks);
    FAIL() << "a broken graph went through";
  } catch (const std::logic_error& error) {
    EXPECT_NE(std::string(error.what()).find("breaks_shapes"), std::string::npos) << error.what();
  }
}

TEST(Runner, RefusesAListThatNeverSettles) {
  constexpr Pass kRestless[] = {{"restless", [](Graph&) { return true; }}};
  Graph g = residual_network();
  EXPECT_NO_THROW(run(g, kRestless));
  PipelineOptions options;
  options.max_rounds = 5;
  EXPECT_THROW(run(g, kRestless, options), std::logic_error);
}

}  // namespace
}  // namespace xinfer::passes::testing
