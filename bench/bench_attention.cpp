// Times attention, layer normalisation and softmax on the GPU at hand, on shapes of transformers.
//
//   bench_attention [attention|layer_norm|softmax]
//
// Each operator is replayed in one CUDA graph over rotating buffers larger than the L2 cache; figures are medians.
#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "cuda/executor.h"
#include "cuda/half.h"
#include "cuda/implementations.h"
#include "gpu/graph.h"
#include "ir/cost.h"

namespace {

using namespace xinfer;        // NOLINT: a program, not a header
using namespace xinfer::cuda;  // NOLINT

struct Case {
  std::string name;
  ir::OpType op;
  std::int64_t batch;
  std::vector<ir::Shape> inputs;  ///< activations
  ir::Attributes attrs;
  std::vector<std::int64_t> parameters = {};  ///< sizes of constants that follow
  bool quantized = false;                     ///< with a Quantize behind it
  Order order = Order::kRows;                 ///< of rank 4 inputs
};

std::vector<Case> cases() {
  using ir::Dim;
  const auto attention = [](const std::string& name, std::int64_t batch, std::int64_t heads, std::int64_t queries,
                            std::int64_t depth, bool causal = false, std::vector<ir::Shape> mask = {}) {
    const ir::Shape heads_shape{Dim::n(), heads, queries, depth};
    std::vector<ir::Shape> shapes{heads_shape, heads_shape, heads_shape};
    shapes.insert(shapes.end(), mask.begin(), mask.end());
    return Case{name,  ir::OpType::kAttention, batch, shapes, ir::AttentionAttrs{0.125F, causal}, {},
                false, Order::kHeadsSwapped};
  };
  const auto rows = [](const std::string& name, ir::OpType op, std::int64_t n, std::int64_t columns, bool quantized) {
    const bool norm = op == ir::OpType::kLayerNorm;
    return Case{name,
                op,
                n,
                {{Dim::n(), columns}},
                norm ? ir::Attributes(ir::NormAttrs{1e-5F, -1, 1}) : ir::Attributes(ir::SoftmaxAttrs{-1, false}),
                norm ? std::vector<std::int64_t>{columns, columns} : std::vector<std::int64_t>{},
                quantized,
                Order::kRows};
  };
  return {attention("ViT-B/16, batch 256", 256, 12, 197, 64),
          attention("ViT-B/16, batch 1", 1, 12, 197, 64),
          attention("BERT, batch 32", 32, 12, 384, 64),
          attention("BERT with a mask, batch 32", 32, 12, 384, 64, false, {{Dim::n(), 1, 1, 384}}),
          attention("BERT, batch 1", 1, 12, 384, 64),
          attention("long", 2, 16, 4096, 64),
          attention("long, causal", 2, 16, 4096, 64, true),
          attention("long, wide heads", 2, 16, 4096, 128),
          attention("Swin windows", 4096, 3, 49, 32, false, {{1, 3, 49, 49}}),
          rows("ViT-B/16, batch 256", ir::OpType::kLayerNorm, 256 * 197, 768, false),
          rows("ViT-B/16, batch 256, to s8", ir::OpType::kLayerNorm, 256 * 197, 768, true),
          rows("ViT-L/16, batch 128, to s8", ir::OpType::kLayerNorm, 128 * 197, 1024, true),
          rows("ConvNeXt, batch 256, to s8", ir::OpType::kLayerNorm, 256 * 3136, 96, true),
          rows("wide", ir::OpType::kLayerNorm, 16384, 4096, false),
          rows("scores", ir::OpType::kSoftmax, 256 * 12 * 197, 197, false),
          rows("wide", ir::OpType::kSoftmax, 16384, 4096, false)};
}

void bench(const Case& c, DeviceState& state) {
  std::mt19937 random(5);
  ir::Graph graph;
  std::vector<ir::ValueId> inputs;
  std::vector<Format> formats;
  for (const ir::Shape& shape : c.inputs) {
    inputs.push_back(graph.add_input("x", DataType::kFloat32, shape));
    const bool swapped = c.order == Order::kHeadsSwapped && inputs.size() <= 3;
    formats.push_back(swapped ? Format::swapped(Element::kF16) : Format::padded_rows(Element::kF16));
  }
  for (const std::int64_t size : c.parameters) {
    Tensor values(DataType::kFloat32, {size});
    for (float& x : values.data<float>()) x = static_cast<float>(random() % 17) / 8.0F;
    inputs.push_back(graph.add_constant("p", std::move(values)));
    formats.push_back(Format::rows(Element::kF16));
  }
  ir::ValueId y = graph.add(c.op, "node", inputs, c.attrs);
  const ir::NodeId node = graph.value(y).producer;
  if (c.quantized) {
    y = graph.add(ir::OpType::kQuantize, "q", {y});
    graph.value(y).dtype = DataType::kInt8;
    graph.value(y).quantization = ir::Quantization{{0.03F}, {}, -1};
  }
  if (c.op == ir::OpType::kAttention) y = graph.add(ir::OpType::kTranspose, "t", {y}, ir::TransposeAttrs{{0, 2, 1, 3}});
  graph.set_outputs({y});

  Request request{graph, graph.node(node), c.batch, state.target(), Element::kF16, formats, ir::kNone};
  if (c.quantized)
    request.output_override = graph.node(graph.value(graph.node(node).outputs[0]).consumers[0]).outputs[0];
  Creation made = implementations_of(c.op).front().create(request, {});
  if (const auto* refusal = std::get_if<Refusal>(&made)) {
    fmt::print("{}: refused: {}\n", c.name, refusal->reason);
    return;
  }
  const Step& step = *std::get<std::unique_ptr<Step>>(made);
  const auto kernel = state.kernel(step.kernels[0]);
  std::vector<gpu::DevicePointer> residents;
  for (const Resident& resident : step.residents) residents.push_back(state.resident(resident));

  gpu::Stream stream(state.device());
  std::size_t bytes = bytes_of(request.output_dims(), step.outputs[0]);
  for (std::size_t i = 0; i < c.inputs.size(); ++i) bytes += bytes_of(request.input_dims(i), *step.inputs[i]);
  const std::size_t rotations = std::clamp<std::size_t>(240'000'000 / bytes, 2, 12);
  std::vector<gpu::DeviceBuffer> buffers;
  std::vector<gpu::Launch> launches;
  for (std::size_t r = 0; r < rotations; ++r) {
    std::vector<gpu::DevicePointer> in(inputs.size(), 0);
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
      const std::size_t size = bytes_of(request.input_dims(i), *step.inputs[i]);
      std::vector<std::uint16_t> values(size / 2);
      for (auto& x : values) x = half_bits(static_cast<float>(static_cast<int>(random() % 33) - 16) / 8.0F);
      buffers.emplace_back(state.device(), size);
      gpu::copy_to_device(stream, buffers.back().pointer(), values.data(), values.size() * 2);
      stream.synchronize();
      in[i] = buffers.back().pointer();
    }
    buffers.emplace_back(state.device(), bytes_of(request.output_dims(), step.outputs[0]));
    const std::vector<gpu::DevicePointer> out{buffers.back().pointer()};
    step.launch({in, out, residents, 0, 0, state.target().sm_count}, launches);
  }
  constexpr std::size_t kLaunches = 12;
  const gpu::Graph captured = gpu::Graph::capture(stream, [&] {
    for (std::size_t i = 0; i < kLaunches; ++i) kernel->launch(stream, launches[i % launches.size()]);
  });
  std::vector<double> times;
  gpu::Event begin(state.device()), end(state.device());
  for (int repeat = 0; repeat < 11; ++repeat) {
    begin.record(stream);
    captured.launch(stream);
    end.record(stream);
    end.synchronize();
    times.push_back(begin.elapsed_us(end) / kLaunches);
  }
  std::sort(times.begin(), times.end());
  const double time = times[times.size() / 2];
  fmt::print("{:<12} {:<28} {:<20} {:9.2f} us {:6.2f} TB/s {:6.1f} TFLOP/s {} registers\n", name_of(c.op), c.name,
             step.implementation, time, static_cast<double>(bytes) / time / 1e6,
             ir::cost_of(request.graph, request.node, request.batch).operations() / time / 1e6, kernel->registers());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string only = argc > 1 ? argv[1] : "";
  try {
    DeviceState state(gpu::Device::open(), std::make_shared<gpu::Compiler>());
    for (const Case& c : cases()) {
      const bool wanted = only.empty() || (only == "attention" && c.op == ir::OpType::kAttention) ||
                          (only == "layer_norm" && c.op == ir::OpType::kLayerNorm) ||
                          (only == "softmax" && c.op == ir::OpType::kSoftmax);
      if (wanted) bench(c, state);
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_attention: {}\n", error.what());
    return 1;
  }
  return 0;
}
