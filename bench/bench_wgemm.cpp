// Times the Hopper GEMM (src/cuda/wgemm.cpp) on layer shapes, every variant of each, and checks sampled outputs.
//
//   bench_wgemm [--set resnet50|gemm|small] [--type s8|u8|f16] [--all] [--no-dependent] [--first N]
//   bench_wgemm --compile ...: only compiles the kernels for sm_90a, into the cache folder; needs no GPU
//
// Launches are replayed as one CUDA graph over rotating buffers larger than the L2 cache; figures are medians.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "cuda/conv_geometry.h"
#include "cuda/executor.h"
#include "cuda/half.h"
#include "cuda/implementations.h"
#include "gpu/graph.h"
#include "ir/cost.h"
#include "reference/requantize.h"

namespace {

using namespace xinfer;        // NOLINT: a program, not a header
using namespace xinfer::cuda;  // NOLINT

struct Shape {
  std::int64_t batch, size, channels, outputs, kernel, stride, pad;
  bool residual = false;
  double goal_s8 = 0;  ///< microseconds, where known
  double goal_f16 = 0;
};

const std::map<std::string, std::vector<Shape>>& sets() {
  static const std::map<std::string, std::vector<Shape>> all{
      {"resnet50", {{256, 56, 64, 64, 1, 1, 0, false, 51, 76},    {256, 56, 64, 256, 1, 1, 0, false, 95, 188},
                    {256, 56, 64, 256, 1, 1, 0, true, 163, 0},    {256, 56, 256, 64, 1, 1, 0, false, 89, 174},
                    {256, 56, 64, 64, 3, 1, 1, false, 62, 150},   {256, 56, 256, 128, 1, 1, 0, false, 0, 0},
                    {256, 28, 512, 128, 1, 1, 0, false, 47, 91},  {256, 28, 128, 512, 1, 1, 0, false, 48, 97},
                    {256, 28, 128, 512, 1, 1, 0, true, 84, 0},    {256, 56, 128, 128, 3, 2, 1, false, 50, 120},
                    {256, 28, 128, 128, 3, 1, 1, false, 50, 120}, {256, 56, 256, 512, 1, 2, 0, false, 0, 0},
                    {256, 14, 1024, 256, 1, 1, 0, false, 27, 50}, {256, 14, 256, 1024, 1, 1, 0, false, 26, 59},
                    {256, 14, 256, 1024, 1, 1, 0, true, 44, 0},   {256, 14, 256, 256, 3, 1, 1, false, 41, 109},
                    {256, 7, 2048, 512, 1, 1, 0, false, 21, 41},  {256, 7, 512, 2048, 1, 1, 0, false, 22, 47},
                    {256, 7, 512, 2048, 1, 1, 0, true, 28, 0},    {256, 7, 512, 512, 3, 1, 1, false, 38, 121}}},
      {"gemm",
       {{12608, 1, 768, 3072, 1, 1, 0, false, 53.1, 100.0},
        {12608, 1, 3072, 768, 1, 1, 0, false, 42.6, 82.1},
        {12608, 1, 768, 2304, 1, 1, 0, false, 41.8, 74.5},
        {12608, 1, 768, 768, 1, 1, 0, false, 17.4, 26.3},
        {12288, 1, 1024, 4096, 1, 1, 0, false, 82.5, 163.0}}},
      {"small",
       {{1, 56, 256, 64, 1, 1, 0, false, 3.4, 0},
        {1, 14, 256, 1024, 1, 1, 0, false, 3.7, 0},
        {1, 7, 512, 2048, 1, 1, 0, false, 3.9, 0},
        {1, 56, 64, 64, 3, 1, 1, false, 0, 0},
        {1, 28, 128, 128, 3, 1, 1, false, 0, 0},
        {1, 14, 256, 256, 3, 1, 1, false, 0, 0},
        {1, 7, 512, 512, 3, 1, 1, false, 0, 0},
        {3, 13, 130, 100, 5, 2, 2, true, 0, 0}}},
  };
  return all;
}

struct Options {
  std::string set = "resnet50";
  DataType type = DataType::kInt8;
  bool all = false, dependent = true, compile_only = false;
  std::size_t first = 100;
};

/// A graph of one Conv with ReLU, and what is needed to check it.
struct Layer {
  ir::Graph graph;
  ir::NodeId node = ir::kNone;
  Tensor weights, bias;
  std::vector<float> weight_scales;
};
constexpr float kInputScale = 0.5F, kResidualScale = 0.25F, kOutputScale = 2.0F;

Layer make_layer(const Shape& s, DataType type, std::mt19937& random) {
  Layer layer;
  const bool quantized = type != DataType::kFloat32;
  const auto quantize = [&](ir::ValueId id, DataType as, float scale) {
    if (!quantized) return;
    layer.graph.value(id).dtype = as;
    layer.graph.value(id).quantization = ir::Quantization{{scale}, {}, -1};
  };
  const ir::ValueId x = layer.graph.add_input("x", type, {ir::Dim::n(), s.channels, s.size, s.size});
  quantize(x, type, kInputScale);
  const std::vector<std::int64_t> shape{s.outputs, s.channels, s.kernel, s.kernel};
  layer.weights = Tensor(quantized ? DataType::kInt8 : DataType::kFloat32, shape);
  std::optional<ir::Quantization> quantization;
  if (quantized) {
    std::normal_distribution<float> normal(0.0F, 32.0F);  // as trained weights are; flat ones cost more power
    for (auto& w : layer.weights.data<std::int8_t>()) {
      w = static_cast<std::int8_t>(std::lround(std::clamp(normal(random), -127.0F, 127.0F)));
    }
    const float reach = 0.02F / std::sqrt(static_cast<float>(s.channels * s.kernel * s.kernel));
    for (std::int64_t i = 0; i < s.outputs; ++i) {
      layer.weight_scales.push_back(reach * (1.0F + static_cast<float>(random() % 100) / 100.0F));
    }
    quantization = ir::Quantization{layer.weight_scales, {}, 0};
  } else {
    for (auto& w : layer.weights.data<float>()) w = static_cast<float>(static_cast<int>(random() % 33) - 16) / 64.0F;
  }
  const ir::ValueId w = layer.graph.add_constant("w", layer.weights, quantization);
  layer.bias = Tensor(DataType::kFloat32, {s.outputs});
  for (auto& b : layer.bias.data<float>()) b = static_cast<float>(static_cast<int>(random() % 41) - 20);
  const ir::ValueId b = layer.graph.add_constant("b", layer.bias);
  ir::ConvAttrs attrs;
  attrs.strides = {s.stride, s.stride};
  attrs.pads = {s.pad, s.pad, s.pad, s.pad};
  attrs.epilogue.activation = ir::UnaryKind::kRelu;
  std::vector<ir::ValueId> inputs{x, w, b};
  if (s.residual) {
    const std::int64_t out = (s.size + 2 * s.pad - s.kernel) / s.stride + 1;
    const ir::ValueId r = layer.graph.add_input("r", type, {ir::Dim::n(), s.outputs, out, out});
    quantize(r, type, kResidualScale);
    inputs.push_back(r);
  }
  const ir::ValueId y = layer.graph.add(ir::OpType::kConv, "conv", inputs, attrs);
  quantize(y, type, kOutputScale);
  layer.graph.set_outputs({y});
  layer.node = layer.graph.value(y).producer;
  return layer;
}

double element_value(DataType type, const std::byte* data, std::size_t index) {
  switch (type) {
    case DataType::kInt8:
      return static_cast<double>(reinterpret_cast<const std::int8_t*>(data)[index]);
    case DataType::kUInt8:
      return static_cast<double>(reinterpret_cast<const std::uint8_t*>(data)[index]);
    default: {
      std::uint16_t bits = 0;
      std::memcpy(&bits, data + 2 * index, 2);
      return from_half_bits(bits);
    }
  }
}

/// Random elements; about half of them zero, as after a ReLU.
std::vector<std::byte> random_elements(DataType type, std::size_t count, std::mt19937& random) {
  std::vector<std::byte> bytes(count * (type == DataType::kFloat32 ? 2 : 1));
  std::normal_distribution<float> normal(0.0F, 40.0F);
  std::vector<std::uint8_t> pool(1 << 16);
  for (auto& x : pool) x = static_cast<std::uint8_t>(std::min(127.0F, std::abs(normal(random))));
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t hash = static_cast<std::uint32_t>(i * 2654435761U) ^ static_cast<std::uint32_t>(i >> 9);
    const std::uint32_t value = (hash >> 24 & 1) != 0 ? 0 : pool[hash >> 7 & 0xffff];
    if (type == DataType::kFloat32) {
      const std::uint16_t half = half_bits(static_cast<float>(value & 31) / 16.0F);
      std::memcpy(bytes.data() + 2 * i, &half, 2);
    } else {
      bytes[i] = static_cast<std::byte>(type == DataType::kUInt8 ? 2 * value : value);
    }
  }
  return bytes;
}

/// Sampled outputs against plain loops. Returns how many are wrong.
int wrong_samples(const Layer& layer, const Shape& s, DataType type, const std::vector<std::byte>& x,
                  const std::vector<std::byte>& r, const std::vector<std::byte>& y, std::mt19937& random) {
  const bool quantized = type != DataType::kFloat32;
  reference::LayerScales scales;
  if (quantized) {
    scales.input = kInputScale;
    scales.weights = layer.weight_scales;
    scales.residual = kResidualScale;
    scales.output = kOutputScale;
  }
  scales.bias = layer.bias.data<float>();
  const reference::FoldedScales folded = reference::fold(scales, {ir::UnaryKind::kRelu, 0, 0});
  const std::int64_t out = (s.size + 2 * s.pad - s.kernel) / s.stride + 1;
  const std::int64_t c_pitch = padded(s.channels), o_pitch = padded(s.outputs);
  int wrong = 0;
  for (int sample = 0; sample < 1000; ++sample) {
    // Every fourth at the end of the tensor, where tiles are ragged.
    const std::int64_t rows = s.batch * out * out;
    const std::int64_t m = sample % 4 == 0
                               ? rows - 1 - static_cast<std::int64_t>(random() % std::min<std::int64_t>(rows, 300))
                               : static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(rows));
    const auto o = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(s.outputs));
    const std::int64_t n = m / (out * out), p = m / out % out, q = m % out;
    double sum = 0;
    for (std::int64_t i = 0; i < s.kernel; ++i) {
      for (std::int64_t j = 0; j < s.kernel; ++j) {
        const std::int64_t h = p * s.stride - s.pad + i, w = q * s.stride - s.pad + j;
        if (h < 0 || h >= s.size || w < 0 || w >= s.size) continue;
        for (std::int64_t c = 0; c < s.channels; ++c) {
          const auto at = static_cast<std::size_t>(((n * s.size + h) * s.size + w) * c_pitch + c);
          const auto weight = static_cast<std::size_t>(((o * s.channels + c) * s.kernel + i) * s.kernel + j);
          const double value =
              quantized ? layer.weights.data<std::int8_t>()[weight] : layer.weights.data<float>()[weight];
          sum += element_value(type, x.data(), at) * value;
        }
      }
    }
    const auto at = static_cast<std::size_t>(m * o_pitch + o);
    const auto channel = static_cast<std::size_t>(o);
    const float got = static_cast<float>(element_value(type, y.data(), at));
    if (quantized) {
      const auto acc = static_cast<std::int32_t>(sum);
      const float v =
          s.residual ? reference::finish(folded, acc, channel, static_cast<float>(element_value(type, r.data(), at)))
                     : reference::finish(folded, acc, channel);
      const float expected =
          type == DataType::kInt8 ? reference::round_to<std::int8_t>(v) : reference::round_to<std::uint8_t>(v);
      wrong += expected != got;
    } else {
      double v = sum + layer.bias.data<float>()[channel] + (s.residual ? element_value(type, r.data(), at) : 0.0);
      v = std::max(v, 0.0);
      wrong += !(std::abs(got - v) <= 2e-3 * std::max(1.0, v));
    }
  }
  return wrong;
}

void bench(const Shape& s, const Options& options, DeviceState& state) {
  std::mt19937 random(5);
  const Layer layer = make_layer(s, options.type, random);
  const ir::Node& node = layer.graph.node(layer.node);
  Request request{layer.graph, node, s.batch, state.target(), Element::kF16, std::vector<Format>(node.inputs.size()),
                  ir::kNone};
  const std::vector<Tactic> tactics = wgemm_tactics(request);
  const Element element = request.input_element(0);
  const std::size_t x_bytes = bytes_of(request.input_dims(0), Format::nhwc(element));
  const std::size_t y_bytes = bytes_of(request.output_dims(), Format::nhwc(request.output_element()));
  const std::size_t r_bytes = s.residual ? y_bytes : 0;
  const std::size_t rotations =
      s.batch < 8 ? 4 : std::clamp<std::size_t>(240'000'000 / (x_bytes + y_bytes + r_bytes), 2, 12);
  gpu::Stream stream(state.device());
  const auto x = random_elements(options.type, x_bytes / size_of(element), random);
  const auto r = random_elements(options.type, r_bytes / size_of(element), random);
  std::vector<gpu::DeviceBuffer> xs, ys, rs;
  for (std::size_t i = 0; i < rotations; ++i) {
    xs.emplace_back(state.device(), x_bytes);
    ys.emplace_back(state.device(), y_bytes);
    rs.emplace_back(state.device(), r_bytes);
    gpu::copy_to_device(stream, xs.back().pointer(), x.data(), x_bytes);
    gpu::copy_to_device(stream, rs.back().pointer(), r.data(), r_bytes);
  }
  stream.synchronize();
  double best = 1e9;
  std::string best_name, others;
  int total_wrong = 0;
  for (std::size_t k = 0; k < tactics.size() && k < (options.all ? tactics.size() : 1) && k < options.first; ++k) {
    auto made = create_wgemm_conv(request, tactics[k]);
    if (const auto* refusal = std::get_if<Refusal>(&made)) {
      fmt::print("refused: {}\n", refusal->reason);
      continue;
    }
    const Step& step = *std::get<std::unique_ptr<Step>>(made);
    const auto kernel = state.kernel(step.kernels[0]);
    std::vector<gpu::DevicePointer> residents;
    for (const Resident& resident : step.residents) residents.push_back(state.resident(resident));
    std::vector<gpu::Launch> launches;
    for (std::size_t i = 0; i < rotations; ++i) {
      const std::vector<gpu::DevicePointer> in{xs[i].pointer(), 0, 0, rs[i].pointer()};
      const std::vector<gpu::DevicePointer> out{ys[i].pointer()};
      step.launch({in, out, residents, 0, 0, state.target().sm_count}, launches);
      launches.back().dependent = options.dependent;
      gpu::fill_zero(stream, ys[i].pointer(), y_bytes);
    }
    constexpr std::size_t kLaunches = 12;
    const gpu::Graph graph = gpu::Graph::capture(stream, [&] {
      for (std::size_t i = 0; i < kLaunches; ++i) kernel->launch(stream, launches[i % rotations]);
    });
    std::vector<double> times;
    gpu::Event begin(state.device()), end(state.device());
    for (int repeat = 0; repeat < 9; ++repeat) {
      begin.record(stream);
      graph.launch(stream);
      end.record(stream);
      end.synchronize();
      times.push_back(begin.elapsed_us(end) / kLaunches);
    }
    std::sort(times.begin(), times.end());
    const double time = times[times.size() / 2];
    std::vector<std::byte> y(y_bytes);
    gpu::copy_to_host(stream, y.data(), ys[rotations - 1].pointer(), y_bytes);
    stream.synchronize();
    const int wrong = wrong_samples(layer, s, options.type, x, r, y, random);
    total_wrong += wrong;
    others += fmt::format("   {:<36} {:8.2f} us {} regs{}\n", step.implementation, time, kernel->registers(),
                          wrong != 0 ? fmt::format("  {} WRONG", wrong) : "");
    if (time < best) {
      best = time;
      best_name = step.implementation + (k == 0 ? " (first)" : "");
    }
  }
  const double goal = options.type == DataType::kFloat32 ? s.goal_f16 : s.goal_s8;
  const double bytes = static_cast<double>(x_bytes + y_bytes + r_bytes);
  const double operations = ir::cost_of(request.graph, request.node, request.batch).operations();
  fmt::print("{}x{}x{} {}->{} k{} s{}{}: {:.2f} us, goal {}, {:.2f} TB/s, {:.0f} TOPS, {} wrong; {}\n", s.batch, s.size,
             s.size, s.channels, s.outputs, s.kernel, s.stride, s.residual ? " +r" : "", best, goal, bytes / best / 1e6,
             operations / best / 1e6, total_wrong, best_name);
  if (options.all) fmt::print("{}", others);
  std::fflush(stdout);
}

void compile_kernels(const Options& options) {
  std::vector<gpu::KernelSource> sources;
  std::mt19937 random(5);
  for (const Shape& shape : sets().at(options.set)) {
    const Layer layer = make_layer(shape, options.type, random);
    const ir::Node& node = layer.graph.node(layer.node);
    const Request request{layer.graph,   node,
                          shape.batch,   {{90, true}, 132, 227 * 1024},
                          Element::kF16, std::vector<Format>(node.inputs.size()),
                          ir::kNone};
    fmt::print("{}x{}x{} {}->{} k{} s{}{}:", shape.batch, shape.size, shape.size, shape.channels, shape.outputs,
               shape.kernel, shape.stride, shape.residual ? " +r" : "");
    for (const Tactic& tactic : wgemm_tactics(request)) {
      auto made = create_wgemm_conv(request, tactic);
      if (const auto* refusal = std::get_if<Refusal>(&made)) fmt::print("refused: {}\n", refusal->reason);
      if (auto* step = std::get_if<std::unique_ptr<Step>>(&made)) sources.push_back((*step)->kernels[0]);
      if (auto* step = std::get_if<std::unique_ptr<Step>>(&made)) fmt::print(" | {}", (*step)->implementation);
    }
    fmt::print("\n");
  }
  gpu::Compiler compiler;
  compiler.get_all(sources, {90, true});
  fmt::print("{} kernels compiled\n", compiler.compiled());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    const auto next = [&] { return std::string(i + 1 < argc ? argv[++i] : ""); };
    if (arg == "--set")
      options.set = next();
    else if (arg == "--all")
      options.all = true;
    else if (arg == "--compile")
      options.compile_only = true;
    else if (arg == "--no-dependent")
      options.dependent = false;
    else if (arg == "--first")
      options.first = static_cast<std::size_t>(std::stoul(next()));
    else if (arg == "--type") {
      const std::string type = next();
      options.type = type == "f16" ? DataType::kFloat32 : type == "u8" ? DataType::kUInt8 : DataType::kInt8;
    } else {
      fmt::print(stderr, "unknown option {}\n", arg);
      return 2;
    }
  }
  if (!sets().contains(options.set)) {
    fmt::print(stderr, "no such set: {}\n", options.set);
    return 2;
  }
  try {
    if (options.compile_only) {
      compile_kernels(options);
      return 0;
    }
    DeviceState state(gpu::Device::open(), std::make_shared<gpu::Compiler>());
    for (const Shape& shape : sets().at(options.set)) bench(shape, options, state);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_wgemm: {}\n", error.what());
    return 1;
  }
  return 0;
}
