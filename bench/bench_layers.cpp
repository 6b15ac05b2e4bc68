// Times single layers other than matrix products on the GPU: first layers, depthwise convolutions, pools, reductions.
//
//   bench_layers [stem|depthwise|pool|reduce|resize] [--all]
//
// Each runs before a global average, every variant with --all. In half precision a first layer's time includes the
// conversion of the f32 image. "of copy" compares the bytes that it has
// to move with those that a device-to-device copy moves in the same time.
#include <fmt/format.h>

#include <cstring>
#include <string>
#include <vector>

#include "cuda/executor.h"
#include "cuda/implementations.h"

namespace {

using namespace xinfer;        // NOLINT: a program, not a header
using namespace xinfer::cuda;  // NOLINT

struct Layer {
  std::string set, name;
  ir::OpType op;
  std::int64_t batch, channels, size, outputs, kernel, stride, pad;
  DataType type = DataType::kInt8;
};

std::vector<Layer> layers() {
  using enum ir::OpType;
  const auto f32 = DataType::kFloat32;
  std::vector<Layer> all{
      {"stem", "7x7/2 3->64", kConv, 256, 3, 224, 64, 7, 2, 3},
      {"stem", "7x7/2 3->64", kConv, 256, 3, 224, 64, 7, 2, 3, f32},
      {"stem", "3x3/2 3->32", kConv, 256, 3, 224, 32, 3, 2, 1},
      {"stem", "3x3/2 3->32", kConv, 256, 3, 224, 32, 3, 2, 1, f32},
      {"stem", "4x4/4 3->96", kConv, 256, 3, 224, 96, 4, 4, 0},
      {"stem", "7x7/2 3->64", kConv, 1, 3, 224, 64, 7, 2, 3},
      {"pool", "max 3x3/2", kMaxPool, 256, 64, 112, 64, 3, 2, 1},
      {"pool", "max 3x3/2", kMaxPool, 256, 64, 112, 64, 3, 2, 1, f32},
      {"pool", "max 5x5/1", kMaxPool, 32, 256, 20, 256, 5, 1, 2},
      {"pool", "average 2x2/2", kAveragePool, 256, 128, 56, 128, 2, 2, 0},
      {"pool", "average 3x3/1", kAveragePool, 256, 192, 35, 192, 3, 1, 1},
      {"resize", "nearest x2", kResize, 32, 256, 40, 256, 0, 2, 0},
      {"reduce", "mean 7x7", kReduce, 256, 2048, 7, 2048, 0, 0, 0},
      {"reduce", "mean 7x7", kReduce, 256, 2048, 7, 2048, 0, 0, 0, f32},
      {"reduce", "mean 56x56", kReduce, 1, 96, 56, 96, 0, 0, 0},
  };
  struct Depthwise {
    std::int64_t channels, size, kernel, stride;
  };
  for (const auto& [channels, size, kernel, stride] : {Depthwise{32, 112, 3, 1},
                                                       {96, 112, 3, 2},
                                                       {144, 56, 3, 1},
                                                       {144, 56, 3, 2},
                                                       {192, 28, 3, 1},
                                                       {192, 28, 3, 2},
                                                       {384, 14, 3, 1},
                                                       {576, 14, 3, 1},
                                                       {576, 14, 3, 2},
                                                       {960, 7, 3, 1},
                                                       {144, 56, 5, 2},
                                                       {240, 28, 5, 1},
                                                       {672, 14, 5, 1},
                                                       {96, 56, 7, 1}}) {
    all.push_back({"depthwise", fmt::format("{0}x{0}/{1}", kernel, stride), kConv, 256, channels, size, channels,
                   kernel, stride, kernel / 2});
  }
  all.push_back({"depthwise", "3x3/1", kConv, 256, 144, 56, 144, 3, 1, 1, f32});
  all.push_back({"depthwise", "3x3/1", kConv, 256, 384, 14, 384, 3, 1, 1, f32});
  return all;
}

void quantize(ir::Graph& g, ir::ValueId id, DataType type, float scale) {
  g.value(id).dtype = type;
  g.value(id).quantization = ir::Quantization{{scale}, {}, -1};
}

ir::Graph graph_of(const Layer& l) {
  ir::Graph g;
  const bool bytes = l.type != DataType::kFloat32;
  ir::ValueId x = g.add_input("x", DataType::kFloat32, {ir::Dim::n(), l.channels, l.size, l.size});
  if (bytes) {
    x = g.add(ir::OpType::kQuantize, "q", {x});
    quantize(g, x, l.type, 1.0F / 32);
  }
  if (l.set != "stem") {  // something that leaves the channels innermost
    x = g.add(ir::OpType::kMaxPool, "before", {x}, ir::PoolAttrs{{1, 1}, {}, {}, {}, false, false});
    if (bytes) quantize(g, x, l.type, 1.0F / 32);
  }
  ir::ValueId y = x;
  const std::vector<std::int64_t> kernel(2, l.kernel), stride(2, l.stride), pads(4, l.pad);
  if (l.op == ir::OpType::kConv) {
    const std::int64_t groups = l.outputs == l.channels ? l.channels : 1;
    Tensor w(bytes ? DataType::kInt8 : DataType::kFloat32, {l.outputs, l.channels / groups, l.kernel, l.kernel});
    if (bytes) {
      std::int8_t next = 3;
      for (auto& value : w.data<std::int8_t>()) value = next = static_cast<std::int8_t>(next * 37 + 11);
    }
    std::optional<ir::Quantization> scales;
    if (bytes) scales = ir::Quantization{{1.0F / 256}, {}, -1};
    ir::ConvAttrs attrs{stride, {}, pads, {}, groups, {}};
    attrs.epilogue.activation = ir::UnaryKind::kRelu;
    y = g.add(l.op, "layer", {x, g.add_constant("w", w, scales)}, attrs);
    if (bytes) quantize(g, y, DataType::kUInt8, 0.25F);
  } else if (l.op == ir::OpType::kReduce) {
    y = g.add(l.op, "layer", {x}, ir::ReduceAttrs{ir::ReduceKind::kMean, {2, 3}, true});
    if (bytes) quantize(g, y, l.type, 1.0F / 32);
    g.set_outputs({y});
    return g;
  } else if (l.op == ir::OpType::kResize) {
    ir::ResizeAttrs attrs;
    attrs.sizes = {l.size * l.stride, l.size * l.stride};
    y = g.add(l.op, "layer", {x}, attrs);
    if (bytes) quantize(g, y, l.type, 1.0F / 32);
  } else {
    y = g.add(l.op, "layer", {x}, ir::PoolAttrs{kernel, stride, {}, pads, false, false});
    if (bytes) quantize(g, y, l.type, 1.0F / 32);
  }
  g.set_outputs({g.add(ir::OpType::kReduce, "mean", {y}, ir::ReduceAttrs{ir::ReduceKind::kMean, {2, 3}, true})});
  return g;
}

/// Bytes that a copy moves in a microsecond, both ways counted.
double copy_speed(const std::shared_ptr<DeviceState>& state) {
  ir::Graph g;
  const auto x = g.add_input("x", DataType::kFloat32, {ir::Dim::n(), 1 << 20});
  const auto y = g.add(ir::OpType::kUnary, "copy", {x}, ir::UnaryAttrs{ir::UnaryKind::kRelu, 0, 0});
  g.set_outputs({g.add(ir::OpType::kUnary, "again", {y}, ir::UnaryAttrs{ir::UnaryKind::kRelu, 0, 0})});
  CompileOptions options;
  options.target = state->target();
  options.real = Element::kF32;
  const auto program = compile(std::make_shared<const ir::Graph>(g), 64, options);
  Context context(std::make_shared<const LoadedProgram>(program, state));
  return 2.0 * 64 * 4 * (1 << 20) / context.profile().at(0);
}

void bench(const Layer& l, bool all, double copy, const std::shared_ptr<DeviceState>& state) {
  const auto graph = std::make_shared<const ir::Graph>(graph_of(l));
  std::vector<std::optional<Choice>> choices{std::nullopt};
  bool first = true;
  for (std::size_t c = 0; c < choices.size(); ++c) {
    CompileOptions options;
    options.target = state->target();
    options.chooser = [&](const Request& request) -> std::optional<Choice> {
      if (request.node.name != "layer") return std::nullopt;
      if (all && first) {
        first = false;
        for (const Implementation& implementation : implementations_of(l.op)) {
          if (implementation.tactics == nullptr || implementation.name.starts_with("igemm")) continue;
          if (implementation.name.starts_with("wgemm")) continue;
          for (const Tactic& tactic : implementation.tactics(request)) {
            if (std::holds_alternative<Refusal>(implementation.create(request, tactic))) continue;
            choices.push_back(Choice{std::string(implementation.name), tactic});
          }
        }
      }
      return choices[c];
    };
    const auto program = compile(graph, l.batch, options);
    Context context(std::make_shared<const LoadedProgram>(program, state));
    const auto times = context.profile();
    for (std::size_t i = 0; i < times.size(); ++i) {
      const StepInfo& info = program->infos[i];
      if (info.node == "mean" || info.node == "before" || (info.node == "q" && c > 0)) continue;
      if (info.node == "q" && l.set != "stem") continue;
      fmt::print("{:10} {:14} {:4} {:>4}x{:<4} b{:<4} {:8} {:24} {:8.1f} us  {:7.1f} MB  {:3.0f} % of copy\n", l.set,
                 l.name, l.type == DataType::kFloat32 ? "f16" : "s8", l.channels, l.size, l.batch, info.node,
                 info.implementation, times[i], info.bytes / 1e6, 100 * info.bytes / times[i] / copy);
    }
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string only;
  bool all = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--all") == 0) {
      all = true;
    } else {
      only = argv[i];
    }
  }
  try {
    const auto state = std::make_shared<DeviceState>(gpu::Device::open(), std::make_shared<gpu::Compiler>());
    const double copy = copy_speed(state);
    fmt::print("an elementwise f32 copy: {:.2f} TB/s\n", copy / 1e6);
    for (const Layer& layer : layers()) {
      if (only.empty() || layer.set == only) bench(layer, all, copy, state);
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_layers: {}\n", error.what());
    return 1;
  }
  return 0;
}
