// Times of whole networks, measured on the GPU.
#include "cuda/measure.h"

#include <gtest/gtest.h>

#include "cuda/layers.h"

namespace xinfer::cuda::testing {
namespace {

TEST(MeasuredNetworks, HaveATimeAndOneOfEachNode) {
  if (gpu::device_count() == 0) GTEST_SKIP() << gpu::why_no_device();
  const auto state = std::make_shared<DeviceState>(gpu::Device::open(), std::make_shared<gpu::Compiler>());
  CompileOptions options;
  options.target = state->target();
  ConvCase c;
  c.in = {64, 14, 14};
  c.outputs = 64;
  c.kernel = {3, 3};
  c.attrs.pads = {1, 1, 1, 1};
  const auto graph = std::make_shared<const ir::Graph>(conv_graph(c));
  TimingCache timings("");
  const NetworkTimes first = measure_tuned(graph, 8, options, state, &timings);
  EXPECT_GT(first.total_us, 0);
  ASSERT_EQ(first.node_us.size(), graph->order().size());
  for (const auto& [node, us] : first.node_us) EXPECT_GT(us, 0) << node;
  int rounds = 0;
  const NetworkTimes again = measure_tuned(graph, 8, options, state, &timings, [&] { ++rounds; });
  EXPECT_EQ(rounds, 0) << "the cache knows the layers";
  EXPECT_GT(again.total_us, 0);
}

}  // namespace
}  // namespace xinfer::cuda::testing
