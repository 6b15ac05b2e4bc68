#include "gpu/self_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "gpu/graph.h"
#include "gpu/module.h"

namespace xinfer::gpu {

std::string self_test(const DevicePtr& device, Compiler& compiler) {
  constexpr std::int32_t kCount = 2048;
  constexpr std::uint32_t kThreads = 256;
  constexpr float kMultiplier = 0.25F;  // of four results one is a tie
  constexpr float kBias = 0.5F;
  std::vector<std::int32_t> acc(kCount);
  std::vector<std::int8_t> expected(kCount);
  for (std::int32_t i = 0; i < kCount; ++i) {
    acc[i] = i - kCount / 2;
    const float y = std::fma(static_cast<float>(acc[i]), kMultiplier, kBias);
    expected[i] = static_cast<std::int8_t>(std::clamp(std::nearbyint(y), -128.0F, 127.0F));
  }

  const KernelSource source{.file = "selftest.cu", .entry = "selftest"};
  const auto kernel = load(device, compiler.get(source, device->arch()), source.entry);
  Stream stream(device);
  const DeviceBuffer input(device, acc.size() * sizeof(acc[0]));
  const DeviceBuffer output(device, expected.size());
  copy_to_device(stream, input.pointer(), acc.data(), input.bytes());

  Launch launch{.grid = {kCount / kThreads}, .block = {kThreads}, .dependent = true};
  launch.args.add(input.pointer()).add(output.pointer()).add(kCount).add(kMultiplier).add(kBias);
  const auto run = [&](const char* how, const auto& enqueue) {
    std::vector<std::int8_t> actual(kCount);
    fill_zero(stream, output.pointer(), output.bytes());
    enqueue();
    copy_to_host(stream, actual.data(), output.pointer(), output.bytes());
    stream.synchronize();
    const auto [e, a] = std::ranges::mismatch(expected, actual);
    if (e == expected.end()) return std::string();
    return fmt::format("{}: an accumulator of {} gave {} instead of {}", how, acc[e - expected.begin()], *a, *e);
  };
  std::string wrong = run("launched", [&] { kernel->launch(stream, launch); });
  if (!wrong.empty()) return wrong;
  const Graph graph = Graph::capture(stream, [&] {
    kernel->launch(stream, launch);
    kernel->launch(stream, launch);
  });
  return run("launched from a graph", [&] { graph.launch(stream); });
}

}  // namespace xinfer::gpu
