// Runs an engine's graph on the CPU and on the GPU with the same inputs and compares every value of it.
// usage: compare_devices ENGINE [--batch N] [--input NAME=FILE.npy ...] [--layers] [--gpu I] [--json]
//
// Integers follow one contract on both devices, so 8-bit values agree until floats (stored in half precision on the
// GPU) have a part in them; what differs then passes differences on. Fails (exit code 1) where that can't be the
// reason: one of the first 3 8-bit values differs by more than 1 step or in more than 0.1 % of its elements, or an f32
// output has a signal-to-noise ratio below 30 dB.
//
// With --layers each layer (and the Quantize that it is fused with) runs alone on the GPU, from the values that the CPU
// computed before it, so that nothing is passed on: fails where an 8-bit value differs by more than 1 step, or an f32
// value has less than 45 dB.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>

#include "cli/console.h"
#include "cli/npy.h"
#include "comparison.h"
#include "cpu/program.h"
#include "cuda/executor.h"
#include "cuda/tuned.h"
#include "engine/engine_file.h"
#include "ir/extract.h"
#include "xinfer/core/errors.h"

namespace {

using namespace xinfer;
using tools::Comparison;

constexpr std::size_t kJudgedValues = 3;    // 8-bit values that must agree
constexpr double kJudgedShare = 1e-3;       // of their elements may be one step off
constexpr std::size_t kSummaryValues = 10;  // 8-bit values that the summary counts
constexpr double kLeastDecibels = 30;
constexpr double kLeastLayerDecibels = 45;

struct Options {
  std::string engine;
  std::int64_t batch = 1;
  std::vector<std::string> inputs;  ///< "name=file.npy"
  bool layers = false;
  int gpu = 0;
  bool json = false;
};

using Values = std::unordered_map<ir::ValueId, Tensor>;

/// Integers below this are valid for an input: the sizes of axes that it indexes, else 2 (masks).
std::int64_t index_limit(const ir::Graph& graph, ir::ValueId input) {
  std::int64_t limit = std::numeric_limits<std::int64_t>::max();
  for (const ir::NodeId id : graph.value(input).consumers) {
    const ir::Node& node = graph.node(id);
    if (node.op != ir::OpType::kGather || node.inputs[1] != input) continue;
    const auto axis = static_cast<std::size_t>(node.as<ir::AxisAttrs>().axis);
    limit = std::min(limit, graph.value(node.inputs[0]).shape[axis].at(1));
  }
  return limit == std::numeric_limits<std::int64_t>::max() ? 2 : limit;
}

/// Floats from a normal distribution; integers 0, 1, ... up to what the input may hold.
Tensor made_up(const ir::Graph& graph, ir::ValueId id, const std::vector<std::int64_t>& shape, std::mt19937& random) {
  Tensor tensor(graph.value(id).dtype, shape);
  const std::int64_t limit = index_limit(graph, id);
  std::normal_distribution<float> normal;
  const auto count_up = [&](auto values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<std::decay_t<decltype(values[i])>>(static_cast<std::int64_t>(i) % limit);
    }
  };
  switch (tensor.dtype()) {
    case DataType::kFloat32:
      for (float& x : tensor.data<float>()) x = normal(random);
      break;
    case DataType::kInt8:
      for (auto& x : tensor.data<std::int8_t>()) x = static_cast<std::int8_t>(random() % 256);
      break;
    case DataType::kUInt8:
      for (auto& x : tensor.data<std::uint8_t>()) x = static_cast<std::uint8_t>(random() % 256);
      break;
    case DataType::kInt32:
      count_up(tensor.data<std::int32_t>());
      break;
    case DataType::kInt64:
      count_up(tensor.data<std::int64_t>());
      break;
    case DataType::kBool:
      for (bool& x : tensor.data<bool>()) x = random() % 2 != 0;
      break;
  }
  return tensor;
}

std::vector<Tensor> make_inputs(const ir::Graph& graph, const Options& options) {
  std::unordered_map<std::string, std::string> files;
  for (const std::string& text : options.inputs) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) throw Error(fmt::format("--input {}: NAME=FILE.npy is wanted", text));
    files[text.substr(0, equals)] = text.substr(equals + 1);
  }
  std::mt19937 random(1);
  std::vector<Tensor> inputs;
  for (const ir::ValueId id : graph.inputs()) {
    const ir::Value& value = graph.value(id);
    const auto shape = value.shape.at(options.batch);
    const auto file = files.find(value.name);
    if (file == files.end()) {
      inputs.push_back(made_up(graph, id, shape, random));
      continue;
    }
    inputs.push_back(cli::read_npy(file->second));
    if (inputs.back().dtype() != value.dtype || inputs.back().shape() != shape) {
      throw DataError(fmt::format("'{}' holds {} {}, but input '{}' is {} {} at batch {}", file->second,
                                  name_of(inputs.back().dtype()), to_string(inputs.back().shape()), value.name,
                                  name_of(value.dtype), to_string(shape), options.batch));
    }
    files.erase(file);
  }
  if (!files.empty()) throw Error(fmt::format("the network has no input '{}'", files.begin()->first));
  return inputs;
}

std::vector<Tensor> make_outputs(const ir::Graph& graph, std::int64_t batch) {
  std::vector<Tensor> outputs;
  for (const ir::ValueId id : graph.outputs()) {
    outputs.emplace_back(graph.value(id).dtype, graph.value(id).shape.at(batch));
  }
  return outputs;
}

Values run_on_cpu(const std::shared_ptr<const ir::Graph>& graph, std::int64_t batch,
                  const std::vector<Tensor>& inputs) {
  cpu::CompileOptions options;
  options.keep_values = true;
  const auto program = cpu::compile(graph, batch, options);
  const auto context = program->new_context();
  std::vector<Tensor> outputs = make_outputs(*graph, batch);
  Values values;
  const cpu::ValueObserver keep = [&](ir::ValueId id, const Tensor& tensor) {
    values.insert_or_assign(id, tensor.clone());
  };
  program->run(*context, inputs, outputs, &keep);
  return values;
}

std::shared_ptr<gpu::Compiler> compiler_of(const engine::EngineFile& file) {
  std::vector<gpu::CubinPtr> known;
  if (file.cuda) {
    for (const engine::DeviceKernel& kernel : file.cuda->kernels) {
      const auto* bytes = static_cast<const std::byte*>(kernel.code.raw());
      known.push_back(std::make_shared<const gpu::Cubin>(
          gpu::Cubin{kernel.key, gpu::parse_arch(kernel.arch), {bytes, bytes + kernel.code.bytes()}}));
    }
  }
  return std::make_shared<gpu::Compiler>(gpu::CompilerOptions{}, std::move(known));
}

/// Runs on the GPU and compares each value with the CPU's, in the order of execution.
std::vector<Comparison> compare_with_gpu(const std::shared_ptr<const ir::Graph>& graph, const engine::EngineFile& file,
                                         const gpu::DevicePtr& device, std::int64_t batch,
                                         const std::vector<Tensor>& inputs, const Values& cpu) {
  const auto state = std::make_shared<cuda::DeviceState>(device, compiler_of(file));
  cuda::CompileOptions options;
  options.target = state->target();
  options.keep_values = true;
  if (file.cuda) options.chooser = cuda::chooser_of(file.cuda->choices, options.target.arch, batch);
  const auto program = cuda::compile(graph, batch, options);
  cuda::Context context(std::make_shared<const cuda::LoadedProgram>(program, state));
  std::vector<Tensor> outputs = make_outputs(*graph, batch);
  context.run(inputs, outputs);
  std::vector<Comparison> result;
  for (const cuda::Visible& visible : program->visible) {
    if (graph->value(visible.value).producer == ir::kNone) continue;  // a graph input
    result.push_back(tools::compare(*graph, visible.value, cpu.at(visible.value), context.read(visible)));
  }
  return result;
}

/// The node with the Quantize that alone reads it, which kernels take over.
std::vector<ir::NodeId> with_quantize(const ir::Graph& graph, ir::NodeId id) {
  std::vector<ir::NodeId> nodes{id};
  const ir::Node& node = graph.node(id);
  if (node.op == ir::OpType::kQuantize || node.outputs.size() != 1) return nodes;
  const ir::NodeId reader = graph.sole_consumer(node.outputs[0]);
  if (reader != ir::kNone && graph.node(reader).op == ir::OpType::kQuantize) nodes.push_back(reader);
  return nodes;
}

/// Runs each layer alone on the GPU, from the CPU's values, and compares what it writes.
std::vector<Comparison> compare_layers(const ir::Graph& graph, const engine::EngineFile& file,
                                       const gpu::DevicePtr& device, std::int64_t batch, const Values& cpu) {
  const auto state = std::make_shared<cuda::DeviceState>(device, compiler_of(file));
  cuda::CompileOptions options;
  options.target = state->target();
  if (file.cuda) options.chooser = cuda::chooser_of(file.cuda->choices, options.target.arch, batch);
  std::vector<Comparison> result;
  std::unordered_set<ir::NodeId> done;
  for (const ir::NodeId id : graph.order()) {
    if (done.contains(id)) continue;
    const std::vector<ir::NodeId> nodes = with_quantize(graph, id);
    done.insert(nodes.begin(), nodes.end());
    ir::Extract piece = ir::extract(graph, nodes);
    std::vector<Tensor> inputs;
    for (const ir::ValueId input : piece.inputs) inputs.push_back(cpu.at(input));
    const auto shared = std::make_shared<const ir::Graph>(std::move(piece.graph));
    cuda::Context context(std::make_shared<const cuda::LoadedProgram>(cuda::compile(shared, batch, options), state));
    std::vector<Tensor> outputs = make_outputs(*shared, batch);
    context.run(inputs, outputs);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      result.push_back(tools::compare(graph, piece.outputs[i], cpu.at(piece.outputs[i]), outputs[i]));
    }
  }
  return result;
}

struct Summary {
  std::int64_t beyond_one = 0;  ///< 8-bit values with a difference of more than 1 step
  double first_share = 0;       ///< of elements that differ, in the first 8-bit values
  double largest_share = 0;     ///< of elements that differ, in any 8-bit value
  std::vector<std::string> failures;
};

Summary summarize(const std::vector<Comparison>& values, bool layers) {
  Summary summary;
  std::size_t bytes_seen = 0;
  std::int64_t first_elements = 0, first_different = 0;
  for (const Comparison& value : values) {
    const double least = layers ? kLeastLayerDecibels : kLeastDecibels;
    if ((layers || value.is_output) && value.type == DataType::kFloat32 && !(value.decibels >= least)) {
      summary.failures.push_back(fmt::format("'{}' has {:.1f} dB", value.name, value.decibels));
    }
    if (!is_int8_like(value.type)) continue;
    ++bytes_seen;
    if (value.beyond_one > 0) ++summary.beyond_one;
    summary.largest_share = std::max(summary.largest_share, value.share());
    if (layers && value.beyond_one > 0) {
      summary.failures.push_back(fmt::format("'{}' differs by up to {} steps", value.name, value.largest));
    }
    if (bytes_seen <= kSummaryValues) {
      first_elements += value.elements;
      first_different += value.different;
    }
    if (!layers && bytes_seen <= kJudgedValues && (value.beyond_one > 0 || value.share() > kJudgedShare)) {
      summary.failures.push_back(
          fmt::format("'{}', one of the first 8-bit values, differs in {:.3f} % of its elements "
                      "and by up to {} steps",
                      value.name, 100 * value.share(), value.largest));
    }
  }
  if (first_elements > 0)
    summary.first_share = static_cast<double>(first_different) / static_cast<double>(first_elements);
  return summary;
}

void print_json(const Options& options, const std::string& device, const std::vector<Comparison>& values,
                const Summary& summary) {
  nlohmann::json json = {{"engine", options.engine}, {"batch", options.batch}, {"device", device}};
  json["values"] = nlohmann::json::array();
  for (const Comparison& value : values) {
    json["values"].push_back({{"name", value.name},
                              {"type", name_of(value.type)},
                              {"elements", value.elements},
                              {"different", value.different},
                              {"largest", value.largest},
                              {"sqnr_db", value.decibels}});  // null where all is equal
  }
  json["summary"] = {{"values", values.size()},
                     {"beyond_one_step", summary.beyond_one},
                     {"first_8bit_share", summary.first_share},
                     {"largest_8bit_share", summary.largest_share},
                     {"failures", summary.failures}};
  cli::print(json.dump(2) + "\n");
}

void print_text(const std::string& device, const std::vector<Comparison>& values, const Summary& summary) {
  std::vector<std::vector<std::string>> rows = {{"value", "type", "elements", "different", "largest", "SQNR dB"}};
  for (const Comparison& value : values) {
    const bool real = value.type == DataType::kFloat32;
    rows.push_back(
        {value.name, std::string(name_of(value.type)), std::to_string(value.elements), std::to_string(value.different),
         fmt::format(fmt::runtime(real ? "{:.2e}" : "{}"), value.largest),
         std::isinf(value.decibels) && value.decibels > 0 ? "equal" : fmt::format("{:.1f}", value.decibels)});
  }
  cli::print(cli::table(rows));
  cli::print(
      fmt::format("{}: {} values compared, {} 8-bit values differ by more than 1 step, {:.4f} % of the elements of "
                  "the first {} 8-bit values differ, {:.4f} % of any one's\n",
                  device, values.size(), summary.beyond_one, 100 * summary.first_share, kSummaryValues,
                  100 * summary.largest_share));
  for (const std::string& failure : summary.failures) cli::print("FAILED: " + failure + "\n");
}

int run(const Options& options) {
  if (gpu::device_count() == 0)
    throw DeviceError(fmt::format("there is no usable NVIDIA GPU: {}", gpu::why_no_device()));
  const gpu::DevicePtr device = gpu::Device::open(options.gpu);
  engine::EngineFile file = engine::load(options.engine);
  const auto graph = std::make_shared<const ir::Graph>(std::move(file.graph));
  const std::vector<Tensor> inputs = make_inputs(*graph, options);
  Values cpu = run_on_cpu(graph, options.batch, inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) cpu.insert_or_assign(graph->inputs()[i], inputs[i]);
  const std::vector<Comparison> values = options.layers
                                             ? compare_layers(*graph, file, device, options.batch, cpu)
                                             : compare_with_gpu(graph, file, device, options.batch, inputs, cpu);
  const Summary summary = summarize(values, options.layers);
  if (options.json)
    print_json(options, device->info().name, values, summary);
  else
    print_text(device->info().name, values, summary);
  return summary.failures.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Compares every value of an engine's graph between the CPU and the GPU");
  Options options;
  app.add_option("engine", options.engine, "engine file")->required();
  app.add_option("--batch", options.batch, "batch size")->check(CLI::PositiveNumber);
  app.add_option("--input", options.inputs, "NAME=FILE.npy; inputs that are not named are made up");
  app.add_flag("--layers", options.layers, "run each layer alone, from the CPU's values");
  app.add_option("--gpu", options.gpu, "which GPU")->check(CLI::NonNegativeNumber);
  app.add_flag("--json", options.json, "print JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    return run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "compare_devices: %s\n", error.what());
    return 1;
  }
}
