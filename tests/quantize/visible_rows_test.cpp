#include "quantize/visible_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graphs.h"

namespace xinfer::quantize {
namespace {

using namespace testing;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Lt;
using ::testing::SizeIs;

constexpr std::int64_t kTokens = 12;

// Attention of six tokens' width with an additive mask, an input of `mask_shape`.
Net masked_net(const ir::Shape& mask_shape) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 1, kTokens, 6});
  const auto mask = net.input("mask", mask_shape);
  const auto y = net.graph.add(ir::OpType::kAttention, "attention",
                               {net.linear("q", x, 6), net.linear("k", x, 6), net.linear("v", x, 6), mask},
                               ir::AttentionAttrs{0.5F, false});
  net.done({net.linear("o", y, 6)});
  return net;
}

// Samples whose first 3, 4, 5, ... tokens are visible.
std::vector<Sample> samples_of(const ir::Graph& graph, std::size_t count, float hidden) {
  std::vector<Sample> samples;
  for (std::size_t s = 0; s < count; ++s) {
    samples.push_back({random_batch(graph, 1, static_cast<std::uint32_t>(s)), ""});
    const auto mask = samples.back().inputs[1].data<float>();
    for (std::size_t t = 0; t < mask.size(); ++t) mask[t] = t % kTokens < 3 + s ? 0.0F : hidden;
  }
  return samples;
}

TEST(VisibleRows, LeaveOutWhatTheMaskHides) {
  const Net net = masked_net({ir::Dim::n(), 1, 1, kTokens});
  const SampleRunner runner(std::make_shared<ir::Graph>(net.graph), 2);
  const VisibleRows rows(runner, samples_of(net.graph, 4, -10000));
  EXPECT_THAT(rows.pick(0, kTokens, 100), ElementsAre(0, 1, 2));
  EXPECT_THAT(rows.pick(3, kTokens, 100), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(rows.pick(3, kTokens, 2), SizeIs(2));
  EXPECT_THAT(rows.pick(3, kTokens, 2), Each(Lt(6)));
  EXPECT_THAT(rows.pick(0, 5, 5), ElementsAre(0, 1, 2, 3, 4)) << "no tokens: another number of positions";
}

TEST(VisibleRows, AreAllWhereNothingIsHidden) {
  const Net mild = masked_net({ir::Dim::n(), 1, 1, kTokens});
  const SampleRunner runner(std::make_shared<ir::Graph>(mild.graph), 1);
  EXPECT_THAT(VisibleRows(runner, samples_of(mild.graph, 1, -3)).pick(0, kTokens, 100), SizeIs(kTokens));
  const Net by_query = masked_net({ir::Dim::n(), 1, kTokens, kTokens});  // e.g. causal
  const SampleRunner other(std::make_shared<ir::Graph>(by_query.graph), 1);
  EXPECT_THAT(VisibleRows(other, samples_of(by_query.graph, 1, -10000)).pick(0, kTokens, 100), SizeIs(kTokens));
  Net none;
  none.done({none.linear("fc", none.input("x", {ir::Dim::n(), kTokens, 6}), 4)});
  const SampleRunner plain(std::make_shared<ir::Graph>(none.graph), 1);
  const std::vector<Sample> samples{{random_batch(none.graph, 1, 1), ""}};
  EXPECT_THAT(VisibleRows(plain, samples).pick(0, kTokens, 100), SizeIs(kTokens));
}

}  // namespace
}  // namespace xinfer::quantize
