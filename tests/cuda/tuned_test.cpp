// Choices that outlive a build: the timing cache, and an engine's stored choices.
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "cuda/layers.h"
#include "cuda/timing_cache.h"
#include "cuda/tuned.h"
#include "support/temp_dir.h"

namespace xinfer::cuda::testing {
namespace {

using testing_support::TempDir;

TEST(TimingCacheFile, KeepsWhatWasAdded) {
  const TempDir dir;
  TimingCache first(dir / "timings.txt");
  EXPECT_FALSE(first.find("a").has_value());
  first.add("a", {{"igemm_conv", {{128, 64, 64, 3, 1}}}, 12.5});
  first.add("b", {{"depthwise", {}}, 3.25});
  first.save();
  TimingCache meanwhile(dir / "timings.txt");
  meanwhile.add("c", {{"stem_conv", {{16}}}, 1});
  first.add("d", {{"reduce", {}}, 2});
  meanwhile.save();
  first.save();  // must not lose what the other wrote
  const TimingCache read(dir / "timings.txt");
  ASSERT_TRUE(read.find("a").has_value());
  EXPECT_EQ(read.find("a")->choice.implementation, "igemm_conv");
  EXPECT_EQ(read.find("a")->choice.tactic.values, (std::vector<int>{128, 64, 64, 3, 1}));
  EXPECT_DOUBLE_EQ(read.find("a")->microseconds, 12.5);
  EXPECT_TRUE(read.find("b")->choice.tactic.values.empty());
  EXPECT_TRUE(read.find("c").has_value());
  EXPECT_TRUE(read.find("d").has_value());
}

TEST(TimingCacheFile, DamageCountsAsEmpty) {
  const TempDir dir;
  std::ofstream(dir / "other") << "something else\na igemm_conv 1 2 3\n";
  EXPECT_FALSE(TimingCache(dir / "other").find("a").has_value());
  std::ofstream(dir / "cut") << "xinfer timings 1\na igemm_conv 4.5 128\nb igemm";
  const TimingCache cut(dir / "cut");
  EXPECT_TRUE(cut.find("a").has_value());
  EXPECT_FALSE(cut.find("b").has_value());
  TimingCache unwritable("/dev/null/timings");
  unwritable.add("a", {});
  EXPECT_NO_THROW(unwritable.save());
}

Request request_of(const ir::Graph& graph, std::int64_t batch) {
  const ir::Node& node = graph.node(graph.order().front());
  return {graph,    node, batch, {{90, true}, 132, 227 * 1024}, Element::kF16, std::vector<Format>(node.inputs.size()),
          ir::kNone};
}

TEST(TimingKey, ChangesWithWhatChangesTheTime) {
  const gpu::DeviceInfo device{.name = "A", .major = 9};
  ConvCase c;
  c.in = {32, 8, 8};
  const ir::Graph graph = conv_graph(c);
  const auto key = [&](const ir::Graph& g, std::int64_t batch, const gpu::DeviceInfo& d) {
    return timing_key(request_of(g, batch), {}, d);
  };
  const std::string base = key(graph, 1, device);
  EXPECT_EQ(key(conv_graph(c), 1, device), base);
  EXPECT_NE(key(graph, 2, device), base);
  EXPECT_NE(key(graph, 1, {.name = "B", .major = 9}), base);
  ConvCase wider = c;
  wider.outputs = 48;
  EXPECT_NE(key(conv_graph(wider), 1, device), base);
  ConvCase unsigned_input = c;
  unsigned_input.type = DataType::kUInt8;
  EXPECT_NE(key(conv_graph(unsigned_input), 1, device), base);
  ConvCase seeded = c;
  seeded.seed = 12;  // other weights, the same work
  EXPECT_EQ(key(conv_graph(seeded), 1, device), base);
  const std::vector<Choice> candidates{{"igemm_conv", {{1}}}};
  EXPECT_NE(timing_key(request_of(graph, 1), candidates, device), base);
}

TEST(StoredChoices, TheNearestBatchCounts) {
  ConvCase c;
  c.in = {32, 8, 8};
  const ir::Graph graph = conv_graph(c);
  const std::string node = graph.node(graph.order().front()).name;
  const std::vector<engine::TunedChoice> choices{{"90a", 1, node, "one", {}, 4},
                                                 {"90a", 8, node, "eight", {}, 9},
                                                 {"90a", 32, node, "many", {}, 0},
                                                 {"80", 8, node, "no", {}, 2}};
  const auto chosen = [&](std::int64_t batch) {
    return chooser_of(choices, {90, true}, batch)(request_of(graph, batch))->implementation;
  };
  EXPECT_EQ(chosen(1), "one");
  EXPECT_EQ(chosen(2), "eight");
  EXPECT_EQ(chosen(8), "eight");
  EXPECT_EQ(chosen(9), "many");
  EXPECT_EQ(chosen(100), "many");
  EXPECT_EQ(chooser_of(choices, {75, false}, 8), nullptr);
  EXPECT_EQ(tuned_times(choices, {90, true}, 8), (std::map<std::string, double>{{node, 9}}));
  EXPECT_TRUE(tuned_times(choices, {90, true}, 4).empty()) << "another batch size takes another time";
  EXPECT_TRUE(tuned_times(choices, {90, true}, 32).empty()) << "chosen by rule";
}

TEST(StoredChoices, WildNumbersAreRefused) {
  ConvCase dense;
  dense.in = {64, 9, 9};
  dense.outputs = 64;
  dense.kernel = {3, 3};
  ConvCase depthwise = dense;
  depthwise.attrs.groups = 64;
  ConvCase first = dense;
  first.in = {3, 16, 16};
  const std::vector<int> wild{-1, 0, 1, 2, 3, 4, 7, 16, 32, 64, 128, 256, 1 << 30, std::numeric_limits<int>::min()};
  Random random(5);
  for (const ConvCase& c : {dense, depthwise, first}) {
    const auto graph = std::make_shared<const ir::Graph>(conv_graph(c));
    const std::string node = graph->node(graph->order().front()).name;
    for (const char* name : {"depthwise", "stem_conv", "wgemm_conv", "igemm_conv", "direct_conv", "nothing"}) {
      for (int i = 0; i < 300; ++i) {
        engine::TunedChoice choice{"90a", 1, node, name, {}, 0};
        for (int k = random.integer(0, 8); k > 0; --k) {
          choice.tactic.push_back(wild[static_cast<std::size_t>(random.integer(0, static_cast<int>(wild.size()) - 1))]);
        }
        CompileOptions options;
        options.target = {{90, true}, 132, 227 * 1024};
        options.chooser = chooser_of(std::span(&choice, 1), options.target.arch, 1);
        const auto program = compile(graph, 1, options);
        EXPECT_FALSE(program->infos.front().choice.empty());
        EXPECT_FALSE(program->kernels().empty());
      }
    }
  }
}

}  // namespace
}  // namespace xinfer::cuda::testing
