#include <gtest/gtest.h>

#include "graphs.h"
#include "quantize/metrics.h"

namespace xinfer::quantize {
namespace {

using namespace testing;

TEST(CpuRunner, CalibratesToTheRangesOfTheReference) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 3, 12, 12});
  const auto a = net.conv("a", x, 8, 3, ir::UnaryKind::kRelu);
  const auto b = net.conv("b", a, 8, 3, ir::UnaryKind::kRelu, 1, a);
  net.done({net.linear("fc", net.reshape("flat", net.mean("mean", b), {ir::Dim::n(), 8}), 4)});
  const auto graph = std::make_shared<const ir::Graph>(net.graph);
  const std::vector<Tensor> batch = random_batch(*graph, 6, 1);
  Calibrator on_cpu(*graph, cpu_runner(graph, 1));
  on_cpu.add(batch);
  Calibrator on_reference(*graph, reference_runner(*graph));
  on_reference.add(batch);
  const CalibrationTable actual = on_cpu.finish().table;
  const CalibrationTable expected = on_reference.finish().table;
  ASSERT_EQ(actual.tensors.size(), expected.tensors.size());
  for (const auto& [name, ranges] : expected.tensors) {
    ASSERT_TRUE(actual.tensors.contains(name)) << name;
    EXPECT_EQ(actual.tensors.at(name).count, ranges.count) << name;
    EXPECT_NEAR(actual.tensors.at(name).max, ranges.max, 1e-4F * ranges.max) << name;
  }
}

TEST(CpuRunner, GivesTheSameTableForAnyBatching) {
  Net net;
  const auto x = net.input("x", {ir::Dim::n(), 3, 12, 12});
  net.done({net.conv("b", net.conv("a", x, 8, 3, ir::UnaryKind::kRelu), 8)});
  const auto graph = std::make_shared<const ir::Graph>(net.graph);
  const std::vector<Tensor> batch = random_batch(*graph, 6, 1);
  Calibrator whole(*graph, cpu_runner(graph));
  whole.add(batch);
  Calibrator pieces(*graph, cpu_runner(graph));
  for (const auto& [begin, end] : {std::pair(4, 6), std::pair(0, 3), std::pair(3, 4)}) {
    pieces.add(std::vector<Tensor>{batch[0].rows(begin, end)});
  }
  EXPECT_EQ(to_text(pieces.finish().table), to_text(whole.finish().table));
}

}  // namespace
}  // namespace xinfer::quantize
