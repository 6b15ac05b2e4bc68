// Throughput of the CPU kernels at every instruction set of this machine. Run with
// --benchmark_repetitions=20 and take the minimum where the machine is shared.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/float_rows.h"
#include "kernels/layout.h"
#include "kernels/qdwconv.h"
#include "kernels/qelementwise.h"
#include "kernels/qgemm.h"
#include "kernels/qpool.h"

namespace xinfer::kernels {
namespace {

std::vector<std::uint8_t> bytes(std::int64_t n) {
  std::vector<std::uint8_t> data(static_cast<std::size_t>(n));
  std::uint32_t state = 1;
  for (auto& b : data) b = static_cast<std::uint8_t>((state = state * 1664525U + 1013904223U) >> 24);
  return data;
}

void rate(benchmark::State& state, double operations) {
  state.counters["GOPS"] =
      benchmark::Counter(operations * static_cast<double>(state.iterations()) * 1e-9, benchmark::Counter::kIsRate);
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

void convolution(benchmark::State& state, Isa isa, ConvShape s) {
  const std::vector<float> multiplier(static_cast<std::size_t>(s.out_channels), 0.0002F);
  const auto input = bytes(s.batch * s.in_h * s.in_w * s.in_channels);
  const std::int64_t depth = s.in_channels / s.groups * s.kernel_h * s.kernel_w;
  const auto raw = bytes(s.out_channels * depth);
  const ConvWeights weights(reinterpret_cast<const std::int8_t*>(raw.data()), s, DataType::kUInt8, isa);
  const std::int64_t outputs = s.batch * s.out_h() * s.out_w() * s.out_channels;
  std::vector<std::uint8_t> output(static_cast<std::size_t>(outputs));
  RequantParams params;
  params.multiplier = params.bias = multiplier.data();
  params.output_type = DataType::kUInt8;
  params.activation.kind = Activation::kRelu;
  for (auto _ : state) {
    qconv(s, input.data(), weights, params, output.data());
    benchmark::ClobberMemory();
  }
  rate(state, 2.0 * static_cast<double>(outputs * depth));
}

void register_convolution() {
  struct Case {
    std::int64_t size, in, out, kernel, groups;
  };
  for (const Case& c : {Case{28, 128, 128, 3, 1}, Case{14, 256, 1024, 1, 1}, Case{56, 64, 64, 3, 1},
                        Case{56, 128, 128, 3, 32}, Case{1, 1024, 1000, 1, 1}}) {
    ConvShape s;
    s.in_h = s.in_w = c.size;
    s.in_channels = c.in;
    s.out_channels = c.out;
    s.groups = c.groups;
    s.kernel_h = s.kernel_w = c.kernel;
    s.pad_top = s.pad_left = s.pad_bottom = s.pad_right = c.kernel / 2;
    for (Isa isa : available_isas()) {
      const std::string name = "qconv/" + std::to_string(c.size) + "x" + std::to_string(c.size) + "x" +
                               std::to_string(c.in) + "-" + std::to_string(c.out) + "/k" + std::to_string(c.kernel) +
                               "g" + std::to_string(c.groups) + "/" + std::string(name_of(isa));
      benchmark::RegisterBenchmark(name.c_str(), convolution, isa, s)->UseRealTime();
    }
  }
}

/// Times body(isa) and counts `elements` per call (in billions a second, as "GOPS").
template <class Body>
void register_rows(const std::string& name, double elements, const Body& body) {
  for (Isa isa : available_isas()) {
    benchmark::RegisterBenchmark((name + "/" + std::string(name_of(isa))).c_str(), [=](benchmark::State& state) {
      for (auto _ : state) {
        body(isa);
        benchmark::ClobberMemory();
      }
      rate(state, elements);
    })->UseRealTime();
  }
}

void register_elementwise() {
  constexpr std::int64_t kRows = 256;
  constexpr std::int64_t kSize = 768;
  constexpr std::int64_t kCount = kRows * kSize;
  static const std::vector<std::uint8_t> a = bytes(kCount);
  static std::vector<std::uint8_t> out(static_cast<std::size_t>(kCount));
  static std::vector<float> real(static_cast<std::size_t>(kCount));
  static std::vector<float> real_out(static_cast<std::size_t>(kCount));
  dequantize(a.data(), DataType::kInt8, kCount, 0.05F, real.data());
  const RowOutput quantized{DataType::kInt8, 0.03F};
  register_rows("quantize_f32", kCount,
                [](Isa isa) { quantize_f32(real.data(), kCount, 0.03F, DataType::kInt8, out.data(), isa); });
  register_rows("requantize", kCount,
                [](Isa isa) { requantize(a.data(), DataType::kInt8, kCount, 0.7F, DataType::kInt8, out.data(), isa); });
  register_rows("qadd", kCount, [](Isa isa) { qadd(a.data(), a.data(), kCount, {}, out.data(), isa); });
  static const Lut lut = build_lut([](float x) { return x; }, DataType::kInt8, 1.0F, DataType::kInt8, 2.0F);
  register_rows("lut", kCount, [](Isa isa) { apply_lut(a.data(), kCount, lut, out.data(), isa); });
  register_rows("layer_norm_quantize", kCount, [=](Isa isa) {
    layer_norm(real.data(), kRows, kSize, real.data(), real.data(), 1e-5F, out.data(), quantized, isa);
  });
  register_rows("softmax", kCount, [](Isa isa) { softmax(real.data(), kRows, kSize, real_out.data(), {}, isa); });
  register_rows("gelu_quantize", kCount, [=](Isa isa) {
    activate(real.data(), kCount, {.kind = Activation::kGelu}, out.data(), quantized, isa);
  });
  register_rows("exp", kCount, [](Isa isa) { vector_exp(real.data(), kCount, real_out.data(), isa); });
  register_rows("quantize_nchw_to_nhwc/c3", kCount, [](Isa isa) {
    quantize_nchw_to_nhwc(real.data(), 1, 3, kCount / 3, 0.03F, DataType::kUInt8, out.data(), isa);
  });
  register_rows("qglobal_average_pool", kCount,
                [](Isa isa) { qglobal_average_pool(1, kRows, kSize, {}, a.data(), out.data(), isa); });
  for (const std::size_t size : {std::size_t{1}, std::size_t{4}}) {
    benchmark::RegisterBenchmark(("transpose/" + std::to_string(size) + "B").c_str(), [=](benchmark::State& state) {
      for (auto _ : state) {
        transpose(real.data(), 1, kRows, kSize, size, real_out.data());
        benchmark::ClobberMemory();
      }
      rate(state, kCount);
    });
  }
  benchmark::RegisterBenchmark("qmax_pool/112x112x64/k3s2", [](benchmark::State& state) {
    ConvShape s;
    s.in_h = s.in_w = 112;
    s.in_channels = 64;
    s.kernel_h = s.kernel_w = 3;
    s.stride_h = s.stride_w = 2;
    s.pad_top = s.pad_left = s.pad_bottom = s.pad_right = 1;
    const auto input = bytes(112 * 112 * 64);
    std::vector<std::uint8_t> output(56 * 56 * 64);
    for (auto _ : state) {
      qmax_pool(s, DataType::kUInt8, input.data(), output.data());
      benchmark::ClobberMemory();
    }
    rate(state, 56.0 * 56.0 * 64.0 * 9.0);
  });
}

const bool kRegistered = [] {
  register_depthwise();
  register_convolution();
  register_elementwise();
  return true;
}();

}  // namespace
}  // namespace xinfer::kernels
