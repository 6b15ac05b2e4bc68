// Throughput of the CPU kernels at every instruction set of this machine. Run with
// --benchmark_repetitions=20 and take the minimum where the machine is shared.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/qdwconv.h"

namespace xinfer::kernels {
namespace {

std::vector<std::uint8_t> bytes(std::int64_t n) {
  std::vector<std::uint8_t> data(static_cast<std::size_t>(n));
  std::uint32_t state = 1;
  for (auto& b : data) b = static_cast<std::uint8_t>((state = state * 1664525U + 1013904223U) >> 24);
  return data;
}

void rate(benchmark::State& state, double operations) {
  state.counters["GOPS"] = benchmark::Counter(operations * static_cast<double>(state.iterations()) * 1e-9,
                                              benchmark::Counter::kIsRate);
}

void depthwise(benchmark::State& state, Isa isa, ConvShape s, RequantParams params) {
  const std::vector<float> multiplier(static_cast<std::size_t>(s.in_channels), 0.002F);
  const auto input = bytes(s.batch * s.in_h * s.in_w * s.in_channels);
  const auto raw = bytes(s.in_channels * s.kernel_h * s.kernel_w);
  const DwWeights weights(reinterpret_cast<const std::int8_t*>(raw.data()), s, DataType::kUInt8, isa);
  const std::int64_t outputs = s.batch * s.out_h() * s.out_w() * s.in_channels;
  std::vector<std::uint8_t> output(static_cast<std::size_t>(outputs));
  params.multiplier = params.bias = multiplier.data();
  params.output_type = DataType::kUInt8;
  for (auto _ : state) {
    qdwconv(s, input.data(), weights, params, output.data());
    benchmark::ClobberMemory();
  }
  rate(state, 2.0 * static_cast<double>(outputs * s.kernel_h * s.kernel_w));
}

void register_depthwise() {
  struct Case {
    std::int64_t size, channels, kernel, stride;
    Activation activation;
  };
  for (const Case& c : {Case{112, 32, 3, 1, Activation::kRelu}, Case{56, 144, 3, 1, Activation::kRelu},
                        Case{14, 576, 3, 1, Activation::kRelu}, Case{7, 960, 3, 1, Activation::kRelu},
                        Case{112, 96, 3, 2, Activation::kRelu}, Case{56, 144, 3, 2, Activation::kRelu},
                        Case{14, 576, 3, 2, Activation::kRelu}, Case{28, 240, 5, 1, Activation::kRelu},
                        Case{56, 72, 5, 2, Activation::kRelu}, Case{28, 192, 7, 1, Activation::kRelu},
                        Case{56, 144, 3, 1, Activation::kHardSwish}, Case{56, 144, 3, 1, Activation::kSilu}}) {
    ConvShape s;
    s.in_h = s.in_w = c.size;
    s.in_channels = s.out_channels = s.groups = c.channels;
    s.kernel_h = s.kernel_w = c.kernel;
    s.stride_h = s.stride_w = c.stride;
    s.pad_top = s.pad_left = s.pad_bottom = s.pad_right = c.kernel / 2;
    RequantParams params;
    params.activation.kind = c.activation;
    const std::string end = c.activation == Activation::kHardSwish ? "/hardswish"
                            : c.activation == Activation::kSilu    ? "/silu"
                                                                   : "";
    for (Isa isa : available_isas()) {
      const std::string name = "qdwconv/" + std::to_string(c.size) + "x" + std::to_string(c.size) + "x" +
                               std::to_string(c.channels) + "/k" + std::to_string(c.kernel) + "s" +
                               std::to_string(c.stride) + end + "/" + std::string(name_of(isa));
      benchmark::RegisterBenchmark(name.c_str(), depthwise, isa, s, params)->UseRealTime();
    }
  }
}

const bool kRegistered = [] {
  register_depthwise();
  return true;
}();

}  // namespace
}  // namespace xinfer::kernels
